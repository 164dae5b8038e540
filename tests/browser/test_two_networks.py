"""A held setting of one network beside another network of another family: each side has its layer and its caption."""

from __future__ import annotations

import pytest
from support.networks import needs
from support.visits import CANVAS, drawn, settle, slider

pytestmark = needs("spikformer-fashion", "mst-fashion", data=False)
HELD = "?maps_A=checkpoint:mst-fashion,input:0&maps_layer=stem.stages.2"
REASON = "A−B needs layers of one shape: A has "


def side(page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def caption(page, words: str):
    return page.locator(".st-key-viewer [data-testid='stCaptionContainer']").get_by_text(words).first


@pytest.mark.parametrize("width", [1280, 390])
def test_each_side_of_two_families_is_drawn(visit, bare, width):
    page = visit("spike_maps", query=HELD, width=width, address=bare)
    b = drawn(page, "stem.stages.2 ")
    assert side(page, "B").get_attribute("aria-pressed") == "true"
    side(page, "A").click()
    a = drawn(page, "stem ")
    caption(page, "channels of 16 x 16").wait_for()
    page.get_by_label("Layer of A", exact=True).select_option("blocks.1.mlp.hidden")
    other = drawn(page, "blocks.1.mlp.hidden ")
    assert len({a, b, other}) == 3
    page.wait_for_url("**maps_layerA=blocks.1.mlp.hidden**")
    assert side(page, "A−B").is_disabled() and side(page, "A−B").get_attribute("title").startswith(REASON)
    assert page.get_by_text(REASON).first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    settle(page)
    again = visit("spike_maps", query=page.url[page.url.index("?") :], width=width, address=bare)
    assert drawn(again, "blocks.1.mlp.hidden ") == drawn(page, "blocks.1.mlp.hidden ")
    page.get_by_label("Layer", exact=True).select_option("blocks.0.attn.q")
    drawn(page, "blocks.0.attn.q ")
    assert page.get_by_label("Layer of A", exact=True).is_hidden()  # both have it: one list is that of both
    assert page.complaints == []


def test_a_click_on_the_map_of_a_chooses_its_neuron(visit, bare):
    page = visit("spike_maps", query=f"{HELD}&maps_side=A&maps_charts=A&maps_channel=2", address=bare)
    drawn(page, "stem ")
    box = page.locator(CANVAS).bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 40)
    words = page.locator("[data-part='where']").inner_text()
    row, column = (int(words.partition(axis)[2].split(",")[0].split(":")[0]) for axis in ("row", "column"))
    page.mouse.click(box["x"] + 30, box["y"] + 40)
    page.wait_for_url(f"**maps_neuronA=2.{row}.{column}**")
    page.get_by_text(f"2.{row}.{column}, A").first.wait_for()
    assert page.complaints == []


def test_the_caption_is_that_of_what_is_shown(visit, bare):
    page = visit("spike_maps", query="?maps_A=T:2&maps_side=diff", address=bare)
    drawn(page, " A−B ")
    caption(page, "A minus B").wait_for()
    side(page, "B").click()
    caption(page, "channels of").wait_for()
    settle(page)
    assert caption(page, "A minus B").count() == 0
    side(page, "A−B").click()
    caption(page, "A minus B").wait_for()


def test_charts_of_one_run_show_a_where_it_is_chosen(visit, bare):
    page = visit("spike_maps", query=HELD, address=bare)
    drawn(page)
    page.get_by_text("Firing rate by layer, B").wait_for()
    group = page.get_by_role("radiogroup", name="Charts of one run show")
    group.get_by_role("radio", name="A", exact=True).click()
    page.get_by_text("Firing rate by layer, A").wait_for()
    page.get_by_text("Operations and energy by layer, A").wait_for()
    page.wait_for_url("**maps_charts=A**")


def test_the_neuron_stays_while_a_slider_moves(visit, bare):
    page = visit("spike_maps", address=bare)
    drawn(page)
    title = page.get_by_text("Membrane · ").first.inner_text()
    for _ in range(2):
        slider(page, "T").press("ArrowLeft")
    drawn(page, "T=2")
    for _ in range(4):
        slider(page, "Firing threshold").press("ArrowLeft")
    drawn(page, "threshold=0.80")
    settle(page)
    assert page.get_by_text("Membrane · ").first.inner_text() == title
    again = visit("spike_maps", query=page.url[page.url.index("?") :], address=bare)
    drawn(again)
    assert again.get_by_text("Membrane · ").first.inner_text() == title


@pytest.mark.parametrize("width", [1280, 390])
def test_a_click_on_the_drawing_of_the_network_chooses_a_layer(visit, bare, width):
    page = visit("spike_maps", width=width, address=bare)
    first = drawn(page)
    assert chosen(page) == "stem.stages.0"
    names = page.get_by_label("Layer", exact=True).locator("option").all_inner_texts()
    assert "stem, layer 2" in names and "block 1, attention, query" in names
    box = page.locator(".sv-network b[data-layer='blocks.1.attn.q']")
    assert box.get_attribute("title") == "block 1, attention, query (blocks.1.attn.q)"
    box.click()
    assert drawn(page, "blocks.1.attn.q ") != first and chosen(page) == "blocks.1.attn.q"
    page.wait_for_url("**maps_layer=blocks.1.attn.q**")
    page.get_by_text("Membrane · block 1, attention, query, neuron ").first.wait_for()
    assert page.get_by_label("Layer", exact=True).input_value() == "blocks.1.attn.q"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.complaints == []


def test_the_drawing_is_that_of_the_network_that_is_shown(visit, bare):
    page = visit("spike_maps", query=f"{HELD}&maps_side=A", address=bare)
    drawn(page, "stem ")
    box = page.locator(".sv-network b[data-layer='blocks.3.mlp.hidden']")
    box.click()
    drawn(page, "blocks.3.mlp.hidden ")
    page.wait_for_url("**maps_layerA=blocks.3.mlp.hidden**")
    side(page, "B").click()
    drawn(page, "stem.stages.2 ")
    assert box.count() == 0 and chosen(page) == "stem.stages.2"


def chosen(page) -> str:
    """The layer that the drawing marks."""
    return page.locator(".sv-network b.chosen").get_attribute("data-layer")
