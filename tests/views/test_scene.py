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
from spikeviz.views.scene import like, open_scene, sides_of, telling_neuron

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


# ---- two networks

OTHER = "mst-fashion"  # of another family: none of its layers but the stem is called as one of a Spikformer
TWO = {"maps_A": f"checkpoint:{OTHER},input:0", "maps_layer": "stem.stages.2"}


@needs(FASHION, OTHER)
def test_each_network_has_a_layer_of_its_own():
    page = find_page("spike_maps")
    scene, notices = scene_at(page, TWO)
    a, b = scene.sides
    assert not notices and (b.layer, a.layer) == ("stem.stages.2", "stem") and a.layer in scene.compared.layers
    assert f"{a.layer}.membrane" in scene.compared.recording and a.shape != b.shape
    scene, notices = scene_at(page, TWO | {"maps_layerA": "blocks.1.mlp.hidden", "maps_neuronA": "3.1.2"})
    assert not notices and (scene.sides[0].layer, scene.sides[0].neuron) == ("blocks.1.mlp.hidden", (3, 1, 2))
    query = write(parameters(page, scene.state, {}, {}), scene.state)
    assert query.items() >= {"maps_layerA": "blocks.1.mlp.hidden", "maps_neuronA": "3.1.2"}.items()
    again, notices = scene_at(page, query)
    assert not notices and [(s.layer, s.neuron) for s in again.sides] == [(s.layer, s.neuron) for s in scene.sides]


@needs(FASHION, OTHER)
def test_a_layer_that_both_have_is_that_of_both():
    page = find_page("spike_maps")
    scene, notices = scene_at(page, TWO | {"maps_layer": "blocks.0.attn.q", "maps_layerA": "stem"})
    assert not notices and [side.layer for side in scene.sides] == ["blocks.0.attn.q"] * 2
    query = write(parameters(page, scene.state, {}, {}), scene.state)
    assert "maps_layerA" not in query and "maps_neuronA" in query  # a neuron is one of its network
    scene, _ = scene_at(page, {"maps_A": "T:2", "maps_layer": "blocks.0.attn.q"})
    assert scene.sides[0].neuron == scene.sides[1].neuron
    assert "maps_neuronA" not in write(parameters(page, scene.state, {}, {}), scene.state)


@needs(FASHION, OTHER)
def test_a_difference_is_shown_where_the_shapes_agree_and_b_where_they_do_not():
    page = find_page("spike_maps")
    scene, _ = scene_at(page, TWO | {"maps_side": "diff", "maps_charts": "A"})
    assert sides_of(scene) == ["A", "B"] and scene.look("side") == "B" and scene.look("charts") == "A"
    scene, _ = scene_at(page, {"maps_A": "T:2", "maps_side": "diff"})
    assert sides_of(scene) == ["A", "B", "A−B"] and scene.look("side") == "A−B"
    scene, _ = scene_at(page, {"maps_side": "diff", "maps_charts": "A"})
    assert sides_of(scene) == ["B"] and (scene.look("side"), scene.look("charts")) == ("B", "B")


@needs(FASHION, OTHER)
@pytest.mark.parametrize(
    ("name", "text"), [("maps_layerA", "stem.stages.2"), ("maps_neuronA", "1.2"), ("maps_charts", "A−B")]
)
def test_what_a_has_not_is_one_sentence(name, text):
    _, notices = scene_at(find_page("spike_maps"), TWO | {name: text})
    assert len(notices) == 1 and notices[0].startswith(f"The address says {name}={text}")
    _, notices = scene_at(find_page("spike_maps"), {name: text})
    assert len(notices) == 1


@pytest.mark.parametrize(
    ("layer", "layers", "found"),
    [
        ("stem.stages.0", ["stem", "blocks.0", "stem.stages.0.down", "stem.stages.0.up"], "stem.stages.0.down"),
        ("blocks.1.attn.q", ["stem", "blocks.0.attn.q", "blocks.1.layer"], "blocks.1.layer"),
        ("head", ["stem", "blocks.0"], "stem"),
        ("b", ["a", "b"], "b"),
    ],
)
def test_another_layer_is_the_first_with_most_in_common(layer, layers, found):
    assert like(layer, layers) == found
