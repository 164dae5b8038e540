"""Cards and weights: what does not fit is refused with a sentence."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from support.networks import needs

import spikeviz as sv
from spikeviz.artifacts.as_data import from_data
from spikeviz.artifacts.cards import CheckpointCard, accuracy_text, accuracy_with_error, find_card
from spikeviz.artifacts.checkpoints import read_weights, save, sha256
from spikeviz.convert.fill import fill
from spikeviz.paths import assets
from spikeviz.runtime import auto_device
from spikeviz.train.recipes import Recipe
from spikeviz.train.shipped import find_recipe


@pytest.fixture()
def shelf(tmp_path, monkeypatch):
    """A user's checkpoint of random weights named `mine`."""
    monkeypatch.setattr("spikeviz.artifacts.cards.user_checkpoints", lambda: tmp_path)
    digest = save(sv.build("spikformer-fashion"), tmp_path / "mine.safetensors")
    card = CheckpointCard("mine", "spikformer-fashion", "fashion", "classes", 0.1, 10, "none", 0, "CPU", "none", digest)
    card.write(tmp_path / "mine.json")
    return tmp_path


def test_round_trip(shelf):
    model = sv.load("mine", "cpu")
    assert sv.simulate(model, torch.rand(1, 1, 28, 28), keep="").model == "mine"
    assert [c.name for c in sv.list_checkpoints()] == sorted(c.name for c in sv.list_checkpoints())
    stored = read_weights(shelf / "mine.safetensors")
    assert all(torch.equal(value, stored[key]) for key, value in model.state_dict().items() if key in stored)


def test_unknown_name(shelf):
    with pytest.raises(ValueError, match=r"no checkpoint 'nope'; there are .*mine"):
        sv.load("nope")


def test_changed_file(shelf):
    with (shelf / "mine.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ValueError, match="sha256 differs"):
        sv.load("mine")


def test_lost_file(shelf):
    (shelf / "mine.safetensors").unlink()
    with pytest.raises(ValueError, match=r"no file mine\.safetensors"):
        sv.load("mine")


def test_spoiled_card(shelf):
    (shelf / "mine.json").write_text('{"name": "mine"}')
    with pytest.raises(ValueError, match="not a model card"):
        sv.list_checkpoints()


def test_not_safetensors(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"PK\x03\x04 not a tensor in sight")
    with pytest.raises(ValueError, match="not a safetensors file"):
        read_weights(path)


def test_other_shapes(shelf):
    state = read_weights(shelf / "mine.safetensors")
    state["head.weight"] = torch.zeros(11, 128)
    state["extra"] = torch.zeros(1)
    del state["head.bias"]
    with pytest.raises(ValueError) as caught:
        fill(sv.build("spikformer-fashion"), state, "x.safetensors")
    message = str(caught.value)
    assert "missing head.bias" in message and "unexpected extra" in message
    assert "head.weight is [11, 128] instead of [10, 128]" in message and "\n" not in message


def test_a_refused_file_changes_nothing(tmp_path):
    model = sv.build("spikformer-fashion")
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = {k: torch.zeros_like(v) for k, v in before.items()} | {"head.weight": torch.zeros(3)}
    save_file(state, tmp_path / "x.safetensors")
    with pytest.raises(ValueError):
        fill(model, read_weights(tmp_path / "x.safetensors"), "x")
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_unknown_device():
    with pytest.raises(ValueError, match="no device"):
        auto_device("cuda:7")
    assert auto_device("cpu").type == "cpu" and auto_device().type in ("cpu", "cuda", "mps")


SHIPPED = [
    "e-spikeformer-cifar-sfa4",
    "e-spikeformer-fashion-dvs-d1",
    "e-spikeformer-fashion-dvs-d4",
    "e-spikeformer-fashion-sfa1",
    "e-spikeformer-fashion-sfa2",
    "e-spikeformer-fashion-sfa4",
    "e-spikeformer-fashion-sfa8",
    "e-spikeformer-fashion-vanilla4",
    "mst-cifar10",
    "mst-fashion",
    "mst-fashion-dvs",
    "mst-fashion-layernorm",
    "mst-fashion-rsm50",
    "mst-fashion-rsm50-mlp",
    "mst-fashion-rsm75",
    "mst-fashion-strict",
    "mst-resnet18-fashion",
    "mst-resnet18-fashion-rsm50",
    "mst-resnet18-fashion-rsm75",
    "mst-vgg16-fashion",
    "mst-vgg16-fashion-rsm50",
    "mst-vgg16-fashion-rsm75",
    "sdmformer-fashion-dvs",
    "sdmformer-fashion-dvs-pruned",
    "sdmformer-nmnist",
    "spike-mae-cifar",
    "spike-mae-cifar-binary",
    "spikformer-fashion",
    "spikformer-fashion-dvs",
    "spikformer-v2-fashion-pretrained",
    "spikformer-v2-fashion-scratch",
    "spikformer-v2-mae-fashion",
]
CURVES = [
    "e-spikeformer-fashion-sfa4",
    "mst-cifar10",
    "mst-fashion",
    "mst-fashion-dvs",
    "mst-fashion-rsm50",
    "mst-fashion-rsm50-mlp",
    "mst-fashion-rsm75",
    "mst-resnet18-fashion",
    "mst-resnet18-fashion-rsm50",
    "mst-resnet18-fashion-rsm75",
    "mst-vgg16-fashion",
    "mst-vgg16-fashion-rsm50",
    "mst-vgg16-fashion-rsm75",
    "sdmformer-fashion-dvs",
]
REPLAYS = ["spike-mae-cifar", "spike-mae-cifar-binary", "spikformer-v2-mae-fashion"]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("checkpoints/*.json", SHIPPED),
        ("checkpoints/*.safetensors", SHIPPED),
        ("curves/*.json", CURVES),
        ("replays/*.npz", REPLAYS),
        ("recordings/*.npz", ["spikformer-fashion"]),
    ],
)
def test_what_ships(kind, names):
    """Pages and lessons name these: a file may come, and none may go unseen."""
    assert sorted(path.stem for path in assets().glob(kind)) == sorted(names)


