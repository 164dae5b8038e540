"""What recipes are trained on: val is left out, but by those that are older than it."""

import json
from dataclasses import replace
from importlib import import_module

import pytest

import spikeviz as sv
from spikeviz.artifacts.cards import CHOSEN_ON_VAL, TEST_HAD_A_SAY, find_card, list_checkpoints
from spikeviz.data.catalog import open_data
from spikeviz.evaluation import accuracy
from spikeviz.train.loop import train
from spikeviz.train.publish import publish
from spikeviz.train.recipes import Recipe, Stage, Teacher
from spikeviz.train.shipped import ONE_STEP, RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_read_as_it_was_written(name):
    recipe = RECIPES[name]
    assert Recipe.from_data(recipe.data_of) == recipe
    older = {key: value for key, value in recipe.data_of.items() if key != "cutout"}
    assert Recipe.from_data(older) == replace(recipe, cutout=0)
    with pytest.raises(TypeError):
        Recipe.from_data(older | {"momentum": 0.9})


def test_a_recipe_leaves_val_out_unless_it_says_otherwise():
    assert Recipe("mine", "spikformer-fashion", "fashion").split == "train"


@pytest.mark.parametrize("card", list_checkpoints(), ids=lambda card: card.name)
def test_recipes_of_networks_that_ship_keep_their_meaning(card):
    """Those that are older than val were trained on the official training set, simulated events on 10,000 pictures."""
    if card.protocol == CHOSEN_ON_VAL:
        pytest.skip("chosen on val")
    old = {"fashion-dvs": "train-10k", "fashion-dvs-4": "train-10k"}
    assert card.training["recipe"]["split"] == old.get(card.data, "train+val")
    recipe = RECIPES[card.recipe]  # another by now where the network is trained again, on val
    assert recipe.split == "train" or recipe.split == old.get(card.data, "train+val")


def few_samples(monkeypatch, count=60):
    """Splits of a few samples."""
    few = lambda name, split="test", limit=None: open_data(name, split, limit or count)  # noqa: E731
    monkeypatch.setattr(import_module("spikeviz.evaluation.accuracy"), "open_data", few)


@pytest.mark.parametrize(("split", "protocol"), [("train", CHOSEN_ON_VAL), ("train-10k", TEST_HAD_A_SAY)])
def test_the_card_of_a_run_says_how_it_was_chosen(split, protocol, tmp_path, monkeypatch):
    few_samples(monkeypatch)
    monkeypatch.setattr("spikeviz.artifacts.cards.user_checkpoints", lambda: tmp_path)
    recipe = Recipe("tiny", "spikformer-fashion", "fashion", split, (Stage(1, ONE_STEP),), batch=16, limit=32)
    train(recipe, tmp_path / "run", "cpu", progress=False)
    card = publish(tmp_path / "run", tmp_path, device="cpu", progress=False)
    assert card.protocol == protocol == find_card("tiny")[0].protocol
    val = accuracy(sv.load("tiny", "cpu"), "fashion", 60, progress=False, split="val")
    assert card.measured.get("val") == ({"accuracy": val[0], "samples": 60} if split == "train" else None)
    assert ("accuracy on val" in card.facts) == (split == "train")
    assert card.facts["protocol"] == ("chosen on val" if split == "train" else TEST_HAD_A_SAY)
    # what the file is stored as is chosen on val as well
    assert ("val_accuracy_before_storing" in card.training) == (split == "train")


def test_a_run_of_an_older_version_was_chosen_on_the_test_set(tmp_path, monkeypatch):
    few_samples(monkeypatch, 20)
    recipe = Recipe("tiny", "spikformer-fashion", "fashion", "train", (Stage(1, ONE_STEP),), batch=16, limit=16)
    train(recipe, tmp_path / "run", "cpu", progress=False)
    record = json.loads((tmp_path / "run/run.json").read_text())
    del record["protocol"]
    (tmp_path / "run/run.json").write_text(json.dumps(record))
    card = publish(tmp_path / "run", tmp_path, device="cpu", progress=False)
    assert card.protocol == TEST_HAD_A_SAY and "val" not in card.measured


def with_protocol(monkeypatch, protocol):
    """A machine whose only checkpoints are of one protocol."""
    card = replace(find_card("mst-fashion")[0], protocol=protocol)
    monkeypatch.setattr("spikeviz.train.recipes.find_card", lambda name: (card, None))


def test_val_is_left_out_of_what_a_recipe_begins_with_as_well(monkeypatch):
    mine = Recipe("mine", "mst-fashion", "fashion")
    assert mine.protocol == CHOSEN_ON_VAL
    for split in ("train+val", "train-10k", "test"):
        assert replace(mine, split=split).protocol == TEST_HAD_A_SAY
    for begun in (replace(mine, teacher=Teacher("x")), replace(mine, start="x")):
        for protocol in (CHOSEN_ON_VAL, TEST_HAD_A_SAY, "nobody knows"):
            with_protocol(monkeypatch, protocol)
            assert begun.protocol == protocol
            assert replace(begun, split="train+val").protocol == TEST_HAD_A_SAY
