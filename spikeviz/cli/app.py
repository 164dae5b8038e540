"""Serve the app on this machine (what `spikeviz` alone does).

Examples:
  spikeviz
  spikeviz app --port 8600
"""

from __future__ import annotations

import argparse


def arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--port", type=int, help="8501, or the next free one, unless given")


def run(options: argparse.Namespace) -> None:
    from spikeviz.ui.server.serve import serve

    serve(port=options.port)
