"""Cards are looked for in their folders once while a page is drawn, and each time otherwise."""

from __future__ import annotations

import dataclasses

import pytest

from spikeviz.artifacts import cards
from spikeviz.artifacts.cards import card_files, find_card, list_checkpoints, same_cards


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
