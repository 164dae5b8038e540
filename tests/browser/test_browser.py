"""The app in a real browser: every page, wide and narrow, light and dark, and a slider that changes the picture."""

from __future__ import annotations

import pytest
from support.networks import pages
from support.visits import CANVAS, SIZES, STATUS, drawn, settle, slider, status


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("name", pages())
def test_page(visit, name, width, theme):
    page = visit(name, width, theme)
    assert page.locator("[data-testid='stException'], [data-testid='stAlertContentError']").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 1
    main = page.locator("[data-testid='stMain']")
    assert main.evaluate("e => e.scrollWidth - e.clientWidth") <= 1
    assert page.locator("img:not([alt]), img[alt='']").count() == 0
    assert page.complaints == []


def test_a_first_visit_by_a_deep_link_gets_the_whole_app(visit, fresh_address):
    page = visit("spike_maps", query="?maps_T=2", address=fresh_address)
    assert "T=2" in page.get_by_text(STATUS).first.inner_text()
    assert page.locator("[data-testid='stSidebarNav']").inner_text().split()[:2] == ["Start", "Overview"]
    assert page.get_by_role("dialog").count() == 0
    assert page.complaints == []


@pytest.mark.parametrize("name", pages())
def test_every_page_is_one_click_away(visit, name):
    page = visit("overview")
    link = page.locator("[data-testid='stSidebarNav']").get_by_role("link", name=name.replace("_", " ").capitalize())
    link.click()
    page.get_by_text(STATUS).first.wait_for()
    settle(page)
    assert page.locator("[data-testid='stException']").count() == 0
    assert page.complaints == []


def pictures(page) -> str:
    """All pixels of a page: canvases and images."""
    return page.locator("[data-testid='stMain']").evaluate(
        "m => [...m.querySelectorAll('canvas')].map(c => c.toDataURL()).join() + "
        "[...m.querySelectorAll('img')].map(i => i.src).join()"
    )


@pytest.mark.parametrize("name", pages())
def test_a_control_changes_the_picture_and_the_address_opens_it_again(visit, name):
    """The first slider of a page to its end (a step of a threshold may drop nothing), or the next picture."""
    page = visit(name)
    before, line, opened = pictures(page), status(page), page.url
    sliders = page.get_by_role("group").get_by_role("slider")
    if sliders.count():
        lowest = sliders.first.evaluate("e => (e.value ?? e.ariaValueNow) === (e.min ?? e.ariaValueMin)")
        sliders.first.press("End" if lowest else "Home")
    else:
        page.get_by_role("button", name="›").click()
    page.wait_for_function("url => location.href !== url", arg=opened)
    settle(page)
    after = pictures(page)
    assert after != before
    assert not sliders.count() or status(page).partition(" · ")[2] != line.partition(" · ")[2]
    again = visit(name, query=page.url[page.url.index("?") :])
    assert status(again).partition(" · ")[2] == status(page).partition(" · ")[2]
    assert pictures(again) == after


@pytest.mark.parametrize("width", SIZES)
def test_the_picture_comes_first(visit, width):
    """Above the fold on a wide screen, before its controls on a narrow one."""
    page = visit("spike_maps", width)
    drawn(page)
    box = page.locator(CANVAS).bounding_box()
    assert box["y"] + min(box["height"], box["width"]) < SIZES[width]
    place = page.get_by_role("group", name="T", exact=True).bounding_box()
    assert (place["y"] < box["y"]) == (width == 1280)
    assert page.locator(".st-key-spike_viewer_still").evaluate("e => getComputedStyle(e).display") == "none"


@pytest.mark.parametrize("plain", ["", "?plain=1"])
@pytest.mark.parametrize(
    ("label", "key", "said"),
    [
        ("T", "ArrowLeft", "T=3"),
        ("Firing threshold", "ArrowRight", "threshold=1.05"),
        ("tau", "ArrowRight", "tau=2.10"),
    ],
)
def test_a_slider_changes_the_picture(visit, label, key, said, plain):
    page = visit("spike_maps", query=plain)
    before, text = drawn(page), status(page)
    slider(page, label).press(key)
    page.get_by_text(said).first.wait_for(timeout=30_000)
    assert drawn(page, said) != before
    settle(page)
    assert status(page) != text and "\n" not in status(page)
    name = {"T": "maps_T=3", "Firing threshold": "maps_threshold=1.05", "tau": "maps_tau=2.10"}[label]
    assert name in page.url
    assert page.complaints == []


