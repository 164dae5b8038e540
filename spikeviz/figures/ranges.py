"""How far an axis reaches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spikeviz.figures.chart import Line, Rule, Series


def accuracy_range(series: Sequence[Series], rules: Sequence[Rule] = ()) -> tuple[float, float]:
    """An axis of accuracies: all points, their whole errors and what lines across mark, with some room; 0 to 1 would
    flatten the curves and hide their errors. It goes beyond 0 and 1 only where an error does."""
    lines = [line for line in series if isinstance(line, Line)]
    values = [np.asarray(part, float) for line in lines for part in (line.y, *(line.band or ()))]
    values.append(np.array([rule.value for rule in rules if not rule.upright], float))
    every = np.concatenate(values)
    every = every[np.isfinite(every)]
    if not every.size:
        return 0.0, 1.0
    low, high = float(every.min()), float(every.max())
    room = max(0.08 * (high - low), 0.01)
    return min(low, max(0.0, low - room)), max(high, min(1.0, high + room))
