"""Accuracy and power under random masks: what one seed gives, counted by hand; what several give."""

from statistics import stdev

import pytest
import torch
from support.networks import make_mst

import spikeviz as sv
from spikeviz.evaluation.masked_accuracy import MaskedAccuracy, masked_accuracy
from spikeviz.evaluation.survey import batch_seed
from spikeviz.interventions import MaskSpikes


def test_each_seed_is_a_run_of_its_own():
    model, x = sv.to_spiking(make_mst(), 4), torch.rand(10, 1, 16, 16)
    y = sv.simulate(model, x, keep="").output.argmax(-1)
    rule = (MaskSpikes(0.9),)
    found = [step for step in masked_accuracy(model, x, y, rule, seeds=(0, 5), batch=4) if step]
    assert [len(step.accuracies) for step in found] == [1, 2]
    by_hand, spikes = [], 0
    for seed in (0, 5):
        right = 0
        for i, rows in enumerate(torch.arange(10).split(4)):
            r = sv.simulate(model, x[rows], rule, seed=batch_seed(seed, i))
            right += int((r.output.argmax(-1) == y[rows]).sum())
            spikes += 0 if seed else sum(int(t.values.sum(dtype=torch.long)) for t in r.of_kind("spike").values())
        by_hand.append(right / 10)
    assert found[-1].accuracies == tuple(by_hand) and found[-1].samples == 10
    assert found[-1].power == pytest.approx(spikes / 10 * 1000)
    assert found[-1].mean == pytest.approx(sum(by_hand) / 2) and found[-1].deviation == pytest.approx(stdev(by_hand))
    assert found[0].deviation == 0 and found[0].power == found[1].power


def test_without_masks_all_seeds_agree():
    model, x = make_mst(), torch.rand(6, 1, 16, 16)
    y = sv.simulate(model, x, keep="").output.argmax(-1)
    *_, last = masked_accuracy(model, x, y, (MaskSpikes(0.0),), seeds=range(3))
    assert last == MaskedAccuracy((1.0, 1.0, 1.0), 6, **last.passing) and last.deviation == 0
    assert last.sent == last.kept > 0 and last.standard_error == 0


def test_bad_input():
    model, x = make_mst(), torch.rand(2, 1, 16, 16)
    with pytest.raises(ValueError, match="0 seeds, 2 samples and 2 labels"):
        next(masked_accuracy(model, x, torch.zeros(2, dtype=torch.long), (), seeds=()))
    with pytest.raises(ValueError, match="2 samples and 3 labels"):
        next(masked_accuracy(model, x, torch.zeros(3, dtype=torch.long), ()))
