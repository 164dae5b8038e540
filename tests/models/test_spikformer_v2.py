"""Spikformer V2: its stem, and IAND, with which everything between layers is binary."""

import pytest
import torch
from support.networks import awaken

import spikeviz as sv
from spikeviz.interventions import TimeSteps
from spikeviz.models.registry import assemble
from spikeviz.models.spikformer_v2 import SpikformerV2Config
from spikeviz.nn.stems import joined


def make(**changes):
    settings = {"depth": 2, "dim": 16, "heads": 2, "num_classes": 3, "in_channels": 1, "image_size": 16}
    settings |= {"time_steps": 3, "mlp_ratio": 2, "stages": 2} | changes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = assemble("spikformer-v2", SpikformerV2Config(**settings), "small-v2")
        return awaken(model, torch.rand(4, 1, 16, 16))


@pytest.fixture
def x():
    return torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))


def test_iand_by_hand():
    shortcut, branch = torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([0.0, 1.0, 0.0, 1.0])
    assert joined(shortcut, branch, "iand").tolist() == [0, 0, 1, 0]
    assert joined(shortcut, branch, "add").tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize(("residual", "most"), [("iand", 1), ("add", 2)])
def test_what_flows_between_layers(residual, most, x):
    model = make(residual=residual)
    r = sv.simulate(model, x)
    inputs = [track.values for name, track in r.items() if name.endswith(".input") and track.values.ndim == 5]
    between = [values for values in inputs if values.dtype == torch.uint8]
    assert len(between) == len(inputs)  # of every convolution but the first, which sees the image once, without T
    largest = max(int(values.max()) for values in between)
    assert largest == 1 if most == 1 else largest >= most


def test_the_stem_halves_the_grid_in_every_block(x):
    r = sv.simulate(make(), x)
    shapes = [tuple(r[f"stem.stages.{n}.{part}.spike"].values.shape[2:]) for n in (0, 1) for part in ("down", "expand")]
    assert shapes == [(8, 8, 8), (32, 8, 8), (16, 4, 4), (64, 4, 4)]


def test_t_and_events(x):
    model = make()
    assert sv.simulate(model, x, TimeSteps(1)).logits_per_step.shape == (1, 2, 3)
    events = make_events()
    frames = torch.randint(0, 2, (5, 2, 2, 16, 16)).float()
    r = sv.simulate(events, frames)
    assert r.logits_per_step.shape == (5, 2, 3)
    assert sv.metrics.operations(events, r)["MACs"].iloc[0] == 0  # counts of events are added


def make_events():
    config = SpikformerV2Config(1, 16, 2, 3, 2, 16, 3, mlp_ratio=2, stages=2)
    return assemble("spikformer-v2", config, "events-v2").eval()


def test_every_parameter_gets_a_gradient(x):
    for residual in ("add", "iand"):
        model = make(residual=residual)
        model(x).mean(0).square().sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
