"""Feature maps as pictures: every pixel is one neuron, the colour range is fixed, nothing is smoothed."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from spikeviz.figures.chart import Maps
from spikeviz.figures.theme import ROOT, Quantity, coloured, difference_colours, rate_colours, scale_ticks

GAP = 1  # pixels between the channels of a mosaic
GROUND = (32, 0, 42)  # darker than viridis at 0
Axes = tuple[str, tuple[float, float], str, tuple[float, float]] | None
PIXELS = "image-rendering:pixelated;width:100%;aspect-ratio:1;display:block;border-radius:3px"
CAPTION = "font-size:0.8rem;line-height:1.35;opacity:0.85;overflow-wrap:anywhere"


def data_uri(pixels: UInt8[np.ndarray, "H W 3"]) -> str:
    """A picture as a PNG inside its own address; one byte of file for few bytes of network."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def tile(pixels: UInt8[np.ndarray, "H W 3"], title: str, note: str, alt: str, axes: Axes = None) -> str:
    """One picture with a title and a note below; `axes` as those of `Maps`."""
    image = f'<img src="{data_uri(pixels)}" alt="{escape(alt, quote=True)}" style="{PIXELS}">'
    if axes is not None:
        x, (left, right), y, (bottom, top) = axes
        ends = "display:flex;justify-content:space-between"
        up = f'<span style="writing-mode:vertical-rl;transform:rotate(180deg)">{escape(y)}</span>'
        upright = f'<div style="{ends};flex-direction:column"><span>{top:g}</span>{up}<span>{bottom:g}</span></div>'
        across = f'<div style="{ends}"><span>{left:g}</span><span>{escape(x)}</span><span>{right:g}</span></div>'
        grid = "display:grid;grid-template-columns:auto 1fr;gap:0 4px;font-size:0.72rem;line-height:1.2"
        image = f'<div style="{grid}">{upright}<div style="min-width:0">{image}</div><span></span>{across}</div>'
    words = f'<b style="font-weight:600">{escape(title)}</b><br>{escape(note)}'
    return f'<figure style="margin:0;min-width:0">{image}<figcaption style="{CAPTION}">{words}</figcaption></figure>'


def strip(tiles: Sequence[str], columns: int, smallest: int = 96, largest: int = 190) -> str:
    """Tiles side by side, `columns` in a row and fewer where they would be narrower than `smallest` pixels."""
    share = f"calc((100% - {10 * (columns - 1)}px) / {columns})"
    grid = f"repeat(auto-fill,minmax(max({smallest}px,{share}),1fr))"
    width = f"max-width:{columns * (largest + 10)}px"
    return f'<div style="display:grid;grid-template-columns:{grid};gap:8px 10px;{width}">{"".join(tiles)}</div>'


def map_tiles(maps: Maps, notes: Sequence[str]) -> list[str]:
    """Maps of either quantity, a note below each."""
    _, height, width = maps.maps.shape
    return [
        tile(pixels, title, note, f"{maps.title}, {title}: {height} by {width} neurons, {note}", maps.axes)
        for pixels, title, note in zip(maps.pixels(), maps.titles, notes, strict=True)
    ]


def rate_bar(label: str) -> str:
    """The colour scale of a rate, 0 at the left, 1 at the right."""
    return scale_bar(label, "rate")


def scale_bar(label: str, quantity: Quantity) -> str:
    """The colour scale of either quantity, its lowest value at the left."""
    table = rate_colours() if quantity == "rate" else difference_colours()
    stops = ",".join(f"rgb({r},{g},{b})" for r, g, b in table[::15])  # 18 stops, 255 is one of them
    ramp = f"width:180px;height:9px;border-radius:2px;background:linear-gradient(90deg,{stops})"
    place = "position:absolute;transform:translateX(-50%);left"
    ticks = "".join(f'<span style="{place}:{share:.1%}">{tick}</span>' for tick, share in scale_ticks(quantity).items())
    below = '<div style="position:relative;width:180px;height:1.35em">'
    scale = f'<div style="padding:0 8px"><div style="{ramp}"></div>{below}{ticks}</div></div>'
    return (
        f'<div style="{CAPTION};margin-top:8px;display:flex;gap:4px 14px;align-items:center;flex-wrap:wrap">'
        f"{scale}<span>{escape(label)}; {ROOT}</span></div>"
    )


def channel_mosaic(maps: Float[np.ndarray, "C H W"]) -> UInt8[np.ndarray, "h w 3"]:
    """All channels of a layer in one picture, as near to a square as their number allows."""
    channels, height, width = maps.shape
    columns = int(np.ceil(np.sqrt(channels)))
    rows = int(np.ceil(channels / columns))
    sheet = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), GROUND, np.uint8)
    for channel, colours in enumerate(coloured(maps)):
        top, left = (channel // columns) * (height + GAP), (channel % columns) * (width + GAP)
        sheet[top : top + height, left : left + width] = colours
    return sheet


def photograph(image: Float[np.ndarray, "C H W"]) -> UInt8[np.ndarray, "H W 3"]:
    """An image in [0, 1] as it is, grey or colour."""
    grey = np.repeat(image, 3, axis=0) if image.shape[0] == 1 else image[:3]
    return (np.clip(grey, 0, 1).transpose(1, 2, 0) * 255).round().astype(np.uint8)
