"""Inputs of experiments: what is found, what an address calls it, what another network is shown."""

import pytest
import torch
from support.networks import needs

import spikeviz as sv
from spikeviz.artifacts.cards import find_card
from spikeviz.views import inputs
from spikeviz.views.experiment import Experiment
from spikeviz.views.host import scene_at
from spikeviz.views.page import find_page
from spikeviz.views.sharing.python import python

CIFAR, FASHION, DIGITS = "mst-cifar10", "spikformer-fashion", "sdmformer-nmnist"
pytestmark = needs(CIFAR, FASHION, DIGITS, data=False)


def card(name):
    return find_card(name)[0]


@pytest.mark.usefixtures("no_data")
def test_a_network_without_its_test_set_is_shown_what_shows_one_of_its_classes():
    sources = [inputs.default_source(card(name)) for name in (CIFAR, FASHION, DIGITS)]
    assert sources == ["picture/cat", "test/0", "picture/digit-0"]
    shown = inputs.find_input(Experiment(CIFAR, "picture/cat"), card(CIFAR), {})
    assert shown.pixels.shape == (3, 32, 32) and shown.label == 3 and "CC0" in shown.notes[0]
    digit = inputs.find_input(Experiment(DIGITS, "picture/digit-3"), card(DIGITS), {})
    assert digit.pixels.shape == (8, 2, 34, 34) and digit.label == 3 and len(digit.events)


@needs(CIFAR)
def test_a_network_with_its_test_set_is_shown_its_first_sample():
    assert inputs.default_source(card(CIFAR)) == "test/0"


@pytest.mark.parametrize("source", ["picture/cat", "picture/deep-field", "picture/digit-3"])
def test_the_name_in_an_address_leads_back(source):
    assert inputs.source(inputs.short(Experiment(DIGITS, source)), card(DIGITS), {}) == source


def test_a_picture_that_there_is_none_of_is_a_sentence():
    with pytest.raises(ValueError, match=r"the pictures to try are picture-cat, .*picture-grass"):
        inputs.source("picture-digit-3", card(CIFAR), {})
    assert inputs.find_input(Experiment(CIFAR, "picture/digit-3"), card(CIFAR), {}) is None


def test_another_network_is_shown_the_same_picture():
    assert inputs.carried("picture/cat", card(CIFAR), card(DIGITS)) == "picture/cat"
    assert inputs.carried("picture/digit-3", card(DIGITS), card(FASHION)) == "test/0"
    assert inputs.carried("test/7", card(FASHION), card("mst-fashion")) == "test/7"


@pytest.mark.usefixtures("no_data")
def test_a_test_sample_that_is_not_here_is_a_notice_and_a_picture():
    scene, notices = scene_at(find_page("spike_maps"), {"checkpoint": CIFAR, "input": "12"})
    assert scene.now.shown.title == "a cat" and scene.now.experiment.source == "picture/cat"
    assert len(notices) == 1 and "`spikeviz data get cifar10-jpeg`" in notices[0]


@pytest.mark.usefixtures("no_data")
def test_a_view_takes_a_picture_by_itself_or_by_name_and_no_sample_that_is_not_here():
    assert [figure.alt for figure in sv.view("overview", CIFAR)]
    cat, rocket = sv.view("spike_maps", CIFAR)[0], sv.view("spike_maps", CIFAR, "picture-rocket")[0]
    assert (cat.chart.maps != rocket.chart.maps).any()
    with pytest.raises(FileNotFoundError, match="spikeviz data get cifar10-jpeg"):
        sv.view("spike_maps", CIFAR, 0)
    with pytest.raises(ValueError, match="the pictures to try are"):
        sv.view("spike_maps", CIFAR, "picture-nothing")


@pytest.mark.parametrize(("name", "picture"), [(CIFAR, "cat"), (DIGITS, "digit-3")])
def test_the_python_of_a_picture_makes_it_again(name, picture):
    scene, _ = scene_at(find_page("spike_maps"), {"checkpoint": name, "input": f"picture-{picture}"})
    made: dict = {}
    exec(python(scene), made)
    assert torch.equal(made["recording"].output, scene.now.recording.output)
    assert f'"picture-{picture}"' in python(scene) and made["figures"]


def test_what_a_network_knows_is_said_of_what_is_not_of_its_data():
    known = [inputs.foreign(Experiment(CIFAR, source), card(CIFAR)) for source in ("test/3", "picture/cat", "upload/0")]
    assert known[0] == "" and known[1] == known[2]
    assert known[1].startswith("This network knows only ten kinds of animals and vehicles: airplane, automobile, ")
    autoencoder = inputs.foreign(Experiment("spike-mae-cifar", "picture/cat"), card("spike-mae-cifar"))
    assert autoencoder == "This network was trained on pictures of ten kinds of animals and vehicles only."
