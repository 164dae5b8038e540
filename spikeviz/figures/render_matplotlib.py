"""Figures for a paper, by matplotlib's object API, and the files in which they and their numbers leave.

Everything runs under one lock and one style: matplotlib keeps its settings and its fonts in one place for the whole
process, and a person's own style must not change what is exported. pyplot is never loaded.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from threading import RLock
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spikeviz.figures import FORMATS
from spikeviz.figures.chart import Bars, Chart, FigureValue, Line, Maps, Rule, Ticks
from spikeviz.figures.events import Cloud, Frames
from spikeviz.figures.facts import array, head, metadata, print_below
from spikeviz.figures.pictures import Pictures
from spikeviz.figures.theme import ACCENT, QUIET, ROOT, SPIKE, difference_colours, rate_colours, scale_ticks

DPI = 200
WIDTH = 6.4  # inches: the text of a page in one column
POINTS = 0.72  # of a pixel of the screen, at 100 pixels an inch
LETTER = 0.075  # inches a letter is wide, about, at the size of a map's title

STYLE = {
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.edgecolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,  # a tick says its whole value
    "axes.formatter.limits": (-5, 12),
    "grid.color": QUIET,
    "grid.alpha": 0.25,
    "text.parse_math": False,  # a $ in a title is a $
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "spikeviz",  # the same figure gets the same ids
    "pdf.fonttype": 42,  # TrueType: publishers refuse Type 3
}
_LOCK = RLock()


@contextmanager
def _our_style() -> Iterator[None]:
    with _LOCK, matplotlib.style.context(["default", STYLE]):
        yield


def drawing(value: FigureValue) -> Figure:
    """The figure on white, `WIDTH` inches wide. Changing it changes nothing else."""
    with _our_style():
        return _figure(value)


def export(
    value: FigureValue, kind: str, facts: Mapping[str, str] | None = None, below: Mapping[str, str] | None = None
) -> bytes:
    """A file: the picture as png (`DPI`), svg or pdf, the numbers as csv (one row a point) or npz (without pickles).

    Safe in several threads, and the same arguments give the same bytes.

    Args:
        facts: where it is from, by name: metadata of a picture, lines behind `# ` above the rows of a csv, and in an
            npz `about`, a JSON object.
        below: what is printed below a picture.

    Raises:
        ValueError: if kind is not in `FORMATS`.
    """
    stream, facts = BytesIO(), facts or {}
    if kind == "csv":
        return (head(value.title, facts) + value.table().to_csv(index=False, lineterminator="\n")).encode()
    if kind == "npz":
        arrays: dict[str, Any] = value.arrays() | array(value.title, facts)
        np.savez_compressed(stream, **arrays)
    elif kind in FORMATS:
        with _our_style():
            figure = _figure(value)
            print_below(figure, below or {})
            figure.savefig(stream, format=kind, dpi=DPI, metadata=metadata(kind, value.title, facts))
    else:
        raise ValueError(f"a figure is exported as {', '.join(FORMATS)}, not as {kind!r}.")
    return stream.getvalue()


def _figure(value: FigureValue) -> Figure:
    if isinstance(value, Frames | Cloud | Pictures):
        return value.on_paper(WIDTH)
    return _maps(value) if isinstance(value, Maps) else _chart(value)


def _chart(chart: Chart) -> Figure:
    title = textwrap.fill(chart.title, 78)
    height = 0.3 + chart.height / 100 + 0.18 * (title.count("\n") + 1)
    figure = Figure(figsize=(WIDTH, height), layout="constrained", facecolor="white")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    axes = figure.subplots()
    axes.set_xlabel(chart.x)
    axes.set_ylabel(chart.y)
    axes.grid(True)
    for series in chart.series:
        if isinstance(series, Line):
            _line(axes, series)
        elif isinstance(series, Ticks):
            size = 1.4 * series.size * POINTS  # plotly's symbol is 1.4 times as long as its size
            axes.plot(series.x, series.y, "|", color=SPIKE, markersize=size, markeredgewidth=1.4, label=series.name)
        else:
            _bars(axes, series)
    for rule in chart.rules:
        _rule(axes, chart, rule)
    if chart.steps is not None:
        axes.set_xlim(0.5, chart.steps + 0.5)
        axes.set_xticks(chart.step_ticks)
    if chart.x_range is not None:
        axes.set_xlim(*chart.x_range)
    if chart.y_range is not None:
        axes.set_ylim(*chart.y_range)
    if not chart.y_labels:
        axes.tick_params(axis="y", left=False, labelleft=False)
        axes.grid(False, axis="y")
    if chart.y_names is not None:
        axes.set_yticks(list(chart.y_names), list(chart.y_names.values()), fontsize=7)
        axes.tick_params(axis="y", left=False)
        axes.grid(False, axis="y")
    if chart.has_legend:
        axes.legend(fontsize=8)
    return figure


def _rule(axes: Axes, chart: Chart, rule: Rule) -> None:
    draw = axes.axvline if rule.upright else axes.axhline
    draw(rule.value, color=SPIKE, linewidth=1.1, linestyle="--", zorder=1.5)
    words: dict[str, Any] = {"textcoords": "offset points", "color": SPIKE, "fontsize": 8}
    if rule.upright:
        left = chart.beside(rule) == "left"
        place: dict[str, Any] = {"xycoords": axes.get_xaxis_transform(), "xytext": (-3 if left else 3, 0)}
        axes.annotate(rule.label, (rule.value, 1), **place, ha="right" if left else "left", va="top", **words)
    else:
        place = {"xycoords": axes.get_yaxis_transform(), "xytext": (0, 2)}
        axes.annotate(rule.label, (1, rule.value), **place, ha="right", va="bottom", **words)


def _line(axes: Axes, line: Line) -> None:
    if line.band is not None:
        axes.fill_between(line.x, *line.band, color=line.colour, alpha=0.2, linewidth=0)
    dots = "o" if line.points and line.marks is None else ""
    dash = "" if not line.joined else "--" if line.dash else "-"
    marks: dict[str, Any] = {"markersize": 4}
    if line.rings:
        marks = {"markersize": 7, "markerfacecolor": "none", "zorder": 1.9}  # 2 is that of the others
    axes.plot(line.x, line.y, dash, marker=dots, color=line.colour, linewidth=1.5, label=line.name, **marks)
    if line.points and line.marks is not None:
        axes.scatter(line.x, line.y, s=16, c=np.where(line.marks, SPIKE, QUIET), zorder=3)


def _bars(axes: Axes, bars: Bars) -> None:
    places = np.arange(len(bars.names))
    colours = [ACCENT if bars.chosen in (None, name) else QUIET for name in bars.names]
    axes.barh(places, bars.values, height=0.75, color=colours)
    axes.set_yticks(places, bars.names, fontsize=8)
    axes.set_ylim(len(places) - 0.5, -0.5)
    axes.tick_params(axis="y", left=False)
    axes.grid(False, axis="y")


def _ends(maps: Maps) -> tuple[float, float, float, float] | None:
    """Left, right, bottom and top of a map with axes: a column stands in the middle of its value."""
    if maps.axes is None:
        return None
    _, (left, right), _, (bottom, top) = maps.axes
    half = 0.5 * (right - left) / max(maps.maps.shape[2] - 1, 1)
    return left - (half or 0.5), right + (half or 0.5), bottom, top


def _label(axes: Axes, maps: Maps) -> None:
    """The axes of a map, if it has some."""
    if maps.axes is None:
        axes.set_axis_off()
        return
    x, across, y, up = maps.axes
    axes.set_xticks(sorted(set(across)))
    axes.set_yticks(sorted(set(up)))
    axes.tick_params(labelsize=7, length=2, pad=1)
    axes.set_xlabel(x, fontsize=7, labelpad=-4)
    axes.set_ylabel(y, fontsize=7, labelpad=-2)


def _maps(maps: Maps) -> Figure:
    """Every length in inches, from the top: the title, the rows of maps, the colour bar and its label."""
    edge, gap, head, foot = 0.1, 0.1, 0.22, 0.62
    n, rows_high, columns_wide = maps.maps.shape
    side, below = (0.36, 0.36) if maps.axes else (0.0, 0.0)  # room for an axis
    narrowest = side + max(0.7, LETTER * max(len(title) for title in maps.titles))
    most = max(1, min(8, int((WIDTH - 2 * edge + gap) / (narrowest + gap))))
    rows = -(-n // most)
    columns = -(-n // rows)
    wide = min(1.6, (WIDTH - 2 * edge + gap) / columns - gap)
    high = (wide - side) * rows_high / columns_wide + below
    title = textwrap.fill(maps.title, 78)
    top = 0.06 + 0.18 * (title.count("\n") + 1)
    height = top + rows * (head + high) + foot
    figure = Figure(figsize=(WIDTH, height), facecolor="white")

    def place(left: float, below_top: float, width: float, tall: float) -> Axes:
        return figure.add_axes((left / WIDTH, 1 - (below_top + tall) / height, width / WIDTH, tall / height))

    figure.text(edge / WIDTH, 1 - 0.08 / height, title, va="top", fontsize=10)
    for k, (pixels, name) in enumerate(zip(maps.pixels(), maps.titles, strict=True)):
        row, column = divmod(k, columns)
        left = edge + column * (wide + gap) + side
        axes = place(left, top + row * (head + high) + head, wide - side, high - below)
        axes.imshow(pixels, interpolation="nearest", aspect="auto", extent=_ends(maps))
        _label(axes, maps)
        axes.set_title(name, loc="left", fontsize=8, pad=2)
    table = rate_colours() if maps.quantity == "rate" else difference_colours()
    bar = place(edge + 0.05, height - foot + 0.14, 2.0, 0.1)
    bar.imshow(table[None], extent=(0, 1, 0, 1), interpolation="nearest", aspect="auto")
    ticks = scale_ticks(maps.quantity)
    bar.set_xticks(list(ticks.values()), list(ticks), fontsize=8)
    bar.set_yticks([])
    bar.spines[:].set_visible(False)
    label = textwrap.fill(f"{maps.label}; {ROOT}", 62)
    figure.text((edge + 2.3) / WIDTH, 1 - (height - foot + 0.19) / height, label, va="center", fontsize=8)
    return figure
