"""Numbers of networks against D, for each meaning of D."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from spikeviz.figures.chart import Chart, Line, Rule, accuracy_range
from spikeviz.figures.theme import ACCENT, SECOND

MEANINGS = {"what-if": ("these weights, another D", ACCENT), "trained": ("trained at that D", SECOND)}


def by_depth(rows: Sequence[Mapping[str, Any]], column: str) -> Chart:
    """`column` against D, a curve for each meaning of D; the vanilla network, if it is there, as a line across."""
    curves, values = [], [float(row[column]) for row in rows]
    for meaning, (name, colour) in MEANINGS.items():
        own = [row for row in rows if row["meaning"] == meaning]
        part = sorted((row["D"], float(row[column]), float(row.get("standard error", 0.0))) for row in own)
        if part:
            d, y, error = np.array(part).T
            band = (y - error, y + error) if column == "accuracy" else None
            curves.append(Line(d, y, name, colour, dash=meaning == "what-if", band=band))
    rules = [
        Rule(float(row[column]), f"vanilla {row['T']} x {row['D']}: {row[column]:.3g}{_error(row, column)}")
        for row in rows
        if row["meaning"] == "vanilla"
    ]
    title = column[0].upper() + column[1:]
    ends = accuracy_range(curves, rules) if column == "accuracy" else (0, max(values) * 1.15 or 1.0)
    return Chart(f"{title} against D", "D", column, curves, rules, y_range=ends, numbers=_numbers(rows))


def _error(row: Mapping[str, Any], column: str) -> str:
    return f" ± {row['standard error']:.2g}" if column == "accuracy" and "standard error" in row else ""


def _numbers(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """What leaves as a table: numbers and names, no vectors."""
    plain = [{key: value for key, value in row.items() if isinstance(value, str | int | float)} for row in rows]
    return pd.DataFrame(plain)
