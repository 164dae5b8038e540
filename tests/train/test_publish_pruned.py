"""A pruned checkpoint and its card: obtained from the file that is written."""

from dataclasses import replace
from importlib import import_module

import pytest
import torch
from support.networks import awaken, shelve

import spikeviz as sv
from spikeviz.artifacts.cards import CHOSEN_ON_VAL, TEST_HAD_A_SAY, find_card
from spikeviz.artifacts.checkpoints import stored
from spikeviz.data.catalog import as_batch, open_data
from spikeviz.evaluation.accuracy import accuracy
from spikeviz.nn.channel_masks import find_masks
from spikeviz.train import publish

pytestmark = pytest.mark.slow

NAME, SAMPLES = "masked", 12


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A user's SDMFormer of random weights and masks, whose test set is its first 12 recordings."""
    monkeypatch.setattr("spikeviz.artifacts.cards.user_checkpoints", lambda: tmp_path / "checkpoints")
    few = lambda name, split="test", limit=None: open_data(name, split, limit or SAMPLES)  # noqa: E731
    monkeypatch.setattr(publish, "ROUNDS", 2)
    for module in (import_module("spikeviz.evaluation.accuracy"), publish):
        monkeypatch.setattr(module, "open_data", few)
        monkeypatch.setattr(module, "COUNTED", 4)
    x, _ = open_data("fashion-dvs", "test", 8)
    model = awaken(sv.build("sdmformer-fashion-dvs"), as_batch(x[:]))
    generator = torch.Generator().manual_seed(0)
    for mask in find_masks(model).values():
        mask.value.data = torch.randn(mask.value.shape, generator=generator) * 0.4
    shelve(model, tmp_path / "checkpoints", NAME, "sdmformer-fashion-dvs", "fashion-dvs", SAMPLES)
    return tmp_path


def test_a_pruned_checkpoint_is_what_its_card_says(shelf):
    card = publish.publish_pruned(NAME, 0.5, shelf / "checkpoints", "cpu", progress=False)
    assert card.name == "masked-pruned" and card in sv.list_checkpoints()
    small, masked = sv.load("masked-pruned", "cpu"), sv.load(NAME, "cpu")
    assert card.measured["parameters"] == sum(p.numel() for p in small.parameters())
    assert card.measured["parameters_left"] == card.measured["parameters"] / sum(p.numel() for p in masked.parameters())
    assert accuracy(small, card.data, progress=False) == (card.accuracy, SAMPLES)
    assert card.measured["masked"]["accuracy"] == accuracy(masked, card.data, progress=False)[0]
    assert 0 < card.measured["operations"]["SOPs"] <= card.measured["masked"]["operations"]["SOPs"]
    x = as_batch(open_data(card.data, "test", 3)[0][:])
    torch.testing.assert_close(sv.simulate(small, x, keep="").output, sv.simulate(masked, x, keep="").output)


def test_the_protocol_travels_to_the_pruned_network(shelf):
    card, weights = find_card(NAME)
    assert publish.publish_pruned(NAME, 0.5, shelf, "cpu", progress=False).protocol == card.protocol == TEST_HAD_A_SAY
    replace(card, protocol=CHOSEN_ON_VAL).write(weights.with_suffix(".json"))
    pruned = publish.publish_pruned(NAME, 0.5, shelf, "cpu", progress=False)
    small = stored("sdmformer-fashion-dvs", shelf / "masked-pruned.safetensors")
    val = accuracy(small, "fashion-dvs", progress=False, split="val")
    assert pruned.protocol == CHOSEN_ON_VAL and pruned.measured["val"] == {"accuracy": val[0], "samples": SAMPLES}


def test_another_threshold_is_another_checkpoint(shelf):
    card = publish.publish_pruned(NAME, 0.25, shelf / "checkpoints", "cpu", progress=False)
    assert card.name == "masked-pruned-0.25" and card.command == "spikeviz prune masked --threshold 0.25"
    assert find_card("masked-pruned-0.25")[0].measured["threshold"] == 0.25


def test_what_cannot_be_pruned_is_refused(shelf):
    with pytest.raises(ValueError, match="number from 0 to 1"):
        publish.publish_pruned(NAME, 1.5, shelf, "cpu", progress=False)
    with pytest.raises(ValueError, match="no channel masks"):
        publish.publish_pruned("spikformer-fashion", 0.5, shelf, "cpu", progress=False)
