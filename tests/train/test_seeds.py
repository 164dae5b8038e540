"""Other seeds of a recipe in the card of a checkpoint."""

import json
from dataclasses import replace
from importlib import import_module
from statistics import mean, stdev

import pytest

from spikeviz.artifacts.cards import find_card, over_seeds
from spikeviz.cli import main
from spikeviz.data.catalog import open_data
from spikeviz.train.loop import train
from spikeviz.train.recipes import Recipe, Stage
from spikeviz.train.shipped import ONE_STEP

TINY = Recipe("tiny", "spikformer-fashion", "fashion", "train-10k", (Stage(1, ONE_STEP),), batch=16, limit=32)

pytestmark = pytest.mark.slow


def test_other_seeds_are_measured_into_the_card(tmp_path, monkeypatch, capsys):
    few = lambda name, split, limit=None: open_data(name, split, limit or 60)  # noqa: E731
    monkeypatch.setattr(import_module("spikeviz.evaluation.accuracy"), "open_data", few)
    monkeypatch.setattr("spikeviz.artifacts.cards.user_checkpoints", lambda: tmp_path)
    monkeypatch.setattr("spikeviz.paths.user_checkpoints", lambda: tmp_path)
    runs = [str(tmp_path / f"seed-{seed}") for seed in range(3)]
    for seed, run in enumerate(runs):
        train(replace(TINY, seed=seed), tmp_path / run, "cpu", progress=False)
    assert main(["publish", *runs, "--device", "cpu"]) == 0
    card, _ = find_card("tiny")
    found = card.measured["seeds"]
    assert [each["seed"] for each in found] == [0, 1, 2] and found[0]["accuracy"] == card.accuracy
    assert all(each["samples"] == 60 for each in found) and all(each["val"]["samples"] == 60 for each in found[1:])
    scores = [each["accuracy"] for each in found]
    text = f"{mean(scores):.4f} ± {stdev(scores):.4f} (standard deviation over 3 seeds)"
    assert text in capsys.readouterr().out and text in card.facts["accuracy over seeds"]
    assert main(["publish", "tiny", runs[1]]) == 2 and "seed 1 of tiny is measured already" in capsys.readouterr().err
    train(replace(TINY, seed=3, lr=1e-4), tmp_path / "other", "cpu", progress=False)
    assert main(["publish", "tiny", str(tmp_path / "other")]) == 2
    assert "a run of another recipe" in capsys.readouterr().err
    assert main(["publish", "tiny", str(tmp_path)]) == 2 and "no finished run" in capsys.readouterr().err
    assert find_card("tiny")[0].measured["seeds"] == found


def test_one_training_has_no_deviation():
    assert over_seeds({}) == over_seeds({"seeds": [{"seed": 0, "accuracy": 0.9}]}) == ""
    two = {"seeds": [{"seed": 0, "accuracy": 0.9}, {"seed": 4, "accuracy": 0.8}]}
    assert over_seeds(json.loads(json.dumps(two))) == (
        "0.8500 ± 0.0707 (standard deviation over 2 seeds): 0.9000 (seed 0), 0.8000 (seed 4)"
    )
