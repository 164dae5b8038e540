"""The address says what the page shows, also under load, and every page keeps what it was set to."""

from __future__ import annotations

import pytest
from support.visits import settle, slider, status

LABEL = "Firing threshold"
PATIENCE = 20_000  # ms, of a machine with more to do; with nothing else to do it takes one


def agrees(page) -> None:
    """The address has the firing threshold, once the page has come to rest; at its default it has none."""
    value = f"{float(slider(page, LABEL).input_value()):.2f}"
    page.get_by_text(f"threshold={value}").first.wait_for(timeout=PATIENCE)
    page.wait_for_function(
        """(value) => (new URL(location.href).searchParams.get("maps_threshold") ?? "1.00") === value""",
        arg=value,
        timeout=PATIENCE,
    )


def sidebar(page, title: str) -> None:
    """Another page, chosen where it stands on a wide screen, and behind a button on a narrow one."""
    button = page.get_by_test_id("stExpandSidebarButton")
    if button.is_visible():
        button.click()
    page.locator("[data-testid='stSidebarNav']").get_by_role("link", name=title).click()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_value_that_comes_back_at_once_is_in_the_address(visit, width):
    """The browser hears of the first address when it has sent the second value already."""
    page = visit("spike_maps", width)
    for _ in range(4):
        slider(page, LABEL).press("ArrowLeft")
        page.wait_for_timeout(60)
        slider(page, LABEL).press("ArrowRight")
        settle(page)
        agrees(page)


def test_five_people_drag_at_once(visit, server):
    """A server that gets little time: moves are merged and answers come late."""
    people = [visit("spike_maps") for _ in range(5)]
    for turn in range(2):
        for page in people:
            box = slider(page, LABEL).bounding_box()
            page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
            page.mouse.down()
        for share in (0.3, 0.45, 0.6, 0.2):
            for n, page in enumerate(people):
                box = slider(page, LABEL).bounding_box()
                page.mouse.move(
                    box["x"] + box["width"] * (share + 0.02 * n + 0.05 * turn), box["y"] + box["height"] / 2, steps=3
                )
            with server.standing_still():
                people[0].wait_for_timeout(400)
            people[0].wait_for_timeout(100)
        for page in people:
            page.mouse.up()
    for page in people:
        agrees(page)
        assert "maps_threshold" in page.url
        assert page.complaints == []


def test_a_hand_that_lets_go_where_it_has_rested(visit):
    """The last value was sent while the hand was still there; that it has let go is sent as well."""
    page = visit("spike_maps")
    box = slider(page, LABEL).bounding_box()
    entries = page.evaluate("history.length")
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2, steps=5)
    settle(page)
    page.wait_for_timeout(1500)
    assert "maps_threshold" not in page.url
    page.mouse.move(5, 5)  # beside the slider
    page.mouse.up()
    settle(page)
    agrees(page)
    assert page.evaluate("history.length") == entries + 1


@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_is_found_again_as_it_was_left(visit, bare, width):
    page = visit(
        "spike_maps", width, query="?checkpoint=e-spikeformer-fashion-vanilla4&maps_threshold=0.60", address=bare
    )
    left, line = page.url, status(page).partition(" · ")[2]
    sidebar(page, "Random masks")
    page.wait_for_url("**/random_masks?checkpoint=*")
    settle(page)
    assert "maps_" not in page.url and "vanilla4" not in page.url
    sidebar(page, "Spike maps")
    page.wait_for_url("**/spike_maps?checkpoint=*")
    settle(page)
    assert page.url == left and status(page).partition(" · ")[2] == line
    page.go_back()  # the moment at which the page was chosen, then the page before
    settle(page)
    page.go_back()
    page.wait_for_url("**/random_masks*")
    page.get_by_role("heading", name="Random masks").wait_for(timeout=PATIENCE)
    assert page.complaints == []
