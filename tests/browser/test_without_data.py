"""A machine without any data set: every network works, says what it lacks, and takes what a person brings."""

from __future__ import annotations

import re

import pytest
from PIL import Image
from support.networks import needs
from support.visits import settle

VISITS = [
    ("random_masks", "mst-cifar10", "cat", 1280),
    ("integer_firing", "e-spikeformer-cifar-sfa4", "cat", 1280),
    ("reconstruction", "spike-mae-cifar", "cat", 390),
    ("reconstruction", "spike-mae-cifar-binary", "cat", 1280),
    ("channel_masks", "sdmformer-nmnist", "digit-0", 390),
    ("events", "sdmformer-nmnist", "digit-0", 1280),
]
KNOWS = re.compile("This network (knows only|was trained on pictures of) ")
CHANGED = re.compile(r"input=picture-rocket")


@pytest.mark.parametrize(("page", "network", "first", "width"), VISITS)
def test_a_network_without_its_data_is_no_dead_end(bare, visit, page, network, first, width):
    """Status line, controls, what it knows, and no error; another picture to try is a click away."""
    shown = visit(page, width=width, query=f"?checkpoint={network}", address=bare)
    assert f"input=picture-{first}" in shown.url
    assert not shown.get_by_test_id("stAlertContentError").count()
    for control in ("Pictures", "Upload", "Download ("):
        assert shown.get_by_role("button", name=control).first.is_visible()
    assert shown.get_by_text("is not on this machine").first.is_visible()
    assert shown.get_by_text(KNOWS).first.is_visible()
    assert not shown.get_by_text(re.compile("^Test (image|recording)$")).count()
    shown.get_by_role("button", name="Pictures").first.click()
    shown.get_by_role("button", name="rocket", exact=True).click()
    shown.wait_for_url(CHANGED, timeout=30_000)
    settle(shown)
    assert not shown.get_by_test_id("stAlertContentError").count() and not shown.complaints


@needs("mst-cifar10", data=False)
def test_a_picture_of_ones_own_works_without_data(bare, visit, tmp_path):
    shown = visit("spike_maps", query="?checkpoint=mst-cifar10&input=7", address=bare)
    assert shown.get_by_text("The address says input=7, which does not work here").is_visible()
    Image.radial_gradient("L").save(tmp_path / "mine.png")
    shown.get_by_role("button", name="Upload").first.click()
    shown.locator("input[type=file]").set_input_files(tmp_path / "mine.png")
    shown.wait_for_url(re.compile("input=upload-"), timeout=30_000)
    settle(shown)
    assert shown.get_by_text("knows only ten kinds of animals and vehicles: airplane").is_visible()
    assert not shown.get_by_test_id("stAlertContentError").count()


@needs("spikformer-fashion", data=False)
def test_no_number_is_shown_that_is_not_used(bare, visit):
    shown = visit("spike_maps", query="?input=5", address=bare)
    field = shown.get_by_test_id("stNumberInput").filter(has_text="Test image").locator("input")
    assert field.input_value() == "5" and not shown.get_by_text(KNOWS).count()
    shown.get_by_role("button", name="Pictures").first.click()
    shown.get_by_role("button", name="coffee", exact=True).click()
    shown.wait_for_url(re.compile("input=picture-coffee"), timeout=30_000)
    settle(shown)
    assert field.input_value() == ""
    assert shown.get_by_text("knows only ten kinds of clothing: T-shirt/top, Trouser").is_visible()
    shown.keyboard.press("Escape")
    shown.get_by_role("button", name="›").first.click()
    shown.wait_for_url(re.compile("input=0"), timeout=30_000)
    settle(shown)
    assert field.input_value() == "0" and not shown.get_by_text(KNOWS).count()


@needs("spike-mae-cifar", data=False)
def test_presets_are_no_dead_ends(bare, visit):
    shown = visit("reconstruction", query="?checkpoint=spike-mae-cifar", address=bare)
    shown.get_by_role("button", name="Presets").first.click()
    shown.get_by_role("button", name="Sparse convolution (Fig. 5)").click()
    shown.wait_for_url(re.compile("mae_part=sparse"), timeout=30_000)
    settle(shown)
    assert not shown.get_by_test_id("stAlertContentError").count()
