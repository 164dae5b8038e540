"""What learned channel masks are worth: a pruned checkpoint with its card, and accuracy against the threshold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spikeviz.cards import CheckpointCard, curve_file, find_card
from spikeviz.checkpoints import load, read_weights, save, stored
from spikeviz.convert.prune import prune_channels
from spikeviz.data.catalog import as_batch, open_data
from spikeviz.interventions import MaskChannels
from spikeviz.metrics import mask_rates, throughput
from spikeviz.nn.masks import TRAINED
from spikeviz.train.evaluate import COUNTED, accuracy, measure
from spikeviz.train.loop import describe

THRESHOLDS = tuple(n / 20 for n in range(21))
ROUNDS = 15


def ship_pruned(name: str, threshold: float, out: Path, device: str = "auto", progress: bool = True) -> CheckpointCard:
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
            "batch": speed.batch,
            "rounds": speed.rounds,
        },
    }
    option = "" if threshold == TRAINED else f" --threshold {threshold:g}"
    found = CheckpointCard(
        name=path.stem,
        model=card.model,
        data=card.data,
        accuracy=score,
        samples=samples,
        recipe=card.recipe,
        seed=card.seed,
        device=describe(next(small.parameters()).device),
        command=f"spikeviz prune {name}{option}",
        sha256=digest,
        training=card.training,
        measured=measured,
    )
    found.write(path.with_suffix(".json"))
    return found


def write_curve(name: str, device: str = "auto", progress: bool = True) -> Path:
    """Accuracy on the whole test split, parameters and energy of the pruned network at every twentieth of a threshold.

    The file lies beside the checkpoint's folder (`curve_file`), and `find_curve` reads it.

    Raises:
        ValueError: for an unknown name, or a network without masks.
    """
    card, weights = find_card(name)
    model = load(name, device)
    points: list[dict[str, Any]] = []
    for threshold in THRESHOLDS:
        table = mask_rates(model, threshold)
        masked = table["masked"].tolist()
        same = next((point for point in points if point["masked_by_site"] == masked), None)
        points.append((same or _point(model, card.data, threshold, progress)) | {"threshold": threshold})
        points[-1] |= {
            "masked": sum(masked), "channels": int(table["channels"].sum()), "masked_by_site": masked
        }  # fmt: skip
    found = {
        "command": f"spikeviz curve {name}",
        "checkpoint": name,
        "sha256": card.sha256,
        "data": card.data,
        "split": "test",
        "samples": card.samples,
        "seed": card.seed,
        "device": describe(next(model.parameters()).device),
        "points": points,
    }
    path = curve_file(weights)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n")
    return path


def _point(model: nn.Module, data: str, threshold: float, progress: bool) -> dict[str, Any]:
    """Of one threshold: energy is that of the pruned network, a mean over the first test samples."""
    small = prune_channels(model, threshold)
    found = measure(small, data)
    score, _ = accuracy(small, data, progress=progress)
    return {"accuracy": score, "parameters": found["parameters"], "picojoule": found["operations"]["picojoule"]}


def _dtype(weights: Path) -> torch.dtype:
    """Of the floats of a file."""
    return next(value.dtype for value in read_weights(weights).values() if value.is_floating_point())
