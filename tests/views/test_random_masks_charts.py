"""Charts and words of random masks, and the networks that the page is about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from support.networks import make_mst, needs
from support.scenes import scene_of

import spikeviz as sv
from spikeviz.artifacts.as_data import as_data
from spikeviz.views.random_masks import PAGE, charts, curves, distributions, networks

NAME, CNN, EVENTS = "mst-fashion", "mst-vgg16-fashion", "mst-fashion-dvs"
MaskSpikes, TimeSteps = sv.interventions.MaskSpikes, sv.interventions.TimeSteps

pytestmark = needs(NAME)


def test_the_masks_of_a_student_in_words():
    card = next(card for card in sv.list_checkpoints() if card.name == NAME)
    under = as_data((MaskSpikes(0.5, at=("*.mlp.hidden.spike",)),))
    assert networks.tuned_under(replace(card, trained_under=under)) == "ratio 0.5 at MLP hidden"
    both = as_data((MaskSpikes(0.5, at=("*.attn.q.spike",)), MaskSpikes(0.25, at=("*.mlp.hidden.spike",))))
    assert networks.tuned_under(replace(card, trained_under=both)) == "ratio 0.5 at q and ratio 0.25 at MLP hidden"


@needs(NAME, CNN, EVENTS, "mst-resnet18-fashion")
def test_what_the_paper_calls_a_network():
    kinds = {card.name: networks.kind(card) for card in PAGE.networks.names().values()}
    assert (
        kinds[NAME] == kinds[EVENTS] == "MST" and kinds[CNN] == "VGG16" and kinds["mst-resnet18-fashion"] == "ResNet18"
    )
    assert {row[0] for row in charts.TABLE_3} < set(kinds.values()) and "spike-mae-cifar" not in kinds
    others = {name: kinds[name] for name in ("spikformer-fashion", "e-spikeformer-fashion-sfa4") if name in kinds}
    assert others == {"spikformer-fashion": "Spikformer", "e-spikeformer-fashion-sfa4": "E-SpikeFormer"}


def test_the_accumulated_membrane_input_is_the_mean_current_of_a_neuron():
    """Behind a constant input it is QCFS's own current, whatever was fired."""
    ann = make_mst(levels=8)
    snn, x = sv.to_spiking(ann, 8), torch.rand(1, 1, 16, 16)
    qcfs, spikes = sv.simulate(ann, x), sv.simulate(snn, x)
    currents = distributions.accumulated(spikes, "stem"), distributions.current(qcfs, "stem")
    np.testing.assert_allclose(*currents, atol=1e-4)


def test_charts_show_their_numbers():
    points = [
        {"ratio": r, "mean": 0.8 - r / 2, "deviation": 0.01, "power": 2e8, "samples": 250} for r in (0.9, 0.0, 0.5)
    ]
    mine, now = charts.accuracy_chart("Accuracy", "ratio", {"mine": points}, points[:1]).series
    assert list(mine.x) == [0.0, 0.5, 0.9] and mine.y[0] == 0.8 and now.name == "measured now"
    few, many = ({"mean": 0.8, "samples": n, "deviation": 0.01} for n in (100, 10_000))
    assert charts.drawn_error(few) == pytest.approx(0.04) and charts.drawn_error(many) == 0.01  # the larger of the two
    assert charts.drawn_error({"mean": 0.8, "samples": 100}) == pytest.approx(0.04)  # of one run
    low, high = charts.accuracy_chart("Accuracy", "T", {"mine": [few | {"T": 1}]}).series[0].band
    assert (low[0], high[0]) == pytest.approx((0.76, 0.84))
    assert charts.watts(3.942e9) == "3.94 G" and charts.watts(12.0) == "12.0"
    rows = [p | {"network": "mine", "share": None} for p in points]
    assert "–" in charts.power_table(rows) and "×0.74" in charts.paper_power()
    places = pd.DataFrame({"place": ["a.spike", "b.spike"], "sent": [4.0, 2.0], "kept": [2.0, 1.0]})
    names = {place.removesuffix(".spike"): f"words of {place}" for place in places["place"]}
    (bars,) = charts.kept_bars(places, names).series
    assert list(bars.values) == [2.0, 1.0] and list(bars.names) == list(names.values())


def test_histograms_that_are_alike_and_not():
    levels = np.arange(17) / 16
    assert charts.overlap(levels, levels, (0.0, 1.0)) == pytest.approx(1.0)
    assert charts.overlap(levels[:8], levels[8:], (0.0, 1.0)) == 0
    assert charts.overlap(levels + 9, np.ones(3), (0.0, 1.0)) == 1  # what lies outside is at the end
    chart = charts.histogram({"a": levels, "b": levels}, "Histogram", "x", (0.0, 1.0))
    assert np.asarray(chart.series[0].y)[1:-1:2] == pytest.approx(np.full(17, 1 / 17))


def test_curves_of_different_length_say_so():
    """An MST is compared at another T than a CNN, and the caption says which."""
    run = scene_of(PAGE).now
    curve = {"command": "make a", "samples": 250, "data": "fashion", "seeds": 10, "device": "CPU, 1 thread"}
    names = ["mst-fashion", "mst-resnet18-fashion", "mst-vgg16-fashion"]
    found = {name: curve | {"T": T} for name, T in zip(names, (16, 32, 32), strict=True)}
    said = "T = 16 (mst-fashion), 32 (mst-resnet18-fashion, mst-vgg16-fashion), CPU"
    assert said in curves.precomputed(run, names, found)
    assert "T = 32, CPU" in curves.precomputed(run, names[1:], found)
