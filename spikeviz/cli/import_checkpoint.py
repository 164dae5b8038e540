"""Take a checkpoint from a zip file into your own: `spikeviz export` writes one, and so does the app.

The file holds weights (.safetensors) and their card (.json), and is never unpickled. A name that is there already is
refused.

Examples:
  spikeviz import sdmformer-fashion-dvs-pruned-0.7.zip
"""

from __future__ import annotations

import argparse
from pathlib import Path

from spikeviz.cli import Result


def arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, help="the zip file")


def run(options: argparse.Namespace) -> Result:
    from spikeviz.artifacts.archive import unpack

    card = unpack(options.file.read_bytes())
    text = f"{card.name} is one of your checkpoints now; `spikeviz evaluate {card.name}` measures it"
    return Result({"name": card.name, "model": card.model, "sha256": card.sha256}, text)
