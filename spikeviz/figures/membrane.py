"""One neuron: its membrane potential before reset, its threshold, its spikes."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Num

from spikeviz.figures.theme import ACCENT, QUIET, SPIKE, plain, steps_axis


def membrane(potential: Float[np.ndarray, "T"], spikes: Num[np.ndarray, "T"], threshold: float) -> go.Figure:
    """The potential of a neuron at t = 1 ... T; it fires where it reaches the threshold."""
    steps = np.arange(1, len(potential) + 1)
    fired = np.asarray(spikes) > 0
    figure = go.Figure()
    figure.add_hline(y=threshold, line={"color": SPIKE, "width": 1.5, "dash": "dash"})
    figure.add_annotation(
        x=1, xref="paper", y=threshold, text=f"threshold {threshold:.2f}", showarrow=False, yshift=9, xanchor="right",
        font={"color": SPIKE, "size": 11},
    )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=steps, y=potential, mode="lines+markers", line={"color": ACCENT, "width": 2},
            marker={"size": 6, "color": [SPIKE if f else QUIET for f in fired]},
            hovertemplate="t = %{x}: %{y:.3f}<extra></extra>",
        )
    )  # fmt: skip
    low, high = min(0.0, float(potential.min())), max(threshold, float(potential.max()))
    room = 0.2 * (high - low)
    figure.add_trace(
        go.Scatter(
            x=steps[fired], y=np.full(int(fired.sum()), high + 0.6 * room), mode="markers",
            marker={"symbol": "line-ns", "size": 12, "line": {"color": SPIKE, "width": 2.5}},
            hovertemplate="spike at t = %{x}<extra></extra>",
        )
    )  # fmt: skip
    plain(figure, "time step t", "membrane H[t]")
    figure.update_yaxes(range=[low - 0.1 * room, high + room])
    return steps_axis(figure, len(potential))