def test_a_card_holds_the_recipe_that_its_command_runs():
    for card in (find_card(name)[0] for name in SHIPPED):
        recipe = find_recipe(card.recipe)
        assert Recipe.from_data(card.training["recipe"]) == recipe
        assert card.model == recipe.model and card.data == recipe.data
        assert card.training["command"] == f"spikeviz train {recipe.name}"
        assert from_data(card.trained_under) == recipe.interventions(recipe.epochs - 1)


def test_the_protocol_of_a_card_is_read_as_it_was_written(tmp_path):
    card, _ = find_card("spikformer-fashion")
    for protocol in ("val", "chosen by a friend"):
        replace(card, protocol=protocol).write(tmp_path / "card.json")
        assert CheckpointCard.read(tmp_path / "card.json").protocol == protocol
    assert replace(card, protocol="val").facts["protocol"] == "chosen on val"
    old = json.loads((tmp_path / "card.json").read_text())
    del old["protocol"]
    (tmp_path / "card.json").write_text(json.dumps(old))
    assert CheckpointCard.read(tmp_path / "card.json").protocol == "the test set had a say"


def test_an_accuracy_is_never_without_its_error():
    """0.9 of 100 samples: sqrt(0.9 * 0.1 / 100) = 0.03."""
    assert accuracy_text(0.9, 100) == "0.900 ± 0.030" and accuracy_text(None, 0) == "not measured"
    assert accuracy_with_error(0.9, 100, " (standard error)") == "0.9000 ± 0.0300 (standard error)"
    card, _ = find_card("spikformer-fashion")
    assert replace(card, accuracy=0.9, samples=100).error == pytest.approx(0.03)


def test_shipped_cards_are_true():
    """Every shipped file is the one its card describes, within the size we promise."""
    for path in sorted((assets() / "checkpoints").glob("*.json")):
        card = CheckpointCard.read(path)
        weights = path.with_suffix(".safetensors")
        assert card.name == path.stem and card.sha256 == sha256(weights)
        assert weights.stat().st_size <= 8 * 2**20
        assert card.model in {s.name for s in sv.list_models()} and card.data in sv.list_data()
        assert card.command.startswith(("spikeviz evaluate", "spikeviz prune"))
        assert card.training["command"].startswith("spikeviz train")
        assert find_card(card.name)[0] == card
        assert "/" not in json.dumps(card.training["command"])


def classifiers() -> list:
    """Every shipped network that has an accuracy."""
    cards = map(CheckpointCard.read, sorted((assets() / "checkpoints").glob("*.json")))
    return [pytest.param(card, marks=needs(card.name), id=card.name) for card in cards if card.accuracy is not None]


@pytest.mark.parametrize("card", classifiers())
def test_shipped_accuracy_on_a_part(card):
    """The first 300 test images agree with the card within four standard errors (the whole: `spikeviz evaluate`)."""
    from spikeviz.evaluation.accuracy import accuracy

    score, n = accuracy(sv.load(card.name, "cpu"), card.data, 300, progress=False)
    error = (card.accuracy * (1 - card.accuracy) / n) ** 0.5
    assert abs(score - card.accuracy) < 4 * error
