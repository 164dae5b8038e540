"""A raster: one row for each neuron, a tick where it fires."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from spikeviz.figures.chart import Chart, Ticks

if TYPE_CHECKING:
    from spikeviz.metrics import Raster


def raster(spikes: Raster, names: Sequence[str], *, title: str = "Raster") -> Chart:
    """The spikes of the neurons `names`; a neuron that never fires keeps its empty row."""
    rows, steps = spikes.rows.cpu().numpy(), spikes.steps.cpu().numpy() + 1
    fired = [names[row] for row in rows]
    neurons = spikes.neurons.cpu().numpy()[rows]  # flat indices into one sample of the layer
    return Chart(
        title,
        "time step t",
        f"{len(names)} of {spikes.total:,} neurons",
        [Ticks(steps, rows, fired)],
        steps=spikes.length,
        y_range=(len(names) - 0.5, -0.5),
        y_labels=False,
        numbers=pd.DataFrame({"time step t": steps, "neuron": neurons, "name": fired}),
    )
