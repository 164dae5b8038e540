"""Two networks over the same samples: totals of each, and differences with their errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.networks import make_small

import spikeviz as sv
from spikeviz.evaluation import Survey
from spikeviz.evaluation.paired_survey import PairedSurvey, paired_survey
from spikeviz.evaluation.pairs import compare
from spikeviz.interventions import SpikeLevels
from spikeviz.metrics import SPIKES


def pair(first, second, sizes=()) -> PairedSurvey:
    """Of NSFR by batch and step."""
    rates = torch.tensor(first, dtype=torch.float64), torch.tensor(second, dtype=torch.float64)
    weights = torch.tensor(sizes or [1.0] * len(first), dtype=torch.float64)
    weights = weights / weights.sum()
    surveys = [Survey(10, 10, 5, (weights[:, None] * own).sum(0)) for own in rates]
    return PairedSurvey(*surveys, rates, weights)


def test_a_pair_is_two_surveys_batch_by_batch():
    x = torch.rand(10, 1, 16, 16, generator=torch.Generator().manual_seed(2))
    y = torch.arange(10) % 3
    small, binary = make_small(), make_small(neuron="lif", levels=1, time_steps=4)
    rules = (SpikeLevels(2),)
    found = list(paired_survey((small, rules, 0), (binary, (), 0), x, y, batch=4))
    assert [each.first.images for each in found] == [4, 8, 10]
    last = found[-1]
    for which, (model, own) in enumerate(((small, rules), (binary, ()))):
        *_, alone = sv.evaluation.survey(model, x, y, own, batch=4)
        together = (last.first, last.second)[which]
        assert (together.right, together.images) == (alone.right, 10)
        torch.testing.assert_close(together.nsfr, alone.nsfr, rtol=0, atol=0)
        for number, some in enumerate(x.split(4)):
            expected = sv.metrics.nsfr(sv.simulate(model, some, own, SPIKES))
            torch.testing.assert_close(last.rates[which][number], expected, rtol=0, atol=1e-12)
    assert last.weights.tolist() == [0.4, 0.4, 0.2]
    apart, _ = last.difference
    assert apart == pytest.approx(float(last.first.nsfr.sum() - last.second.nsfr.sum()))


def test_the_error_is_that_of_a_mean_over_batches():
    """Differences 0.2, 0.4, 0.6 of equal batches: mean 0.4, deviation 0.2, over the root of 3."""
    apart, error = pair([[0.1, 0.3], [0.3, 0.4], [0.6, 0.5]], [[0.2], [0.3], [0.5]]).difference
    assert apart == pytest.approx(0.4) and error == pytest.approx(0.2 / np.sqrt(3))


def test_batches_weigh_as_many_samples_as_they_have():
    apart, _ = pair([[0.5], [0.2]], [[0.0], [0.0]], [3, 1]).difference
    assert apart == pytest.approx(0.75 * 0.5 + 0.25 * 0.2)


def test_one_batch_has_no_error():
    alone = pair([[0.3, 0.2]], [[0.1]])
    assert alone.difference == (pytest.approx(0.4), None) and alone.falls(0) is None


@pytest.mark.parametrize(
    ("rates", "falls"),
    [
        ([[0.30, 0.20, 0.10], [0.32, 0.21, 0.10]], True),
        ([[0.30, 0.20, 0.20], [0.32, 0.21, 0.21]], False),  # level at the end
        ([[0.30, 0.20, 0.25], [0.32, 0.21, 0.25]], False),
        ([[0.30, 0.25], [0.30, 0.20], [0.20, 0.28]], False),  # it falls on average, but by less than its error
    ],
)
def test_a_fall_has_to_be_larger_than_its_error(rates, falls):
    found = pair(rates, [[0.1]] * len(rates))
    assert found.falls(0) is falls
    means = np.mean(rates, 0)
    assert not falls or (np.diff(means) < 0).all()


def test_accuracies_are_compared_in_pairs():
    """Which samples each got right, and not only how many."""
    small = sv.load("spikformer-fashion", "cpu")
    x, y = sv.load_data("fashion", "val", 20)
    rules = (sv.interventions.TimeSteps(1),)
    *_, found = paired_survey((small, rules, 0), (small, (), 0), x, y, batch=8)
    *_, expected = compare((small, rules, 0), (small, (), 0), x, y, batch=8)
    assert found.accuracy == expected
    assert (found.accuracy.first, found.accuracy.second) == (found.first.accuracy, found.second.accuracy)
