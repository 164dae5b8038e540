"""Other seeds of a checkpoint's recipe: what one training says may be luck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spikeviz.artifacts.cards import CheckpointCard, find_card
from spikeviz.artifacts.checkpoints import stored
from spikeviz.evaluation.accuracy import accuracy
from spikeviz.evaluation.firing import own_card
from spikeviz.runtime import auto_device
from spikeviz.train.publish import finished


def add_seeds(name: str, runs: Sequence[Path], device: str = "auto", progress: bool = True) -> CheckpointCard:
    """Measure runs of a checkpoint's recipe with other seeds into its card, `measured["seeds"]`.

    Of each seed, the checkpoint's own first: accuracy on the whole test split, as of the card, and on val. The weights
    of the other runs are not stored.

    Args:
        name: of the checkpoint.
        runs: folders of `spikeviz train RECIPE --seed N`.

    Raises:
        ValueError: with a sentence, for an autoencoder, a run that is not finished or of another recipe, a seed that is
            there already; as `own_card`.
    """
    path, (card, _) = own_card(name), find_card(name)
    if not card.classifies:
        raise ValueError(f"{name} is an autoencoder: it has no accuracy to compare over seeds.")
    own = {"seed": card.seed, "accuracy": card.accuracy, "samples": card.samples, "val": card.measured.get("val")}
    found: list[dict[str, Any]] = card.measured.get("seeds", [own])
    for run in runs:
        record = finished(run)
        if _but_seed(record["training"]["recipe"]) != _but_seed(card.training["recipe"]):
            raise ValueError(f"{run.name} is a run of another recipe than that of {name}.")
        if record["seed"] in [each["seed"] for each in found]:
            raise ValueError(f"seed {record['seed']} of {name} is measured already.")
        model = stored(record["model"], run / "weights.safetensors").to(auto_device(device))
        score, samples = accuracy(model, card.data, progress=progress)
        val, count = accuracy(model, card.data, progress=progress, split="val")
        seed = {"seed": record["seed"], "accuracy": score, "samples": samples}
        found = [*found, seed | {"val": {"accuracy": val, "samples": count}}]
    card = replace(card, measured=card.measured | {"seeds": found})
    card.write(path)
    return card


def _but_seed(recipe: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in recipe.items() if key != "seed"}
