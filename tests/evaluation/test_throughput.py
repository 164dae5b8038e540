"""Speed: networks run in turns, and a difference is claimed only where there is one."""

import pytest
import torch

import spikeviz as sv
from spikeviz.evaluation.throughput import Throughput, speed_text, throughput


def test_throughput_runs_in_turns():
    model = sv.build("spikformer-fashion").eval()
    rounds = list(throughput([(model, ()), (model, ())], torch.rand(2, 1, 28, 28), rounds=3))
    assert [r.rounds for r in rounds] == [1, 2, 3] and rounds[-1].batch == 2
    low, middle, high = rounds[-1].speedup(1)
    assert 0 < low <= middle <= high and rounds[-1].rate(0) > 0
    assert rounds[0].speedup(1)[0] == rounds[0].speedup(1)[2]
    with pytest.raises(ValueError, match="needs a network and a round"):
        next(throughput([], torch.rand(2, 1, 28, 28)))


def rounds_of(*ratios: float) -> Throughput:
    """Rounds in which the second network took a second, and the first `ratio` times as long."""
    return Throughput(1, (ratios, (1.0,) * len(ratios)))


def test_a_speed_is_claimed_only_where_its_interval_leaves_out_one():
    """Ends by hand: of 15 rounds the interval of a sign test goes from the 4th to the 12th."""
    ratios = [1.0 + n / 10 for n in range(-3, 12)]
    assert rounds_of(*ratios).interval(1) == (ratios[3], ratios[11])
    assert rounds_of(*ratios[::-1]).interval(1) == (ratios[3], ratios[11])  # in whatever order they came
    assert rounds_of(*[2.0] * 5).interval(1) is None and rounds_of(*[2.0] * 6).interval(1) == (2.0, 2.0)
    assert speed_text(1.16, (0.27, 5.39)).startswith("no difference measurable (")
    assert speed_text(1.16, (1.0, 1.4)).startswith("no difference measurable")
    assert speed_text(1.16, None).startswith("no difference measurable so far")
    assert speed_text(1.29, (1.24, 1.42)).startswith("1.29 times as fast (95 %")
    assert speed_text(0.8, (0.7, 0.9)).startswith("0.80 times as fast")
