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
    from spikeviz.artifacts.cards import accuracy_text, list_checkpoints
    from spikeviz.models.registry import list_models
    from spikeviz.paths import assets
    from spikeviz.views.networks.words import full_name, name_in_words, size_text

    models, cards = list_models(), list_checkpoints()
    if options.markdown:
        text = markdown([card for card in cards if (assets() / "checkpoints" / f"{card.name}.json").exists()])
        return Result({"markdown": text}, text)
    sizes = [
        (
            spec.name,
            f"{spec.params:,}",
            "x".join(str(n) for n in spec.input),
            str(spec.time_steps),
            (spec.paper or "demo size") + (f" ({spec.notes})" if spec.notes else ""),
        )
        for spec in models
    ]
    trained = [
        (
            card.name,
            size_text(card.parameters),
            "-" if card.accuracy is None else accuracy_text(card.accuracy, card.samples, 4),
            f"{card.samples:,}",
            card.data,
            card.protocol,
            name_in_words(card),
        )
        for card in cards
    ]
    heads = ("checkpoint", "parameters", "accuracy", "samples", "data", "protocol", "network")
    lines = [
        *aligned(("model", "parameters", "input", "T", "from"), sizes, "<>>><"),
        "",
        *aligned(heads, trained, "<>>><<<"),
    ]
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
                    "words": full_name(c, cards),
                    "parameters": c.parameters,
                    "model": c.model,
                    "data": c.data,
                    "task": c.task,
                    "accuracy": c.accuracy,
                    "standard_error": c.error,
                    "samples": c.samples,
                    "protocol": c.protocol,
                    "seed": c.seed,
                    "device": c.device,
                    "sha256": c.sha256,
                }
                for c in cards
            ],
        },
        "\n".join(lines),
    )


def aligned(heads: Sequence[str], rows: Sequence[Sequence[str]], sides: str) -> list[str]:
    """A table as lines; `sides` says of every column whether it is aligned left (`<`) or right (`>`)."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    return [
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    ]


def markdown(cards: Sequence[CheckpointCard]) -> str:
    """The cards of some checkpoints as a document: what each is, how it was trained, and what it has."""
    lines = [
        "# Checkpoints",
        "",
        "Made by `spikeviz models --markdown` from the cards. Trained by spikeviz, by recipes anybody can run again.",
        "They are demo-size networks: not the papers' networks, and their accuracy is not the papers'. Accuracies are",
        "of the whole test split, with the binomial standard error sqrt(p(1-p)/n); of one training each, so they say",
        "nothing of other seeds. The protocol is `val` where recipe, epoch and thresholds were chosen on val and the",
        "test split was read once; where the test set had a say, an accuracy may be too high by an unknown amount. How",
        "recipes were chosen is in the [training log](training_log.md).",
        "",
        "| name | network | model | data | result | protocol | measured by | trained by |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join(lines + [_row(card) for card in cards])


def _row(card: CheckpointCard) -> str:
    from spikeviz.views.networks.words import name_in_words

    training = card.training
    minutes, processor = training.get("seconds", 0) / 60, training.get("cpu_seconds", 0) / 60
    trained = f"`{training.get('command', '')}`, seed {card.seed}, {training.get('epochs', '?')} epochs of "
    trained += f"{training.get('images', 0):,} samples, {minutes:.0f} minutes"
    trained += f" ({processor:.0f} of processor time)" if processor else ""
    measured = f"`{card.command}`, {card.samples:,} test samples, {card.device}"
    model = card.model + (f", {card.parameters:,} parameters" if card.parameters else "")
    cells = (f"`{card.name}`", name_in_words(card), model, card.data, _result(card), card.protocol, measured, trained)
    return f"| {' | '.join(cells)} |"


def _result(card: CheckpointCard) -> str:
    from spikeviz.artifacts.cards import accuracy_with_error

    if not card.classifies:
        errors = card.measured["reconstruction"]
        hidden = f"{errors['ratio']:.0%} hidden"
        return f"error of hidden patches {errors['relative']:.3f} times that of the visible mean, {hidden}"
    if card.accuracy is None:
        return "not measured"
    found = accuracy_with_error(card.accuracy, card.samples)
    if val := card.measured.get("val"):
        found += f"; {accuracy_with_error(val['accuracy'], val['samples'])} on val"
    under = card.measured.get("as_trained")
    return found + (
        f"; {accuracy_with_error(under['accuracy'], card.samples)} under the masks it was trained under"
        if under
        else ""
    )
