"""Runs that share what lies before the first changed place are the runs one by one."""

import pytest
import torch
from support.networks import make_cnn, make_masked, make_mst, make_small, make_tiny

import spikeviz as sv
from spikeviz.interventions import FiringThreshold, MaskChannels, MaskSpikes, TimeSteps
from spikeviz.memory import Memory
from spikeviz.metrics import SPIKES
from spikeviz.probe import Part

X = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(3))


def calls(model, monkeypatch):
    """How often the forward of each part was called, by its name."""
    found = {}
    for name, part in model.named_modules():
        if isinstance(part, Part):

            def count(*given, _own=part.forward, _name=name, **named):
                found[_name] = found.get(_name, 0) + 1
                return _own(*given, **named)

            monkeypatch.setattr(part, "forward", count)
    return found


def same(one, other):
    assert torch.equal(one.logits_per_step, other.logits_per_step) and list(one) == list(other)
    for name in one:
        assert one[name].values.dtype == other[name].values.dtype, name
        assert torch.equal(one[name].values, other[name].values), name


SETTINGS = [
    ((), "", 0),
    ((), "*", 0),
    ((), "*", 0),
    ((MaskSpikes(0.5, at=("blocks.0.mlp.hidden.spike",)),), SPIKES, 0),
    ((MaskSpikes(0.5, at=("blocks.0.mlp.hidden.spike",)),), SPIKES, 1),
    ((MaskSpikes(0.75, at=("blocks.0.mlp.hidden.spike",)),), "*.mask", 1),
    ((FiringThreshold(0.8),), "*.membrane", 0),
    ((FiringThreshold(0.8), MaskSpikes(0.5, at=("blocks.0.attn.q.spike",))), "*.membrane", 0),
    ((TimeSteps(2),), "*", 0),
    ((), "*.spike", 0),
]


MAKERS = {
    "spikformer": make_tiny,
    "e-spikeformer": make_small,
    "mst": lambda: sv.to_spiking(make_mst(), 4),
    "resnet18": lambda: sv.to_spiking(make_cnn("resnet18", in_channels=1), 4),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_with_a_memory_nothing_is_different(kind):
    model, memory = MAKERS[kind](), Memory()
    side = 32 if kind == "resnet18" else 16
    x, compared = torch.rand(2, 1, side, side, generator=torch.Generator().manual_seed(3)), 0
    for rules, keep, seed in SETTINGS:
        if all(rule.acts_on(model) for rule in rules):
            same(sv.simulate(model, x, rules, keep, seed, memory), sv.simulate(model, x, rules, keep, seed))
            compared += 1
    assert compared >= 5


def test_what_nothing_changed_is_run_once(monkeypatch):
    model, memory = make_tiny(), Memory()
    counted = calls(model, monkeypatch)
    for ratio in (0.0, 0.25, 0.5):
        sv.simulate(model, X, MaskSpikes(ratio, at=("blocks.0.attn.q.spike",)), "", memory=memory)
    assert counted["intake"] == counted["stem"] == 1 and counted["blocks.0"] == 3
    sv.simulate(model, X, FiringThreshold(0.9), "", memory=memory)
    assert counted["intake"] == 1 and counted["stem"] == 2
    sv.simulate(model, X.clone(), FiringThreshold(0.9), "", memory=memory)  # another tensor
    assert counted["intake"] == 2 and counted["stem"] == 3


def test_an_input_that_was_written_to_is_another(monkeypatch):
    model, memory, x = make_tiny(), Memory(), X.clone()
    sv.simulate(model, x, memory=memory)
    x.mul_(0.5)
    same(sv.simulate(model, x, memory=memory), sv.simulate(model, x))


def test_thresholds_of_channel_masks_share_the_stem(monkeypatch):
    model, memory = make_masked(), Memory()
    counted = calls(model, monkeypatch)
    frames = torch.rand(3, 2, 2, 16, 16).lt(0.3).float()
    for threshold in (0.2, 0.5, 0.8):
        one = sv.simulate(model, frames, MaskChannels(threshold), memory=memory)
        assert counted["stem"] == 1
        same(one, sv.simulate(model, frames, MaskChannels(threshold)))
        counted["stem"] = 1
