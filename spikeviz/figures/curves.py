"""Curves over time steps and bars over layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from spikeviz.figures.chart import Bars, Chart, Line
from spikeviz.figures.theme import QUIET


def nsfr_curve(
    values: Float[np.ndarray, "T"],
    held: Float[np.ndarray, "S"] | None = None,
    names: tuple[str, str] = ("B", "A"),
    *,
    title: str = "Network spike firing rate",
    x: str = "time step t",
) -> Chart:
    """Share of neurons that fire at each step; `held` is an earlier curve to compare with, `names` says which is which.

    The axis ends at 0.3 or above the highest point: curves of different inputs can be compared by eye.
    """
    curves = [Line(np.arange(1, len(values) + 1), values, "" if held is None else names[0])]
    if held is not None:
        curves.append(Line(np.arange(1, len(held) + 1), held, names[1], QUIET, dash=True))
    highest = max(float(np.max(curve.y, initial=0)) for curve in curves)
    steps = max(len(curve.y) for curve in curves)
    return Chart(title, x, "NSFR", curves, steps=steps, y_range=(0, max(0.3, highest * 1.15)))


def layer_bars(
    layers: Sequence[str], values: Sequence[float], x: str, chosen: str | None = None, *, title: str = ""
) -> Chart:
    """One bar for each layer, the first layer at the top; `chosen` stands out."""
    return Chart(title or f"{x} by layer", x, "", [Bars(layers, values, chosen)], height=60 + 17 * len(layers))
