"""Where things lie: what ships with spikeviz, what the user keeps, and where data sets are looked for."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def app_root() -> Path:
    """The folder that holds `app.py`, `pages/` and `assets/`: the checkout, or their copy inside an installed wheel."""
    package = Path(__file__).resolve().parent
    return package / "_app_root" if (package / "_app_root").is_dir() else package.parent


def assets() -> Path:
    """What ships: sample data, checkpoints with their cards, screenshots. Read-only."""
    return app_root() / "assets"


def is_installed() -> bool:
    """Whether what ships lies inside an installed package, which is not written to, and not in a checkout."""
    return app_root().name == "_app_root"


def user_checkpoints() -> Path:
    """Where `spikeviz publish`, `prune` and `import` keep the user's checkpoints (made on first write)."""
    return Path(platformdirs.user_data_dir("spikeviz")) / "checkpoints"


def cache_folder() -> Path:
    """What can be computed again: frames counted from events (made on first write)."""
    return Path(platformdirs.user_cache_dir("spikeviz")) / "frames"


def data_folders() -> tuple[Path, ...]:
    """The only door to data that does not ship: the folders of `SPIKEVIZ_DATA` (joined by `os.pathsep`), in order, or
    the user's own where it names none. Downloads go into the first."""
    named = tuple(Path(p).expanduser() for p in os.environ.get("SPIKEVIZ_DATA", "").split(os.pathsep) if p)
    return named or (Path(platformdirs.user_data_dir("spikeviz")) / "data",)


def found_beside(weights: Path, folder: str, ending: str) -> list[Path]:
    """Where a file that belongs to a checkpoint is looked for: beside the user's checkpoints, then beside its own.

    Args:
        weights: of the checkpoint.
        folder: beside that of the weights, such as `curves`.
        ending: of the file, which is called as the weights are.
    """
    roots = dict.fromkeys((user_checkpoints().parent, weights.parent.parent))
    return [root / folder / f"{weights.stem}{ending}" for root in roots]


def written_beside(weights: Path, folder: str, ending: str) -> Path:
    """Where such a file is written, in a folder that is made: beside the weights, but never into an installed package,
    which belongs to who installed it; then beside the user's checkpoints."""
    ships = weights.parent.parent == assets() and is_installed()
    path = found_beside(weights, folder, ending)[0 if ships else -1]
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
