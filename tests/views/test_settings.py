"""Which sliders a network for events has."""

import spikeviz as sv
from spikeviz.views.channel_masks.settings import masks
from spikeviz.views.experiment import Experiment
from spikeviz.views.settings import dynamics

NOW = Experiment("any")


def test_sliders_of_a_network_for_events():
    sdm, spikformer = sv.build("sdmformer-fashion-dvs").eval(), sv.build("spikformer-fashion-dvs").eval()
    t = next(setting for setting in dynamics(sdm, NOW) if setting.name == "T")
    assert t.bounds.slider == (1, 8)
    four = sv.build("e-spikeformer-fashion-dvs-d4").eval()
    t = next(setting for setting in dynamics(four, NOW) if setting.name == "T")
    assert t.bounds.slider == (1, 4)
    t = next(setting for setting in dynamics(sv.to_spiking(sv.build("mst-fashion"), 16), NOW) if setting.name == "T")
    assert t.bounds.slider == (1, 64) and t.trained == 16
    assert [(s.name, s.label, s.trained) for s in masks(sdm, NOW)] == [("threshold", "Threshold", 0.5), ("T", "T", 8)]
    assert [s.name for s in masks(spikformer, NOW)] == ["T"]
