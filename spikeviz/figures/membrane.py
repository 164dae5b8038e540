"""One neuron: its membrane potential before reset, its threshold, its spikes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float, Num

from spikeviz.figures.chart import Chart, Line, Rule, Ticks


def membrane(
    potential: Float[np.ndarray, "T"],
    spikes: Num[np.ndarray, "T"],
    threshold: float,
    *,
    title: str = "Membrane potential of one neuron",
) -> Chart:
    """The potential of a neuron at t = 1 ... T; it fires where it reaches the threshold."""
    steps, fired = np.arange(1, len(potential) + 1), np.asarray(spikes) > 0
    low, high = min(0.0, float(np.min(potential))), max(threshold, float(np.max(potential)))
    room = 0.2 * (high - low)  # above the curve, for the spikes
    return Chart(
        title,
        "time step t",
        "membrane H[t]",
        [
            Line(steps, potential, marks=fired),
            Ticks(steps[fired], np.full(int(fired.sum()), high + 0.6 * room), size=12),
        ],
        rules=[Rule(threshold, f"threshold {threshold:.2f}")],
        steps=len(potential),
        y_range=(low - 0.1 * room, high + room),
        numbers=pd.DataFrame(
            {"time step t": steps, "membrane H[t]": potential, "spikes": np.asarray(spikes) * 1, "threshold": threshold}
        ),
    )