def test_twenty_quick_moves_end_at_the_last_one(visit):
    page = visit("spike_maps")
    drawn(page)
    for _ in range(20):
        slider(page, "Firing threshold").press("ArrowLeft")
    slider(page, "Firing threshold").press("ArrowRight")
    end = slider(page, "Firing threshold").input_value()
    said = f"threshold={float(end):.2f}"
    page.get_by_text(said).first.wait_for(timeout=60_000)
    settle(page)
    assert said in status(page) and f"maps_{said}" in page.url
    fresh = visit("spike_maps", query=page.url[page.url.index("?") :])
    assert drawn(fresh, said) == drawn(page, said)


def test_dragging_leaves_one_entry_in_the_history(visit):
    page = visit("spike_maps")
    drawn(page)
    before = page.evaluate("history.length")
    box = slider(page, "tau").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    page.mouse.down()
    for share in (0.4, 0.5, 0.6, 0.7, 0.8):
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2, steps=4)
        page.wait_for_timeout(120)
    page.mouse.up()
    settle(page)
    assert "maps_tau" in page.url and f"tau={page.url.partition('maps_tau=')[2][:4]}" in status(page)
    assert page.evaluate("history.length") == before + 1


def test_the_back_button_restores_the_picture(visit):
    page = visit("spike_maps")
    first = drawn(page, "T=4")
    slider(page, "T").press("ArrowLeft")
    second = drawn(page, "T=3")
    settle(page)
    page.go_back()
    page.get_by_text("T=4").first.wait_for(timeout=30_000)
    settle(page)
    assert drawn(page, "T=4") == first
    assert slider(page, "T").input_value() == "4"
    page.go_forward()
    page.get_by_text("T=3").first.wait_for(timeout=30_000)
    settle(page)
    assert drawn(page, "T=3") == second
    page.go_back()
    settle(page)
    page.go_back()
    settle(page)
    assert "T=4" in status(page) or page.url == "about:blank"


def test_two_tabs_do_not_disturb_each_other(visit):
    one, two = visit("spike_maps"), visit("spike_maps")
    slider(one, "T").press("ArrowLeft")
    drawn(one, "T=3")
    slider(two, "T").press("ArrowRight")
    drawn(two, "T=5")
    settle(one)
    assert "T=3" in status(one) and "T=5" in status(two)


def test_a_reload_in_the_middle_of_a_run(visit):
    page = visit("spike_maps")
    drawn(page)
    slider(page, "T").press("ArrowRight")
    page.reload()
    page.get_by_text(STATUS).first.wait_for(timeout=60_000)
    settle(page)
    said = status(page).partition("T=")[2][0]
    assert drawn(page, f"T={said} ") and slider(page, "T").input_value() == said
    assert page.locator("[data-testid='stException']").count() == 0


def test_scrubbing_needs_no_server(visit, server):
    """The step, the channel and the play button work while the server stands still."""
    page = visit("spike_maps")
    pictures = {drawn(page)}
    with server.standing_still():
        time = page.get_by_label("Time step", exact=True)
        for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight"):
            time.press(key)
            pictures.add(drawn(page))
        page.get_by_label("Channel", exact=True).select_option("3")
        pictures.add(drawn(page))
        page.get_by_label("Layer", exact=True).select_option("blocks.1.mlp.hidden")
        pictures.add(drawn(page, "blocks.1.mlp.hidden"))
    assert len(pictures) == 7
    settle(page)
    page.wait_for_url("**maps_layer=blocks.1.mlp.hidden**")
    assert page.complaints == []


def test_a_clicked_neuron_shows_its_membrane(visit):
    page = visit("spike_maps")
    drawn(page)
    page.get_by_label("Channel", exact=True).select_option("2")
    page.wait_for_url("**maps_channel=2**")
    box = page.locator(CANVAS).bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 40)
    words = page.locator("[data-part='where']").inner_text()
    row, column = (int(words.partition(axis)[2].split(",")[0].split(":")[0]) for axis in ("row", "column"))
    page.mouse.click(box["x"] + 30, box["y"] + 40)
    page.get_by_text(f"Membrane · stem, layer 0, neuron 2.{row}.{column}").wait_for(timeout=30_000)
    page.wait_for_url(f"**maps_neuron=2.{row}.{column}**")
    assert page.complaints == []


