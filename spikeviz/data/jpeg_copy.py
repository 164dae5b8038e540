"""The JPEG copy of CIFAR-10, made from the original pictures: what `images.read_cifar10_jpeg` reads."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spikeviz.data.images import Pixels, read_cifar10_folder

QUALITY = 75  # of Pillow, with its own halved colour: the tables of the copy that the cards were measured on
REPORTED = 5_000  # pictures from one report to the next
PLACE = Path("cifar10", "cifar10_jpeg.npz")  # below a folder of data


def make_copy(root: Path) -> Iterator[tuple[str, int, int]]:
    """Write the copy of the CIFAR-10 in a folder of data, in the official order; it is there whole or not at all.

    Yields what is being done, as a download does.
    """
    path = root / PLACE
    arrays: dict[str, Any] = {}
    for split in ("train", "test"):
        official, files = read_cifar10_folder(root, split), list[bytes]()
        for picture in official.pixels:
            if len(files) % REPORTED == 0:
                yield f"packing the {split} pictures, {len(files):,} of {len(official.pixels):,}", 0, 0
            files.append(_jpeg(picture))
        arrays |= _packed(split, files, official)
    part = path.with_name(f"{path.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as file:
            np.savez_compressed(file, **arrays)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _jpeg(picture: np.ndarray) -> bytes:
    """`[3, H, W]` as a JPEG file."""
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))).save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


def _packed(split: str, files: list[bytes], official: Pixels) -> dict[str, np.ndarray]:
    return {
        f"{split}_jpeg": np.frombuffer(b"".join(files), np.uint8),
        f"{split}_offsets": np.cumsum([0, *map(len, files)]),
        f"{split}_labels": official.labels,
    }
