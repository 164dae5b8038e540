"""Entropy of the rows of scores, by hand."""

import math

import pytest
import torch

from spikeviz.metrics.score_entropy import score_entropy
from spikeviz.recording import Track

AXES = ("T", "B", "heads", "N", "N")


def track(rows, steps=1):
    x = torch.tensor(rows, dtype=torch.float32).view(1, 1, 1, 4, 4) / steps
    return Track(x.expand(steps, -1, -1, -1, -1), AXES, "scores")


@pytest.mark.parametrize("steps", [1, 4])
def test_entropy_by_hand(steps):
    """One key alone: 0. Two alike of four: log 2 / log 4. All alike: 1. Nothing: silent, and in no mean."""
    found = score_entropy(track([[0, 5, 0, 0], [1, 0, 1, 0], [2, 2, 2, 2], [0, 0, 0, 0]], steps))
    assert found.entropy == pytest.approx((0 + 0.5 + 1) / 3) and found.silent == 0.25


def test_unequal_shares():
    found = score_entropy(track([[3, 1, 0, 0]] * 4))
    assert found.entropy == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / math.log(4))


def test_without_any_score_there_is_no_entropy():
    assert score_entropy(track([[0] * 4] * 4)) == (None, 1.0)
    with pytest.raises(ValueError, match="needs attention scores"):
        score_entropy(Track(torch.ones(1, 1, 1, 2, 2), AXES, "spike"))