def test_a_neuron_can_be_chosen_with_the_keyboard(visit):
    page = visit("spike_maps", query="?maps_channel=1&maps_neuron=1.4.4")
    drawn(page)
    page.locator(CANVAS).focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.get_by_text("Membrane · stem, layer 0, neuron 1.5.6").wait_for(timeout=30_000)


def test_a_and_b_and_their_difference(visit):
    page = visit("spike_maps")
    alone = drawn(page)
    page.get_by_role("button", name="Hold as A").click()
    page.get_by_role("button", name="Release A").wait_for()
    slider(page, "Firing threshold").press("ArrowLeft")
    page.get_by_text("threshold=0.95").first.wait_for()
    settle(page)
    shown = {}
    for side in ("A", "B", "A−B"):
        page.get_by_role("button", name=side, exact=True).click()
        shown[side] = drawn(page, f" {side} ")
    assert len(set(shown.values())) == 3 and alone not in (shown["B"], shown["A−B"])
    settle(page)
    again = visit("spike_maps", query=page.url[page.url.index("?") :])
    assert drawn(again, " A−B ") == drawn(page, " A−B ")


def test_the_copied_link_gives_the_same_picture(visit):
    page = visit("spike_maps", query="?maps_T=2&input=3&maps_layer=blocks.0.attn.q&maps_channel=7&maps_step=2")
    page.get_by_role("button", name="Share").click()
    link = page.locator("[data-testid='stCode']").first.inner_text().replace("\n", "").strip()
    again = visit("spike_maps", query=link[link.index("?") :])
    assert drawn(again) == drawn(page)
    assert status(again).partition(" · ")[2] == status(page).partition(" · ")[2]


def test_a_figure_can_be_taken_along(visit):
    page = visit("spike_maps")
    page.get_by_role("button", name="Export").first.click()
    with page.expect_download() as wait:
        page.get_by_role("button", name="NPZ").first.click()
    assert wait.value.suggested_filename.endswith(".npz")


def test_an_address_opens_the_same_picture(visit):
    page = visit("spike_maps", query="?maps_T=2&maps_threshold=0.60&input=3")
    again = visit("spike_maps", query=page.url[page.url.index("?") :])
    for shown in (page, again):
        assert "T=2 threshold=0.60 tau=2.00" in status(shown)
    assert drawn(page) == drawn(again)


def test_a_bad_address_says_so(visit):
    page = visit("spike_maps", query="?maps_T=99")
    assert "maps_T=99" in page.get_by_role("alert").first.inner_text()
    assert "T=4" in page.get_by_text(STATUS).first.inner_text()


def test_a_file_that_is_no_picture(visit):
    page = visit("spike_maps")
    page.get_by_role("button", name="Upload").first.click()
    chooser = page.locator("input[type=file]").first
    chooser.set_input_files({"name": "notes.png", "mimeType": "image/png", "buffer": b"not a picture"})
    page.get_by_text("not a picture in a format").first.wait_for(timeout=30_000)
    assert page.locator(".st-key-viewer img").count() == 6  # the input, four steps, their mean
    slider(page, "T").press("ArrowLeft")
    drawn(page, "T=3")


def test_long_work_shows_progress_can_be_cancelled_and_outlives_its_page(visit):
    page = visit("spike_maps")
    page.get_by_role("button", name="Run over 1,024 images").click()
    page.get_by_text(" of 1,024 · ").first.wait_for(timeout=30_000)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled after").wait_for(timeout=5_000)
    page.get_by_text("NSFR over").first.wait_for()
    settle(page)
    words = page.get_by_text("Cancelled after").inner_text()
    page.locator("[data-testid='stSidebarNav']").get_by_role("link", name="Overview").click()
    page.get_by_text("Look inside a spiking transformer").wait_for()
    page.locator("[data-testid='stSidebarNav']").get_by_role("link", name="Spike maps").click()
    page.get_by_text(words).wait_for(timeout=30_000)
    slider(page, "T").press("ArrowLeft")
    drawn(page, "T=3")
    settle(page)
    assert page.get_by_text("Cancelled after").count() == 0  # that was another setting
    assert page.complaints == []
