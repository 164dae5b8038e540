"""The list of networks: in words, searched by typing, readable on a phone; and the card behind a button."""

from __future__ import annotations

import pytest
from support.visits import SIZES, settle

import spikeviz as sv
from spikeviz.views.networks.words import full_name


def entries(page):
    return page.get_by_role("listbox", name="Network").get_by_role("option")


@pytest.mark.parametrize("width", SIZES)
def test_a_network_is_found_by_words(visit, bare, width):
    page = visit("spike_maps", width, address=bare)
    box = page.get_by_role("combobox", name="Network")
    box.click()
    box.fill("transformer ratio 0.75")
    found = entries(page)
    found.first.wait_for()
    wide = page.get_by_role("listbox", name="Network").bounding_box()
    assert wide["x"] >= 0 and wide["x"] + wide["width"] <= width and wide["width"] >= min(600, width - 60)
    first = found.filter(has_text="mst-fashion-rsm75")
    assert "fine-tuned at ratio 0.75 in attention" in first.inner_text() and "Fashion-MNIST" in first.inner_text()
    words = first.locator("*").last
    assert words.evaluate("e => e.scrollWidth - e.clientWidth") <= 1, "cut off"
    first.click()
    settle(page)
    assert "checkpoint=mst-fashion-rsm75" in page.url
    assert page.complaints == []


@pytest.mark.parametrize("width", SIZES)
def test_networks_without_data_are_marked(visit, bare, width):
    page = visit("spike_maps", width, address=bare)
    box = page.get_by_role("combobox", name="Network")
    box.click()
    box.fill("cifar")
    found = entries(page).filter(has_text="mst-cifar10")
    found.wait_for()
    assert "needs data" in found.inner_text()


@pytest.mark.parametrize("width", SIZES)
def test_the_card_is_one_click_away(visit, bare, width):
    page = visit("spike_maps", width, address=bare)
    card = next(card for card in sv.list_checkpoints() if card.name == "spikformer-fashion")
    page.get_by_role("button", name="About this network").click()
    shown = page.get_by_text(card.sha256)
    shown.wait_for()
    box = shown.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert page.get_by_text(f"{card.accuracy:.4f} ± {card.error:.4f}").first.is_visible()
    assert page.get_by_text(full_name(card)).first.is_visible()
