"""Pretraining: a killed run loses nothing, its pictures stay in step, and a classifier begins with its encoder."""

import json
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import spikeviz as sv
from spikeviz.artifacts.replays import Replay, find_replay
from spikeviz.cli import main
from spikeviz.data.catalog import open_data
from spikeviz.train import objectives
from spikeviz.train.loop import train
from spikeviz.train.objectives import Pretraining, begin_with
from spikeviz.train.publish import publish
from spikeviz.train.recipes import Recipe, Stage
from spikeviz.train.shipped import RECIPES

TINY = Recipe(
    "tiny-mae", "spikformer-v2-mae-fashion", "fashion", "train-10k", (Stage(1), Stage(1)), batch=8, lr=2e-3, limit=16
)

pytestmark = pytest.mark.slow
FINE = replace(TINY, name="fine", model="spikformer-v2-fashion", seed=1, stages=(Stage(1),), start="tiny-mae")


@pytest.fixture(scope="module", autouse=True)
def few_test_images():
    few = lambda name, split, limit=None: open_data(name, split, min(limit or 24, 24))  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        for module in ("accuracy", "reconstruction"):
            patch.setattr(import_module(f"spikeviz.evaluation.{module}"), "open_data", few)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    model = train(TINY, folder, "cpu", command="spikeviz train tiny-mae", progress=False)
    return SimpleNamespace(folder=folder, model=model)


@pytest.fixture(scope="module")
def shipped(finished, tmp_path_factory):
    """The tiny autoencoder as a checkpoint."""
    folder = tmp_path_factory.mktemp("user") / "checkpoints"
    return SimpleNamespace(folder=folder, card=publish(finished.folder, folder, device="cpu", progress=False))


@pytest.fixture
def shelf(shipped, monkeypatch):
    monkeypatch.setattr("spikeviz.artifacts.cards.user_checkpoints", lambda: shipped.folder)
    return shipped


def same(a, b):
    return all(torch.equal(value, b.state_dict()[key]) for key, value in a.state_dict().items())


def test_a_killed_run_resumes_to_the_same_bits_and_pictures(finished, tmp_path):
    asked = iter([False, False, False, True])  # in the middle of the second epoch of two steps each
    train(TINY, tmp_path, "cpu", progress=False, stop=lambda: next(asked))
    assert len(Replay.read(tmp_path / "replay.npz").made) == 2  # before the first epoch, and after it
    assert same(train(TINY, tmp_path, "cpu", progress=False), finished.model)
    one, other = (Replay.read(folder / "replay.npz") for folder in (tmp_path, finished.folder))
    assert (one.made == other.made).all() and one.made.shape == (3, 4, 1, 28, 28)
    assert one.error.tolist() == other.error.tolist() and one.rank.tolist() == other.rank.tolist()


def test_the_log_says_how_well_hidden_patches_are_guessed(finished):
    history = json.loads((finished.folder / "run.json").read_text())["training"]["history"]
    lines = [json.loads(line) for line in (finished.folder / "log.jsonl").read_text().splitlines()]
    assert [line for line in lines if "epoch" in line] == history
    assert [line["epoch"] for line in history] == [0, 1, 2]
    seen = Replay.read(finished.folder / "replay.npz")
    for line, error, rank in zip(history, seen.error, seen.rank, strict=True):
        assert line["hidden_error"] == pytest.approx(error, abs=1e-6) and "train_accuracy" not in line
        assert line["against_visible_mean"] == pytest.approx(error / seen.fill, abs=1e-4)
        assert line["effective_rank"] == pytest.approx(rank, abs=1e-3) and 0 <= rank <= 32
    assert history[-1]["hidden_error"] < history[0]["hidden_error"]


def test_pictures_are_what_simulate_makes(finished):
    seen, x = Replay.read(finished.folder / "replay.npz"), sv.load_data("fashion", "test", 4)[0]
    r = sv.simulate(finished.model, x, sv.interventions.HidePatches(seen.ratio))
    assert (seen.images == (x * 255).round().byte().numpy()).all()
    assert (seen.kept == r["patches"].values[:, 0].numpy()).all() and (~seen.kept).sum((1, 2)).tolist() == [37] * 4
    off = abs(seen.made[-1].astype(int) - (r.output.clamp(0, 1) * 255).round().byte().numpy())
    assert off.max() <= 1  # a batch of another size may round another way


def test_what_is_hidden_is_drawn_anew_and_by_the_generator_alone():
    objective, x = Pretraining(7, 0.75, views=False), torch.rand(5, 1, 28, 28)
    draw = torch.Generator().manual_seed(0)
    one, two = objective.prepare(x, draw), objective.prepare(x, draw)
    assert not torch.equal(one, two) and torch.equal(one, objective.prepare(x, torch.Generator().manual_seed(0)))
    assert (~one).flatten(1).sum(1).tolist() == [37] * 5  # of 49


def test_complementary_views_guess_every_patch_once():
    model, x = sv.build("spikformer-v2-mae-fashion").eval(), torch.rand(2, 1, 28, 28)
    kept, y = Pretraining(7, 0.75, True).prepare(x, torch.Generator()), torch.zeros(2).long()
    loss, right = Pretraining(7, 0.75, True).loss(model, x, y, kept)
    error = lambda seen: (model.predict(x, seen) - model.target(x)).square().mean(-1)  # noqa: E731
    by_hand = torch.where(kept.flatten(1), error(~kept), error(kept)).mean()
    assert right is None and loss.item() == pytest.approx(by_hand.item(), rel=1e-5)
    once, _ = Pretraining(7, 0.75, False).loss(model, x, y, kept)
    assert torch.equal(once, model.loss(x, kept))


