"""Accuracy of a checkpoint, or the error of an autoencoder, on a whole test split, and the card that says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from spikeviz.cards import CheckpointCard
from spikeviz.checkpoints import auto_device, save, stored
from spikeviz.data.catalog import as_batch, open_data
from spikeviz.interventions import HidePatches, Intervention
from spikeviz.metrics import OPERANDS, operations, throughput
from spikeviz.models.spike_mae import SpikeMAE
from spikeviz.replays import Replay, replay_file
from spikeviz.simulation import simulate
from spikeviz.train.loop import describe
from spikeviz.train.recipes import RECIPES
from spikeviz.train.review import RATIO, REPLAY, quality

BATCH = 50
COUNTED = 64  # test samples whose operations are counted


def accuracy(
    model: nn.Module,
    data: str,
    limit: int | None = None,
    progress: bool = True,
    interventions: Sequence[Intervention] = (),
) -> tuple[float, int]:
    """Share of the test samples of `data` whose largest logit (mean over T) is the right one; how many they were."""
    x, y = open_data(data, "test", limit)
    batches = range(0, len(x), BATCH)
    right = 0
    for start in tqdm(batches, f"{data}, test", disable=not progress, mininterval=2.0):
        output = simulate(model, as_batch(x[start : start + BATCH]), interventions, keep="").output
        right += (output.argmax(-1).cpu() == y[start : start + BATCH]).sum().item()
    return right / len(x), len(x)


def measure(model: nn.Module, data: str, interventions: Sequence[Intervention] = ()) -> dict[str, Any]:
    """Parameters, operations of a test sample (mean over the first 64), and samples a second of this machine."""
    x, _ = open_data(data, "test", COUNTED)
    batch = as_batch(x[:])
    table = operations(model, simulate(model, batch, interventions, OPERANDS))
    *_, speed = throughput([(model, interventions)], batch)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "operations": {"samples": len(x), **table[["MACs", "SOPs", "picojoule"]].sum().round(1).to_dict()},
        "throughput": {"samples_per_second": round(speed.rate(0), 1), "batch": speed.batch, "rounds": speed.rounds},
    }


def trained_under(name: str) -> tuple[Intervention, ...]:
    """The interventions of the last part of a recipe: a network that was fine-tuned under masks has some."""
    recipe = RECIPES.get(name)
    return recipe.interventions(recipe.epochs - 1) if recipe else ()


def _judged(model: nn.Module, data: str, progress: bool) -> tuple[float, int, dict[str, Any]]:
    """Accuracy, or an autoencoder's error over that of the visible mean; of how many samples; what else is measured."""
    if not isinstance(model, SpikeMAE):
        return *accuracy(model, data, progress=progress), measure(model, data)
    found = quality(model, data, progress)
    whole = found["reconstruction"]
    return whole["relative"], whole["samples"], measure(model, data, (HidePatches(RATIO),)) | found


def ship(run: Path, out: Path, *, half: bool = True, device: str = "auto", progress: bool = True) -> CheckpointCard:
    """Make a checkpoint of a finished run: write its weights to `out`, evaluate the written file, write its card.

    Args:
        run: the folder of `spikeviz train`.
        out: where `<name>.safetensors` and `<name>.json` go.
        half: store float16 if that moves the accuracy by no more than one sample in a thousand, else float32; of an
            autoencoder its error by no more than a thousandth of that of the visible mean.

    The card's accuracy is that of the plain network. Of one that was trained under interventions `measured` holds the
    accuracy under these as well. An autoencoder has no accuracy: its errors are in `measured`, its operations are those
    with 75 % of the patches hidden, and the pictures of its run go beside the folder `out`.

    Raises:
        ValueError: if the run is not finished.
    """
    try:
        record = json.loads((run / "run.json").read_text())
    except FileNotFoundError:
        raise ValueError(f"{run.name} holds no finished run; `spikeviz train` finishes it.") from None
    where = auto_device(device)
    exact = stored(record["model"], run / "weights.safetensors")
    path = out / f"{record['name']}.safetensors"
    digest = save(exact, path, torch.float16 if half else torch.float32)
    written = stored(record["model"], path).to(where)
    score, samples, measured = _judged(written, record["data"], progress)
    autoencoder = isinstance(written, SpikeMAE)
    training = record["training"]
    if half:
        before, *_ = _judged(exact.to(where), record["data"], progress)
        if abs(before - score) > 1e-3:
            return ship(run, out, half=False, device=device, progress=progress)
        training |= {"stored_as": "float16", f"{'error' if autoencoder else 'accuracy'}_before_storing": before}
    under = trained_under(record["name"])
    if under:
        masked, _ = accuracy(written, record["data"], None, progress, under)
        measured["as_trained"] = {"under": repr(under), "accuracy": masked, "seed": 0}
    card = CheckpointCard(
        name=record["name"],
        model=record["model"],
        data=record["data"],
        accuracy=None if autoencoder else score,
        samples=samples,
        recipe=record["name"],
        seed=record["seed"],
        device=describe(where),
        command=f"spikeviz evaluate {record['name']}",
        sha256=digest,
        training=training,
        measured=measured,
    )
    card.write(path.with_suffix(".json"))
    if autoencoder:
        Replay.read(run / REPLAY).write(replay_file(path), sha256=digest, command=training["command"])
    return card
