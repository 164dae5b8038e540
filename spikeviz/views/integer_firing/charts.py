"""Charts of the page: what an integer neuron makes of its membrane, in a network as well, and what training cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from spikeviz.artifacts.cards import accuracy_text
from spikeviz.figures.chart import Bars, Chart, Line
from spikeviz.figures.tables import table
from spikeviz.figures.theme import ACCENT, QUIET, SECOND, SPIKE
from spikeviz.metrics import approximation as sfa
from spikeviz.nn.integers import Rounding

STAIRS = 4  # up to which membrane the staircase is drawn: its first ties
U = "membrane U, in spikes"


def staircase(levels: int) -> Chart:
    """C against U: both published roundings, and the spikes that IF with soft reset fires (Proposition 1)."""
    top = min(levels, STAIRS)
    u = np.round(np.arange(-0.5, top + 1.001, 0.05), 2)
    ties = np.arange(top) + 0.5
    even, up = sfa.fire(u, levels), sfa.fire(u, levels, "half-up")
    fired = np.array([sfa.spike_train(float(tie), levels).sum() for tie in ties])
    return Chart(
        "Integers and their ties",
        U,
        f"C, at most {levels}",
        [
            Line(u, up, "half-up", SECOND, points=False),
            Line(u, even, "half-even", ACCENT, dash=True, points=False),
            Line(ties, fired, "spikes of IF, soft reset, at a tie", SPIKE),
        ],
        y_range=(-0.3, top + 0.6),
    )


def ties(levels: int) -> pd.DataFrame:
    """The first ties: U, C by half-even and half-up, and the spikes of IF with soft reset."""
    u = np.arange(min(levels, STAIRS)) + 0.5
    columns = {"U": u, "half-even": sfa.fire(u, levels), "half-up": sfa.fire(u, levels, "half-up")}
    return pd.DataFrame(columns | {"IF, soft reset": [sfa.spike_train(float(v), levels).sum() for v in u]})


def error_curve(levels: int, which: str, rounding: Rounding = "half-even") -> Chart:
    """Error against U at D, in rates and as printed; `which` is "forward" (Eq. 24, 25) or "gradient" (Eq. 26-28)."""
    exact, printed = {
        "forward": (sfa.forward_error, sfa.forward_error_printed),
        "gradient": (sfa.gradient_error, sfa.gradient_error_printed),
    }[which]
    u = np.linspace(-1, levels + 1.5, 601)
    rates, paper = exact(u, levels, rounding), printed(u, levels, rounding)
    limit = max(0.6, 1.2 * float(np.abs(rates).max()))
    return Chart(
        f"{which.capitalize()} error at D = {levels}",
        U,
        "error",
        [
            Line(u, rates, "both sides as rates", points=False),
            Line(
                u, paper, "as printed, cut off" if paper.max() > limit else "as printed", QUIET, dash=True, points=False
            ),
        ],
        y_range=(-limit, limit),
    )


def relative_errors(table: pd.DataFrame, chosen: str, words: Callable[[str], str]) -> Chart:
    """Error of each layer over the mean of its ReLU(U) / D; all columns leave as its numbers.

    `words`: the name of a layer by its module path.
    """
    names = [words(layer) for layer in table["layer"]]
    bars = Bars(names, 100 * table["relative"], words(chosen), list(table["layer"]))
    height = 60 + 17 * len(table)
    return Chart(
        "Approximation error by layer", "error, % of the layer's mean rate", "", [bars], height=height, numbers=table
    )


def errors_by_depth(depths: Sequence[int], rounding: Sequence[float], clipping: Sequence[float]) -> Chart:
    """Mean over layers of what is rounded and what is clipped, over the mean rate, against D."""
    x = np.array(depths)
    return Chart(
        "Approximation error against D",
        "D",
        "error, % of the mean rate",
        [
            Line(x, 100 * np.array(rounding), "rounding"),
            Line(x, 100 * np.array(clipping), "clipping", SPIKE),
        ],
    )


def differences(layers: pd.DataFrame, names: Mapping[str, str]) -> Chart:
    """Largest difference of a membrane, layer by layer, between a run with integers and one with spikes; `names` has
    layers in words, by their module paths."""
    bars = Bars([names[layer] for layer in layers["layer"]], layers["membrane"], None, list(layers["layer"]))
    height = 60 + 17 * len(layers)
    return Chart(
        "Integers against spikes by layer",
        "largest |difference| of a membrane",
        "",
        [bars],
        height=height,
        numbers=layers,
    )


def equality_table(layers: pd.DataFrame, names: Mapping[str, str]) -> str:
    """The same, with how many integers and spikes there are, and how many integers differ."""
    rows = [
        (names[row.layer], f"{row.neurons:,}", f"{row.spikes:,}", f"{row.membrane:.1e}", f"{row.differ:,}")
        for row in layers.itertuples()
    ]
    heads = ("layer", "integers", "spikes", "membrane |difference|", "differ")
    return table("Integers against spikes by layer", heads, rows)


def training_chart(rows: Sequence[Mapping[str, Any]]) -> Chart:
    """CPU seconds an epoch of each network; all columns leave as its numbers."""
    bars = Bars([row["T x D"] for row in rows], [row["CPU seconds per epoch"] for row in rows])
    height = 60 + 17 * len(rows)
    return Chart("Training cost", "CPU seconds per epoch", "T x D", [bars], height=height, numbers=pd.DataFrame(rows))


def training_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One row for each network, with bars of its CPU seconds an epoch."""
    most = max((row["CPU seconds per epoch"] for row in rows), default=1.0) or 1.0
    lines = [
        (
            row["T x D"],
            accuracy_text(row["accuracy"], row["samples"], 4),
            f"{row['seconds']:,.0f} s",
            f"{row['epochs']}",
            f"{row['CPU seconds per epoch']:,.0f} s",
            f"{row['peak MB']:,} MB",
        )
        for row in rows
    ]
    heads = ("T x D", "accuracy", "training", "epochs", "CPU an epoch", "memory")
    return table("Training cost", heads, lines, [row["CPU seconds per epoch"] / most for row in rows])
