"""Curves that ship precomputed: every point is what the checkpoint gives, and another training's curve is not shown."""

import json
import re
from importlib import import_module

import pytest
import torch
from support.networks import awaken, shelve

import spikeviz as sv
from spikeviz.artifacts.curves import find_curve
from spikeviz.data.catalog import as_batch, open_data
from spikeviz.evaluation import curves, masked_accuracy
from spikeviz.evaluation.accuracy import accuracy
from spikeviz.evaluation.curves import write_curve
from spikeviz.interventions import MaskChannels, MaskSpikes
from spikeviz.metrics.spike_masking import masking_places
from spikeviz.nn.channel_masks import find_masks

pytestmark = pytest.mark.slow

SAMPLES = 12


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Networks of random weights, whose test sets are their first samples."""
    monkeypatch.setattr("spikeviz.artifacts.cards.user_checkpoints", lambda: tmp_path / "checkpoints")
    few = lambda name, split="test", limit=None: open_data(name, split, min(limit or SAMPLES, SAMPLES))  # noqa: E731
    for module in (import_module("spikeviz.evaluation.accuracy"), curves):
        monkeypatch.setattr(module, "open_data", few)
    return tmp_path / "checkpoints"


def put(shelf, name, data, trained_under=()):
    x, _ = open_data(data, "test", 8)
    torch.manual_seed(0)
    model = awaken(sv.build(name), as_batch(x[:]))
    for mask in find_masks(model).values():
        mask.value.data = torch.randn(mask.value.shape) * 0.4
    shelve(model, shelf, "mine", name, data, SAMPLES, trained_under)


class Counted:
    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, *arguments):
        self.calls += 1
        return self.function(*arguments)


def test_against_the_threshold(shelf, monkeypatch):
    put(shelf, "sdmformer-fashion-dvs", "fashion-dvs")
    assert find_curve("mine") is None
    monkeypatch.setattr(curves, "THRESHOLDS", (0.0, 0.5, 0.5))
    monkeypatch.setattr(curves, "measure", counted := Counted(curves.measure))
    path = write_curve("mine", "cpu", progress=False)
    found, masked = find_curve("mine"), sv.load("mine", "cpu")
    assert path == shelf.parent / "curves" / "mine.json" and found["command"] == "spikeviz publish mine --with curves"
    assert [point["threshold"] for point in found["points"]] == [0.0, 0.5, 0.5]
    assert counted.calls == 2  # where the same channels are masked nothing is run again
    for point in found["points"]:
        table = sv.metrics.mask_rates(masked, point["threshold"])
        assert (point["masked"], point["channels"]) == (table["masked"].sum(), table["channels"].sum())
        small = sv.prune_channels(masked, point["threshold"])
        assert point["parameters"] == sum(p.numel() for p in small.parameters())
        rule = (MaskChannels(point["threshold"]),)
        assert point["accuracy"] == accuracy(masked, "fashion-dvs", SAMPLES, False, rule)[0]


def test_a_curve_of_another_training_is_none(shelf, monkeypatch):
    put(shelf, "sdmformer-fashion-dvs", "fashion-dvs")
    monkeypatch.setattr(curves, "THRESHOLDS", (0.5,))
    path = write_curve("mine", "cpu", progress=False)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": "of another training"}))
    assert find_curve("mine") is None
    path.write_text("{}")
    with pytest.raises(ValueError, match="is not a curve"):
        find_curve("mine")


@pytest.mark.parametrize(("name", "sites"), [("mst-fashion", {"SA", "MLP"}), ("mst-vgg16-fashion", {"convolutions"})])
def test_against_the_ratio(shelf, monkeypatch, name, sites):
    put(shelf, name, "fashion")
    for setting, value in {
        "RATIOS": (0.0, 0.9),
        "STEPS": (1, 4),
        "SHOWN": dict.fromkeys(curves.SHOWN, 4),
        "SEEDS": 2,
    }.items():
        monkeypatch.setattr(curves, setting, value)
    write_curve("mine", "cpu", progress=False)
    found, ann = find_curve("mine"), sv.load("mine", "cpu")
    assert (found["T"], found["seeds"], {point["site"] for point in found["points"]}) == (4, 2, sites)
    x, y = sv.load_data("fashion", "test", SAMPLES)
    at = [p.name for p in masking_places(ann) if (p.site == "MLP hidden") == ("MLP" in sites) or "SA" not in sites]
    point = found["points"][-1]  # of the last site, at the largest ratio
    rule = (MaskSpikes(0.9, at=tuple(at)),)
    *_, by_hand = (s for s in masked_accuracy(sv.to_spiking(ann, 4), x, y, rule, range(2), 128) if s)
    assert (point["ratio"], point["accuracies"]) == (0.9, list(by_hand.accuracies)) and point["power"] == by_hand.power
    blocks = [point["blocks"] for point in found["blocks"]]
    assert blocks == ([1, 2, 3, 4] if "SA" in sites else [])
    for point in found["steps"]:
        assert point["accuracy"] == accuracy(sv.to_spiking(ann, point["T"]), "fashion", SAMPLES, False)[0]


def test_of_a_student_only_what_it_was_fine_tuned_for(shelf, monkeypatch):
    put(shelf, "mst-fashion", "fashion", (MaskSpikes(0.5, at="*.mlp.hidden.spike"),))
    for setting, value in {
        "RATIOS": (0.0, 0.9),
        "STEPS": (1, 2, 4),
        "SHOWN": dict.fromkeys(curves.SHOWN, 2),
        "SEEDS": 2,
    }.items():
        monkeypatch.setattr(curves, setting, value)
    write_curve("mine", "cpu", progress=False)
    found = find_curve("mine")
    assert [point["site"] for point in found["points"]] == ["MLP", "MLP"]
    assert found["blocks"] == []
    x, y = sv.load_data("fashion", "test", SAMPLES)
    masked = sv.simulate(sv.to_spiking(sv.load("mine", "cpu"), 2), x, MaskSpikes(0.5, at="*.mlp.hidden.spike"))
    assert [point["T"] for point in found["steps"]] == [1, 2]  # up to the T at which its other curves are
    right = (masked.logits_per_step.cumsum(0).argmax(-1) == y).float().mean(-1).tolist()
    assert [point["accuracy"] for point in found["steps"]] == pytest.approx(right)  # under the masks it learned with


def test_a_network_without_either_has_no_curve(shelf):
    with pytest.raises(ValueError, match="spike-mae-cifar is an autoencoder"):
        write_curve("spike-mae-cifar", "cpu", progress=False)


def test_a_directly_trained_network_has_a_curve_against_the_ratio(shelf, monkeypatch):
    """At its own T; there is no conversion, so none against T. Nothing and everything dropped need one seed."""
    put(shelf, "spikformer-fashion", "fashion")
    monkeypatch.setattr(curves, "RATIOS", (0.0, 0.5, 1.0))
    monkeypatch.setattr(curves, "SEEDS", 2)
    write_curve("mine", "cpu", progress=False)
    found, model = find_curve("mine"), sv.load("mine", "cpu")
    assert (found["T"], found["law"], found["samples"], found["steps"]) == (model.time_steps, "spikes", SAMPLES, [])
    assert {p["site"] for p in found["points"]} == {"SA", "MLP", "convolutions"}
    assert [len(p["accuracies"]) for p in found["points"]] == [1, 2, 1] * 3
    for point in found["points"]:
        wanted = {0.0: point["sent"], 1.0: 0.0}.get(point["ratio"])
        assert wanted is None or point["kept"] == wanted
        assert point["sent"] > 0 and (point["kept"] < point["sent"] or point["ratio"] == 0)
    last = found["points"][2]  # attention, everything dropped: no row of the scores has one
    assert last["silent"] == 1 and last["entropy"] is None
    x, y = sv.load_data("fashion", "test", SAMPLES)
    rule = MaskSpikes(1.0, at=tuple(p.name for p in masking_places(model) if p.site in ("q", "k", "scores")))
    gone = sv.simulate(model, x, rule, "").output.argmax(-1)
    assert last["accuracies"] == [int((gone == y).sum()) / SAMPLES]
    assert found["blocks"][-1]["blocks"] == len(model.blocks)


def test_the_curve_of_an_installed_package_is_the_users(shelf, monkeypatch, capsys):
    """It is written beside the user's checkpoints, found there, and while it is computed one bar says what is left."""
    put(shelf, "sdmformer-fashion-dvs", "fashion-dvs")
    monkeypatch.setattr(curves, "THRESHOLDS", (0.0, 0.5))
    user = shelf.parent / "user"
    monkeypatch.setattr("spikeviz.paths.assets", lambda: shelf.parent)  # as if the checkpoint shipped
    monkeypatch.setattr("spikeviz.paths.is_installed", lambda: True)
    monkeypatch.setattr("spikeviz.paths.user_checkpoints", lambda: user / "checkpoints")
    path = write_curve("mine", "cpu")
    bars = {line.partition(":")[0] for line in re.split(r"[\r\n]", capsys.readouterr().err) if "%" in line}
    assert bars == {"thresholds"}
    assert path == user / "curves" / "mine.json" and not (shelf.parent / "curves").exists()
    assert len(find_curve("mine")["points"]) == 2
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": "of another training"}))
    assert find_curve("mine") is None
