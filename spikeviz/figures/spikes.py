"""Charts of spikes: rates by step and layer, a raster, a membrane, operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Num

from spikeviz.figures.chart import Bars, Chart, Line, Rule, Ticks
from spikeviz.figures.tables import aligned, energy_unit, table
from spikeviz.figures.theme import QUIET

if TYPE_CHECKING:
    import pandas as pd

    from spikeviz.metrics import Raster


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
    if held is not None:  # in rings, below the other: where the two agree both are seen
        curves.append(Line(np.arange(1, len(held) + 1), held, names[1], QUIET, dash=True, rings=True))
    highest = max(float(np.max(curve.y, initial=0)) for curve in curves)
    steps = max(len(curve.y) for curve in curves)
    return Chart(title, x, "NSFR", curves, steps=steps, y_range=(0, max(0.3, highest * 1.15)))


def layer_bars(
    layers: Sequence[str],
    values: Sequence[float],
    x: str,
    chosen: str | None = None,
    *,
    title: str = "",
    names: Mapping[str, str] | None = None,
) -> Chart:
    """One bar for each layer, the first layer at the top; `chosen` stands out. `names` has those of layers in words, by
    their module paths, which the numbers keep."""
    import pandas as pd

    title, height = title or f"{x} by layer", 60 + 17 * len(layers)
    if names is None:
        return Chart(title, x, "", [Bars(layers, values, chosen)], height=height)
    words = [names.get(layer, layer) for layer in layers]
    bars = Bars(words, values, names.get(chosen, chosen) if chosen else None, layers)
    return Chart(title, x, "", [bars], height=height, numbers=pd.DataFrame({"layer": layers, "name": words, x: values}))


def raster(spikes: Raster, names: Sequence[str], *, title: str = "Raster", x: str = "time step t") -> Chart:
    """The spikes of the neurons `names`; a neuron that never fires keeps its empty row."""
    import pandas as pd

    rows, steps = spikes.rows.cpu().numpy(), spikes.steps.cpu().numpy() + 1
    fired = [names[row] for row in rows]
    neurons = spikes.neurons.cpu().numpy()[rows]  # flat indices into one sample of the layer
    return Chart(
        title,
        x,
        f"{len(names)} of {spikes.total:,} neurons",
        [Ticks(steps, rows, fired)],
        steps=spikes.length,
        y_range=(len(names) - 0.5, -0.5),
        y_labels=False,
        numbers=pd.DataFrame({x: steps, "neuron": neurons, "name": fired}),
    )


def membrane(
    potential: Float[np.ndarray, "T"],
    spikes: Num[np.ndarray, "T"],
    threshold: float,
    *,
    title: str = "Membrane potential of one neuron",
) -> Chart:
    """The potential of a neuron at t = 1 ... T; it fires where it reaches the threshold."""
    import pandas as pd

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


def operations_chart(
    operations: pd.DataFrame, *, title: str = "Estimated energy by layer", names: Mapping[str, str] | None = None
) -> Chart:
    """Energy of every weighted product, the first at the top; the whole table leaves as its numbers. `names` has those
    of the products in words, by their module paths."""
    paths, (size, unit) = list(operations["layer"]), energy_unit(float(operations["picojoule"].max()))
    words = [(names or {}).get(path, path) for path in paths]
    bars = Bars(words, operations["picojoule"] / size, about=paths if names else ())
    height = 60 + 17 * len(operations)
    return Chart(title, f"estimated energy ({unit})", "", [bars], height=height, numbers=operations)


def operations_table(operations: pd.DataFrame, names: Mapping[str, str] | None = None) -> str:
    """One row for each weighted product and a last one with the sums; a bar is its energy against the largest. A column
    has one unit, so that its decimals stand below each other. `names` has those of the products in words, by their
    module paths, which a row says when it is pointed at."""
    most, paths = max(float(operations["picojoule"].max()), 1e-12), list(operations["layer"])
    size, unit = energy_unit(most)
    columns = [[*operations[name], operations[name].sum()] for name in ("MACs", "SOPs", "picojoule")]
    (macs, sops), energies = (aligned(column) for column in columns[:2]), [f"{e / size:,.2f}" for e in columns[2]]
    words = [*(str((names or {}).get(path, path)) for path in paths), "all"]
    rows = list(zip(words, macs[1], sops[1], energies, strict=True))
    bars = [row["picojoule"] / most for _, row in operations.iterrows()]
    heads = ("layer", f"MACs{macs[0]}", f"SOPs{sops[0]}", f"energy ({unit})")
    return table("Operations and energy by layer", heads, rows[:-1], bars, rows[-1], paths if names else ())
