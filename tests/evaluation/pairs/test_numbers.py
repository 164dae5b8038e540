"""Means, differences and ratios of numbers over the same samples, by hand arithmetic."""

from __future__ import annotations

from math import isnan, sqrt

import numpy as np
import pytest

from spikeviz.evaluation.pairs import PairedNumbers, mean_and_error


def test_the_error_of_a_mean():
    # deviations -2, 0, 2: s = sqrt(8 / 2) = 2
    assert mean_and_error([1.0, 3.0, 5.0]) == pytest.approx((3.0, 2 / sqrt(3)))
    assert mean_and_error([4.0]) == (4.0, None)


def test_a_difference_is_told_by_pairs():
    """The samples differ much, the two networks by 1 in each: unpaired errors would hide that."""
    pair = PairedNumbers(np.array([11.0, 22.0, 30.0]), np.array([10.0, 20.0, 30.0]))
    # differences 1, 2, 0: mean 1, s = 1
    assert pair.difference == pytest.approx((1.0, 1 / sqrt(3))) and not pair.differ
    alike = PairedNumbers(np.array([11.0, 22.0, 31.0]), np.array([10.0, 20.0, 30.0]))
    # differences 1, 2, 1: mean 4/3, s = sqrt((1/9 + 4/9 + 1/9) / 2) = 1 / sqrt(3), error 1/3
    assert alike.difference == pytest.approx((4 / 3, 1 / 3)) and alike.differ


def test_a_ratio_has_the_error_of_what_is_left_over():
    pair = PairedNumbers(np.array([2.0, 2.0]), np.array([3.0, 5.0]))
    # r = 4 / 8 = 1/2; 2 - 3/2 and 2 - 5/2 are 1/2 and -1/2: s = 1 / sqrt(2), error of the mean 1/2, over the mean 4
    assert pair.ratio == pytest.approx((0.5, 0.125))
    proportional = PairedNumbers(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]))
    assert proportional.ratio == pytest.approx((0.5, 0.0))
    assert isnan(PairedNumbers(np.ones(2), np.zeros(2)).ratio[0])


def test_a_verdict_is_computed():
    first, second = np.array([11.0, 22.0, 31.0]), np.array([10.0, 20.0, 30.0])
    said = PairedNumbers(first, second, ("A", "B")).verdict("costs more than", "costs less than", "J")
    assert said == "A costs more than B: 21.33 against 20.00 J, +1.33 ± 0.33 (n = 3, paired)"
    said = PairedNumbers(second, first, ("B", "A")).verdict("costs more than", "costs less than", "kJ", 10, 1)
    assert said == "B costs less than A: 2.0 against 2.1 kJ, -0.1 ± 0.0 (n = 3, paired)"
    none = PairedNumbers(first, np.array([10.0, 30.0, 22.0])).verdict("costs more than", "costs less than", "J")
    assert none.startswith("no difference found between A and B: 21.33 against 20.67 J, +0.67 ±")
    assert "whose error is not known" in PairedNumbers(first[:1], second[:1]).verdict("more", "less", "J")


def test_nothing_is_not_compared():
    with pytest.raises(ValueError, match="0 and 0 samples"):
        PairedNumbers(np.ones(0), np.ones(0))
