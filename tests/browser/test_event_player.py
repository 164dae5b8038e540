"""The page of events in a browser: the player plays, the cloud turns, and a gigabyte is refused before it is sent."""

from __future__ import annotations

import pytest
from support.networks import needs
from support.visits import SIZES, settle

PLAYER, CLOUD = "[data-testid='event-player']", "[data-testid='event-cloud']"
pytestmark = needs("sdmformer-fashion-dvs")


def drawn(page, said: str = "", canvas: str = PLAYER) -> str:
    """The pixels of a canvas, once it has drawn what it should."""
    page.wait_for_selector(f"{canvas}[data-drawn*='{said}']" if said else f"{canvas}[data-drawn]", timeout=30_000)
    return page.locator(canvas).evaluate("e => e.toDataURL()")


def test_time_window_and_polarity_change_the_picture_and_the_address_opens_it_again(visit):
    page = visit("events")
    first = drawn(page, " 20 both ")
    page.get_by_role("slider", name="Time (ms)").press("ArrowRight")
    page.wait_for_function("e => location.search.includes('events_at')")
    later = drawn(page)
    page.get_by_role("button", name="ON", exact=True).click()
    on = drawn(page, " 20 on ")
    page.get_by_role("slider", name="Accumulation window").press("ArrowRight")
    wide = drawn(page, " 50 on ")
    assert len({first, later, on, wide}) == 4
    page.wait_for_function("e => location.search.includes('events_window=50')")
    settle(page)
    again = visit("events", query=page.url[page.url.index("?") :])
    assert "events_show=on" in again.url and drawn(again, " 50 on ") == drawn(page, " 50 on ")
    assert page.complaints == [] and again.complaints == []


def test_it_plays_in_the_browser_alone(visit, server):
    page = visit("events", query="?events_at=0")
    start = drawn(page, "0 ")
    with server.standing_still():
        page.get_by_role("button", name="Play the recording").click()
        page.wait_for_function(f"!document.querySelector(\"{PLAYER}\").dataset.drawn.startsWith('0 ')")
        page.get_by_role("button", name="Pause").click()
        assert drawn(page) != start
    page.locator(PLAYER).press("ArrowUp")
    drawn(page, " 50 both ")
    settle(page)
    assert page.complaints == []


def test_the_cloud_turns(visit):
    page = visit("events")
    before = drawn(page, canvas=CLOUD)
    page.locator(CLOUD).press("ArrowRight")
    turned = drawn(page, canvas=CLOUD)
    page.get_by_role("button", name="Along the time").click()
    along = drawn(page, "1.57 0.00", CLOUD)
    page.get_by_role("button", name="From the side").click()
    assert drawn(page, "-0.45 0.30", CLOUD) == before and len({before, turned, along}) == 3
    assert page.complaints == []


def test_how_it_is_cut(visit):
    page = visit("events")
    page.get_by_text("Equal count", exact=True).click()
    page.get_by_text("the mean length of a slice").first.wait_for(timeout=30_000)
    page.wait_for_function("e => location.search.includes('events_cut=count')")
    assert page.complaints == []


@pytest.mark.parametrize("width", SIZES)
def test_the_picture_comes_first(visit, width):
    page = visit("events", width)
    drawn(page)
    box = page.locator(PLAYER).bounding_box()
    assert box["y"] + min(box["height"], box["width"]) < SIZES[width]
    place = page.get_by_role("group", name="T", exact=True).bounding_box()
    assert (place["y"] < box["y"]) == (width == 1280)
    for still in ("event_player_still", "event_cloud_still"):
        assert page.locator(f".st-key-{still}").evaluate("e => getComputedStyle(e).display") == "none"


def test_a_gigabyte_is_a_sentence(visit, tmp_path):
    huge = tmp_path / "huge.bin"
    with huge.open("wb") as file:
        file.truncate(2**30)
    page = visit("events")
    before = drawn(page)
    page.get_by_role("button", name="Upload").first.click()
    page.locator("input[type=file]").first.set_input_files(huge)
    page.get_by_text("File must be 50.0MB or smaller").first.wait_for(timeout=30_000)
    assert drawn(page) == before and page.complaints == []
