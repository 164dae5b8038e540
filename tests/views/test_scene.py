"""The scene of a page: what it computes, which layer and neuron of each side it looks at."""

from __future__ import annotations

import numpy as np
import pytest
from support.networks import needs

from spikeviz.interventions import FiringThreshold, MaskChannels, TimeSteps
from spikeviz.views.address import State, neuron_of, parameters, write
from spikeviz.views.experiment import Experiment
from spikeviz.views.host import scene_at
from spikeviz.views.page import find_page
from spikeviz.views.scene import open_scene, telling_neuron

FASHION, SDM = "spikformer-fashion", "sdmformer-fashion-dvs"
LAYER = "blocks.0.attn.q"


# ---- the neuron


@needs(FASHION)
@pytest.mark.parametrize("rule", [TimeSteps(1), TimeSteps(7), FiringThreshold(0.4)])
def test_a_moved_setting_shows_the_same_neuron(rule):
    page = find_page("spike_maps")
    first, state, _ = open_scene(page, State(Experiment(FASHION)), {})
    moved = state.but(experiment=state.experiment.but(interventions=(rule,), source="test/5"))
    scene, state, notices = open_scene(page, moved, {})
    assert scene.neuron == first.neuron == state.look(neuron_of(FASHION, scene.layer)) and not notices
    fresh, _, _ = open_scene(page, State(moved.experiment), {})
    spikes = fresh.now.recording[f"{fresh.layer}.spike"].values[:, 0].numpy()
    assert fresh.neuron == telling_neuron(spikes)


@needs(FASHION)
def test_the_address_names_the_neuron_that_is_shown():
    page = find_page("spike_maps")
    shown, state, _ = open_scene(page, State(Experiment(FASHION)), {})
    query = write(parameters(page, state, {}, {}), state)
    assert query["maps_neuron"] == ".".join(map(str, shown.neuron))
    scene, notices = scene_at(page, query | {"maps_T": "1"})
    assert scene.neuron == shown.neuron and not notices


@needs(FASHION, "e-spikeformer-fashion-sfa4")
def test_a_neuron_belongs_to_its_layer_and_network():
    page = find_page("spike_maps")
    _, state, _ = open_scene(page, State(Experiment(FASHION), looks={"layer": LAYER}), {})
    state = state.looking(neuron_of(FASHION, LAYER), (7, 1, 1))
    scene, state, _ = open_scene(page, state.looking("layer", "blocks.0.attn.k"), {})
    assert scene.neuron != (7, 1, 1)
    other = state.but(experiment=Experiment("e-spikeformer-fashion-sfa4")).looking("layer", LAYER)
    scene, state, notices = open_scene(page, other, {})
    assert scene.neuron != (7, 1, 1) and not notices
    back = state.but(experiment=Experiment(FASHION))
    assert open_scene(page, back, {})[0].neuron == (7, 1, 1)


@needs(SDM)
def test_the_threshold_of_channel_masks_does_not_change_the_neuron():
    page, neurons = find_page("channel_masks"), set()
    state = State(Experiment(SDM))
    for threshold in (0.3, 0.5, 0.8):
        now = state.but(experiment=state.experiment.but(interventions=(MaskChannels(threshold),)))
        scene, state, _ = open_scene(page, now, {})
        neurons.add(scene.neuron)
    assert len(neurons) == 1


def test_a_telling_neuron_fires_at_some_steps_and_not_at_all_of_them():
    spikes = np.zeros((4, 2, 3, 3), dtype=np.uint8)
    spikes[:, 0, 1, 1] = 1  # in the centre, at every step
    spikes[1:3, 1, 0, 1] = 1
    assert telling_neuron(spikes) == (1, 0, 1)
    assert telling_neuron(np.zeros((4, 2, 3, 3), dtype=np.uint8)) == (0, 1, 1)
