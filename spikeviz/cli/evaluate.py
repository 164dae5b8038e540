"""Measure a checkpoint on its test split, or on val: the accuracy, or the error of an autoencoder.

It only measures: `spikeviz publish` writes checkpoints and cards. The exit status is 1 where the whole split gives a
lower accuracy, or a larger error of hidden patches, than the card says. Choices are made on val; the test set is read
once, of what was chosen.

Examples:
  spikeviz evaluate spikformer-fashion
  spikeviz evaluate spikformer-fashion --split val
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
    command.add_argument("--split", choices=("val", "test"), default="test", help="of its data (default: %(default)s)")
    command.add_argument("--limit", type=int, help="only the first samples (not what a card holds)")
    add_device(command)


def run(options: argparse.Namespace) -> Result:
    from spikeviz.artifacts.cards import find_card
    from spikeviz.artifacts.checkpoints import load

    card, _ = find_card(options.name)
    model = load(options.name, options.device)
    device = next(model.parameters()).device
    return (_accuracy if card.classifies else _errors)(card, model, options.split, options.limit, str(device))


def _accuracy(card: CheckpointCard, model: Any, split: str, limit: int | None, device: str) -> Result:
    from spikeviz.artifacts.cards import accuracy_text, binomial_error
    from spikeviz.evaluation import accuracy

    score, samples = accuracy(model, card.data, limit, split=split)
    said = {"accuracy": card.accuracy, "samples": card.samples} if split == "test" else card.measured.get("val", {})
    held, whole = said.get("accuracy"), said.get("samples")
    data = {"name": card.name, "data": card.data, "split": split, "samples": samples, "device": device}
    data |= {"accuracy": score, "standard_error": binomial_error(score, samples), "card": held}
    data |= {"protocol": card.protocol}
    text = f"{card.name}: {accuracy_text(score, samples, 4)} (standard error) on {samples:,} {split} samples of "
    text += f"{card.data}; {_worth(card, split)}"
    if samples != whole or held is None:
        return Result(data, text)
    text += f"\nthe card says {accuracy_text(held, samples, 4)} on {samples:,} ({card.device})"
    return Result(data, text, FELL_SHORT if score < held - SHORT else 0)


def _worth(card: CheckpointCard, split: str) -> str:
    """How the network was chosen, and whether it can have been trained on these samples."""
    from spikeviz.artifacts.cards import CHOSEN_ON_VAL

    seen = split == "val" and card.protocol != CHOSEN_ON_VAL
    return f"{card.protocol_text}{', and it may have been trained on val' if seen else ''}"


def _errors(card: CheckpointCard, model: Any, split: str, limit: int | None, device: str) -> Result:
    from spikeviz.evaluation.reconstruction import hidden_errors

    errors = hidden_errors(model, card.data, limit=limit, split=split)
    data = {"name": card.name, "data": card.data, "split": split, "device": device, "protocol": card.protocol, **errors}
    text = f"{card.name}: {error_text(errors)} on {errors['samples']:,} {split} samples of {card.data}"
    text += f"; {_worth(card, split)}"
    held = card.measured.get("reconstruction" if split == "test" else "val")
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
