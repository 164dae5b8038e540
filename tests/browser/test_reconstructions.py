"""The page of masked autoencoders in a browser: the ratio while it is moved, patches clicked and stroked, a drawing."""

from __future__ import annotations

import pytest
from support.networks import needs
from support.visits import settle, slider, status

pytestmark = needs("spikformer-v2-mae-fashion")
SHEET = "[data-drawn]"


def pictures(page) -> list[str]:
    """What the images of the component show."""
    return page.locator(f"{SHEET} img").evaluate_all("images => images.map((image) => image.src)")


def patch(page, number: int):
    return page.locator(f"{SHEET} button[data-patch='{number}']")


@pytest.mark.parametrize("plain", ["", "&plain=1"])
def test_the_ratio_changes_the_picture(visit, plain):
    page = visit("reconstruction", query=f"?input=1{plain}")
    page.wait_for_selector(f"{SHEET}[data-drawn*='mask_ratio=0.75']", timeout=30_000)
    before = pictures(page)
    slider(page, "Mask ratio").press("ArrowLeft")
    page.wait_for_selector(f"{SHEET}[data-drawn*='mask_ratio=0.70']", timeout=60_000)
    settle(page)
    assert pictures(page)[2] != before[2] and "mask_ratio=0.70" in status(page)
    assert "mae_mask_ratio=0.70" in page.url
    assert page.complaints == []


def test_patches_are_clicked_stroked_and_reached_by_keyboard(visit):
    page = visit("reconstruction", query="?input=1&mae_patches=0-3")
    assert patch(page, 0).get_attribute("aria-label") == "Patch 0, hidden"
    patch(page, 10).click()
    assert patch(page, 10).get_attribute("aria-pressed") == "true"  # at once
    page.get_by_text("patches=0-3.10 seed=0").first.wait_for(timeout=60_000)
    settle(page)
    ends = [patch(page, number).bounding_box() for number in (0, 2)]
    (x0, y0), (x1, y1) = ((box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in ends)
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move(x1, y1, steps=12)
    page.mouse.up()
    page.get_by_text("patches=3.10 seed=0").first.wait_for(timeout=60_000)
    settle(page)
    patch(page, 2).focus()
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.get_by_text("seed=0").filter(has_text="patches=3.").first.wait_for(timeout=60_000)
    page.wait_for_url("**mae_patches=3**", timeout=60_000)
    settle(page)
    assert "patches=3 seed=0" in status(page)  # the last click showed patch 10 again
    assert page.complaints == []


def test_a_drawing_becomes_the_input(visit):
    page = visit("reconstruction")
    page.get_by_role("button", name="Draw").click()
    paper = page.get_by_test_id("sketch")
    box = paper.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 180, box["y"] + 180, steps=8)
    page.mouse.up()
    paper.focus()
    for key in ("ArrowLeft", "Shift+ArrowDown", " "):
        page.keyboard.press(key)
    page.get_by_role("button", name="Use it").click()
    page.get_by_text("your drawing").first.wait_for(timeout=60_000)
    settle(page)
    assert "input=upload-" in page.url and page.complaints == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits(visit, width, theme):
    page = visit("reconstruction", width, theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sheet = page.locator(SHEET).first.bounding_box()
    assert sheet["y"] < 800 if width == 1280 else sheet["y"] < 844
    assert page.complaints == []
