"""What something costs, printed: `pytest tests/test_benchmarks.py -s`."""

import statistics
import time

import pytest
from support.networks import awaken

import spikeviz as sv
from spikeviz.metrics import SPIKES
from spikeviz.metrics.spike_masking import masking_places
from spikeviz.models.registry import build

pytestmark = pytest.mark.slow

SpikeLevels = sv.interventions.SpikeLevels


def times(work, one, other, rounds=31):
    """Processor time in milliseconds of `work(one)`, and how many times that `work(other)` takes: medians of pairs.

    Pairs of neighbours, since other work on the machine slows both of a pair.
    """
    pairs = []
    for _ in range(rounds):
        marks = [time.thread_time()]
        for setting in (one, other):
            work(setting)
            marks.append(time.thread_time())
        pairs.append((marks[1] - marks[0], marks[2] - marks[1]))
    return statistics.median(a for a, _ in pairs) * 1e3, statistics.median(b / a for a, b in pairs)


def test_firing_rates_of_eight_binary_steps_cost_what_one_costs():
    """All D steps of a recording come from one forward pass: no more than 1.15 times."""
    x, _ = sv.load_data("fashion", "test", 16)
    model = awaken(build("e-spikeformer-fashion-sfa4"), x)
    sizes = {}

    def work(d):
        sizes[d] = len(sv.metrics.nsfr(sv.simulate(model, x, SpikeLevels(d), keep=SPIKES)))

    milliseconds, ratio = times(work, 1, 8)
    print(f"\nsimulate + nsfr, 16 images: D=1 {milliseconds:.1f} ms, D=8 {ratio:.3f} times that")
    assert sizes == {1: 1, 8: 8}
    assert ratio <= 1.15


@pytest.mark.parametrize("name", ["mst-fashion", "mst-resnet18-fashion", "mst-vgg16-fashion"])
def test_ten_seeds_cost_no_more_than_four_single_runs(name):
    """Ten seeds of an image are one batch, and what lies before the first mask is computed once.

    That holds of a QCFS network. A converted one has a batch of T already, so that ten times as much of it takes more:
    how much more is printed.
    """
    x, _ = sv.load_data("fashion", "test", 32)
    ann = awaken(build(name), x)
    for steps in (1, 16):
        model = ann if steps == 1 else sv.to_spiking(ann, steps)
        rule = sv.interventions.MaskSpikes(0.75, at=tuple(place.name for place in masking_places(model)))
        milliseconds, ratio = times(lambda seed: sv.simulate(model, x[:1], rule, keep="", seed=seed), 0, range(10), 7)  # noqa: B023
        print(f"\n{name}, T={steps}: a run {milliseconds:.1f} ms, ten seeds {ratio:.2f} times that", end="")
        assert ratio <= (4 if steps == 1 else 10)
