"""List every model that can be built and every checkpoint there is.

Examples:
  spikeviz models
  spikeviz models --json
  spikeviz models --markdown > docs/checkpoints.md
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spikeviz.cli import Result

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard


def arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--markdown", action="store_true", help="the cards of the shipped checkpoints as a document")


def run(options: argparse.Namespace) -> Result:
    from spikeviz.artifacts.cards import list_checkpoints
    from spikeviz.models.registry import list_models
    from spikeviz.paths import assets

    models, cards = list_models(), list_checkpoints()
    if options.markdown:
        text = markdown([card for card in cards if (assets() / "checkpoints" / f"{card.name}.json").exists()])
        return Result({"markdown": text}, text)
    wide = max(len(name) for name in (*(s.name for s in models), *(c.name for c in cards)))
    lines = [f"{'model':{wide}} {'parameters':>12}  {'input':>11}  {'T':<3} from"]
    for spec in models:
        size = "x".join(str(n) for n in spec.input)
        notes = f" ({spec.notes})" if spec.notes else ""
        lines.append(
            f"{spec.name:{wide}} {spec.params:12,}  {size:>11}  {spec.time_steps:<3} {spec.paper or 'demo size'}{notes}"
        )
    lines.append(f"\n{'checkpoint':{wide}} {'accuracy':>12}  data (samples)")
    for card in cards:
        score = "-" if card.accuracy is None else f"{card.accuracy:.4f}"
        lines.append(f"{card.name:{wide}} {score:>12}  {card.data} ({card.samples:,}), seed {card.seed}, {card.device}")
    return Result(
        {
            "models": [
                {
                    "name": s.name,
                    "family": s.family,
                    "params": s.params,
                    "input": s.input,
                    "T": s.time_steps,
                    "paper": s.paper,
                    "notes": s.notes,
                }
                for s in models
            ],
            "checkpoints": [
                {
                    "name": c.name,
                    "model": c.model,
                    "data": c.data,
                    "task": c.task,
                    "accuracy": c.accuracy,
                    "samples": c.samples,
                    "seed": c.seed,
                    "device": c.device,
                    "sha256": c.sha256,
                }
                for c in cards
            ],
        },
        "\n".join(lines),
    )


def markdown(cards: Sequence[CheckpointCard]) -> str:
    """The cards of some checkpoints as a document: what each is, how it was trained, and what it has."""
    lines = [
        "# Checkpoints",
        "",
        "Made by `spikeviz models --markdown` from the cards. Trained by spikeviz, by recipes anybody can run again.",
        "They are demo-size networks: not the papers' networks, and their accuracy is not the papers'. Accuracies are",
        "of the whole test split, with the binomial standard error. How recipes were chosen, and where the test set",
        "had a say, is in the [training log](training_log.md).",
        "",
        "| name | model | data | result | measured by | trained by |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join(lines + [_row(card) for card in cards])


def _row(card: CheckpointCard) -> str:
    training = card.training
    minutes, processor = training.get("seconds", 0) / 60, training.get("cpu_seconds", 0) / 60
    trained = f"`{training.get('command', '')}`, seed {card.seed}, {training.get('epochs', '?')} epochs of "
    trained += f"{training.get('images', 0):,} samples, {minutes:.0f} minutes"
    trained += f" ({processor:.0f} of processor time)" if processor else ""
    measured = f"`{card.command}`, {card.samples:,} test samples, {card.device}"
    parameters = card.measured.get("parameters")
    model = card.model + (f", {parameters:,} parameters" if parameters else "")
    return f"| `{card.name}` | {model} | {card.data} | {_result(card)} | {measured} | {trained} |"


def _result(card: CheckpointCard) -> str:
    if not card.classifies:
        errors = card.measured["reconstruction"]
        hidden = f"{errors['ratio']:.0%} hidden"
        return f"error of hidden patches {errors['relative']:.3f} times that of the visible mean, {hidden}"
    if card.accuracy is None:
        return "not measured"
    found = _accuracy(card.accuracy, card.samples)
    under = card.measured.get("as_trained")
    return found + (
        f"; {_accuracy(under['accuracy'], card.samples)} under the masks it was trained under" if under else ""
    )


def _accuracy(score: float, samples: int) -> str:
    return f"{score:.4f} ± {(score * (1 - score) / samples) ** 0.5:.4f}"
