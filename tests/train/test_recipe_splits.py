"""What recipes are trained on: val is left out, but by those that are older than it."""

import pytest

from spikeviz.artifacts.cards import list_checkpoints
from spikeviz.train.recipes import RECIPES, Recipe


def test_a_recipe_leaves_val_out_unless_it_says_otherwise():
    assert Recipe("mine", "spikformer-fashion", "fashion").split == "train"


@pytest.mark.parametrize("card", list_checkpoints(), ids=lambda card: card.name)
def test_recipes_of_networks_that_ship_keep_their_meaning(card):
    """They were trained on the official training set, simulated events on the 10,000 pictures that ship."""
    stored, recipe = card.training.get("recipe"), RECIPES[card.recipe]
    if stored is None or stored["split"] != "train":
        pytest.skip("trained since there is a val")
    old = {"fashion-dvs": "train-10k", "fashion-dvs-4": "train-10k"}
    assert recipe.split == old.get(card.data, "train+val")
