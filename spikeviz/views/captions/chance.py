"""The accuracy of guessing, in charts of accuracy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spikeviz.figures.chart import Chart


def with_chance(chart: Chart, data: str) -> Chart:
    """A chart of accuracies with a line across at 1 / classes of its data set, where the axis reaches down to it.

    An axis is not stretched for it: curves far above would become flat, and their errors would not be seen.
    """
    from spikeviz.data.catalog import find_data
    from spikeviz.figures.chart import Rule

    level = 1 / len(find_data(data).classes)
    low, high = chart.y_range or (0.0, 1.0)
    if not low <= level <= high:
        return chart
    return replace(chart, rules=(*chart.rules, Rule(level, f"chance {level:.2g}")))
