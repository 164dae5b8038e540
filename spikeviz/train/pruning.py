"""What learned channel masks are worth: a pruned checkpoint with its card."""

from __future__ import annotations

from pathlib import Path

import torch

from spikeviz.cards import CheckpointCard, find_card
from spikeviz.checkpoints import load, read_weights, save, stored
from spikeviz.convert.prune import prune_channels
from spikeviz.data.catalog import as_batch, open_data
from spikeviz.interventions import MaskChannels
from spikeviz.metrics import throughput
from spikeviz.nn.masks import TRAINED
from spikeviz.train.evaluate import COUNTED, accuracy, measure
from spikeviz.train.loop import describe

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


def _dtype(weights: Path) -> torch.dtype:
    """Of the floats of a file."""
    return next(value.dtype for value in read_weights(weights).values() if value.is_floating_point())
