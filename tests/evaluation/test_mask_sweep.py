"""A curve under random masks, measured point by point."""

from __future__ import annotations

import pytest
import torch
from support.networks import make_mst

import spikeviz as sv
from spikeviz.evaluation.mask_sweep import BATCH, mask_sweep, seeds, units
from spikeviz.interventions import MaskSpikes


@pytest.fixture(scope="module")
def snn():
    return sv.to_spiking(make_mst(), 4)


def test_a_sweep_is_what_the_library_measures(snn):
    x, y = torch.rand(20, 1, 16, 16), torch.randint(3, (20,))
    points = [(r, (MaskSpikes(r),)) for r in (0.5, 0.0)]
    *_, (done, table) = mask_sweep(snn, x, y, "ratio", points)
    assert done == (10 + 1) * 2 == units(points, len(y)) and [row["ratio"] for row in table] == [0.5, 0.0]
    for row, (_, settings) in zip(table, points, strict=True):
        *_, found = sv.evaluation.masked_accuracy(snn, x, y, settings, seeds(settings), BATCH)
        assert (row["mean"], row["deviation"], row["power"]) == (found.mean, found.deviation, found.power)
        assert (row["seeds"], row["samples"]) == (len(seeds(settings)), 20)


def test_a_point_appears_with_its_first_seed(snn):
    """20 samples in batches of 16: a seed takes two units, and after one of them nothing is known."""
    x, y = torch.rand(20, 1, 16, 16), torch.randint(3, (20,))
    steps = mask_sweep(snn, x, y, "T", [(4.0, (MaskSpikes(0.5),))])
    first, second = next(steps), next(steps)
    assert first == (1, []) and second[0] == 2 and [row["seeds"] for row in second[1]] == [1]


def test_samples_without_labels_are_refused(snn):
    with pytest.raises(ValueError, match="3 samples and 2 labels"):
        next(mask_sweep(snn, torch.rand(3, 1, 16, 16), torch.zeros(2).long(), "ratio", [(0.0, ())]))
