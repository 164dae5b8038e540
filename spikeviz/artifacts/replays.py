"""How an autoencoder learned: what it made of a few images after every epoch. Reading needs no torch."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from spikeviz.artifacts.cards import find_card


@dataclass(frozen=True, eq=False)
class Replay:
    """The first images of a split through training; entry e is after e epochs, entry 0 before the first.

    Attributes:
        images: that were shown, 0 to 255.
        kept: True where a patch was visible, the same in every epoch: what `HidePatches` draws with seed 0.
        made: the whole reconstruction, 0 to 255, visible patches too.
        error, fill: mean squared error over hidden pixels, in [0, 1] units, of more images (`samples`): the
            reconstruction's, and that of the mean of the visible pixels.
        rank: effective rank of what the encoder says of the visible patches of these images.
        samples, ratio: how many they are, and the share of patches hidden from them.
        split: of which they are: val, where it was left out of the training; in files of an older version test.
    """

    images: UInt8[np.ndarray, "N C H W"]
    kept: Bool[np.ndarray, "N h w"]
    made: UInt8[np.ndarray, "epochs N C H W"]
    error: Float64[np.ndarray, " epochs"]
    fill: float
    rank: Float64[np.ndarray, " epochs"]
    samples: int
    ratio: float
    split: str = "test"

    def write(self, path: Path, **facts: str) -> None:
        """As arrays of numbers, with `facts`; into a second file first, so that a kill in the middle spoils nothing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new.npz")
        arrays: dict[str, Any] = asdict(self) | facts
        np.savez_compressed(fresh, **arrays)
        os.replace(fresh, path)

    @classmethod
    def read(cls, path: Path) -> Replay:
        """From a file.

        Raises:
            FileNotFoundError: if there is none.
            ValueError: if it is no replay.
        """
        return cls(**_arrays(path))


def find_replay(name: str) -> Replay | None:
    """What the run of a checkpoint left behind; None if there is no such file, or it is of another run.

    Raises:
        ValueError: for an unknown checkpoint, or a damaged file.
    """
    card, weights = find_card(name)
    path = replay_file(weights)
    if not path.exists() or _arrays(path, "sha256") != {"sha256": card.sha256}:
        return None
    return Replay.read(path)


def replay_file(weights: Path) -> Path:
    """Where the replay of a checkpoint lies: beside the folder of its weights."""
    return weights.parent.parent / "replays" / f"{weights.stem}.npz"


def _arrays(path: Path, *names: str) -> dict:
    names = names or tuple(f.name for f in fields(Replay))
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in names if name in file or name != "split"}
            return {name: value if value.ndim else value.item() for name, value in found.items()}
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise ValueError(f"{path.name} is no replay of a training ({error}); `spikeviz publish` writes one.") from None
