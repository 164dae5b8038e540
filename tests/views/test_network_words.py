"""Names of networks in words, their line in the list, and their accuracy on the whole test set: from cards alone."""

import subprocess
import sys
from dataclasses import replace

import pytest

import spikeviz as sv
from spikeviz.artifacts.checkpoints import skeleton
from spikeviz.data.catalog import find_data
from spikeviz.models.registry import find_spec
from spikeviz.paths import app_root
from spikeviz.views.networks.words import full_name, lacks_data, list_entry, name_in_words, result, whole_test_set

SHIPPED = [card for card in sv.list_checkpoints() if (app_root() / "assets/checkpoints" / f"{card.name}.json").exists()]
CARDS = {card.name: card for card in SHIPPED}


def test_names_of_shipped_networks_are_unique_and_do_without_the_checkpoints_name():
    names = [full_name(card, SHIPPED) for card in SHIPPED]
    assert len(set(names)) == len(names) > 30
    assert not [name for name, card in zip(names, SHIPPED, strict=True) if card.name in name]


@pytest.mark.parametrize("card", SHIPPED, ids=lambda card: card.name)
def test_a_card_says_what_its_network_is(card):
    parameters = sum(parameter.numel() for parameter in skeleton(card).parameters())
    assert card.architecture == find_spec(card.model).as_data | {"parameters": parameters}
    assert card.parameters == parameters


@pytest.mark.parametrize("card", SHIPPED, ids=lambda card: card.name)
def test_an_entry_has_what_a_person_searches_for(card):
    entry = list_entry(card)
    parts = entry.split(" · ")
    assert name_in_words(card) in parts and card.name in parts and find_data(card.data).title in parts
    assert f"{card.parameters / 1e6:.2f} M" in parts and result(card) in parts
    assert ("needs data" in parts) == lacks_data(card)
    if card.classifies:
        assert f"{card.accuracy:.3f} ± {card.error:.3f}" in parts
    else:
        assert f"hidden-patch error {card.measured['reconstruction']['relative']:.3f} of the visible mean's" in parts


def test_networks_whose_data_is_not_here_are_marked(monkeypatch):
    monkeypatch.setenv("SPIKEVIZ_DATA", "")
    card = CARDS["mst-fashion"]
    away = replace(card, data="dvs-gesture")
    assert find_data("dvs-gesture").count("test") == 0
    assert "needs data" in list_entry(away).split(" · ") and "needs data" not in list_entry(card)


def test_what_distinguishes_a_network_is_read_from_its_card_and_not_from_its_name():
    named = {name: name_in_words(replace(card, name="mine", recipe="mine")) for name, card in CARDS.items()}
    assert named["e-spikeformer-fashion-sfa4"] == "E-SpikeFormer, D = 4"
    assert named["e-spikeformer-fashion-vanilla4"] == "E-SpikeFormer, binary neurons, T = 4"
    assert named["mst-fashion-rsm50-mlp"] == "Masked Spiking Transformer, fine-tuned at ratio 0.5 in the MLP"
    assert named["mst-vgg16-fashion"] == "VGG16 (QCFS)"
    assert named["sdmformer-fashion-dvs-pruned"] == "SpikingDynamicMaskFormer, pruned at 0.5"
    assert named["spikformer-v2-fashion-pretrained"] == "Spikformer V2, pretrained"
    assert named["spike-mae-cifar"] == "Autoencoder of E-SpikeFormer, D = 4"


def test_a_network_of_ones_own_has_a_name_and_is_told_apart():
    card = CARDS["spikformer-fashion"]
    assert name_in_words(replace(card, seed=3)) == "Spikformer, seed 3"
    twin = replace(card, name="twin")
    assert full_name(twin, [*SHIPPED, twin]) == "Spikformer on Fashion-MNIST (twin)"
    old = replace(card, name="old", architecture={})  # a card of an older version
    assert name_in_words(old) == name_in_words(card)
    unknown = replace(old, model="of-another-version", data="of-mine")
    assert full_name(unknown, [unknown]) == "of-another-version on of-mine" and "needs data" in list_entry(unknown)
    under = replace(card, trained_under=[{"kind": "TimeSteps", "T": 2}])
    assert name_in_words(under) == "Spikformer, trained under TimeSteps(T=2)"


def test_the_whole_test_set_in_words():
    card = CARDS["spikformer-fashion"]
    error = (card.accuracy * (1 - card.accuracy) / 10_000) ** 0.5
    assert whole_test_set(card) == f"As trained, whole test set: {card.accuracy:.4f} ± {error:.4f} (10,000)."
    tuned = CARDS["mst-fashion-rsm50"]
    masked = tuned.measured["as_trained"]["accuracy"]
    said = whole_test_set(tuned, CARDS["mst-fashion"])
    assert f"mst-fashion-rsm50 {tuned.accuracy:.4f}" in said and f"under its masks {masked:.4f}" in said
    assert "as QCFS" in said and f"mst-fashion {CARDS['mst-fashion'].accuracy:.4f}" in said
    assert whole_test_set(replace(card, accuracy=None)).endswith("not measured.")


def test_the_list_is_there_before_torch():
    code = (
        "import sys; from spikeviz.artifacts.cards import list_checkpoints as cards;"
        "from spikeviz.views.networks.words import full_name, list_entry, whole_test_set;"
        "[(full_name(c), list_entry(c), whole_test_set(c), c.facts) for c in cards()]; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=app_root(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
