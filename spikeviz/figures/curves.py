"""Curves over time steps and bars over layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from spikeviz.figures.theme import ACCENT, QUIET, plain, steps_axis


def nsfr_curve(values: Float[np.ndarray, "T"]) -> go.Figure:
    """Share of neurons that fire at each step."""
    steps = np.arange(1, len(values) + 1)
    figure = go.Figure(
        go.Scatter(
            x=steps,
            y=values,
            mode="lines+markers",
            line={"color": ACCENT, "width": 2},
            marker={"size": 7},
            hovertemplate="t = %{x}: %{y:.3f}<extra></extra>",
        )
    )
    plain(figure, "time step t", "NSFR")
    figure.update_yaxes(range=[0, max(0.3, float(np.max(values, initial=0)) * 1.15)])
    return steps_axis(figure, len(values))


def layer_bars(
    layers: Sequence[str], values: Sequence[float], x: str, chosen: str | None = None, unit: str = ""
) -> go.Figure:
    """One horizontal bar for each layer, the first layer at the top; `chosen` stands out."""
    colours = [ACCENT if chosen is None or layer == chosen else QUIET for layer in layers]
    figure = go.Figure(
        go.Bar(
            y=list(layers),
            x=list(values),
            orientation="h",
            marker={"color": colours},
            hovertemplate="%{y}: %{x:.4~g}" + (f" {unit}" if unit else "") + "<extra></extra>",
        )
    )
    plain(figure, x, "", height=60 + 17 * len(layers))
    figure.update_yaxes(autorange="reversed", showgrid=False, tickfont={"size": 11}, dtick=1)
    return figure
