"""Paired comparisons by hand, and the paired error against a simulation."""

import math

import numpy as np
import pytest
import torch

from spikeviz.evaluation.pairs import Paired, binomial_error, paired


def test_counts_and_error_by_hand():
    """Ten samples: both right 4, only the first 3, only the second 1, neither 2."""
    first = [True] * 4 + [True] * 3 + [False] + [False] * 2
    second = [True] * 4 + [False] * 3 + [True] + [False] * 2
    found = paired(first, torch.tensor(second), ("SFA", "vanilla"))
    assert found == Paired(10, 4, 3, 1, ("SFA", "vanilla"))
    assert (found.first, found.second) == (0.7, 0.5) and found.difference == pytest.approx(0.2)
    assert found.error == pytest.approx(math.sqrt(3 + 1 - 4 / 10) / 10)
    assert found.errors == pytest.approx((math.sqrt(0.7 * 0.3 / 10), math.sqrt(0.5 * 0.5 / 10)))
    assert not found.differ and found.verdict == "no difference found (n = 10)"


def test_the_error_is_that_of_the_mean_of_differences():
    """Of pairs, +1, 0 and -1: what both get right, or wrong, does not widen it."""
    draw = np.random.default_rng(3)
    first, second = draw.random(400) < 0.8, draw.random(400) < 0.7
    each = first.astype(float) - second.astype(float)
    assert paired(first, second).error == pytest.approx(each.std() / math.sqrt(400))
    assert paired(first, first).error == paired(first, first).difference == 0.0


def test_the_error_is_what_repetitions_scatter_by():
    """5,000 test sets of 1,000 samples; the two networks agree on nine of ten."""
    draw = np.random.default_rng(0)
    counts = draw.multinomial(1_000, [0.80, 0.06, 0.04, 0.10], size=5_000)
    found = [Paired(1_000, *(int(n) for n in row[:3])) for row in counts]
    scatter = np.std([pair.difference for pair in found])
    assert np.mean([pair.error for pair in found]) == pytest.approx(scatter, rel=0.03)
    assert scatter == pytest.approx(math.sqrt(0.1 - 0.02**2) / math.sqrt(1_000), rel=0.03)
    # unpaired, the two binomial errors together say more than twice as much
    assert math.hypot(binomial_error(0.86, 1_000), binomial_error(0.84, 1_000)) > 1.5 * scatter


def test_equal_networks_are_seldom_called_different():
    """Of 4,000 pairs of equally good networks at most one in twenty, however few samples tell them apart."""
    draw = np.random.default_rng(1)
    for apart in (6, 20, 100):
        counts = draw.multinomial(500, [0.8, apart / 1_000, apart / 1_000, 0.2 - apart / 500], size=4_000)
        found = [Paired(500, *(int(n) for n in row[:3])).differ for row in counts]
        assert np.mean(found) < 0.05


def test_a_verdict_needs_two_errors():
    better = Paired(1_000, 900, 20, 8, ("A", "B"))  # 0.012 ± sqrt(28 - 0.144) / 1000
    assert better.differ and better.verdict == "A is better by 0.012 ± 0.005 (n = 1,000, paired)"
    assert Paired(1_000, 900, 8, 20, ("old", "new")).verdict == "new is better by 0.012 ± 0.005 (n = 1,000, paired)"
    assert Paired(1_000, 900, 15, 9).verdict == "no difference found (n = 1,000)"


def test_four_samples_are_no_evidence():
    """Four to none are more than two of their errors, and happen by chance once in eight times."""
    four, six = Paired(1_000, 900, 4, 0), Paired(1_000, 900, 6, 0)
    assert four.difference > 2 * four.error and not four.differ
    assert six.differ  # once in 32


@pytest.mark.parametrize(
    ("first", "second"),
    [([], []), ([True], [True, False]), ([1, 0], [True, False]), ([[True]], [[True]]), ([0.5], [True])],
)
def test_what_is_not_a_pair_of_answers(first, second):
    with pytest.raises(ValueError, match=r"^two vectors \[N\] of right answers"):
        paired(first, second)
