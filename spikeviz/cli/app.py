"""Serve the app on this machine (what `spikeviz` alone does), or to everybody on its network.

Examples:
  spikeviz
  spikeviz app --port 8600
  spikeviz app --host 0.0.0.0
"""

from __future__ import annotations

import argparse


def arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--port", type=int, help="8501, or the next free one, unless given")

    command.add_argument(
        "--host",
        default="127.0.0.1",
        help="127.0.0.1, which only this machine reaches, unless given; 0.0.0.0 lets everybody on the network use it",
    )


def run(options: argparse.Namespace) -> None:
    from spikeviz.ui.server.serve import serve

    serve(port=options.port, host=options.host)
