"""Data sets of events as frames of a fixed T: Fashion-MNIST through the event-camera simulator, and recorded sets.

Frames are counted once for each split and kept in the user's cache, from where they are read piece by piece. A limit
that is asked for before that counts no more recordings than it needs, and keeps nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, Integer

from spikeviz.data.event_camera import DEFAULT, events_of, frames_of
from spikeviz.data.event_folders import LAYOUTS, open_folder
from spikeviz.data.events import EventRecording, by_number
from spikeviz.data.images import Pixels, Shipped, fashion_split, place_fashion
from spikeviz.paths import cache_folder

SIMULATION = "fashion-dvs"
NO_CAMERA = "simulated events, no camera recorded them"  # the note of a recording that `simulated` made
SEEDS = {"test": 0, "train-10k": 1}  # of the simulated noise; 2 of the official training set
VERSION = 1  # of what is counted: another one leaves old caches unread
Frames = Integer[np.ndarray, "n T 2 H W"]


def read_fashion_dvs(split: str, limit: int | None, steps: int) -> Pixels:
    """Simulated events of Fashion-MNIST `[n, steps, 2, 34, 34]`, from the pictures of the same split.

    A recording is always the same: its noise is a function of its picture's place in the official file; in `train-10k`,
    which has noise of its own, of its number there.
    """
    split = fashion_split(split)

    def count(number: int | None) -> Frames:
        pictures = place_fashion(split, number)
        images = pictures.pixels[:, 0].astype(np.float32) / 255
        return frames_of(images, DEFAULT, _seed(split), steps, _numbers(split, pictures))

    labels = place_fashion(split).labels
    frames = _kept(f"fashion-dvs {split} {steps} {DEFAULT!r} {_seed(split)}", count, limit)
    return Pixels(frames, labels[: len(frames)])


def _seed(split: str) -> int:
    return SEEDS.get(split, 2)


def _numbers(split: str, pictures: Shipped) -> Int64[np.ndarray, "n"]:
    """What the noise of each recording is drawn from, beside the seed."""
    return np.arange(len(pictures.labels)) if split in SEEDS else pictures.indices


def read_recorded(name: str, split: str, limit: int | None, steps: int) -> Pixels:
    """A recorded set as frames `[n, steps, 2, H, W]` of equal time, each recording from its first event to its last.

    Raises:
        ValueError: for a split there is none of, or a recording that is damaged.
        FileNotFoundError: where the set is not in `SPIKEVIZ_DATA`.
    """
    folder = open_folder(name, split)
    stamp = [(path.name, path.stat().st_size) for path in folder.files]

    def count(number: int | None) -> Frames:
        return np.stack([by_number(folder.recording(i), steps) for i in range(len(folder))[:number]])

    frames = _kept(f"{name} {split} {steps} {stamp}", count, limit)
    return Pixels(frames, np.array(folder.labels[: len(frames)], dtype=np.uint8))


def recording(name: str, split: str, index: int) -> EventRecording:
    """The events behind sample `index` of a set of events, before they are counted into frames.

    Raises:
        ValueError: for a set that is not one of events, or an index it does not have.
        FileNotFoundError: where the set is not in `SPIKEVIZ_DATA`.
    """
    if name.startswith(SIMULATION):
        split = fashion_split(split)
        pictures = place_fashion(split)
        _check_index(name, index, len(pictures.labels))
        image = pictures.pixels[index : index + 1, 0].astype(np.float32) / 255
        return simulated(image, _seed(split), int(_numbers(split, pictures)[index]))
    if name not in LAYOUTS:
        raise ValueError(f"{name} holds no events; {SIMULATION}, {', '.join(LAYOUTS)} do")
    folder = open_folder(name, split)
    _check_index(name, index, len(folder))
    return folder.recording(index)


def simulated(images: Float32[np.ndarray, "1 H W"], seed: int = 0, index: int = 0) -> EventRecording:
    """One picture, [0, 1], through the simulated camera."""
    (found,) = events_of(images, DEFAULT, seed, [index])
    return EventRecording(*found, notes=(NO_CAMERA,))


def _check_index(name: str, index: int, count: int) -> None:
    if not 0 <= index < count:
        raise ValueError(f"the recordings of {name} are numbered 0 to {count - 1}, there is no {index}")


def _kept(key: str, count: Callable[[int | None], Frames], limit: int | None) -> Frames:
    """The first `limit` of what `count` answers, from the cache, or into it where all are asked for."""
    path = cache_folder() / f"{key.split()[0]}-{hashlib.sha256(f'{VERSION} {key}'.encode()).hexdigest()[:16]}.npy"
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)[:limit]
    except (OSError, ValueError):  # not there yet, or damaged
        frames = count(limit)
    if limit is None:
        _write(path, frames)
    return frames


def _write(path: Path, frames: Frames) -> None:
    """A second file first: whoever reads sees all of it or nothing. A cache that cannot be written is none."""
    fresh = path.with_name(f"{path.stem}-{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as file:
            np.save(file, frames, allow_pickle=False)
        os.replace(fresh, path)
    except OSError:
        with suppress(OSError):
            fresh.unlink()
