"""Feature maps as pictures: every pixel is one neuron, the colour range is fixed, nothing is smoothed."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from spikeviz.figures.theme import SPIKE, coloured, rate_colours

GAP = 1  # pixels between the channels of a mosaic
PIXELS = "image-rendering:pixelated;width:100%;aspect-ratio:1;display:block;border-radius:3px"
CAPTION = "font-size:0.8rem;line-height:1.35;opacity:0.85;overflow-wrap:anywhere"


def data_uri(pixels: UInt8[np.ndarray, "H W 3"]) -> str:
    """A picture as a PNG inside its own address; one byte of file for few bytes of network."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def tile(pixels: UInt8[np.ndarray, "H W 3"], title: str, note: str, alt: str, mark: tuple[int, int] | None = None) -> str:
    """One picture with a title and a note below; `mark` = (row, column) draws a frame around one pixel."""
    height, width = pixels.shape[:2]
    frame = ""
    if mark is not None:
        row, column = mark
        place = f"left:{100 * column / width:.3f}%;top:{100 * row / height:.3f}%"
        size = f"width:{100 / width:.3f}%;height:{100 / height:.3f}%"
        frame = f'<span style="position:absolute;box-sizing:content-box;{place};{size};outline:2px solid {SPIKE}"></span>'
    image = f'<img src="{data_uri(pixels)}" alt="{escape(alt, quote=True)}" style="{PIXELS}">'
    words = f'<b style="font-weight:600">{escape(title)}</b> {escape(note)}'
    return (
        f'<figure style="margin:0;min-width:0"><div style="position:relative">{image}{frame}</div>'
        f'<figcaption style="{CAPTION}">{words}</figcaption></figure>'
    )


def strip(tiles: Sequence[str], smallest: int = 104, largest: int = 190) -> str:
    """Tiles side by side, as many in a row as fit."""
    columns = f"repeat(auto-fill,minmax(min({smallest}px,30%),1fr))"
    width = f"max-width:{len(tiles) * (largest + 10)}px"
    return f'<div style="display:grid;grid-template-columns:{columns};gap:8px 10px;{width}">{"".join(tiles)}</div>'


def rate_strip(
    maps: Float[np.ndarray, "n H W"],
    titles: Sequence[str],
    notes: Sequence[str],
    what: str,
    mark: tuple[int, int] | None = None,
    largest: int = 190,
) -> str:
    """Maps of firing rates 0 to 1 side by side."""
    alts = [f"{what}, {title}: {len(m)} by {m.shape[1]} neurons, {note}" for m, title, note in zip(maps, titles, notes, strict=True)]
    rows = zip(maps, titles, notes, alts, strict=True)
    return strip([tile(coloured(m), title, note, alt, mark) for m, title, note, alt in rows], largest=largest)


def rate_bar(label: str) -> str:
    """The colour scale of a rate, 0 at the left, 1 at the right."""
    stops = ",".join(f"rgb({r},{g},{b})" for r, g, b in rate_colours()[::32]) + ",rgb(253,231,36)"
    ramp = f"display:inline-block;width:110px;height:9px;border-radius:2px;background:linear-gradient(90deg,{stops})"
    return (
        f'<div style="{CAPTION};display:flex;gap:6px;align-items:center;flex-wrap:wrap">'
        f'<span>0</span><span style="{ramp}"></span><span>1</span><span>{escape(label)}</span></div>'
    )


def channel_mosaic(maps: Float[np.ndarray, "C H W"]) -> UInt8[np.ndarray, "h w 3"]:
    """All channels of a layer in one picture, as near to a square as their number allows."""
    channels, height, width = maps.shape
    columns = int(np.ceil(np.sqrt(channels)))
    rows = int(np.ceil(channels / columns))
    sheet = np.zeros((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), np.uint8)
    for channel, colours in enumerate(coloured(maps)):
        top, left = (channel // columns) * (height + GAP), (channel % columns) * (width + GAP)
        sheet[top : top + height, left : left + width] = colours
    return sheet


def photograph(image: Float[np.ndarray, "C H W"]) -> UInt8[np.ndarray, "H W 3"]:
    """An image in [0, 1] as it is, grey or colour."""
    grey = np.repeat(image, 3, axis=0) if image.shape[0] == 1 else image[:3]
    return (np.clip(grey, 0, 1).transpose(1, 2, 0) * 255).round().astype(np.uint8)
