"""What a finished run, or a pruned network, becomes: a checkpoint, measured as it was written, with its card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spikeviz.artifacts.as_data import from_data
from spikeviz.artifacts.cards import CHOSEN_ON_VAL, TEST_HAD_A_SAY, CheckpointCard, find_card
from spikeviz.artifacts.checkpoints import load, read_weights, save, stored
from spikeviz.artifacts.replays import Replay, replay_file
from spikeviz.convert.prune import prune_channels
from spikeviz.data.catalog import as_batch, open_data
from spikeviz.evaluation.accuracy import COUNTED, accuracy, measure
from spikeviz.evaluation.reconstruction import RATIO, REPLAY, hidden_errors, quality
from spikeviz.evaluation.throughput import throughput
from spikeviz.interventions import HidePatches, MaskChannels
from spikeviz.models.registry import find_spec
from spikeviz.models.spike_mae import SpikeMAE
from spikeviz.nn.channel_masks import TRAINED
from spikeviz.runtime import auto_device, describe

ROUNDS = 15  # of the speed of a pruned network


def _judged(model: nn.Module, data: str, progress: bool) -> tuple[float, int, dict[str, Any]]:
    """Accuracy, or an autoencoder's error over that of the visible mean; of how many samples; what else is measured."""
    if not isinstance(model, SpikeMAE):
        return *accuracy(model, data, progress=progress), measure(model, data)
    found = quality(model, data, progress)
    whole = found["reconstruction"]
    return whole["relative"], whole["samples"], measure(model, data, (HidePatches(RATIO),)) | found


def _on_val(model: nn.Module, data: str, progress: bool) -> dict[str, Any]:
    """What it reaches on val, on which it was chosen: accuracy and samples, or an autoencoder's errors."""
    if isinstance(model, SpikeMAE):
        return hidden_errors(model, data, progress=progress, split="val")
    found, samples = accuracy(model, data, progress=progress, split="val")
    return {"accuracy": found, "samples": samples}


def publish(run: Path, out: Path, *, half: bool = True, device: str = "auto", progress: bool = True) -> CheckpointCard:
    """Make a checkpoint of a finished run: write its weights to `out`, evaluate the written file, write its card.

    Args:
        run: the folder of `spikeviz train`.
        out: where `<name>.safetensors` and `<name>.json` go.
        half: store float16 if that moves the accuracy by no more than one sample in a thousand, else float32; of an
            autoencoder its error by no more than a thousandth of that of the visible mean. Of a network that was chosen
            on val this is measured on val as well.

    The card's accuracy is that of the plain network on the test set. Of one that was chosen on val `measured` holds the
    accuracy on val as well, of one that was trained under interventions that under these. An autoencoder has no
    accuracy: its errors are in `measured`, its operations are those with 75 % of the patches hidden, and the pictures
    of its run go beside the folder `out`.

    Raises:
        ValueError: if the run is not finished.
    """
    record, where = finished(run), auto_device(device)
    exact = stored(record["model"], run / "weights.safetensors")
    path = out / f"{record['name']}.safetensors"
    digest = save(exact, path, torch.float16 if half else torch.float32)
    written = stored(record["model"], path).to(where)
    score, samples, measured = _judged(written, record["data"], progress)
    autoencoder = isinstance(written, SpikeMAE)
    training, protocol = record["training"], record.get("protocol", TEST_HAD_A_SAY)
    if protocol == CHOSEN_ON_VAL:
        measured["val"] = _on_val(written, record["data"], progress)
    if half:
        exact, number = exact.to(where), "relative" if autoencoder else "accuracy"
        what = "error" if autoencoder else "accuracy"
        if protocol == CHOSEN_ON_VAL:
            before, after = _on_val(exact, record["data"], progress)[number], measured["val"][number]
            what = f"val_{what}"
        else:
            before, after = _judged(exact, record["data"], progress)[0], score
        if abs(before - after) > 1e-3:
            return publish(run, out, half=False, device=device, progress=progress)
        training |= {"stored_as": "float16", f"{what}_before_storing": before}
    under = record.get("trained_under", [])
    if under:
        masked, _ = accuracy(written, record["data"], None, progress, from_data(under))
        measured["as_trained"] = {"accuracy": masked, "seed": 0}
    card = CheckpointCard(
        name=record["name"],
        model=record["model"],
        data=record["data"],
        task=CheckpointCard.RECONSTRUCTION if autoencoder else CheckpointCard.CLASSES,
        trained_under=under,
        accuracy=None if autoencoder else score,
        samples=samples,
        recipe=record["name"],
        seed=record["seed"],
        device=describe(where),
        command=f"spikeviz evaluate {record['name']}",
        sha256=digest,
        protocol=protocol,
        training=training,
        measured=measured,
        architecture=find_spec(record["model"]).as_data,
    )
    card.write(path.with_suffix(".json"))
    if autoencoder:
        Replay.read(run / REPLAY).write(replay_file(path), sha256=digest, command=training["command"])
    return card


