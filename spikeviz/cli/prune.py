"""Make a smaller checkpoint without the channels that its masks drop.

Examples:
  spikeviz prune sdmformer-fashion-dvs
  spikeviz prune sdmformer-fashion-dvs --threshold 0.7 --out checkpoints
"""

from __future__ import annotations

import argparse
from pathlib import Path

from spikeviz.cli import Result, add_device


def arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", help="of a checkpoint with channel masks")
    command.add_argument("--threshold", type=float, default=0.5, help="0 to 1; 0.5 is the point it was trained at")
    command.add_argument("--out", type=Path, help="where weights and card go (default: your checkpoints)")
    add_device(command)


def run(options: argparse.Namespace) -> Result:
    from spikeviz.artifacts.cards import accuracy_text
    from spikeviz.evaluation.throughput import speed_text
    from spikeviz.paths import user_checkpoints
    from spikeviz.train.publish import publish_pruned

    card = publish_pruned(options.name, options.threshold, options.out or user_checkpoints(), options.device)
    left, speed = card.measured["parameters_left"], card.measured["throughput"]
    found = accuracy_text(card.accuracy, card.samples, 4)
    data = {"name": card.name, "accuracy": card.accuracy, "samples": card.samples, "parameters_left": left}
    return Result(
        data | {"throughput": speed},
        f"{card.name}: {found} on {card.samples:,} test samples of {card.data}, {card.protocol_text}, {left:.1%} of "
        f"the parameters; speed against the masked network: {speed_text(speed['speedup'], speed['interval'] or None)}, "
        f"{speed['rounds']} rounds, {speed['samples_per_second']:.0f} samples/s, {card.device}",
    )
