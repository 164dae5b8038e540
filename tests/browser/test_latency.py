"""How long a person waits: printed, not asserted. `pytest tests/browser/test_latency.py -s`."""

from __future__ import annotations

import statistics
import time

import pytest
from support.visits import CANVAS, STATUS, as_floor, as_spikeviz, drawn, milliseconds, settle, slider

ROUNDS = 24
SIGNS = {  # of a page: what shows that its picture is there
    "Spike maps": f"{CANVAS}[data-drawn]",
    "Channel masks": f"{CANVAS}[data-drawn]",
    "Random masks": f"{CANVAS}[data-drawn]",
    "Integer firing": f"{CANVAS}[data-drawn]",
    "Reconstruction": ".sv-patches img",
    "Events": "[data-testid='event-player'][data-drawn]",
    "Overview": "text=spikes of",
}
LIVE, PLAIN = 30.0, 120.0  # ms that a move is meant to take beyond the floor and the forward pass, at the most


@pytest.fixture(scope="module", autouse=True)
def somebody_reads(request):
    if request.config.getoption("capture") != "no":
        pytest.skip("it prints how long one waits, and nobody would see it: run it with -s")


# Resolves with the milliseconds from a key press to the moment the canvas has drawn something else.
CHANGED_CANVAS = """(canvas) => new Promise((done) => {
  const before = canvas.dataset.drawn;
  let start = null;
  document.addEventListener("keydown", (e) => (start = e.timeStamp), { once: true, capture: true });
  const look = () => canvas.dataset.drawn !== before && done(performance.now() - start);
  canvas.addEventListener("drawn", look);
  setTimeout(() => done(null), 20000);
})"""

# The same of a text that begins with a word: Streamlit may put another element in its place.
CHANGED_TEXT = """(word) => new Promise((done) => {
  const now = () => [...document.querySelectorAll("[data-testid='stText']")]
    .map((e) => e.textContent).find((text) => text.startsWith(word));
  const before = now();
  let start = null;
  document.addEventListener("keydown", (e) => (start = e.timeStamp), { once: true, capture: true });
  const watch = new MutationObserver(() => {
    if (now() === before) return;
    watch.disconnect();
    done(performance.now() - start);
  });
  watch.observe(document.body, { subtree: true, childList: true, characterData: true });
  setTimeout(() => done(null), 20000);
})"""


def at(milliseconds: list[float], share: float) -> float:
    ordered = sorted(milliseconds)
    return ordered[min(len(ordered) - 1, round(share * len(ordered)))]


def report(what: str, milliseconds: list[float]) -> None:
    middle, p95 = statistics.median(milliseconds), at(milliseconds, 0.95)
    print(f"\n{what}: p50 {middle:.0f} ms, p95 {p95:.0f} ms ({len(milliseconds)} times)")


def aim(floor: list[float], forward: list[float], more: float, moves: list[float]) -> None:
    """Print what a move is meant to take on this machine, and whether it does."""
    low, passed = statistics.median(floor), statistics.median(forward)
    most = low + passed + more
    met = " and ".join(
        f"{name} {'met' if took <= allowed else f'missed by {took - allowed:.0f} ms'}"
        for name, took, allowed in (
            ("p50", statistics.median(moves), most),
            ("p95", at(moves, 0.95), 2 * most),
        )
    )
    print(f"  aim: floor {low:.0f} + forward {passed:.0f} + {more:.0f} = {most:.0f} ms, twice that at p95: {met}")


def timed(page, press, watch: str = "") -> float:
    """From the key press to changed pixels, or to a changed text, by the browser's own clock."""
    watched = watch or f'({CHANGED_CANVAS})(document.querySelector("{CANVAS}"))'
    page.evaluate(f"() => {{ window.waiting = {watched}; }}")
    press()
    passed = page.evaluate("() => window.waiting")
    assert passed is not None, "nothing changed within 20 s"
    return passed


@pytest.fixture(scope="module")
def floors(browser, serving, tmp_path_factory):
    """What the least takes, in the same run: a live slider and one of Streamlit's, each of which sets one text."""
    with serving(tmp_path_factory.mktemp("floor"), as_floor) as server:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(server.url)
        page.get_by_text("plain is").wait_for(timeout=60_000)
        settle(page)
        found = {}
        for name in ("Live", "Plain"):
            found[name] = []
            for _ in range(ROUNDS):
                watch = f'({CHANGED_TEXT})("{name.lower()} is")'
                found[name].append(timed(page, lambda name=name: slider(page, name).press("ArrowRight"), watch))
                settle(page)
            report(f"floor, {name.lower()}", found[name])
        page.close()
    return found


@pytest.mark.parametrize(("query", "kind", "more"), [("", "Live", LIVE), ("?plain=1", "Plain", PLAIN)])
def test_slider_to_changed_map(visit, floors, query, kind, more):
    page = visit("spike_maps", query=query)
    drawn(page)
    times, forward = [], []
    for i in range(ROUNDS):  # every value is new, so that none comes from the cache
        key = "ArrowLeft" if i < ROUNDS // 2 else "ArrowUp"
        name = "Firing threshold" if i < ROUNDS // 2 else "tau"
        times.append(timed(page, lambda name=name, key=key: slider(page, name).press(key)))
        settle(page)
        forward.append(milliseconds(page))
    report(f"slider ({query or 'live'}) to changed map", times)
    aim(floors[kind], forward, more, times)


def test_d_to_changed_map(visit, floors):
    """Two networks run for one move: the what-if and, where there is one, the network trained at that D."""
    page = visit("integer_firing")
    drawn(page)
    times, forward = [], []
    for key in ["ArrowLeft"] * 3 + ["ArrowRight"] * 15:
        times.append(timed(page, lambda key=key: slider(page, "D").press(key)))
        settle(page)
        forward.append(2 * milliseconds(page))  # that of the other network is of the same size
    report("slider D to changed map", times)
    aim(floors["Live"], forward, LIVE, times)


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
    """From a click in the sidebar to the picture: the first time that this browser shows the page, and after that."""
    page, first, again = visit("overview"), [], []
    for turn in (first, again, again):
        for name, sign in SIGNS.items():
            start = time.perf_counter()
            page.locator("[data-testid='stSidebarNav']").get_by_role("link", name=name).click()
            page.get_by_role("heading", name="Look inside" if name == "Overview" else name).first.wait_for()
            page.wait_for_selector(sign, state="visible", timeout=20_000)
            turn.append(1000 * (time.perf_counter() - start))
            settle(page)
        print("\n" + ", ".join(f"{name} {took:.0f}" for name, took in zip(SIGNS, turn[-len(SIGNS) :], strict=True)))
    report("page switch, first visits of a browser", first)
    report("page switch, later ones", again)
    report("page switch", first + again)
