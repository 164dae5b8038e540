"""Cards are looked for in their folders once while a page is drawn, and each time otherwise."""

from __future__ import annotations

import dataclasses

import pytest

from spikeviz.artifacts import cards
from spikeviz.artifacts.as_data import as_data, from_data
from spikeviz.artifacts.cards import card_files, find_card, list_checkpoints, same_cards
from spikeviz.interventions import MaskSpikes
from spikeviz.paths import assets


@pytest.fixture
def looked(monkeypatch):
    """How often the folders were looked into."""
    looks = []
    monkeypatch.setattr(cards, "card_files", lambda: looks.append(1) or card_files())
    return looks


def test_within_a_page_the_folders_are_looked_into_once(looked):
    alone = list_checkpoints()
    list_checkpoints()
    assert len(looked) == 2
    with same_cards():
        assert list_checkpoints() == alone and find_card(alone[0].name)[0] == alone[0]
        with pytest.raises(ValueError, match="no checkpoint 'none'"):
            find_card("none")
        assert len(looked) == 3
    list_checkpoints()
    assert len(looked) == 4


def test_a_page_after_a_card_was_written_knows_it(tmp_path, monkeypatch):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    monkeypatch.setattr(cards, "user_checkpoints", lambda: folder)
    with same_cards():
        first = list_checkpoints()
        dataclasses.replace(first[0], name="another").write(folder / "another.json")
        assert list_checkpoints() == first
    with same_cards():
        assert {card.name for card in list_checkpoints()} == {card.name for card in first} | {"another"}


def test_a_card_that_was_written_again_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(cards, "user_checkpoints", lambda: tmp_path)
    card = dataclasses.replace(list_checkpoints()[0], name="mine", recipe="first")
    for recipe in ("first", "second"):
        dataclasses.replace(card, recipe=recipe).write(tmp_path / "mine.json")
        assert find_card("mine")[0].recipe == recipe


def test_masks_of_an_older_card_dropped_whole_activations():
    """Cards did not say by which law: they were trained when there was one."""
    (rule,) = from_data([{"kind": "MaskSpikes", "ratio": 0.5, "at": ["*.attn.q.spike"]}])
    assert rule == MaskSpikes(0.5, at="*.attn.q.spike", law="whole")
    for law in ("spikes", "whole"):
        rules = (MaskSpikes(0.5, law=law),)
        assert from_data(as_data(rules)) == rules and as_data(rules)[0]["law"] == law
    old = [card for card in list_checkpoints() if any("law" not in r for r in card.trained_under)]
    for card in old:
        assert all(rule.law == "whole" for rule in from_data(card.trained_under) if isinstance(rule, MaskSpikes))


def test_every_card_that_ships_holds_what_the_changelog_says():
    """Family, parameters and configuration; operations, speed and firing, as `publish` measures them."""
    shipped = [card for card in list_checkpoints() if (assets() / "checkpoints" / f"{card.name}.json").exists()]
    assert shipped
    for card in shipped:
        assert {"family", "parameters", "config"} <= {*card.architecture}, card.name
        assert {"MACs", "SOPs", "picojoule", "samples"} <= {*card.measured["operations"]}, card.name
        assert card.measured["throughput"] and card.measured["firing"], card.name


def test_a_card_says_what_a_sample_costs_in_every_way_that_has_joules():
    ways = {
        "spikeviz": {"picojoule": 5_290_000.0, "standard_error": 61_000.0},
        "paper": {"spikes": 594_626.0},
        "SpikingJelly": {"picojoule": 19_800_000.0, "standard_error": 17_000.0},
    }
    card = dataclasses.replace(list_checkpoints()[0], measured={"energy": {"samples": 64, "ways": ways}})
    assert card.facts["energy of a sample"] == (
        "5.29 ± 0.061 µJ ours, 19.8 ± 0.017 µJ by SpikingJelly's rules; estimated, 64 test samples"
    )
    assert "energy of a sample" not in dataclasses.replace(card, measured={}).facts
