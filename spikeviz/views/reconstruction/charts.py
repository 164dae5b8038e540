"""What an autoencoder saw, what it made of it, and its errors against ratio, layer and epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

from spikeviz.figures.chart import Chart, Line, Maps, Rule
from spikeviz.figures.pictures import Pictures
from spikeviz.figures.render_html import strip, tile
from spikeviz.figures.theme import ACCENT, QUIET, SECOND, SPIKE

if TYPE_CHECKING:
    import pandas as pd

SMOOTH = "#CC79A7"  # reddish purple of Okabe and Ito
HIDDEN = 0.5  # grey of what was hidden
TITLES = ("original", "masked", "reconstruction", "pasted")
Image = Float[np.ndarray, "C H W"]
Mask = Bool[np.ndarray, "1 H W"]


def quartet(image: Image, mask: Mask, made: Image, title: str) -> Pictures:
    """Original, masked, reconstruction, and the reconstruction pasted where the mask is False (hidden)."""
    pictures = [image, np.where(mask, image, HIDDEN), made, np.where(mask, image, made)]
    return Pictures(title, np.stack(pictures).astype(np.float32), TITLES)


def picture_tiles(pictures: Pictures, notes: Sequence[str]) -> list[str]:
    """Each picture with its title and a note below."""
    return [
        tile(pixels, title, note, f"{title}: {note}" if note else title)
        for pixels, title, note in zip(pictures.pixels(), pictures.titles, notes, strict=True)
    ]


def photograph_html(pictures: Pictures) -> str:
    """Pictures that need not be square, two in a row where there is room."""
    tiles = strip(picture_tiles(pictures, [""] * len(pictures.titles)), 2, 280, 560)
    _, _, height, width = pictures.images.shape
    return tiles.replace("aspect-ratio:1;", f"aspect-ratio:{width}/{height};")


def patch_errors(image: Image, mask: Mask, made: Image) -> Maps:
    """The absolute error of every pixel, mean over channels: of what was hidden, and of what was not."""
    error = np.abs(image - made).mean(0)
    maps = np.stack([np.where(mask[0], 0, error), np.where(mask[0], error, 0)])
    return Maps("Where it is wrong", maps, ("hidden patches", "visible patches"), "absolute error, mean over channels")


def error_against_ratio(
    shipped: Sequence[Mapping[str, Any]], live: Sequence[Mapping[str, Any]], trained: float
) -> Chart:
    """Mean squared error over hidden pixels against the ratio, and that of the visible mean and, where it is known, of
    a smooth fill-in; `trained` is marked.

    Args:
        shipped, live: points with ratio, mse, fill and perhaps smooth, of a card and measured now.
    """
    import pandas as pd

    curves = []
    for points, name, colour, filled in (
        (shipped, "by its card", ACCENT, QUIET),
        (live, "measured now", SPIKE, SECOND),
    ):
        if points:
            points = sorted(points, key=lambda point: point["ratio"])
            ratio, mse, fill = (np.array([point[k] for point in points], float) for k in ("ratio", "mse", "fill"))
            curves.append(Line(ratio, mse, f"reconstruction, {name}", colour))
            curves.append(Line(ratio, fill, f"visible mean, {name}", filled, dash=True))
            if all("smooth" in point for point in points):
                smooth = np.array([point["smooth"] for point in points], float)
                curves.append(Line(ratio, smooth, f"smooth fill-in, {name}", SMOOTH, dash=True))
    rows = [{"measured": "card"} | dict(point) for point in shipped]
    rows += [{"measured": "now"} | dict(point) for point in live]
    return Chart(
        "Error against mask ratio" + (", measured now" if live and not shipped else ""),  # two stand on one page
        "mask ratio",
        "MSE, hidden pixels",
        curves,
        [Rule(trained, f"trained at {trained:.2f}", upright=True)],
        x_range=(0, 1),
        height=260,
        y_range=(0, max(float(np.max(curve.y)) for curve in curves) * 1.25),
        numbers=pd.DataFrame(rows),
    )


def activity_chart(table: pd.DataFrame) -> Chart:
    """Share of hidden places at which a layer fires, layer by layer, with either kind of convolution."""
    layers = np.arange(1, len(table) + 1)
    curves = [
        Line(layers, table["ordinary"], "ordinary convolution", SPIKE),
        Line(layers, table["sparse"], "sparse convolution", ACCENT),
    ]
    return Chart(
        "Hidden places that fire, layer by layer",
        "layer, from the image on",
        "share of hidden places",
        curves,
        y_range=(-0.03, 1.03),
        numbers=table,
    )


def activity_maps(rates: Mapping[str, Float[np.ndarray, "h w"]], title: str, side: int) -> Maps:
    """Share of channels that fire at each place of some layers, all drawn on `side` x `side` places."""
    maps = [np.kron(values, np.ones((side // len(values), side // values.shape[1]))) for values in rates.values()]
    return Maps(title, np.stack(maps), tuple(rates), "share of channels that fire")


def epochs_chart(
    title: str, y: str, curves: Mapping[str, Float[np.ndarray, " epochs"]], rules: Sequence[Rule] = ()
) -> Chart:
    """A number after each epoch of pretraining, epoch 0 before the first; the first network is the one looked at."""
    lines = [
        Line(np.arange(len(values)), values, name, (ACCENT, SECOND)[min(number, 1)], dash=number > 0)
        for number, (name, values) in enumerate(curves.items())
    ]
    highest = max([float(np.max(line.y)) for line in lines] + [rule.value for rule in rules if not rule.upright])
    return Chart(title, "epoch", y, lines, rules, y_range=(0, highest * 1.2))


def ranks_chart(title: str, ranks: Mapping[str, Sequence[float]]) -> Chart:
    """The effective rank of each batch; the first network is the one looked at. The batch is its seed."""
    lines = [
        Line(range(len(values)), values, name, (ACCENT, SECOND)[min(number, 1)], joined=False)
        for number, (name, values) in enumerate(ranks.items())
    ]
    highest = max(max(values) for values in ranks.values())
    return Chart(title, "batch (its seed)", "effective rank", lines, y_range=(0, highest * 1.2))
