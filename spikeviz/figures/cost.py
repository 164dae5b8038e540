"""What accuracy costs: against D, and in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from spikeviz.figures.chart import Bars, Chart, Line, Rule
from spikeviz.figures.tables import table
from spikeviz.figures.theme import ACCENT, SECOND

MEANINGS = {"what-if": ("these weights, another D", ACCENT), "trained": ("trained at that D", SECOND)}


def by_depth(rows: Sequence[Mapping[str, Any]], column: str) -> Chart:
    """`column` against D, a curve for each meaning of D; the vanilla network, if it is there, as a line across."""
    curves, values = [], [float(row[column]) for row in rows]
    for meaning, (name, colour) in MEANINGS.items():
        part = sorted((row["D"], float(row[column])) for row in rows if row["meaning"] == meaning)
        if part:
            d, y = np.array(part).T
            curves.append(Line(d, y, name, colour, dash=meaning == "what-if"))
    rules = [
        Rule(float(row[column]), f"vanilla {row['T']} x {row['D']}: {row[column]:.3g}")
        for row in rows
        if row["meaning"] == "vanilla"
    ]
    title = column[0].upper() + column[1:]
    top = max(values) * 1.15 if column != "accuracy" else 1.0
    return Chart(f"{title} against D", "D", column, curves, rules, y_range=(0, top or 1.0), numbers=pd.DataFrame(rows))


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
            f"{row['accuracy']:.4f} ({row['samples']:,})",
            f"{row['seconds']:,.0f} s",
            f"{row['CPU seconds per epoch']:,.0f} s",
            f"{row['peak MB']:,} MB",
        )
        for row in rows
    ]
    heads = ("T x D", "accuracy (images)", f"{rows[0]['epochs']} epochs", "CPU, one epoch", "peak memory")
    return table("Training cost", heads, lines, [row["CPU seconds per epoch"] / most for row in rows])
