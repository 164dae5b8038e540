"""List data sets, or download one.

What ships needs no download. Another set is fetched from where torchvision or tonic fetch it, and its sums are checked.
It goes into the first folder of SPIKEVIZ_DATA; where that is not set, into a folder of yours that is found again.

Examples:
  spikeviz data list
  spikeviz data get cifar10
  spikeviz data get cifar10-jpeg --folder ~/data
  export SPIKEVIZ_DATA=~/data
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from spikeviz.cli import Result

if TYPE_CHECKING:
    from spikeviz.data.download import Progress


def arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=("list", "get"), help="list every set, or get one")
    command.add_argument("name", nargs="?", help="of the set to get")
    command.add_argument(
        "--folder", type=Path, help="where it goes (default: the first folder of SPIKEVIZ_DATA, or your own)"
    )


def run(options: argparse.Namespace) -> Result:
    from spikeviz.data.download import describe_data

    if options.action == "list":
        rows = describe_data()
        wide = max(len(row["name"]) for row in rows)
        lines = [f"{row['name']:{wide}}  {row['where']:12}  {row['title']}" for row in rows]
        return Result(rows, "\n".join(lines))
    if not options.name:
        raise ValueError("name the data set to get; `spikeviz data list` has them all.")
    return _get(options.name, options.folder)


def _get(name: str, folder: Path | None) -> Result:
    from spikeviz.data.download import get_data
    from spikeviz.paths import data_folders

    folders = data_folders()
    path = get_data(name, folder or folders[0], _progress())
    told = "" if path in folders else f" Set SPIKEVIZ_DATA={path} so that spikeviz finds it."
    return Result({"name": name, "folder": str(path)}, f"{name} is in {path}.{told}")


def _progress() -> Progress:
    """A bar on stderr for each file that comes, and a line for each that is unpacked."""
    import sys

    from tqdm import tqdm

    bars: dict[str, tqdm] = {}

    def report(what: str, done: int, total: int) -> None:
        if not done and not total:
            tqdm.write(what, file=sys.stderr)
            return
        if what not in bars:
            for earlier in bars.values():
                earlier.close()
            bars[what] = tqdm(desc=what, total=total or None, unit="B", unit_scale=True, file=sys.stderr)
        bars[what].update(done - bars[what].n)

    return report