def test_a_run_becomes_a_checkpoint_with_its_pictures(shelf, finished, tmp_path, monkeypatch):
    card = shelf.card
    assert card in sv.list_checkpoints() and card.accuracy is None and not card.classifies and card.samples == 24
    whole = card.measured["reconstruction"]
    assert whole["ratio"] == 0.75 and whole["relative"] == pytest.approx(whole["mse"] / whole["fill"])
    x = sv.load_data("fashion", "test", 24)[0]
    r = sv.simulate(sv.load("tiny-mae", "cpu"), x, sv.interventions.HidePatches(0.75))
    table = sv.metrics.reconstruction_errors(x, r)
    assert whole["mse"] == pytest.approx(table["MSE"].mean()) and whole["psnr"] == pytest.approx(table["PSNR"].mean())
    assert [point["ratio"] for point in card.measured["against_ratio"]] == [0.25, 0.5, 0.6, 0.75, 0.9]
    rank = Replay.read(finished.folder / "replay.npz").rank[-1]
    held = card.measured["effective_rank"]
    assert held["rank"] == pytest.approx(rank, rel=0.02, abs=0.02)
    assert held["ranks"] == [held["rank"]] and held["samples"] == 24  # of 24 images there is one batch
    assert card.measured["operations"]["MACs"] > 0
    replay = find_replay("tiny-mae")
    assert (replay.made == Replay.read(finished.folder / "replay.npz").made).all()
    other = tmp_path / "checkpoints" / "tiny-mae.json"
    other.parent.mkdir()
    replace(card, sha256="0" * 64).write(other)
    replay.write(tmp_path / "replays" / "tiny-mae.npz", sha256=card.sha256)
    monkeypatch.setattr("spikeviz.artifacts.cards.user_checkpoints", lambda: other.parent)
    assert find_replay("tiny-mae") is None  # the pictures are of another file


def test_the_command_line_measures_what_the_card_holds(shelf, capsys):
    assert main(["evaluate", "tiny-mae", "--device", "cpu", "--json"]) == 0
    found, whole = json.loads(capsys.readouterr().out), shelf.card.measured["reconstruction"]
    assert found["name"] == "tiny-mae" and found["samples"] == 24 and found["ratio"] == 0.75
    assert found["mse"] == pytest.approx(whole["mse"]) and found["relative"] == pytest.approx(whole["relative"])


def test_a_classifier_begins_with_the_encoder(shelf, finished, tmp_path):
    fresh, begun = (sv.build("spikformer-v2-fashion") for _ in range(2))
    begun.load_state_dict(fresh.state_dict())
    begin_with(begun, "tiny-mae")
    stored = sv.load("tiny-mae", "cpu").encoder.state_dict()
    for key, value in begun.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(value, fresh.state_dict()[key] if key.startswith("head.") else stored[key]), key
    trained = train(FINE, tmp_path / "a", "cpu", progress=False)
    scratch = train(replace(FINE, start=None), tmp_path / "b", "cpu", progress=False)
    moved = {
        name: (model.get_parameter("blocks.0.attn.q.conv.weight") - stored["blocks.0.attn.q.conv.weight"]).abs().max()
        for name, model in (("begun", trained), ("scratch", scratch))
    }
    assert moved["begun"] < 0.05 < moved["scratch"]
    with pytest.raises(ValueError, match="another recipe"):
        train(replace(FINE, start=None), tmp_path / "a", "cpu", progress=False)


def test_what_a_classifier_cannot_begin_with(shelf):
    with pytest.raises(ValueError, match=r"^spikformer-fashion is no autoencoder: spikformer-v2-fashion can begin"):
        begin_with(sv.build("spikformer-v2-fashion"), "spikformer-fashion")
    with pytest.raises(ValueError, match=r"^the encoder of tiny-mae does not fit spikformer-fashion: missing stem"):
        begin_with(sv.build("spikformer-fashion"), "tiny-mae")
    with pytest.raises(ValueError, match="no checkpoint 'nope'"):
        objectives.objective_of(replace(FINE, start="nope"), sv.build("spikformer-v2-fashion"))


def test_scratch_and_pretrained_differ_in_where_they_begin():
    scratch, pretrained = (RECIPES[f"spikformer-v2-fashion-{form}"] for form in ("scratch", "pretrained"))
    assert replace(pretrained, name=scratch.name, start=None) == scratch and pretrained.start in RECIPES


def test_who_watches_a_training_that_leaves_val_out_watches_val(tmp_path, monkeypatch):
    recipe = replace(TINY, name="on-val", split="train", stages=(Stage(1),))
    train(recipe, tmp_path, "cpu", progress=False)
    seen = Replay.read(tmp_path / "replay.npz")
    x = sv.load_data("fashion", "val", 4)[0]
    assert seen.split == "val" and (seen.images == (x * 255).round().byte().numpy()).all()
    few = lambda name, split="test", limit=None: open_data(name, split, min(limit or 12, 12))  # noqa: E731
    for module in ("evaluation.accuracy", "evaluation.reconstruction"):
        monkeypatch.setattr(import_module(f"spikeviz.{module}"), "open_data", few)
    card = publish(tmp_path, tmp_path / "checkpoints", device="cpu", progress=False)
    assert card.protocol == "val" and card.measured["val"]["samples"] == 12 and card.accuracy is None
    assert card.measured["val"]["mse"] != card.measured["reconstruction"]["mse"]


def test_a_replay_of_an_older_version_is_of_test_images(finished, tmp_path):
    seen = Replay.read(finished.folder / "replay.npz")
    assert seen.split == "test"
    with np.load(finished.folder / "replay.npz") as file:
        arrays = {name: file[name] for name in file.files if name != "split"}
    np.savez(tmp_path / "old.npz", **arrays)
    assert Replay.read(tmp_path / "old.npz").split == "test"