def finished(run: Path) -> dict[str, Any]:
    """What a finished run says of itself.

    Raises:
        ValueError: if it is not finished.
    """
    try:
        return json.loads((run / "run.json").read_text())
    except FileNotFoundError:
        raise ValueError(f"{run.name} holds no finished run; `spikeviz train` finishes it.") from None


def publish_pruned(
    name: str, threshold: float, out: Path, device: str = "auto", progress: bool = True
) -> CheckpointCard:
    """Prune a checkpoint, write the weights to `out`, evaluate the written file beside the masked one, write its card.

    The card's throughput is measured in turns with the masked network, in one run.

    Args:
        name: of a checkpoint with channel masks.
        threshold: of `prune_channels`; another than the trained one becomes part of the new name.
        out: where `<name>-pruned.safetensors` and its card go.

    Raises:
        ValueError: for an unknown name, a network without masks, or a threshold outside [0, 1].
    """
    card, weights = find_card(name)
    masked, before = load(name, device), (MaskChannels(threshold),)
    suffix = "-pruned" if threshold == TRAINED else f"-pruned-{threshold:g}"
    path = out / f"{name}{suffix}.safetensors"
    digest = save(prune_channels(masked, threshold), path, _dtype(weights))
    small = stored(card.model, path).to(next(masked.parameters()).device)
    score, samples = accuracy(small, card.data, progress=progress)
    measured, whole = measure(small, card.data), measure(masked, card.data, before)
    if card.protocol == CHOSEN_ON_VAL:
        measured["val"] = _on_val(small, card.data, progress)
    batch = as_batch(open_data(card.data, "test", COUNTED)[0][:])
    *_, speed = throughput([(masked, before), (small, ())], batch, ROUNDS)
    low, middle, high = speed.speedup(1)
    measured |= {
        "threshold": threshold,
        "parameters_left": measured["parameters"] / whole["parameters"],
        "masked": whole | {"accuracy": accuracy(masked, card.data, None, progress, before)[0]},
        "throughput": {
            "samples_per_second": round(speed.rate(1), 1),
            "masked_samples_per_second": round(speed.rate(0), 1),
            "speedup": round(middle, 3),
            "quartiles": [round(low, 3), round(high, 3)],
            "interval": [round(end, 3) for end in speed.interval(1) or ()],
            "batch": speed.batch,
            "rounds": speed.rounds,
        },
    }
    option = "" if threshold == TRAINED else f" --threshold {threshold:g}"
    found = CheckpointCard(
        name=path.stem,
        model=card.model,
        data=card.data,
        task=card.task,
        trained_under=card.trained_under,
        accuracy=score,
        samples=samples,
        recipe=card.recipe,
        seed=card.seed,
        device=describe(next(small.parameters()).device),
        command=f"spikeviz prune {name}{option}",
        sha256=digest,
        protocol=card.protocol,
        training=card.training,
        measured=measured,
        architecture=find_spec(card.model).as_data | {"parameters": measured["parameters"]},
    )
    found.write(path.with_suffix(".json"))
    return found


def _dtype(weights: Path) -> torch.dtype:
    """Of the floats of a file."""
    return next(value.dtype for value in read_weights(weights).values() if value.is_floating_point())
