"""Write a page as one HTML file: figures, numbers, settings, and the Python that makes it again.

Examples:
  spikeviz report spike_maps --out report.html
  spikeviz report integer_firing --preset fig11 --out fig11.html
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from spikeviz.cli import Result
from spikeviz.cli.figures import add_view, find_scene


def arguments(command: argparse.ArgumentParser) -> None:
    add_view(command)
    command.add_argument("--out", type=Path, required=True, help="the HTML file")


def run(options: argparse.Namespace) -> Result:
    from spikeviz.views.host import page_figures
    from spikeviz.views.sharing.report import page_report

    scene, query = find_scene(options)
    figures = page_figures(scene, options.tab, options.studies)
    command = f"spikeviz report {options.page}" + (f" --url {shlex.quote(query)}" if query else "")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page_report(scene, figures, command), encoding="utf-8")
    data = {"file": str(options.out), "figures": [figure.title for figure in figures]}
    return Result(data, f"{options.out}: {len(figures)} figures")
