"""Sliders stay in view while the figures that they move scroll: below the header, on a phone in a bar at the bottom."""

from __future__ import annotations

import pytest
from support.visits import CANVAS, SIZES, drawn, settle, slider

MAIN = {
    "spike_maps": "Firing threshold",
    "channel_masks": "Threshold",
    "random_masks": "Ratio",
    "integer_firing": "D",
    "reconstruction": "Mask ratio",
}
BAR = ".st-key-sliders"
SCROLLS = "[data-testid='stMain']"


def wheel(page, by: int) -> None:
    """Scroll as a person does, with the pointer over the page."""
    page.mouse.move(page.viewport_size["width"] * 0.6, page.viewport_size["height"] * 0.5)
    page.mouse.wheel(0, by)
    page.wait_for_timeout(500)


def box(where) -> tuple[float, float, float]:
    """Top, bottom and height on the screen."""
    found = where.bounding_box()
    return found["y"], found["y"] + found["height"], found["height"]


def in_view(page, where) -> bool:
    top, bottom, _ = box(where)
    return top >= 0 and bottom <= page.viewport_size["height"]


def on_top(where) -> bool:
    """Whether a click in the middle of it reaches it, and nothing that lies above it."""
    return where.evaluate(
        """(e) => {
          const r = e.getBoundingClientRect();
          const hit = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
          return e === hit || e.contains(hit) || hit.contains(e);
        }"""
    )


@pytest.mark.parametrize("query", ["", "?plain=1"])
def test_threshold_and_membrane_are_on_one_screen(visit, bare, query):
    page = visit("spike_maps", query=query, address=bare)
    title = page.get_by_text("Membrane · ").first
    chart = page.locator("[data-testid='stPlotlyChart']", has=page.get_by_text("membrane H[t]")).first
    chart.wait_for()
    moved = slider(page, "Firing threshold")
    wheel(page, box(title)[0] - 300)
    assert page.locator(SCROLLS).evaluate("e => e.scrollTop") > 200
    for where in (title, chart, moved):
        assert in_view(page, where)
    assert on_top(moved) and box(moved)[1] < box(title)[0]
    moved.press("ArrowLeft")
    page.get_by_text("threshold=0.95").first.wait_for(timeout=30_000)
    settle(page)
    assert in_view(page, chart) and in_view(page, moved)  # the page has not jumped
    assert page.complaints == []


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("name", MAIN)
def test_the_main_slider_is_always_in_view(visit, bare, name, width):
    page = visit(name, width, address=bare)
    settle(page)  # charts come after the map, and move what is below them
    moved, charts = slider(page, MAIN[name]), page.locator("[data-testid='stPlotlyChart']")
    limit = 0.25 if width == 390 else 0.4
    for by in (0, 300, 600, 900):
        wheel(page, by)
        assert in_view(page, moved) and on_top(moved), by
        assert box(page.locator(BAR))[2] <= limit * SIZES[width]
    if width == 1280 and charts.count():
        wheel(page, box(charts.first)[1] - SIZES[width] + 20)
        assert in_view(page, charts.first) and in_view(page, moved)
    wheel(page, 100_000)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 1
    if width == 390:  # the bar covers nothing at the end of the page
        last = page.get_by_text("Terms on this page")
        assert box(last)[1] <= box(page.locator(BAR))[0] and box(page.locator(BAR))[1] <= SIZES[width] + 1
    assert page.complaints == []


@pytest.mark.parametrize("name", [name for name in MAIN if name != "reconstruction"])
def test_map_and_slider_are_together_on_a_phone(visit, bare, name):
    page = visit(name, 390, address=bare)
    drawn(page)
    top, _, height = box(page.locator(CANVAS))
    wheel(page, top - 80)
    top, bottom, _ = box(page.locator(CANVAS))
    moved = slider(page, MAIN[name])
    assert in_view(page, moved) and top >= 0
    seen = min(bottom, box(page.locator(BAR))[0]) - top  # of a canvas that may go on below with its small maps
    assert seen >= min(height, 260)
    line = page.locator(CANVAS).get_attribute("data-drawn")
    moved.press("ArrowRight" if name != "integer_firing" else "ArrowLeft")
    page.wait_for_function(
        "([where, line]) => document.querySelector(where).dataset.drawn !== line", arg=[CANVAS, line], timeout=30_000
    )
    assert in_view(page, moved)
    assert page.complaints == []


def test_the_keyboard_finds_nothing_below_the_bar(visit, bare):
    """What has the focus is not covered, and the bar itself makes nothing jump."""
    page = visit("spike_maps", 390, address=bare)
    drawn(page)
    for _ in range(30):
        page.keyboard.press("Tab")
        page.wait_for_timeout(50)
        covered = page.evaluate(
            """(bar) => {
              const e = document.activeElement, limit = document.querySelector(bar).getBoundingClientRect().top;
              return e.closest(bar) || e === document.body || !e.closest("[data-testid='stMain']")
                ? 0 : e.getBoundingClientRect().bottom - limit;
            }""",
            BAR,
        )
        tall = page.evaluate("document.activeElement.getBoundingClientRect().height > 500")
        assert covered <= 1 or tall


@pytest.mark.parametrize("touch", [True, False])
def test_no_tools_over_data(browser, bare, touch):
    """A chart's tools lie below its data, and a finger gets none."""
    context = browser.new_context(
        viewport={"width": 390 if touch else 1280, "height": 844}, has_touch=touch, is_mobile=touch
    )
    page = context.new_page()
    page.goto(f"{bare}/spike_maps")
    chart = page.locator("[data-testid='stPlotlyChart']", has=page.get_by_text("membrane H[t]")).first
    chart.wait_for(timeout=120_000)
    settle(page)
    chart.scroll_into_view_if_needed()
    (chart.tap if touch else chart.hover)()
    page.wait_for_timeout(600)
    tools, data = chart.locator(".modebar"), chart.locator(".nsewdrag").first
    assert tools.count() == 1
    assert tools.is_visible() != touch
    if not touch:
        assert box(tools)[0] >= box(data)[1] - 1 and box(tools)[1] <= box(chart)[1] + 1
    context.close()
