"""Numbers of networks against D, for each meaning of D."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from spikeviz.figures.chart import Chart, Line, Rule
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
