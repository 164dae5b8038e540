"""The loop: what it draws, what it logs, and that a killed run loses nothing but the epoch it was in."""

import json
from contextlib import nullcontext
from dataclasses import FrozenInstanceError, fields, replace
from importlib import import_module
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import cross_entropy

import spikeviz as sv
from spikeviz.artifacts.as_data import from_data
from spikeviz.data.catalog import open_data
from spikeviz.evaluation import accuracy
from spikeviz.interventions import MaskSpikes
from spikeviz.metrics.spike_masking import masking_places
from spikeviz.models.cnn import CNNConfig
from spikeviz.models.registry import assemble
from spikeviz.nn.channel_masks import find_masks
from spikeviz.nn.qcfs import QCFS, START
from spikeviz.probe import find_probes
from spikeviz.train import loop, objectives
from spikeviz.train.loop import augment, learning_rate, train
from spikeviz.train.publish import publish
from spikeviz.train.recipes import Masks, Recipe, Stage, Teacher
from spikeviz.train.shipped import ONE_STEP, RECIPES, find_recipe

TINY = Recipe(
    "tiny", "spikformer-fashion", "fashion", "train-10k", (Stage(1, ONE_STEP), Stage(2, ONE_STEP)), batch=16, limit=48
)

pytestmark = pytest.mark.slow


def weights(model):
    return {k: v for k, v in model.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[k], b[k]) for k in a) and a.keys() == b.keys()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return SimpleNamespace(
        folder=folder, model=train(TINY, folder, "cpu", command="spikeviz train tiny", progress=False)
    )


class Killed(Exception):
    pass


def test_a_killed_run_resumes_to_the_same_bits(finished, tmp_path):
    asked = iter(range(1000))

    def stop():
        if next(asked) == 4:  # in the middle of the second epoch of three steps each
            raise Killed
        return False

    with pytest.raises(Killed):
        train(TINY, tmp_path, "cpu", progress=False, stop=stop)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["epoch"] == 1
    resumed = train(TINY, tmp_path, "cpu", progress=False)
    assert same(weights(resumed), weights(finished.model))


def test_a_stopped_run_can_be_resumed(finished, tmp_path):
    asked = iter([False, False, False, True])
    train(TINY, tmp_path, "cpu", progress=False, stop=lambda: next(asked))
    assert not (tmp_path / "weights.safetensors").exists()
    assert same(weights(train(TINY, tmp_path, "cpu", progress=False)), weights(finished.model))


def test_the_seed_decides(finished, tmp_path):
    other = train(replace(TINY, seed=1), tmp_path, "cpu", progress=False)
    assert not same(weights(other), weights(finished.model))


def test_every_line_of_the_log_is_json(finished):
    lines = [json.loads(line) for line in (finished.folder / "log.jsonl").read_text().splitlines()]
    epochs = [line for line in lines if "epoch" in line]
    assert [line["epoch"] for line in epochs] == [1, 2, 3]
    assert all({"loss", "train_accuracy", "seconds", "peak_mb"} <= line.keys() for line in epochs)
    assert [line["step"] for line in lines if "step" in line] == [0, 3, 6]  # the first step of each epoch is logged
    record = json.loads((finished.folder / "run.json").read_text())
    assert record["training"]["epochs"] == 3 and record["training"]["images"] == 48
    assert record["training"]["command"] == "spikeviz train tiny"


def test_another_recipe_does_not_go_on_with_a_run(finished):
    with pytest.raises(ValueError, match="another recipe"):
        train(replace(TINY, lr=2e-3), finished.folder, "cpu", progress=False)


def test_loss_falls(finished):
    """Three epochs over 48 pictures: the loss of the last is below that of the first."""
    history = json.loads((finished.folder / "run.json").read_text())["training"]["history"]
    assert history[-1]["loss"] < history[0]["loss"]


def test_bfloat16_trains(tmp_path, monkeypatch):
    """Where the hardware has it the loop autocasts; the membranes stay float32 and the losses come close."""
    recipe = replace(TINY, stages=(Stage(1, ONE_STEP),), limit=8, batch=4)
    losses = []
    for number, context in enumerate((nullcontext(), torch.autocast("cpu", torch.bfloat16))):
        monkeypatch.setattr(loop, "autocast", lambda _, context=context: context)
        train(recipe, tmp_path / str(number), "cpu", progress=False)
        losses.append(json.loads((tmp_path / str(number) / "run.json").read_text())["training"]["history"][0]["loss"])
    assert losses[0] != losses[1] and losses[0] == pytest.approx(losses[1], rel=0.05)


