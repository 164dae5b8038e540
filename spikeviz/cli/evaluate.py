"""Measure a checkpoint on its test split: the accuracy, or the error of an autoencoder.

It only measures: `spikeviz publish` writes checkpoints and cards. The exit status is 1 where the whole split gives a
lower accuracy, or a larger error of hidden patches, than the card says.

Examples:
  spikeviz evaluate spikformer-fashion
  spikeviz evaluate spike-mae-cifar --limit 500 --json
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from spikeviz.cli import FELL_SHORT, Result, add_device

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard

SHORT = 0.001  # of accuracy, below its card: another device rounds differently
LARGER = 1.01  # times the card's error of hidden patches, for the same reason


def arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", help="of a checkpoint")
    command.add_argument("--limit", type=int, help="only the first test samples (not what a card holds)")
    add_device(command)


def run(options: argparse.Namespace) -> Result:
    from spikeviz.artifacts.cards import find_card
    from spikeviz.artifacts.checkpoints import load

    card, _ = find_card(options.name)
    model = load(options.name, options.device)
    device = next(model.parameters()).device
    return (_accuracy if card.classifies else _errors)(card, model, options.limit, str(device))


def _accuracy(card: CheckpointCard, model: Any, limit: int | None, device: str) -> Result:
    from spikeviz.evaluation import accuracy

    score, samples = accuracy(model, card.data, limit)
    error = (score * (1 - score) / samples) ** 0.5
    data = {"name": card.name, "data": card.data, "samples": samples, "device": device}
    data |= {"accuracy": score, "standard_error": error, "card": card.accuracy}
    text = f"{card.name}: {score:.4f} ± {error:.4f} (standard error) on {samples:,} test samples of {card.data}"
    if samples != card.samples or card.accuracy is None:
        return Result(data, text)
    text += f"\nthe card says {card.accuracy:.4f} on {card.samples:,} ({card.device})"
    return Result(data, text, FELL_SHORT if score < card.accuracy - SHORT else 0)


def _errors(card: CheckpointCard, model: Any, limit: int | None, device: str) -> Result:
    from spikeviz.evaluation.reconstruction import hidden_errors

    errors = hidden_errors(model, card.data, limit=limit)
    data = {"name": card.name, "data": card.data, "device": device, **errors}
    text = f"{card.name}: {error_text(errors)} on {errors['samples']:,} test samples of {card.data}"
    held = card.measured.get("reconstruction")
    if held is None or any(held.get(key) != errors[key] for key in ("samples", "ratio", "seed")):
        return Result(data, text)
    data["card"] = held["mse"]
    text += f"\nthe card says {held['mse']:.4f} on {held['samples']:,} ({card.device})"
    return Result(data, text, FELL_SHORT if errors["mse"] > LARGER * held["mse"] else 0)


def error_text(errors: dict[str, Any]) -> str:
    """Errors over hidden patches in words."""
    return (
        f"mean squared error {errors['mse']:.4f} of hidden patches, {errors['relative']:.3f} times that of the mean of "
        f"the visible ones, {errors['ratio']:.0%} hidden,"
    )
