"""Settings of random masks, of one and of several side by side, and their addresses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from support.networks import make_mst, needs
from support.scenes import scene_of

import spikeviz as sv
from spikeviz.views import address
from spikeviz.views.address import State
from spikeviz.views.experiment import Experiment
from spikeviz.views.host import scene_at
from spikeviz.views.random_masks import PAGE
from spikeviz.views.random_masks.settings import another, masking, masks_of
from spikeviz.views.settings import as_trained, moved, status_text

NAME = "mst-fashion"
MaskSpikes, TimeSteps = sv.interventions.MaskSpikes, sv.interventions.TimeSteps
ATTENTION = tuple(f"blocks.{b}.attn.{site}" for b in range(4) for site in ("q.spike", "k.spike", "scores"))
HIDDEN = tuple(f"blocks.{b}.mlp.hidden.spike" for b in range(4))
TWO = {"rsm_ratio": "0.5", "rsm_ratio2": "0.75"}
ONE_MASK = {"rsm_ratio": "0.30", "rsm_sites": "k.MLP", "rsm_blocks": "0.2-3", "seed": "7", "rsm_T": "4"}
TWO_MASKS = {"rsm_ratio": "0.50", "rsm_ratio2": "0.75", "rsm_sites2": "q.MLP", "rsm_blocks2": "2-3"}
THREE_MASKS = {"rsm_ratio2": "0.75", "rsm_blocks2": "1", "rsm_ratio3": "0.10", "rsm_sites3": "scores", "rsm_T": "8"}

pytestmark = needs(NAME)


@pytest.fixture(scope="module")
def snn():
    return sv.to_spiking(make_mst(), 4)


def simulated(rule=(), name: str = NAME, steps: int = 16) -> sv.Recording:
    x, _ = sv.load_data("fashion", "test", 1)
    return sv.simulate(sv.to_spiking(sv.load(name), steps), x, rule)


def written(state: State) -> dict[str, str]:
    """The address of a state, without the network and what is looked at."""
    parts = address.write(address.parameters(PAGE, state, {}, {}), state)
    return {name: text for name, text in parts.items() if name not in ("input", "rsm_layer", "rsm_neuron")}


# --- settings ---


def test_sites_and_blocks_are_one_choice_of_places(snn):
    start = Experiment("any")
    ratio, steps, sites, blocks = masking(snn, start)
    assert [s.text(s.value(start)) for s in (ratio, steps, sites, blocks)] == ["0.00", "4", "q.k.scores", "0-2"]
    now = blocks.read(sites.read(ratio.put(start, 0.5), "q,MLP"), "0.2")
    assert now.interventions[0].at == (
        *("blocks.0.attn.q.spike", "blocks.0.mlp.hidden.spike"),
        *("blocks.2.attn.q.spike", "blocks.2.mlp.hidden.spike"),
    )
    assert sites.text(sites.value(now)) == "q.MLP" and blocks.text(blocks.value(now)) == "0.2"
    back = blocks.put(sites.put(ratio.put(now, 0.0), sites.trained), blocks.trained)
    assert back.interventions == ()  # nothing moved is nothing intervened


def test_which_slider_was_moved_first_changes_no_mask(snn):
    ratio, steps, *_ = settings = masking(snn, Experiment("any"))
    one = steps.put(ratio.put(Experiment("any"), 0.5), 8)
    other = ratio.put(steps.put(Experiment("any"), 8), 0.5)
    kinds = [setting.kind for setting in settings]
    assert one.only(*kinds) == other.only(*kinds) and len(one.only(*kinds).interventions) == 2


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("sites", "q.convolution", "the sites of this network are q, k, scores, MLP."),
        ("sites", "", "the sites of this network are q"),
        ("blocks", "0-9", "blocks go from 0 to 2, such as 0-1"),
        ("blocks", "2-1", "blocks go from 0 to 2"),
        ("blocks", "first", "blocks go from 0 to 2"),
        ("blocks2", "3", "blocks go from 0 to 2"),
    ],
)
def test_places_a_network_lacks(snn, name, text, why):
    two = Experiment("any", interventions=(MaskSpikes(0.5), another(snn)))
    setting = next(s for s in masking(snn, two) if s.name == name)
    with pytest.raises(ValueError, match=why):
        setting.read(two, text)
    with pytest.raises(ValueError, match=f"at least one {setting.word}"):
        setting.put(two, ())


def test_every_mask_has_settings_of_its_own(snn):
    first, second = MaskSpikes(0.5, at=("blocks.0.attn.q.spike",)), another(snn)
    now = Experiment("any", interventions=(first, second))
    settings = {setting.name: setting for setting in masking(snn, now)}
    assert list(settings) == ["ratio", "T", "sites", "blocks", "ratio2", "sites2", "blocks2"]
    assert settings["sites2"].value(now) == ("MLP hidden",) and second.ratio == 0.5
    changed = settings["blocks2"].read(settings["ratio2"].put(now, 0.75), "1-2")
    mlp = ("blocks.1.mlp.hidden.spike", "blocks.2.mlp.hidden.spike")
    assert changed.interventions == (first, MaskSpikes(0.75, at=mlp))
    idle = settings["ratio2"].put(settings["ratio"].put(changed, 0.0), 0.0)
    assert [rule.ratio for rule in idle.interventions] == [0.0, 0.0]  # each stays until it is removed
    assert (
        status_text(list(settings.values()), changed)
        == "ratio=0.50 T=4 sites=q blocks=0 ratio2=0.75 blocks2=1-2 seed=0"
    )


def test_without_the_first_mask_the_second_is_the_first(snn):
    now = Experiment("any", interventions=(MaskSpikes(0.5), replace(another(snn), ratio=0.75)))
    left = now.drop(MaskSpikes, 0)
    assert left.interventions == now.interventions[1:]
    assert status_text(masking(snn, left), left) == "ratio=0.75 T=4 sites=MLP seed=0"


# --- addresses ---


@pytest.mark.parametrize("query", [ONE_MASK, TWO_MASKS, THREE_MASKS], ids=["one", "two", "three"])
def test_an_address_says_every_mask(query):
    scene = scene_of(PAGE, **query)
    assert len(scene.now.experiment.of_kind(MaskSpikes)) == max(
        int(name[-1]) if name[-1].isdigit() else 1 for name in query
    )
    assert written(scene.state) == query
    assert scene_of(PAGE, **written(scene.state)).now.experiment == scene.now.experiment


def test_masks_are_applied_left_to_right():
    scene = scene_of(PAGE, rsm_ratio="0.5", rsm_ratio2="0.75", rsm_sites2="MLP", rsm_blocks2="2-3")
    assert scene.now.status_text == "ratio=0.50 T=16 ratio2=0.75 blocks2=2-3 seed=0"
    rules = (MaskSpikes(0.5, at=ATTENTION), MaskSpikes(0.75, at=HIDDEN[2:]))
    assert scene.now.experiment.interventions == rules
    assert torch.equal(scene.now.recording.output, simulated(rules).output)


@pytest.mark.parametrize(
    ("query", "masks"),
    [
        ({"rsm_ratio": "0.25"}, [0.25]),
        ({"rsm_part": "power"}, []),
        ({"rsm_ratio2": "0.25"}, [0.0, 0.25]),
        ({"rsm_ratio": "0.5", "rsm_sites3": "q"}, [0.5, 0.0, 0.0]),
    ],
)
def test_a_new_address_drops_what_it_does_not_name(query, masks):
    state = scene_of(PAGE, **TWO_MASKS).state
    state, notices = address.read(address.parameters(PAGE, state, {}, query), state, query)
    assert not notices and [rule.ratio for rule in state.experiment.of_kind(MaskSpikes)] == masks


@pytest.mark.parametrize(("query", "masks"), [({"rsm_part": "power"}, [0.5, 0.75]), ({"rsm_ratio": "0.25"}, [0.25])])
def test_an_address_from_another_page_changes_what_it_names(query, masks):
    state = scene_of(PAGE, **TWO_MASKS).state
    state, notices = address.read(address.parameters(PAGE, state, {}, query), state, query, complete=False)
    assert not notices and [rule.ratio for rule in state.experiment.of_kind(MaskSpikes)] == masks


def test_a_held_setting_keeps_its_masks():
    held = "input:0,ratio:0.50,sites:q,blocks:1,ratio2:0.75,sites2:k"
    scene = scene_of(PAGE, rsm_A=held, rsm_ratio="0.25")
    at = ("blocks.1.attn.q.spike",), tuple(f"blocks.{b}.attn.k.spike" for b in range(4))
    rules = (MaskSpikes(0.5, at=at[0]), MaskSpikes(0.75, at=at[1]))
    assert scene.compared.experiment.interventions == rules and written(scene.state)["rsm_A"] == held
    assert scene.compared.status_text == "ratio=0.50 T=16 sites=q blocks=1 ratio2=0.75 sites2=k seed=0"
    assert torch.equal(scene.compared.recording.output, simulated(rules).output)
    assert [rule.ratio for rule in masks_of(scene_of(PAGE, rsm_A="ratio:0.5,ratio2:0.75").compared)] == [0.5, 0.75]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("rsm_ratio", "2", "Ratio goes from 0 to 1"),
        ("rsm_ratio", "half", "Ratio is a number"),
        ("rsm_T", "0", "T goes from 1 to 64"),
        ("rsm_sites", "convolution", "the sites of this network are q, k, scores, MLP"),
        ("rsm_blocks", "4", "blocks go from 0 to 3"),
        ("rsm_part", "nothing", "there are masks, accuracy"),
        ("checkpoint", "spike-mae-cifar", "spike-mae-cifar is an autoencoder"),
        ("rsm_ratio9", "0.5", "there are at most 8"),
        ("rsm_A", "ratio3:2", "Ratio 3 goes from 0 to 1"),
    ],
)
def test_bad_addresses_are_one_sentence(name, value, why):
    scene, notices = scene_at(PAGE, {name: value})
    assert len(notices) == 1 and name in notices[0] and why in notices[0]
    assert scene.now.status_text == "ratio=0.00 T=16 seed=0" and scene.compared is None


@pytest.mark.parametrize("name", ["rsm_ratio2", "rsm_sites2", "rsm_blocks2"])
def test_a_bad_further_mask_is_one_sentence_and_drops_nothing(name):
    scene, notices = scene_at(PAGE, {name: "²"})
    assert len(notices) == 1 and name in notices[0]
    assert scene.now.status_text == "ratio=0.00 T=16 ratio2=0.00 seed=0"


@pytest.mark.parametrize("name", ["rsm_ratio²", "rsm_ratio0", "rsm_ratio02", "rsm_T2", "rsm_other2", "rsm_ratio1"])
def test_what_names_no_mask_makes_none(name):
    scene, (said,) = scene_at(PAGE, {name: "0.5"})
    assert scene.now.experiment.interventions == () and said.startswith(f"The address says {name}, which nothing")


def test_as_trained_is_without_any_mask():
    scene = scene_of(PAGE, **TWO)
    assert [s.name for s in moved(scene.settings, scene.now.experiment)] == ["ratio", "ratio2"]
    assert as_trained(scene.settings, scene.now.experiment).interventions == ()