def test_learning_rate():
    recipe = replace(TINY, stages=(Stage(10),), lr=1.0, final_lr=0.1, warmup=2.0)
    rates = [learning_rate(recipe, p / 10) for p in range(101)]
    assert rates[0] < 0.01 and rates[20] == pytest.approx(1.0) and rates[100] == pytest.approx(0.1)
    assert rates[:20] == sorted(rates[:20]) and rates[20:] == sorted(rates[20:], reverse=True)
    assert learning_rate(recipe, 6.0) == pytest.approx(0.55)  # half way down the cosine


def test_a_stage_may_start_a_cosine_of_its_own():
    recipe = replace(TINY, stages=(Stage(2), Stage(2), Stage(2, lr=0.5), Stage(1)), lr=1.0, final_lr=0.1, warmup=0.0)
    assert [recipe.cosine(e) for e in range(7)] == [(0, 4, 1.0)] * 4 + [(4, 7, 0.5)] * 3
    assert learning_rate(recipe, 2.0) == pytest.approx(0.55)
    assert learning_rate(recipe, 3.999) == pytest.approx(0.1, rel=1e-3)
    assert learning_rate(recipe, 4.0) == pytest.approx(0.5) and learning_rate(recipe, 5.5) == pytest.approx(0.3)
    assert learning_rate(recipe, 7.0) == pytest.approx(0.1)


