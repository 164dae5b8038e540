"""A raster: one row for each neuron, a tick where it fires."""

from __future__ import annotations

import plotly.graph_objects as go

from spikeviz.figures.theme import SPIKE, plain, steps_axis
from spikeviz.metrics import Raster


def raster(spikes: Raster, names: list[str]) -> go.Figure:
    """The spikes of the neurons `names`; a neuron that never fires keeps its empty row."""
    rows = spikes.rows.tolist()
    figure = go.Figure(
        go.Scatter(
            x=(spikes.steps + 1).tolist(),
            y=rows,
            mode="markers",
            marker={"symbol": "line-ns", "size": 4, "line": {"color": SPIKE, "width": 2}},
            text=[names[row] for row in rows],
            hovertemplate="%{text}, t = %{x}<extra></extra>",
        )
    )
    plain(figure, "time step t", f"{len(names)} of {spikes.total:,} neurons")
    figure.update_yaxes(range=[len(names) - 0.5, -0.5], showgrid=False, showticklabels=False)
    return steps_axis(figure, spikes.length)
