"""Write a page as one HTML file: figures, numbers, settings, and the Python that makes it again.

Examples:
  spikeviz report spike_maps --out report.html
  spikeviz report integer_firing --preset fig11 --out fig11.html
"""

from __future__ import annotations

import argparse
from pathlib import Path

from spikeviz.cli import Result
from spikeviz.cli.figures import add_view, find_scene


def arguments(command: argparse.ArgumentParser) -> None:
    add_view(command)
    command.add_argument("--out", type=Path, required=True, help="the HTML file")


def run(options: argparse.Namespace) -> Result:
    from spikeviz.views.host import page_figures
    from spikeviz.views.sharing.provenance import provenance
    from spikeviz.views.sharing.report import page_report

    scene = find_scene(options)
    figures = page_figures(scene, options.tab, options.studies)
    about = provenance(scene, tab=options.tab)
    about = about.studied() if options.studies else about
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page_report(scene, figures, about), encoding="utf-8")
    data = {"file": str(options.out), "figures": [figure.title for figure in figures]}
    return Result(data, f"{options.out}: {len(figures)} figures")
