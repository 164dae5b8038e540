"""The page of channel masks in a browser: the threshold while it is moved, its parts, the pruned checkpoint."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from support.networks import needs
from support.visits import drawn, settle, slider, status

import spikeviz as sv

NAME = "sdmformer-fashion-dvs"
pytestmark = needs(NAME)


def crowded(layer: str) -> float:
    """The threshold from which one step down brings most channels of a layer back to life."""
    values = sv.metrics.mask_values(sv.load(NAME))
    steps = np.ceil(100 * values["strength"][values["layer"] == layer]).astype(int)
    return float(steps.mode()[0]) / 100


@pytest.mark.parametrize("plain", ["", "&plain=1"])
def test_the_threshold_changes_the_picture(visit, plain):
    start = crowded("blocks.0.mlp.mask")
    view = f"dmeb_threshold={start:.2f}&dmeb_layer=blocks.0.mlp.hidden&dmeb_channel=all"
    page = visit("channel_masks", query=f"?{view}{plain}")
    before, said = drawn(page, f"threshold={start:.2f}"), f"threshold={start - 0.01:.2f}"
    slider(page, "Threshold").press("ArrowLeft")
    page.get_by_text(f"{said} T=8 seed=0").first.wait_for(timeout=60_000)
    settle(page)
    assert drawn(page, said) != before
    assert f"dmeb_{said}" in page.url and said in status(page)
    assert page.complaints == []


def test_every_part_is_a_click_away(visit):
    page = visit("channel_masks", query="?dmeb_threshold=0.97")
    for part, words in (
        ("Channels", "What channels carry over"),
        ("Cost", "The paper's two tables, as printed"),
        ("Accuracy", "This threshold, measured now"),
        ("Training", "masks"),
        ("Masks", "Mask rate by block and site"),
    ):
        page.get_by_role("radio", name=part, exact=True).or_(
            page.get_by_role("button", name=part, exact=True)
        ).first.click()
        page.get_by_text(words).first.wait_for(timeout=60_000)
    settle(page)
    assert page.complaints == []


def test_the_pruned_checkpoint_comes_as_two_files(visit, tmp_path):
    page = visit("channel_masks", query="?dmeb_part=cost&dmeb_threshold=0.6")
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("button", name="Pruned checkpoint (.zip)").click()
    download.value.save_as(tmp_path / "pruned.zip")
    with zipfile.ZipFile(tmp_path / "pruned.zip") as file:
        assert sorted(file.namelist()) == [f"{NAME}-pruned-0.6.json", f"{NAME}-pruned-0.6.safetensors"]
    assert page.complaints == []
