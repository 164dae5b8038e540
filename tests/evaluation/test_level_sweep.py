"""Accuracy, energy and spikes at several D, setting by setting."""

from __future__ import annotations

import pytest
import torch
from support.networks import make_small

import spikeviz as sv
from spikeviz.evaluation.level_sweep import LevelPoint, level_sweep, units
from spikeviz.interventions import SpikeLevels, TimeSteps
from spikeviz.metrics import OPERANDS


@pytest.fixture(scope="module")
def small():
    return make_small()


@pytest.fixture(scope="module")
def binary():
    return make_small(neuron="lif", levels=1, time_steps=4)


@pytest.fixture
def x():
    return torch.rand(10, 1, 16, 16, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def y():
    return torch.arange(10) % 3


def test_a_sweep_is_what_the_library_measures(small, binary, x, y):
    points = [
        LevelPoint("what-if", 2, "small", small, (SpikeLevels(2),)),
        LevelPoint("what-if", 3, "small", small, (TimeSteps(2), SpikeLevels(3))),
        LevelPoint("vanilla", 1, "binary", binary),
    ]
    *_, (done, table) = level_sweep(points, x, y, batch=4)
    assert done == units(points, len(y), 4) == 3 * 3
    assert [(row["meaning"], row["D"], row["network"], row["T"]) for row in table] == [
        ("what-if", 2, "small", 1),
        ("what-if", 3, "small", 2),
        ("vanilla", 1, "binary", 4),  # its T is not its D
    ]
    for point, row in zip(points, table, strict=True):
        *_, found = sv.evaluation.survey(point.model, x, y, point.interventions, batch=4)
        assert (row["accuracy"], row["standard error"], row["images"]) == (found.accuracy, found.error, 10)
        assert row["spikes per neuron"] == float(found.nsfr.sum()) > 0
        recording = sv.simulate(point.model, x[:4], point.interventions, OPERANDS)
        energy = sv.metrics.operations(point.model, recording)["picojoule"].sum()
        assert row["energy (µJ)"] == pytest.approx(energy / 1e6)


def test_it_can_be_stopped_after_every_batch_and_says_what_is_known(small, x, y):
    points = [LevelPoint("what-if", d, "small", small, (SpikeLevels(d),)) for d in (1, 2)]
    steps = [(done, [row["D"] for row in table]) for done, table in level_sweep(points, x, y, batch=4)]
    assert steps == [(1, []), (2, []), (3, [1]), (4, [1]), (5, [1]), (6, [1, 2])]


def test_what_is_known_is_not_measured_again(small, x, y):
    """These weights at their own D are also the network that was trained at it."""
    points = [LevelPoint("what-if", 4, "small", small), LevelPoint("trained", 4, "small", small)]
    steps = list(level_sweep(points, x, y, batch=4))
    assert units(points, len(y), 4) == 3 == steps[-1][0]
    first, second = steps[-1][1]
    assert first["meaning"] == "what-if" and second == first | {"meaning": "trained"}


def test_samples_without_labels_are_refused(small, x):
    with pytest.raises(ValueError, match="10 images and 2 labels"):
        next(level_sweep([LevelPoint("what-if", 1, "small", small)], x, torch.zeros(2).long()))
