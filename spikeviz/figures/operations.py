"""Operations and energy by layer: as a chart, and as a table with bars."""

from __future__ import annotations

from html import escape

import pandas as pd

from spikeviz.figures.chart import Bars, Chart
from spikeviz.figures.theme import ACCENT

CELL = "padding:1px 8px 1px 0;text-align:right;white-space:nowrap;border:0"
NAME = "padding:1px 8px 1px 0;text-align:left;border:0;overflow-wrap:anywhere"
TABLE = "width:100%;border-collapse:collapse;font-size:0.8rem;font-variant-numeric:tabular-nums;line-height:1.35"


def operations_chart(operations: pd.DataFrame, *, title: str = "Estimated energy by layer") -> Chart:
    """Picojoule of every weighted product, the first at the top; the whole table leaves as its numbers."""
    bars = Bars(operations["layer"], operations["picojoule"])
    height = 60 + 17 * len(operations)
    return Chart(title, "estimated energy (pJ)", "", [bars], height=height, numbers=operations)


def operations_table(operations: pd.DataFrame) -> str:
    """One row for each weighted product and a last one with the sums; a bar is its energy against the largest."""
    most = max(float(operations["picojoule"].max()), 1e-12)
    head = "".join(f'<th style="{CELL};font-weight:600">{h}</th>' for h in ("MACs", "SOPs", "energy"))
    rows = [f'<tr><th style="{NAME};font-weight:600">layer</th>{head}<th style="border:0;width:26%"></th></tr>']
    for _, row in operations.iterrows():
        rows.append(_row(str(row["layer"]), row["MACs"], row["SOPs"], row["picojoule"], row["picojoule"] / most))
    total = operations[["MACs", "SOPs", "picojoule"]].sum()
    rows.append(_row("all", total["MACs"], total["SOPs"], total["picojoule"], 0, "font-weight:600"))
    return f'<table style="{TABLE}" aria-label="Operations and energy by layer">{"".join(rows)}</table>'


def _row(layer: str, macs: float, sops: float, picojoule: float, share: float, style: str = "") -> str:
    bar = f'<div style="height:8px;border-radius:2px;width:{100 * share:.1f}%;background:{ACCENT}"></div>'
    cells = "".join(f'<td style="{CELL}">{text}</td>' for text in (count(macs), count(sops), energy(picojoule)))
    return f'<tr style="{style}"><td style="{NAME}">{escape(layer)}</td>{cells}<td style="border:0">{bar}</td></tr>'


def count(number: float) -> str:
    """1,234 or 1.23 M; nothing is a dash."""
    if not number:
        return "–"
    return f"{number / 1e6:.2f} M" if number >= 1e6 else f"{number / 1e3:.1f} k" if number >= 1e4 else f"{number:,.0f}"


def energy(picojoule: float) -> str:
    """In nanojoule, from a million picojoule on in microjoule."""
    return f"{picojoule / 1e6:.2f} µJ" if picojoule >= 1e6 else f"{picojoule / 1e3:.1f} nJ"
