"""How long a person waits: printed, not asserted. `pytest tests/browser/test_latency.py -s`."""

from __future__ import annotations

import statistics
import time

import pytest
from support.visits import CANVAS, STATUS, as_spikeviz, drawn, settle, slider

ROUNDS = 24


@pytest.fixture(scope="module", autouse=True)
def somebody_reads(request):
    if request.config.getoption("capture") != "no":
        pytest.skip("it prints how long one waits, and nobody would see it: run it with -s")


# Resolves with the milliseconds from a key press to the moment the canvas has drawn something else.
WATCH = """(canvas) => new Promise((done) => {
  const before = canvas.dataset.drawn;
  let start = null;
  document.addEventListener("keydown", (e) => (start = e.timeStamp), { once: true, capture: true });
  const look = () => canvas.dataset.drawn !== before && done(performance.now() - start);
  canvas.addEventListener("drawn", look);
  setTimeout(() => done(null), 20000);
})"""


def report(what: str, milliseconds: list[float]) -> None:
    ordered = sorted(milliseconds)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    print(f"\n{what}: p50 {statistics.median(ordered):.0f} ms, p95 {p95:.0f} ms ({len(ordered)} times)")


def timed(page, press) -> float:
    """From the key press to changed pixels, by the browser's own clock."""
    page.evaluate(f'() => {{ const c = document.querySelector("{CANVAS}"); window.waiting = ({WATCH})(c); }}')
    press()
    passed = page.evaluate("() => window.waiting")
    assert passed is not None, "the picture did not change within 20 s"
    return passed


@pytest.mark.parametrize("query", ["", "?plain=1"], ids=["live", "release"])
def test_slider_to_changed_map(visit, query):
    page = visit("spike_maps", query=query)
    drawn(page)
    times = []
    for i in range(ROUNDS):  # every value is new, so that none comes from the cache
        key = "ArrowLeft" if i < ROUNDS // 2 else "ArrowUp"
        name = "Firing threshold" if i < ROUNDS // 2 else "tau"
        times.append(timed(page, lambda name=name, key=key: slider(page, name).press(key)))
        settle(page)
    report(f"slider ({query or 'live'}) to changed map", times)


def test_d_to_changed_map(visit):
    """Two networks run for one move: the what-if and, where there is one, the network trained at that D."""
    page = visit("integer_firing")
    drawn(page)
    times = []
    for key in ["ArrowLeft"] * 3 + ["ArrowRight"] * 15:
        times.append(timed(page, lambda key=key: slider(page, "D").press(key)))
        settle(page)
    report("slider D to changed map", times)


def test_scrub(visit):
    page = visit("spike_maps", query="?maps_T=8")
    drawn(page)
    step = page.get_by_label("Time step", exact=True)
    step.press("Home")
    times = [timed(page, lambda: step.press("ArrowRight")) for _ in range(8)]
    step.press("Home")
    times += [timed(page, lambda: step.press("ArrowRight")) for _ in range(8)]
    report("scrub to changed map", times)


@pytest.mark.parametrize("fresh_address", [as_spikeviz], indirect=True, ids=["spikeviz"])
def test_start_page(browser, fresh_address):
    """Cold: a server that has shown nothing yet. Warm: the same one, another visitor."""
    for what in ("cold", "warm"):
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        start = time.perf_counter()
        page.goto(fresh_address)
        page.get_by_text("spikes of").wait_for(timeout=60_000)
        page.get_by_text(STATUS).first.wait_for()
        report(f"start page, {what} server", [1000 * (time.perf_counter() - start)])
        page.close()
        time.sleep(15)  # the server imports torch in the background


def test_page_switch(visit):
    page = visit("overview")
    drawn(visit("spike_maps"))
    times = []
    for _ in range(5):
        for name, sign in (("Spike maps", CANVAS), ("Overview", "text=Look inside a spiking transformer")):
            start = time.perf_counter()
            page.locator("[data-testid='stSidebarNav']").get_by_role("link", name=name).click()
            page.wait_for_selector(f"{CANVAS}[data-drawn]" if sign == CANVAS else sign)
            times.append(1000 * (time.perf_counter() - start))
            settle(page)
    report("page switch", times)
