"""The page of integer firing in a browser: D while it is dragged, its presets, its long work."""

from __future__ import annotations

import pytest
from support.networks import needs
from support.visits import drawn, settle, slider, status

PRESETS = {  # button, words that stand on the page then
    "Firing patterns (Fig. 3)": ("a = 0.3 over D = 10", "D=4 T=1"),
    "T x D unrolling (Fig. 6)": ("(c) SFA inference, T x D = 1 x 4: spikes", "D=4 T=1"),
    "Spike maps, vanilla and SFA (Fig. 8)": (
        "A: E-SpikeFormer, binary neurons, T = 4, on Fashion-MNIST, T=4",
        "D=4 T=1",
    ),
    "NSFR, vanilla and SFA (Fig. 9)": ("Vanilla against SFA over", "D=4 T=1"),
    "Execution on chips (Fig. 11)": ("Synchronous: a clock of 3 x 3 slots", "D=3 T=3"),
}


@needs("e-spikeformer-fashion-sfa2")
@pytest.mark.parametrize("plain", ["", "?plain=1"])
def test_d_changes_the_picture(visit, plain):
    page = visit("integer_firing", query=plain)
    before = drawn(page)
    for key, d in (("ArrowLeft", 3), ("ArrowLeft", 2)):
        slider(page, "D").press(key)
        page.get_by_text(f"D={d} T=1").first.wait_for(timeout=30_000)
    settle(page)
    assert drawn(page, "D=2") != before and "sfa_D=2" in page.url
    assert page.get_by_text("Two meanings of D = 2").count() == 1
    shown = {}
    for side in ("A", "B", "A−B"):
        page.get_by_role("button", name=side, exact=True).click()
        shown[side] = drawn(page, f" {side} ")
    assert len(set(shown.values())) == 3
    assert page.complaints == []


@needs("e-spikeformer-fashion-vanilla4")
@pytest.mark.parametrize("name", PRESETS)
def test_presets(visit, name):
    page = visit("integer_firing", query="?sfa_D=7&sfa_part=cost")
    page.get_by_role("button", name="Presets").click()
    page.get_by_role("button", name=name).click()
    words, said = PRESETS[name]
    page.get_by_text(words).first.wait_for(timeout=60_000)
    settle(page)
    assert said in status(page)
    again = visit("integer_firing", query=page.url[page.url.index("?") :] if "?" in page.url else "")
    again.get_by_text(words).first.wait_for(timeout=60_000)
    assert drawn(again) == drawn(page)
    assert page.complaints == [] and again.complaints == []


def test_every_part_is_a_click_away(visit):
    page = visit("integer_firing", query="?sfa_D=5")
    for part, words in (
        ("Errors", "Forward error at D = 5"),
        ("Integers = spikes?", "Integers against spikes by layer"),
        ("Patterns and chips", "Firing patterns"),
        ("Accuracy and cost", "Training cost"),
        ("Firing", "Network spike firing rate"),
    ):
        page.get_by_role("radio", name=part, exact=True).or_(
            page.get_by_role("button", name=part, exact=True)
        ).first.click()
        page.get_by_text(words).first.wait_for(timeout=60_000)
    settle(page)
    assert page.complaints == []


@needs("e-spikeformer-fashion-vanilla4")
def test_nsfr_of_both_networks_over_test_images(visit):
    page = visit("integer_firing")
    page.get_by_role("button", name="Run both networks").click()
    page.get_by_text("512 of 512").first.wait_for(timeout=240_000)
    assert page.get_by_text("Ours: SFA").count() == 1
    assert page.complaints == []
