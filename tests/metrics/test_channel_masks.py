"""What channel masks leave, and what channels fire."""

from __future__ import annotations

import warnings

import pytest
import torch
from support.networks import make_masked, make_tiny

import spikeviz as sv
from spikeviz.metrics.channel_masks import REST, channel_rates, explained, masked_layers, parameters_left, site
from spikeviz.nn.channel_masks import find_masks

MaskChannels = sv.interventions.MaskChannels
THRESHOLDS = (0.0, 0.3, 0.5, 0.77, 1.0)


@pytest.fixture(scope="module")
def masked():
    return make_masked()


def prune(model, threshold):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sv.prune_channels(model, threshold)


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("layout", ["dvs", "cifar"])
def test_parameters_left_are_those_of_the_pruned_network(layout, threshold):
    model = make_masked(layout)
    left = parameters_left(model, threshold)
    assert left["left"].sum() == sum(p.numel() for p in prune(model, threshold).parameters())
    assert left["parameters"].sum() == sum(p.numel() for p in prune(model, 0.0).parameters())
    rates = sv.metrics.mask_rates(model, threshold)
    assert list(left["layer"]) == [*rates["layer"], REST]
    assert (left["kept"][:-1].to_numpy() == (rates["channels"] - rates["masked"]).to_numpy()).all()


def test_parameters_left_of_what_has_no_masks_and_at_no_threshold(masked):
    with pytest.raises(ValueError, match="has no channel masks"):
        parameters_left(make_tiny())
    with pytest.raises(ValueError, match="a threshold is a number from 0 to 1"):
        parameters_left(masked, -0.1)


def test_masked_layers_are_silenced_by_their_mask_and_no_other(masked):
    x = torch.randint(0, 3, (3, 2, 2, 16, 16)).float()
    layers, recording = masked_layers(masked), sv.simulate(masked, x, MaskChannels(0.6))
    assert len(layers) == 8 and site(layers["blocks.1.attn.k"]) == "block 1, Q/K"
    for layer, mask in layers.items():
        rates = channel_rates(recording[f"{layer}.spike"])
        kept = find_masks(masked)[mask].kept(0.6)
        assert rates.shape == (2, len(kept)) and rates[:, ~kept].sum() == 0 and rates[:, kept].sum() > 0


def test_explained_is_the_share_between_classes():
    y = torch.tensor([0, 0, 1, 1])
    rates = torch.tensor([[0.1, 0.5, 0.2, 0.0], [0.1, 0.5, 0.4, 1.0], [0.3, 0.5, 0.2, 0.0], [0.3, 0.5, 0.4, 1.0]])
    assert explained(rates.double(), y).tolist() == pytest.approx([1, 0, 0, 0])
    mixed = torch.tensor([[0.0], [2.0], [2.0], [4.0]]).double()  # between: 4 * 1, in all: 4 + 4
    assert explained(mixed, y).item() == pytest.approx(0.5)
