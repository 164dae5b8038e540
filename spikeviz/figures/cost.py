"""Numbers of networks against D, for each meaning of D; and their energy, counted in several ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from spikeviz.figures.chart import Bars, Chart, Line, Rule, accuracy_range
from spikeviz.figures.tables import aligned, energy_unit, table
from spikeviz.figures.theme import ACCENT, SECOND

MEANINGS = {"what-if": ("these weights, another D", ACCENT), "trained": ("trained at that D", SECOND)}

ERRORS = {"accuracy": "standard error", "energy (µJ)": "energy error (µJ)"}  # columns that have one
WAYS = {"spikeviz": "ours", "paper": "the paper's formula", "SpikingJelly": "SpikingJelly's rules"}


def by_depth(rows: Sequence[Mapping[str, Any]], column: str) -> Chart:
    """`column` against D, a curve for each meaning of D; the vanilla network, if it is there, as a line across."""
    curves, values = [], [float(row[column]) for row in rows]
    for meaning, (name, colour) in MEANINGS.items():
        own = [row for row in rows if row["meaning"] == meaning]
        part = sorted((row["D"], float(row[column]), float(row.get(ERRORS.get(column, ""), 0) or 0)) for row in own)
        if part:
            d, y, error = np.array(part).T
            band = (y - error, y + error) if column in ERRORS else None
            curves.append(Line(d, y, name, colour, dash=meaning == "what-if", band=band))
    rules = [
        Rule(float(row[column]), f"vanilla {row['T']} x {row['D']}: {row[column]:.3g}{_error(row, column)}")
        for row in rows
        if row["meaning"] == "vanilla"
    ]
    title = column[0].upper() + column[1:]
    ends = accuracy_range(curves, rules) if column == "accuracy" else (0, max(values) * 1.15 or 1.0)
    return Chart(f"{title} against D", "D", column, curves, rules, y_range=ends, numbers=_numbers(rows))


def ways_chart(rows: pd.DataFrame, title: str) -> Chart:
    """Energy of every network in every way of counting, the ways of one network together; all columns leave as its
    numbers. `rows`: network, way, MACs, additions, exponentials, divisions, spikes, picojoule; a way without an energy
    has no bar.
    """
    drawn = rows[rows["picojoule"].notna()]
    size, unit = energy_unit(float(drawn["picojoule"].max()))
    names = [f"{network}: {WAYS[way]}" for network, way in zip(drawn["network"], drawn["way"], strict=True)]
    bars = Bars(names, drawn["picojoule"] / size)
    return Chart(title, f"estimated energy ({unit})", "", [bars], height=70 + 26 * len(drawn), numbers=rows)


def ways_table(rows: pd.DataFrame) -> str:
    """The rows of `ways_chart`: MACs and additions apart, exponentials and spikes where there are some, energy."""
    size, unit = energy_unit(float(rows["picojoule"].max()))
    heads = ["network", "counted by"]
    columns = [list(rows["network"]), [WAYS[way] for way in rows["way"]]]
    for name in ("MACs", "additions", "exponentials", "spikes"):
        if rows[name].fillna(0).any():
            scale, texts = aligned(list(rows[name].fillna(0)))
            heads.append(name + scale)
            columns.append(texts)
    heads.append(f"energy ({unit})")
    columns.append(["not known" if pd.isna(value) else f"{value / size:#.3g}" for value in rows["picojoule"]])
    return table("Energy in several ways of counting", heads, list(zip(*columns, strict=True)))


def against_steps(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], across: float, label: str, title: str
) -> Chart:
    """Energy (picojoule) of spiking networks against T, 1 ... , with its standard error as a band, by name; `across` is
    that of a network without time, whose line is called `label`."""
    size, unit = energy_unit(max(across, *(max(mean) for mean, _ in curves.values())))
    lines, most = [], across / size
    for (name, (mean, error)), colour in zip(curves.items(), (ACCENT, SECOND), strict=False):
        y, spread = np.array(mean) / size, np.array(error) / size
        lines.append(Line(np.arange(1, len(y) + 1), y, name, colour, points=False, band=(y - spread, y + spread)))
        most = max(most, float(y.max()))
    rule = Rule(across / size, f"{label}: {across / size:.3g} {unit}")
    return Chart(title, "T", f"estimated energy ({unit})", lines, [rule], y_range=(0, 1.1 * most))


def _error(row: Mapping[str, Any], column: str) -> str:
    return f" ± {row['standard error']:.2g}" if column == "accuracy" and "standard error" in row else ""


def _numbers(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """What leaves as a table: numbers and names, no vectors."""
    plain = [{key: value for key, value in row.items() if isinstance(value, str | int | float)} for row in rows]
    return pd.DataFrame(plain)
