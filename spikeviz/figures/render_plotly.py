"""Charts on the screen, by plotly.

A chart is first written as the plain dictionaries that plotly takes, and becomes a figure in one go: to build one by
updates takes ten times as long, and a page draws six of them after every move of a slider.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from spikeviz.figures.chart import Bars, Chart, Line, Rule, Series, Ticks
from spikeviz.figures.theme import ACCENT, FONT_SIZE, GRID, QUIET, SPIKE


def plotly_figure(chart: Chart) -> go.Figure:
    """The chart without its title, which stands above it on the page."""
    traces = [trace for series in chart.series for trace in _traces(chart, series)]
    return go.Figure({"data": traces, "layout": _layout(chart)})


def _layout(chart: Chart) -> dict[str, Any]:
    """Axis titles, one grid, small margins, no background of its own."""
    x, y = (
        {"title": {"text": text, "standoff": gap}, "gridcolor": GRID, "zeroline": False, "automargin": True}
        for text, gap in ((chart.x, 6), (chart.y, 10))
    )
    if chart.steps is not None:
        x |= {"range": [0.5, chart.steps + 0.5], "tickvals": chart.step_ticks.tolist(), "tickformat": "d"}
    if chart.y_range is not None:
        y |= {"range": [float(end) for end in chart.y_range]}
    if chart.x_range is not None:
        x |= {"range": [float(end) for end in chart.x_range]}
    if not chart.y_labels:
        y |= {"showgrid": False, "showticklabels": False}
    if chart.y_names is not None:
        y |= {"showgrid": False, "tickvals": list(chart.y_names), "ticktext": list(chart.y_names.values())}
    if isinstance(chart.series[0], Bars):
        y |= {"autorange": "reversed", "showgrid": False, "tickfont": {"size": 11}, "dtick": 1, "type": "category"}
    return {
        "height": chart.height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "font": {"size": FONT_SIZE},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": chart.has_legend,
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        "hovermode": "closest",
        "bargap": 0.25,
        "dragmode": False,
        "xaxis": x,
        "yaxis": y,
        "shapes": [_rule(rule) for rule in chart.rules],
        "annotations": [_label(chart, rule) for rule in chart.rules],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    line = {"color": SPIKE, "width": 1.5, "dash": "dash"}
    along, across = ("y", "x") if rule.upright else ("x", "y")
    ends = {f"{along}ref": f"{along} domain", f"{along}0": 0, f"{along}1": 1}
    return {"type": "line", f"{across}0": rule.value, f"{across}1": rule.value, "line": line} | ends


def _label(chart: Chart, rule: Rule) -> dict[str, Any]:
    font, place = {"color": SPIKE, "size": 11}, {"x": 1, "xref": "paper", "xanchor": "right", "y": rule.value}
    place |= {"yshift": 9}
    if rule.upright:
        anchor = {"left": "right", "right": "left"}[chart.beside(rule)]
        place = {"x": rule.value, "xanchor": anchor, "y": 1, "yref": "paper", "yanchor": "top"}
    return {"text": rule.label, "showarrow": False, "font": font} | place


def _traces(chart: Chart, series: Series) -> list[dict[str, Any]]:
    if isinstance(series, Line):
        return [*([_band(series)] if series.band is not None else []), _line(chart, series)]
    return [_ticks(chart, series) if isinstance(series, Ticks) else _bars(series)]


def _band(line: Line) -> dict[str, Any]:
    assert line.band is not None
    low, high = line.band
    x, y = np.concatenate([line.x, line.x[::-1]]), np.concatenate([high, low[::-1]])
    fill = {"fill": "toself", "fillcolor": line.colour, "opacity": 0.2, "line": {"width": 0}}
    return {"type": "scatter", "x": x, "y": y, "mode": "lines", "hoverinfo": "skip", "showlegend": False} | fill


def _line(chart: Chart, line: Line) -> dict[str, Any]:
    marker: dict[str, Any] = {"size": 7}
    if line.marks is not None:  # one byte a point, not one colour name a point
        spikes = {"color": line.marks.astype(np.uint8), "colorscale": [[0, QUIET], [1, SPIKE]], "cmin": 0, "cmax": 1}
        marker = {"size": 6, **spikes}
    elif line.rings:
        marker = {"size": 12, "symbol": "circle-open", "line": {"width": 2}}
    where = "t = %{x}: %{y:.3f}" if chart.steps is not None else f"{chart.x} %{{x:.4~g}}: %{{y:.4~g}}"
    return {
        "type": "scatter",
        "x": line.x,
        "y": line.y,
        "name": line.name,
        "mode": "+".join(["lines"] * line.joined + ["markers"] * line.points),
        "line": {"color": line.colour, "width": 2, "dash": "dash" if line.dash else "solid"},
        "marker": marker,
        "zorder": 0 if line.rings else 1,
        "showlegend": bool(line.name),
        "hovertemplate": (f"{line.name}, " if line.name else "") + where + "<extra></extra>",
    }


def _ticks(chart: Chart, ticks: Ticks) -> dict[str, Any]:
    what = "%{text}" if ticks.names else ticks.name or "spike"
    return {
        "type": "scatter",
        "x": ticks.x,
        "y": ticks.y,
        "name": ticks.name,
        "text": list(ticks.names) or None,
        "mode": "markers",
        "marker": {"symbol": "line-ns", "size": ticks.size, "line": {"color": SPIKE, "width": 2}},
        "showlegend": bool(ticks.name),
        "hovertemplate": what + (", t = %{x}" if chart.steps is not None else ", %{x:.4~g}") + "<extra></extra>",
    }


def _bars(bars: Bars) -> dict[str, Any]:
    return {
        "type": "bar",
        "y": list(bars.names),
        "x": bars.values,
        "orientation": "h",
        "marker": {"color": [ACCENT if bars.chosen in (None, name) else QUIET for name in bars.names]},
        "hovertext": list(bars.about) or None,
        "hovertemplate": "%{y}: %{x:.4~g}" + ("<br>%{hovertext}" if bars.about else "") + "<extra></extra>",
    }
