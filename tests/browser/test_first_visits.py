"""First visits to a server: the page says what it waits for, and once everything is loaded nobody waits long."""

from __future__ import annotations

import time

import pytest
from support.visits import SIZES, STATUS, as_spikeviz, as_streamlit, settle

from spikeviz.views.page import FILES

LOADED = "has loaded the first network of every page"
LONG = 6.0  # s of a first visit on a machine with more to do, where 3 are meant
AGAIN = 3.0  # or as many times as the next visit takes, where even that is slow


def seconds(browser, url: str) -> float:
    """From the address to the line that says what was computed, of a new visitor."""
    page = browser.new_page(viewport={"width": 1280, "height": SIZES[1280]})
    start = time.perf_counter()
    page.goto(url)
    page.get_by_text(STATUS).first.wait_for(timeout=120_000)
    passed = time.perf_counter() - start
    page.close()
    return passed


@pytest.mark.parametrize("width", SIZES)
def test_a_page_says_what_it_waits_for(browser, serving, tmp_path, width):
    """`streamlit run` loads nothing before the first visit."""
    with serving(tmp_path, as_streamlit, SPIKEVIZ_DATA="") as server:
        page = browser.new_page(viewport={"width": width, "height": SIZES[width]})
        page.goto(f"{server.url}/spike_maps")
        page.get_by_text("Loading torch").wait_for(timeout=60_000)
        page.get_by_text(STATUS).first.wait_for(timeout=120_000)
        settle(page)
        assert page.get_by_text("Loading").count() == 0
        page.close()


def test_the_start_page_says_what_a_click_waits_for(browser, serving, tmp_path):
    with serving(tmp_path, as_streamlit, SPIKEVIZ_DATA="") as server:
        page = browser.new_page(viewport={"width": 1280, "height": SIZES[1280]})
        page.goto(server.url)
        page.get_by_text(STATUS).first.wait_for(timeout=60_000)
        page.get_by_role("button", name="›").click()
        page.get_by_text("Loading torch and the network").wait_for(timeout=60_000)
        page.wait_for_url("**input=1*", timeout=120_000)
        page.close()


def test_first_visits_are_short_once_everything_is_loaded(browser, serving, tmp_path):
    """Printed as well: `pytest tests/browser/test_first_visits.py -s`."""
    with serving(tmp_path, as_spikeviz, SPIKEVIZ_DATA="") as server:
        end = time.monotonic() + 180
        while LOADED not in (tmp_path / "log.txt").read_text() and time.monotonic() < end:
            time.sleep(0.2)
        print(f"\n{(tmp_path / 'log.txt').read_text().strip()}")
        assert LOADED in (tmp_path / "log.txt").read_text()
        for name in FILES:
            url = f"{server.url}/{'' if name == 'overview' else name}"
            first, again = (seconds(browser, url) for _ in range(2))
            print(f"{name}: {first:.1f} s, again {again:.1f} s")
            assert first <= max(LONG, AGAIN * again), name
