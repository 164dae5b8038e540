"""Write a checkpoint, its weights and its card, as one zip file to hand on.

Examples:
  spikeviz export spikformer-fashion --out spikformer-fashion.zip
  spikeviz import spikformer-fashion.zip
"""

from __future__ import annotations

import argparse
from pathlib import Path

from spikeviz.cli import Result


def arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", help="of a checkpoint")
    command.add_argument("--out", type=Path, help="the file (default: NAME.zip)")


def run(options: argparse.Namespace) -> Result:
    from spikeviz.artifacts.archive import archive

    path = options.out or Path(f"{options.name}.zip")
    content = archive(options.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return Result({"name": options.name, "file": str(path), "bytes": len(content)}, f"{path}: {len(content):,} bytes")
