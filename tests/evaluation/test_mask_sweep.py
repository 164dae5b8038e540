"""A curve under random masks, measured point by point."""

from __future__ import annotations

import pytest
import torch
from support.networks import make_mst

import spikeviz as sv
from spikeviz.evaluation.mask_sweep import BATCH, compare_laws, law_units, mask_sweep, seeds, units
from spikeviz.evaluation.survey import batch_seed
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


def test_both_laws_on_the_same_samples_and_their_paired_error():
    """By hand: each sample's share of right answers over the seeds, spike by spike less as a whole."""
    model, x = make_mst(), torch.rand(6, 1, 16, 16, generator=torch.Generator().manual_seed(2))
    y = sv.simulate(model, x, keep="").output.argmax(-1)
    at = ("*.attn.q.spike", "*.mlp.hidden.spike")
    points = [(ratio, (MaskSpikes(ratio, at=at),)) for ratio in (0.5, 1.0)]
    steps = list(compare_laws(model, x, y, points, batch=4))
    assert [done for done, _ in steps] == list(range(1, law_units(points, 6, 4) + 1)) and len(steps) == 2 * (10 + 1) * 2
    half, gone = steps[-1][1]
    right = {}
    for law in ("spikes", "whole"):
        by_seed = []
        for seed in range(10):
            parts = [(x[:4], batch_seed(seed, 0)), (x[4:], batch_seed(seed, 1))]
            rule = MaskSpikes(0.5, at=at, law=law)
            best = torch.cat([sv.simulate(model, some, rule, "", own).output.argmax(-1) for some, own in parts])
            by_seed.append((best == y).float())
        right[law] = torch.stack(by_seed).mean(0)
        assert half[law] == pytest.approx(float(right[law].mean()))
    apart = right["spikes"] - right["whole"]
    assert half["difference"] == pytest.approx(float(apart.mean()), abs=1e-6)
    assert half["error"] == pytest.approx(float(apart.std()) / 6**0.5, abs=1e-6) and half["seeds"] == 10
    assert (gone["difference"], gone["error"], gone["seeds"], gone["samples"]) == (0, 0, 1, 6)
