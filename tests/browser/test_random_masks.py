"""The page of random masks in a browser: the ratio while it is moved, its parts, a curve measured now."""

from __future__ import annotations

import re

import pytest
from support.networks import needs
from support.visits import drawn, settle, slider, status

pytestmark = needs("mst-fashion")


@pytest.mark.parametrize("plain", ["", "&plain=1"])
def test_the_ratio_changes_the_picture(visit, plain):
    page = visit("random_masks", query=f"?rsm_T=4{plain}")
    before = drawn(page, "ratio=0.00")
    for said in ("ratio=0.05", "ratio=0.10"):
        slider(page, "Ratio").press("ArrowRight")
        page.get_by_text(f"{said} T=4 seed=0").first.wait_for(timeout=60_000)
    settle(page)
    assert drawn(page, "ratio=0.10") != before and "ratio=0.10" in status(page)
    assert "rsm_ratio=0.10" in page.url
    assert page.complaints == []


def test_sites_blocks_and_seed(visit):
    page = visit("random_masks", query="?rsm_T=4&rsm_ratio=0.5")
    before = drawn(page, "ratio=0.50")
    page.get_by_role("button", name="MLP hidden", exact=True).click()
    page.get_by_text("ratio=0.50 T=4 sites=q.k.scores.MLP seed=0").first.wait_for(timeout=60_000)
    page.get_by_role("spinbutton", name="Seed").fill("3")
    page.get_by_role("spinbutton", name="Seed").press("Enter")
    page.get_by_text("sites=q.k.scores.MLP seed=3").first.wait_for(timeout=60_000)
    settle(page)
    assert drawn(page, "seed=3") != before
    assert "rsm_sites=q.k.scores.MLP" in page.url and "seed=3" in page.url
    assert page.complaints == []


def test_every_part_is_a_click_away(visit):
    page = visit("random_masks", query="?rsm_T=4&rsm_ratio=0.5")
    for part, words in (
        ("Accuracy", "Accuracy against ratio, measured now"),
        ("Power", "The paper's Table 3, as printed"),
        ("Where it looks", "Spike activation maps"),
        ("Distributions", "Membrane, BatchNorm"),
        ("Conversion and T", "Conversion error by layer"),
        ("Masks", "Spikes that pass, by place"),
    ):
        page.get_by_role("radio", name=part, exact=True).or_(
            page.get_by_role("button", name=part, exact=True)
        ).first.click()
        page.get_by_text(words).first.wait_for(timeout=60_000)
    settle(page)
    assert page.complaints == []


def test_a_curve_fills_in_and_can_be_cancelled(visit):
    page = visit("random_masks", query="?rsm_part=accuracy&rsm_ratio=0.5&rsm_T=4")
    page.get_by_role("button", name="Measure 6 points").click()
    page.get_by_text(re.compile(r"^mst-fashion, q, k, scores of blocks 0-3.*: [1-6] of the points")).first.wait_for(
        timeout=180_000
    )
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled after").first.wait_for(timeout=60_000)
    assert page.complaints == []


def test_a_second_mask_has_a_slider_of_its_own(visit):
    page = visit("random_masks", query="?rsm_T=4&rsm_ratio=0.5&rsm_layer=blocks.3.attn.q")
    before = drawn(page, "ratio=0.50")
    page.get_by_role("button", name="Add another", exact=True).click()
    page.get_by_text("ratio=0.50 T=4 ratio2=0.50 seed=0").first.wait_for(timeout=60_000)
    slider(page, "Ratio 2").press("ArrowRight")
    page.get_by_text("ratio=0.50 T=4 ratio2=0.55 seed=0").first.wait_for(timeout=60_000)
    settle(page)
    assert drawn(page, "ratio2=0.55") != before and "rsm_ratio2=0.55" in page.url
    page.get_by_role("button", name="Remove", exact=True).first.click()
    page.get_by_text("ratio=0.55 T=4 sites=MLP seed=0").first.wait_for(timeout=60_000)
    settle(page)
    assert "rsm_ratio2" not in page.url and page.complaints == []
