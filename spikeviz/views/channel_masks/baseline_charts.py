"""Ways to drop channels, drawn beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from spikeviz.figures.chart import Chart, Line
from spikeviz.figures.tables import table
from spikeviz.figures.theme import QUIET

if TYPE_CHECKING:
    from spikeviz.evaluation.controls.pruning import PruningControl


def pruning_rows(found: PruningControl) -> pd.DataFrame:
    """A row for each way to drop channels, the random draws as one: accuracy, its standard error over samples, the
    standard deviation over draws, and how many draws."""
    single = [name for name in found.right if not name.startswith("random")]
    rows = [(name, found.accuracy(name), found.error(name), np.nan, 1) for name in single]
    if found.draws:
        mean = float(np.mean(found.draws))
        error = float(np.sqrt(mean * (1 - mean) / len(found.right[single[0]])))
        rows.insert(2, ("random channels", mean, error, found.deviation, len(found.draws)))
    return pd.DataFrame(rows, columns=["dropped", "accuracy", "error", "deviation", "draws"])


def pruning_chart(found: PruningControl) -> Chart:
    """Accuracy of `pruning_rows`; the larger of both errors to either side."""
    rows = pruning_rows(found)[::-1].reset_index(drop=True)
    series = []
    for place, row in rows.iterrows():
        wide = float(np.nanmax([row["error"], row["deviation"]]))
        ends = np.array([row["accuracy"] - wide, row["accuracy"] + wide])
        series += [Line(ends, [place, place], colour=QUIET, points=False), Line([row["accuracy"]], [place])]
    return Chart(
        "Other ways to drop as many channels",
        "accuracy",
        "",
        series,
        y_range=(-0.5, len(rows) - 0.5),
        height=90 + 30 * len(rows),
        y_names={float(place): name for place, name in enumerate(rows["dropped"])},
        numbers=pruning_rows(found),
    )


def pruning_table(found: PruningControl) -> str:
    """The rows of `pruning_rows`."""
    rows = [
        (
            row.dropped if row.draws == 1 else f"{row.dropped}, {row.draws} draws",
            f"{row.accuracy:.3f}",
            f"{row.error:.3f}",
            "–" if np.isnan(row.deviation) else f"{row.deviation:.3f}",
        )
        for row in pruning_rows(found).itertuples()
    ]
    heads = ("kept", "accuracy", "± over samples", "± over draws")
    return table("Other ways to drop as many channels", heads, rows)
