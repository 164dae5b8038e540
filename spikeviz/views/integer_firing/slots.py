"""Spikes in their slots: firing patterns, T x D unrolling, execution with and without a clock (Fig. 3, 6, 11).

Small diagrams in HTML, of real spikes. They move by CSS alone, and stand still where a person prefers that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
from jaxtyping import Num

from spikeviz.display import plural
from spikeviz.figures.chart import HEIGHT, Chart, Rule, Ticks
from spikeviz.figures.theme import ACCENT, QUIET, SPIKE

CELL = 20  # pixels
BEAT = 0.45  # s a slot
WITHIN = 0.12  # of a slot, between the ticks of an integer on paper
WORDS = "font-size:0.75rem;opacity:0.8;white-space:nowrap;overflow:hidden;text-overflow:ellipsis"
MARK = f"font-size:0.75rem;text-align:center;width:{CELL}px"
STYLE = f"""<style>
@keyframes spikeviz-now {{ 0%, 12% {{ box-shadow: 0 0 0 2px {ACCENT}; }} 13%, 100% {{ box-shadow: none; }} }}
.sv-slots i {{ animation: spikeviz-now linear infinite; }}
@media (prefers-reduced-motion: reduce) {{ .sv-slots i {{ animation: none; }} }}
</style>"""


@dataclass(frozen=True, eq=False)
class Slots:
    """Neurons in rows, slots in columns.

    Attributes:
        title: above the diagram.
        note: below it.
        values: what each neuron fires in each slot, `[neurons, slots]`: spikes 0 or 1, or integers.
        columns: names of the slots, a text each; equal neighbours are written once.
        shows: in which slots the input is given; None says nothing of it.
        starts: when a slot of a row lights up, in beats, `[neurons, slots]`; None: with its column, as by a clock.
        idle: slots in which a neuron rests and nothing is computed, `[neurons, slots]`.
    """

    title: str
    note: str
    values: Num[np.ndarray, "n slots"]
    columns: Sequence[str]
    shows: Sequence[bool] | None = None
    starts: Num[np.ndarray, "n slots"] | None = None
    idle: Num[np.ndarray, "n slots"] | None = None


def slots(diagrams: Sequence[Slots], names: Sequence[str]) -> str:
    """Diagrams of the neurons `names`, one below the other."""
    return STYLE + "".join(_diagram(d, names) for d in diagrams)


def _diagram(diagram: Slots, names: Sequence[str]) -> str:
    values = np.asarray(diagram.values)
    count = values.shape[1]
    beats = np.tile(np.arange(count), (len(values), 1)) if diagram.starts is None else np.asarray(diagram.starts)
    period = BEAT * (float(beats.max()) + 3)
    grid = f"display:grid;grid-template-columns:minmax(64px,110px) repeat({count},{CELL}px);gap:3px;align-items:center"
    cells = [f'<span style="{WORDS}"></span>', *_header(diagram.columns)]
    if diagram.shows is not None:
        cells.append(f'<span style="{WORDS}">input</span>')
        cells += [
            f'<span style="{MARK};opacity:{0.9 if s else 0.25}">{"▦" if s else "·"}</span>' for s in diagram.shows
        ]
    for row, name in enumerate(names):
        cells.append(f'<span style="{WORDS}">{escape(name)}</span>')
        for column in range(count):
            value, resting = int(values[row, column]), diagram.idle is not None and diagram.idle[row, column]
            delay = f"animation-duration:{period:.2f}s;animation-delay:{BEAT * float(beats[row, column]):.2f}s"
            text = "" if resting else str(value) if value > 1 or (value and _integers(values)) else ""
            cells.append(f'<i style="{_cell(value, resting)};{delay}">{text}</i>')
    spikes = int(values.sum())
    alt = f"{diagram.title}: {plural(spikes, 'spike')} of {plural(len(values), 'neuron')} in {plural(count, 'slot')}"
    return (
        f'<div style="margin:0 0 14px"><b style="font-weight:600;font-size:0.86rem">{escape(diagram.title)}</b>'
        '<div style="overflow-x:auto;padding:4px 2px">'
        f'<div class="sv-slots" role="img" aria-label="{escape(alt, quote=True)}" '
        f'style="{grid}">{"".join(cells)}</div></div>'
        f'<div style="font-size:0.8rem;opacity:0.8;line-height:1.4">{escape(diagram.note)}</div></div>'
    )


def _header(columns: Sequence[str]) -> list[str]:
    """Equal neighbours share one cell."""
    cells, start = [], 0
    for place in range(1, len(columns) + 1):
        if place == len(columns) or columns[place] != columns[start]:
            span = f"grid-column:span {place - start};text-align:center"
            cells.append(f'<span style="{WORDS};{span}">{escape(columns[start])}</span>')
            start = place
    return cells


def _integers(values: np.ndarray) -> bool:
    return bool((values > 1).any())


def _cell(value: int, resting: bool) -> str:
    base = f"display:block;width:{CELL}px;height:{CELL}px;border-radius:3px;text-align:center"
    base += f";font-style:normal;font-weight:600;font-size:0.72rem;line-height:{CELL}px"
    if resting:
        return f"{base};border:1px dotted {QUIET};opacity:0.35;animation:none"
    return f"{base};background:{SPIKE};color:#fff" if value else f"{base};background:rgba(136,148,160,0.18)"


def raster_of(
    title: str,
    diagrams: Sequence[Slots],
    names: Sequence[str],
    slot: str = "slot",
    row_names: str = "neuron: channel, row, column",
) -> Chart:
    """The same spikes as a chart, for print and as numbers: the diagrams below one another, each below its title.

    An integer is as many ticks side by side in its slot. `row_names` says what the rows are called by.
    """
    rows, x, y, labels, places, titles = [], list[float](), list[float](), list[str](), dict[float, str](), []
    for number, diagram in enumerate(diagrams):
        top = number * (len(names) + 1)
        titles.append(Rule(top + 0.4, diagram.title))
        for row, name in enumerate(names, top + 1):
            places[row] = name
            for column, value in enumerate(np.asarray(diagram.values)[row - top - 1], 1):
                rows.append((diagram.title, name, column, int(value)))
                x += (column + WITHIN * (np.arange(value) - (value - 1) / 2)).tolist()
                y += [row] * int(value)
                labels += [f"{diagram.title}, {name}: {int(value)}"] * int(value)
    high = len(diagrams) * (len(names) + 1)
    steps = max(np.asarray(d.values).shape[1] for d in diagrams)
    return Chart(
        title,
        slot,
        row_names,
        [Ticks(np.array(x, dtype=float), np.array(y, dtype=float), labels, size=9)],
        titles,
        steps,
        (high - 0.4, -0.6),
        height=max(HEIGHT, 18 * high + 60),
        numbers=pd.DataFrame(rows, columns=["diagram", "neuron", slot, "spikes"]),
        y_names=places,
    )
