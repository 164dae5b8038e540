"""Files as a person brings them: pictures and recordings of events."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

RNG = np.random.default_rng(0)


def png(mode: str = "L", size: tuple[int, int] = (40, 40), light: bool = False) -> bytes:
    """A bright square on a dark ground, or the other way round."""
    pixels = np.full((size[1], size[0]), 30, np.uint8)
    pixels[size[1] // 4 : 3 * size[1] // 4, size[0] // 4 : 3 * size[0] // 4] = 220
    stream = io.BytesIO()
    Image.fromarray(255 - pixels if light else pixels).convert(mode).save(stream, "PNG")
    return stream.getvalue()


def png_of(pixels: np.ndarray) -> bytes:
    """A picture of these pixels, uint8."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def npy(rows: np.ndarray) -> bytes:
    """An array as a file."""
    stream = io.BytesIO()
    np.save(stream, rows)
    return stream.getvalue()


def rows(n: int = 2_000, side: int = 128) -> np.ndarray:
    """Columns t, x, y, p of a recording of a second."""
    t = np.sort(RNG.integers(0, 10**6, n))
    return np.stack([t, *RNG.integers(0, side, (2, n)), RNG.integers(0, 2, n)], axis=1)


def disordered(every: int) -> np.ndarray:
    """Rows of which one in so many comes before the one that it follows."""
    moved = rows()
    at = np.arange(every, len(moved), every)
    moved[[*at, *(at - 1)]] = moved[[*(at - 1), *at]]
    return moved