def test_a_stage_may_show_the_pictures_as_they_are(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(loop, "augment", lambda x, *_: seen.append(len(x)) or x)
    recipe = replace(TINY, stages=(Stage(1, ONE_STEP), Stage(1, ONE_STEP, augment=False)), limit=16, batch=8)
    train(recipe, tmp_path, "cpu", progress=False)
    assert seen == [8, 8]  # two batches of the first epoch, none of the second


def test_stages_are_epochs_under_interventions():
    recipe = replace(TINY, stages=(Stage(2, ONE_STEP), Stage(1)))
    assert recipe.epochs == 3
    assert [recipe.interventions(e) for e in range(3)] == [ONE_STEP, ONE_STEP, ()]


def test_a_stage_begins_with_its_gain():
    recipe = replace(TINY, stages=(Stage(2, ONE_STEP), Stage(2, current_gain=2.0)))
    assert [stage and stage.current_gain for stage in map(recipe.begins, range(4))] == [1.0, None, 2.0, None]


def test_gain_makes_the_first_step_that_of_the_one_step_network():
    """tau 1.01 at T 1 charges X / 1.01, tau 2 charges X / 2: with a gain of 2 / 1.01 both charge the same.

    The attention's own neurons have no normalisation in front, so the comparison ends with q, k, v of the first block.
    """
    torch.manual_seed(0)
    model = sv.build("spikformer-fashion").eval()
    for layer in model.modules():
        if isinstance(layer, loop.SpikingConv):
            torch.nn.init.normal_(layer.norm.bias, 0.5)  # fresh weights leave the deeper layers silent
    x, keep = torch.rand(2, 1, 28, 28), ("stem.*.spike", "blocks.0.attn.[qkv].spike")
    one = sv.simulate(model, x, ONE_STEP, keep=keep)
    loop.amplify(model, 2 / 1.01)
    four = sv.simulate(model, x, keep=keep)
    assert len(one) == 8 and all(track.values.any() for track in one.values())
    for name, track in one.items():
        assert (four[name].values[0] != track.values[0]).float().mean() < 1e-4, name  # but for rounding


def test_augment_moves_and_flips():
    x = torch.zeros(200, 1, 9, 9)
    x[:, 0, 4, 4] = 1.0
    y = augment(x, shift=2, flip=False, generator=torch.Generator().manual_seed(0))
    assert torch.equal(y.sum((1, 2, 3)), torch.ones(200))  # the pixel is moved, never lost
    places = y[:, 0].flatten(1).argmax(1)
    assert {(int(p) // 9, int(p) % 9) for p in places} == {(r, c) for r in range(2, 7) for c in range(2, 7)}
    left = torch.zeros(400, 1, 4, 4)
    left[..., 0] = 1.0
    flipped = augment(left, shift=0, flip=True, generator=torch.Generator().manual_seed(0))[:, 0, 0, 3].mean()
    assert 0.4 < flipped < 0.6
    assert torch.equal(augment(x, 0, False, torch.Generator()), x)


def test_cutout_takes_a_square_from_every_picture():
    x = torch.linspace(0, 1, 2 * 8 * 8).view(1, 2, 8, 8).repeat(200, 1, 1, 1)
    y = augment(x, 0, False, torch.Generator().manual_seed(0), cutout=4)
    gone = (y != x).any(1)
    rows, columns = gone.any(2).sum(1), gone.any(1).sum(1)
    assert torch.equal(gone.sum((1, 2)), rows * columns)  # a square, or what is left of it at an edge
    assert rows.unique().tolist() == columns.unique().tolist() == [2, 3, 4] and rows.ge(2).all()
    torch.testing.assert_close(y[gone[:, None].expand_as(y)], x[0].mean().expand(int(gone.sum()) * 2))


def test_weight_decay_spares_biases_and_norms():
    model = sv.build("spikformer-fashion")
    spared = {n for n, p in model.named_parameters() if not loop.decays(p)}
    assert all(n.endswith(".bias") or ".norm." in n for n in spared)
    assert not any(".norm." in n for n, p in model.named_parameters() if loop.decays(p))


# --- channel masks ---

MASKED = Recipe(
    "masked",
    "sdmformer-fashion-dvs",
    "fashion-dvs",
    "train",
    (Stage(1, temperatures=(5.0, 100.0)), Stage(1)),
    batch=4,
    limit=16,
    masks=Masks(2.0, lr=0.3),
)


def test_temperatures_rise_by_equal_factors_and_end_where_masks_are_hard():
    recipe = replace(MASKED, stages=(Stage(2, temperatures=(5.0, 500.0)), Stage(1)))
    assert [recipe.temperature(p) for p in (0.0, 1.0, 1.5)] == pytest.approx([5.0, 50.0, 5 * 100**0.75])
    assert recipe.temperature(2.0) is None and recipe.temperature(2.9) is None
    assert TINY.temperature(0.5) is None


def test_masks_learn_in_the_soft_part_and_stay_in_the_hard_one(tmp_path):
    model = train(MASKED, tmp_path, "cpu", progress=False)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    first, last = (line["masks"] for line in lines if "epoch" in line)
    for name, mask in find_masks(model).items():
        state = last[name]
        assert state["channels"] == len(mask.value) == sum(state["histogram"])
        assert state["kept"] == int(mask.kept(0.5).sum())
        # the penalty pulls in the first part; in the second nothing pulls, and a hard mask has no gradient
        assert first[name] == state and mask.value.mean() < 0.3
    assert set(first) == set(find_masks(model))


def test_without_a_penalty_the_share_of_weights_is_not_pulled(tmp_path):
    pulled, free = (
        train(
            replace(MASKED, masks=Masks(p, lr=0.3), stages=MASKED.stages[:1]), tmp_path / str(p), "cpu", progress=False
        )
        for p in (5.0, 0.0)
    )
    left = [loop.weights_left(find_masks(model)).item() for model in (pulled, free)]
    assert left[0] < left[1]


def test_frames_of_a_recording_move_together():
    x = torch.zeros(6, 3, 2, 9, 9)
    x[..., 4, 4] = 1
    moved = augment(x, 2, True, torch.Generator().manual_seed(0))
    assert moved.shape == x.shape and moved.sum() == x.sum()
    assert all(torch.equal(recording[0, 0], frame[c]) for recording in moved for frame in recording for c in (0, 1))
    assert len({tuple(r[0, 0].nonzero()[0].tolist()) for r in moved}) > 1


def test_recipes_name_what_exists():
    models, data = {s.name for s in sv.list_models()}, sv.list_data()
    for name, recipe in RECIPES.items():
        assert name == recipe.name and recipe.model in models and recipe.data in data
    with pytest.raises(FrozenInstanceError):
        TINY.lr = 0.1
    with pytest.raises(ValueError, match="there are smoke"):
        find_recipe("nope")


@pytest.mark.parametrize("name", [name for name in RECIPES if "-rsm" in name])
def test_students_are_masked_where_the_paper_masks(name):
    recipe = RECIPES[name]
    (rule,) = recipe.interventions(recipe.epochs - 1)
    sites = {"MLP hidden"} if name.endswith("mlp") else {"q", "k", "scores", "convolution"}
    model = sv.build(recipe.model)
    wanted = {place.name for place in masking_places(model) if place.site in sites}
    if rule.law == "whole" and recipe.model != "mst-fashion":  # CNNs before masks left the shortcut alone
        wanted = set(find_probes(model, lambda p: p.kind == "spike" and p.site == "convolution"))
    assert {p.name for p in find_probes(model).values() if rule.edits(p.name, p.kind)} == wanted
    assert rule.ratio == int(name.split("-rsm")[1][:2]) / 100 and recipe.teacher.checkpoint == recipe.model


def few_test_images(monkeypatch):
    """A test split of 60 images."""
    few = lambda name, split, limit=None: open_data(name, split, limit or 60)  # noqa: E731
    monkeypatch.setattr(import_module("spikeviz.evaluation.accuracy"), "open_data", few)


def test_a_run_becomes_a_checkpoint(finished, tmp_path, monkeypatch):
    """Written, evaluated as it is stored, and loaded again: the card's number is that of the stored file."""
    few_test_images(monkeypatch)
    monkeypatch.setattr("spikeviz.artifacts.cards.user_checkpoints", lambda: tmp_path)
    card = publish(finished.folder, tmp_path, device="cpu", progress=False)
    assert card in sv.list_checkpoints()
    model = sv.load("tiny", "cpu")
    assert not model.training and model.name == "tiny"
    assert accuracy(model, "fashion", 60, progress=False) == (card.accuracy, card.samples)
    for name, parameter in model.named_parameters():  # stored as float16, loaded as float32
        assert parameter.dtype == torch.float32
        assert torch.equal(parameter, dict(finished.model.named_parameters())[name].half().float())
    with pytest.raises(ValueError, match="no finished run"):
        publish(tmp_path / "nothing", tmp_path)


def masked(**changes) -> Recipe:
    """A student of the shipped Spikformer under random spike masking."""
    rule = MaskSpikes(0.5)
    stages = (Stage(1, (*ONE_STEP, rule), augment=False),)
    settings = {"batch": 16, "limit": 48, "lr": 1e-4, "smoothing": 0.0, "teacher": Teacher("spikformer-fashion")}
    return Recipe("student", "spikformer-fashion", "fashion", "train-10k", stages, **settings | changes)


def test_a_student_starts_from_its_teacher_and_stays_near(tmp_path):
    teacher = sv.load("spikformer-fashion", "cpu")
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    student = train(masked(), tmp_path / "a", "cpu", progress=False)
    moved = [(p - before[name]).abs().max() for name, p in student.named_parameters()]
    assert 0 < max(moved) < 0.01
    same_again = train(masked(), tmp_path / "b", "cpu", progress=False)
    assert same(weights(student), weights(same_again))
    alone = train(masked(teacher=Teacher("spikformer-fashion", weight=0.0)), tmp_path / "c", "cpu", progress=False)
    assert not same(weights(student), weights(alone))  # the teacher is heard


def test_a_stage_can_train_the_spiking_twin(tmp_path):
    """Its statistics are those of the QCFS network, and its weights are what is stored."""
    teacher = sv.load("mst-fashion", "cpu")
    rule = MaskSpikes(0.5)
    settings = {"batch": 8, "limit": 16, "lr": 1e-4, "smoothing": 0.0, "teacher": Teacher("mst-fashion")}
    stages = (Stage(1, (rule,), augment=False, unrolled=2),)
    student = train(
        Recipe("student", "mst-fashion", "fashion", "train-10k", stages, **settings), tmp_path, "cpu", progress=False
    )
    assert not hasattr(student, "time_steps")
    for name, value in student.state_dict().items():
        assert torch.equal(value, teacher.state_dict()[name]) == ("running" in name or "num_batches" in name), name


def test_masks_are_drawn_anew_at_every_step(tmp_path, monkeypatch):
    seeds = []

    class Listening(loop.Tape):
        def __init__(self, *args, **options):
            seeds.append(options["seed"])
            super().__init__(*args, **options)

    monkeypatch.setattr(loop, "Tape", Listening)
    train(masked(), tmp_path, "cpu", progress=False)
    assert len(seeds) == len(set(seeds)) == 3


def test_a_quarter_is_also_seen_in_low_levels():
    """Cross-entropy of the first quarter, levels of (1,); statistics of batch normalisation stay, gradients flow."""
    torch.manual_seed(0)
    model = assemble("mst-cnn", CNNConfig("resnet18", 2, 10, 1, 32), "small").train()
    before = {name: value.clone() for name, value in model.named_buffers()}
    x, y = torch.rand(8, 1, 32, 32), torch.arange(8)
    loss = objectives.in_low_levels(model, x, y, Stage(1, low_levels=(1,)), torch.Generator().manual_seed(0))
    logits = sv.simulate(model, x[:2], sv.interventions.QuantisationLevels(1), keep="").output
    assert loss.item() == pytest.approx(0.5 * cross_entropy(logits, y[:2]).item(), rel=1e-5)
    assert model.training and all(torch.equal(value, before[name]) for name, value in model.named_buffers())
    loss.backward()
    assert model.head.bias.grad.abs().sum() > 0  # fresh weights are silent further back


CHANGED = {
    "name": "other",
    "model": "mst-fashion",
    "data": "mnist",
    "split": "train",
    "stages": (Stage(3),),
    "batch": 8,
    "lr": 2e-3,
    "final_lr": 0.0,
    "weight_decay": 0.1,
    "warmup": 1.0,
    "smoothing": 0.0,
    "clip": 2.0,
    "shift": 0,
    "flip": False,
    "cutout": 4,
    "limit": 47,
    "seed": 1,
    "masks": Masks(0.1),
    "teacher": Teacher("x"),
    "images": 60_000,
    "start": "x",
    "views": True,
}
OF_A_STAGE = {
    "epochs": 2,
    "interventions": (MaskSpikes(0.5),),
    "current_gain": 2.0,
    "lr": 0.1,
    "augment": False,
    "temperatures": (5.0, 100.0),
    "low_levels": (1, 2),
    "low_level_share": 0.5,
    "threshold_scale": 0.6,
    "unrolled": 4,
    "share": 0.5,
}


def test_everything_that_decides_a_run_belongs_to_its_identity():
    """Whatever changes what is learned is another run: a folder does not go on with it."""
    assert set(CHANGED) == {f.name for f in fields(Recipe)} and set(OF_A_STAGE) == {f.name for f in fields(Stage)}
    others = [replace(TINY, **{name: value}) for name, value in CHANGED.items()]
    others += [
        replace(TINY, stages=(Stage(1, **{name: value}),) if name != "epochs" else (Stage(value),))
        for name, value in OF_A_STAGE.items()
    ]
    assert len({TINY.identity, *(other.identity for other in others)}) == 1 + len(others)
    assert all(json.loads(recipe.identity) == recipe.data_of for recipe in others)


def test_thresholds_are_lowered_before_a_stage(tmp_path, monkeypatch):
    """All of them, before the first epoch of the stage and no other; and the factor belongs to a run."""
    factors, real = [], loop.scale_thresholds
    monkeypatch.setattr(loop, "scale_thresholds", lambda model, factor: factors.append(factor) or real(model, factor))
    plain = Recipe(
        "qcfs",
        "mst-resnet18-fashion",
        "fashion",
        "train-10k",
        lr=1e-9,
        final_lr=1e-9,
        limit=2,
        batch=2,
        stages=(Stage(1), Stage(2)),
    )
    low = replace(plain, stages=(Stage(1), Stage(2, threshold_scale=0.6)))
    model = train(low, tmp_path / "low", "cpu", progress=False)
    thresholds = [layer.threshold.item() for layer in model.modules() if isinstance(layer, QCFS)]
    assert factors == [0.6] and len(thresholds) == 17
    assert thresholds == pytest.approx([0.6 * START] * 17, rel=1e-4)
    moments = torch.load(tmp_path / "low" / "state.pt", weights_only=True)["optimizer"]["state"]
    assert {int(of["step"]) for of in moments.values()} == {2}  # of the three that were taken
    assert plain.identity != low.identity


def test_only_qcfs_is_lowered():
    model = sv.build("spikformer-fashion")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    loop.scale_thresholds(model, 0.5)
    assert same(before, weights(model))


def test_distillation_by_hand():
    """Two classes: with equal logits nothing is apart; else T^2 times the divergence of the softened answers."""
    logits, taught = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    own = torch.tensor(3.0)
    assert objectives.distilled(own, taught, taught, Teacher("x", weight=0.25)).item() == pytest.approx(0.75 * 3)
    student = torch.tensor([0.5, 0.0]).softmax(0)
    apart = sum(0.5 * (torch.tensor(0.5).log() - p.log()) for p in student)
    expected = 0.5 * 3 + 0.5 * 4 * apart
    assert objectives.distilled(own, logits, taught, Teacher("x")).item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_card_of_a_student_says_both_accuracies(tmp_path, monkeypatch):
    few_test_images(monkeypatch)
    monkeypatch.setattr("spikeviz.artifacts.cards.user_checkpoints", lambda: tmp_path)
    monkeypatch.setitem(RECIPES, "student", masked())
    train(masked(), tmp_path / "run", "cpu", progress=False)
    card = publish(tmp_path / "run", tmp_path, device="cpu", progress=False)
    model = sv.load("student", "cpu")
    assert card.accuracy == accuracy(model, "fashion", 60, progress=False)[0]
    under = (*ONE_STEP, MaskSpikes(0.5))
    assert card.measured["as_trained"] == {"accuracy": accuracy(model, "fashion", 60, False, under)[0], "seed": 0}
    assert from_data(card.trained_under) == under and card.training["recipe"] == masked().data_of
