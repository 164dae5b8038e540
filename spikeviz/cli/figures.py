"""Write the figures of a page as files, as the app shows them.

Examples:
  spikeviz figures spike_maps --out figures
  spikeviz figures integer_firing --preset fig8 --format svg,csv --out figures
  spikeviz figures random_masks --url "?rsm_ratio=0.75&rsm_part=accuracy" --studies --out figures
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from spikeviz.cli import Result
from spikeviz.figures import FORMATS

if TYPE_CHECKING:
    from spikeviz.views.scene import Scene


def arguments(command: argparse.ArgumentParser) -> None:
    add_view(command)
    command.add_argument("--format", default="png,csv", help=f"{', '.join(FORMATS)} (default: png,csv)")
    command.add_argument("--out", type=Path, required=True, help="folder of the files")
    command.add_argument("--caption", action="store_true", help="print network, input and settings below each picture")


def add_view(command: argparse.ArgumentParser) -> None:
    """What names a view of a page."""
    command.add_argument("page", help="name of a page: spike_maps, random_masks, ...")
    command.add_argument("--preset", help="key of one of its presets")
    command.add_argument("--url", default="", help='the address of a view, or what stands behind its "?"')
    command.add_argument("--tab", help="key of one of its tabs (default: the address's, or the first)")
    command.add_argument(
        "--studies", action="store_true", help="also do the work over data that the app has a button for"
    )


def find_scene(options: argparse.Namespace) -> Scene:
    """The scene that the options of `add_view` name.

    Raises:
        ValueError: with a sentence, also for a part of an address that does not work.
    """
    from spikeviz.views.host import query_of, scene_at
    from spikeviz.views.page import find_page

    page = find_page(options.page)
    if options.tab:
        page.tab(options.tab)
    query = query_of(page, options.preset, options.url)
    if options.tab:
        query[f"{page.key}_part"] = options.tab
    scene, notices = scene_at(page, query)
    if notices:
        raise ValueError(" ".join(notices))
    return scene


def run(options: argparse.Namespace) -> Result:
    from spikeviz.views.host import page_figures

    kinds = [kind.strip().lower() for kind in options.format.split(",") if kind.strip()]
    if not kinds or (unknown := [kind for kind in kinds if kind not in FORMATS]):
        raise ValueError(f"--format takes {', '.join(FORMATS)}, not {', '.join(unknown) if kinds else 'nothing'}.")
    scene = find_scene(options)
    options.out.mkdir(parents=True, exist_ok=True)
    found = []
    for number, figure in enumerate(page_figures(scene, options.tab, options.studies), 1):
        files = []
        for kind in kinds:
            path = options.out / figure.file(kind, number)
            path.write_bytes(figure.export(kind, options.caption))
            files.append(str(path))
        found.append({"title": figure.title, "notice": figure.notice, "source": figure.source, "files": files})
    lines = [f"{one['title']}: {', '.join(one['files'])}" for one in found]
    return Result(found, "\n".join(lines) or f"{options.page} has no figures here")
