"""List every model that can be built and every checkpoint there is.

Examples:
  spikeviz models
  spikeviz models --json
"""

from __future__ import annotations

import argparse

from spikeviz.cli import Result


def arguments(_: argparse.ArgumentParser) -> None:
    """It has none of its own."""


def run(_: argparse.Namespace) -> Result:
    from spikeviz.artifacts.cards import list_checkpoints
    from spikeviz.models.registry import list_models

    models, cards = list_models(), list_checkpoints()
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
                {"name": s.name, "family": s.family, "params": s.params, "input": s.input, "T": s.time_steps,
                 "paper": s.paper, "notes": s.notes}
                for s in models
            ],
            "checkpoints": [
                {"name": c.name, "model": c.model, "data": c.data, "task": c.task, "accuracy": c.accuracy,
                 "samples": c.samples, "seed": c.seed, "device": c.device, "sha256": c.sha256}
                for c in cards
            ],
        },
        "\n".join(lines),
    )  # fmt: skip
