"""What a page opens with on a machine without data: something happens, and its caption is true."""

from __future__ import annotations

import re

import pytest
from support.networks import needs

WIDTHS = pytest.mark.parametrize("width", [1280, 390])


@WIDTHS
@needs("mst-fashion", "mst-fashion-rsm50")
def test_random_masks_opens_where_something_is_dropped(visit, bare, width):
    page = visit("random_masks", width=width, address=bare)
    page.get_by_text(re.compile(r"ms · .*ratio=0\.50 T=16 seed=0")).first.wait_for(timeout=60_000)
    page.wait_for_function("location.search.includes('rsm_ratio=0.50')", timeout=60_000)
    assert "checkpoint=mst-fashion-rsm50" in page.url
    body = page.inner_text("body")
    assert "A: mst-fashion, not fine-tuned under masks" in body and "B: mst-fashion-rsm50, fine-tuned under" in body
    assert not page.complaints


@WIDTHS
@needs("sdmformer-fashion-dvs")
def test_channel_masks_opens_on_a_layer_that_the_slider_reaches(visit, bare, width):
    page = visit("channel_masks", width=width, address=bare)
    page.wait_for_function("location.search.includes('dmeb_layer=')", timeout=60_000)
    assert "dmeb_layer=blocks.0.attn.q" not in page.url and not page.complaints


@needs("e-spikeformer-fashion-sfa4")
def test_integer_firing_shows_its_curve_at_once(visit, bare):
    page = visit("integer_firing", query="?sfa_part=cost", address=bare)
    page.get_by_text("Precomputed by").first.wait_for(timeout=60_000)
    assert "all 10,000 test images" in page.inner_text("body") and not page.complaints


@WIDTHS
@needs("mst-fashion", "spikformer-fashion")
@pytest.mark.parametrize(
    ("name", "start"), [("mst-fashion", "at half of its threshold"), ("spikformer-fashion", "at 0")]
)
def test_a_membrane_starts_where_the_caption_says(visit, bare, width, name, start):
    page = visit("spike_maps", width=width, query=f"?checkpoint={name}", address=bare)
    page.get_by_text(f"Every membrane starts {start}. The first step has").first.wait_for(timeout=60_000)


@WIDTHS
@needs("e-spikeformer-fashion-sfa4")
def test_a_mean_is_over_what_there_is(visit, bare, width):
    page = visit("spike_maps", width=width, query="?checkpoint=e-spikeformer-fashion-sfa4", address=bare)
    page.get_by_text("Confidence: softmax of the logits.", exact=True).first.wait_for(timeout=60_000)
    assert not re.search(r"mean over t\b", page.inner_text("body"))


@WIDTHS
@needs("sdmformer-fashion-dvs")
def test_a_recording_ends_with_its_last_window(visit, bare, width):
    page = visit("events", width=width, query="?events_cut=time&events_slice=33", address=bare)
    page.get_by_text(re.compile(r"Windows of 33 ms, the length of a slice, the last of .* ms, where")).first.wait_for(
        timeout=60_000
    )
    assert not page.complaints
