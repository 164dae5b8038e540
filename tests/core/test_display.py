"""What values show of themselves in a notebook: well-formed HTML that names what it shows, escaped."""

from xml.etree import ElementTree

import pytest
import torch
from support.networks import make_small, make_tiny

import spikeviz as sv
from spikeviz.display import MOST, plural, table
from spikeviz.interventions import MaskSpikes
from spikeviz.recording import Recording, Track


def cells(value) -> list[list[str]]:
    """The rows of the table that a value shows, in words; the title is the first."""
    root = ElementTree.fromstring(value._repr_html_())  # raises where a tag is not closed
    return [[root.findtext("b")], *([cell.text or "" for cell in row] for row in root.iter("tr"))]


def facts(value) -> dict[str, str]:
    return {row[0]: row[1] for row in cells(value)[1:]}


def test_a_recording_lists_its_tracks():
    model, x = make_tiny(), torch.rand(2, 1, 16, 16)
    recording = sv.simulate(model, x, MaskSpikes(0.5), keep="*.attn.*", seed=3)
    (title,), head, *rows = cells(recording)
    assert "tiny-cifar" in title and "T 3, batch 2" in title and str(MaskSpikes(0.5)) in title and "seed 3" in title
    assert head == ["track", "kind", "axes", "values"] and [row[0] for row in rows] == list(recording)[:MOST]
    shown = {row[0]: row[1:] for row in rows}
    spikes = recording["blocks.0.attn.q.spike"].values
    assert shown["blocks.0.attn.q.spike"] == [
        "spike",
        "T 3, B 2, C 16, H 4, W 4",
        f"{spikes.double().mean():.4f} spikes per neuron and step",
    ]
    kept = recording["blocks.0.attn.q.spike.mask"].values
    assert shown["blocks.0.attn.q.spike.mask"][2] == f"{kept.double().mean():.1%} kept"


def test_a_long_recording_says_how_many_tracks_it_leaves_out():
    html = table("many", ("a",), [(n,) for n in range(MOST + 7)])
    root = ElementTree.fromstring(html)
    assert len(list(root.iter("tr"))) == 1 + MOST and root.findtext("div") == "and 7 more"


def test_tracks():
    recording = sv.simulate(make_small(), torch.rand(1, 1, 16, 16))
    spike = next(iter(recording.of_kind("spike").values()))
    shown = facts(spike)
    rate = spike.values.double().mean() / 4  # D is 4: a rate of binary steps
    assert shown["values"] == f"uint8, {rate:.4f} spikes per neuron and step"
    assert shown["value of a spike"] == "0.25" and shown["binary steps in a step (D)"] == "4"
    membrane = next(iter(recording.of_kind("membrane").values()))
    low, high = membrane.values.min(), membrane.values.max()
    assert facts(membrane)["threshold"] == "0.5" and f"{low:.4g} to {high:.4g}, mean" in facts(membrane)["values"]
    assert facts(Track(torch.zeros(0, 2), ("T", "C"), "feature"))["values"] == "float32, empty"


@pytest.mark.parametrize("card", sv.list_checkpoints(), ids=lambda card: card.name)
def test_cards(card):
    (title,), *_ = cells(card)
    shown = facts(card)
    assert card.name in title and shown["model"] == card.model and shown["sha256"] == card.sha256
    assert shown["data"].startswith(card.data) and f"{card.samples:,}" in shown["data"]
    if card.accuracy is None:
        assert "accuracy" not in shown and float(shown["mean squared error of hidden patches"]) > 0
    else:
        error = (card.accuracy * (1 - card.accuracy) / card.samples) ** 0.5
        assert shown["accuracy"] == f"{card.accuracy:.4f} ± {error:.4f} (standard error)"
    assert ("trained under" in shown) == bool(card.trained_under)
    assert all(rule["kind"] in shown["trained under"] for rule in card.trained_under)


def test_specs():
    for spec in sv.list_models():
        (title,), *_ = cells(spec)
        shown = facts(spec)
        assert spec.name in title and f"{spec.params:,}" in shown["parameters"]
        assert shown.get("published in", "") == spec.paper and shown.get("notes", "") == spec.notes


def test_what_they_show_is_escaped():
    recording = Recording(
        {"<b>": Track(torch.ones(1), ("<i>",), "feature")}, torch.zeros(1, 2), torch.zeros(1, 1, 2), "<x>"
    )
    (title,), _, (name, _, axes, _) = cells(recording)
    assert "<x>" in title and name == "<b>" and axes == "<i> 1"


def test_a_count_has_the_number_of_its_noun():
    assert [plural(n, "step") for n in (0, 1, 2, 1024)] == ["0 steps", "1 step", "2 steps", "1,024 steps"]
