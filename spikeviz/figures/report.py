"""A page as one HTML file: its figures, their numbers, its settings, and the Python lines that make it again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from spikeviz.figures.chart import FigureValue
from spikeviz.figures.render_html import strip
from spikeviz.figures.render_matplotlib import export

ROWS = 500  # of a table in a report; the whole of it is in the CSV
TEMPLATE = Path(__file__).with_name("report.html.j2")


def report(
    title: str,
    sentence: str,
    facts: Mapping[str, str],
    figures: Sequence[tuple[FigureValue, str]],
    python: str,
    notes: Sequence[str] = (),
    inputs: Sequence[str] = (),
) -> str:
    """One HTML file that refers to nothing outside itself.

    Args:
        sentence: what the page asks, under the title.
        facts: the settings and results by name, in the order in which they are listed.
        figures: each with its caption.
        python: the lines that make the figures with the library.
        notes: what is an estimate, simulated or not retrained.
        inputs: what the network was shown, as tiles of `render_html`.
    """
    template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return template.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        title=title,
        sentence=sentence,
        facts=facts,
        figures=[_entry(value, caption, number) for number, (value, caption) in enumerate(figures, 1)],
        python=python,
        notes=notes,
        inputs=Markup(strip(inputs, 4)) if inputs else "",
    )


def _entry(value: FigureValue, caption: str, number: int) -> dict[str, Any]:
    table = value.table()
    shown = table.head(ROWS)
    return {
        "title": value.title,
        "caption": caption,
        "svg": Markup(inline_svg(export(value, "svg").decode(), f"figure{number}-")),
        "columns": list(shown.columns),
        "rows": [[_text(cell) for cell in row] for row in shown.itertuples(index=False, name=None)],
        "total": len(table),
    }


def inline_svg(svg: str, prefix: str) -> str:
    """The `<svg>` element of a file by matplotlib, every id in it and every reference to one behind `prefix`.

    Without that, figures on one page would take each other's clip paths.
    """
    element = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    return re.sub(r"<[^<>]+>", lambda tag: _behind(tag[0], prefix), element)


def _behind(tag: str, prefix: str) -> str:
    return re.sub(r'((?<!\w)id="|href="#|url\(#)', lambda start: start[0] + prefix, tag)


def _text(cell: object) -> str:
    if pd.isna(cell):
        return ""
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)
