"""Tables as HTML, and numbers as they are written in them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from spikeviz.figures.theme import ACCENT

CELL = "padding:1px 8px 1px 0;text-align:right;white-space:nowrap;border:0"
NAME = "padding:1px 8px 1px 0;text-align:left;border:0;overflow-wrap:break-word"
TABLE = "width:100%;border-collapse:collapse;font-size:0.8rem;font-variant-numeric:tabular-nums;line-height:1.35"


def table(
    title: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    bars: Sequence[float] | None = None,
    last: Sequence[str] | None = None,
    about: Sequence[str] = (),
) -> str:
    """A table in HTML: names at the left, numbers at the right, a bar of 0 to 1 behind each row, sums in a last one;
    `about` is what each row says beside its name when it is pointed at."""
    width = '<th style="border:0;width:26%"></th>' if bars is not None else ""
    names = "".join(
        f'<th style="{NAME if i == 0 else CELL};font-weight:600">{escape(h)}</th>' for i, h in enumerate(heads)
    )
    lines = [f"<tr>{names}{width}</tr>"]
    for number, row in enumerate(rows):
        lines.append(_line(row, None if bars is None else bars[number], about=about[number] if about else ""))
    if last is not None:
        lines.append(_line(last, None if bars is None else 0.0, "font-weight:600"))
    return f'<table style="{TABLE}" aria-label="{escape(title, quote=True)}">{"".join(lines)}</table>'


def _cell(text: str, first: bool) -> str:
    """A name may break between the parts of a module path, and not inside a word."""
    return escape(text).replace(".", ".<wbr>") if first else escape(text)


def _line(row: Sequence[str], share: float | None, style: str = "", about: str = "") -> str:
    cells = "".join(
        f'<td style="{NAME if i == 0 else CELL}">{_cell(str(text), i == 0)}</td>' for i, text in enumerate(row)
    )
    bar = ""
    if share is not None:
        block = f'<div style="height:8px;border-radius:2px;width:{100 * share:.1f}%;background:{ACCENT}"></div>'
        bar = f'<td style="border:0">{block}</td>'
    title = f' title="{escape(about, quote=True)}"' if about else ""
    return f'<tr style="{style}"{title}>{cells}{bar}</tr>'


def energy(picojoule: float) -> str:
    """In nanojoule, from a million picojoule on in microjoule."""
    return f"{picojoule / 1e6:.2f} µJ" if picojoule >= 1e6 else f"{picojoule / 1e3:.1f} nJ"


ENERGIES = ((1e9, "mJ"), (1e6, "µJ"), (1e3, "nJ"), (1.0, "pJ"))


def energy_unit(most: float) -> tuple[float, str]:
    """Of a column or an axis whose largest value is `most` picojoule: picojoule in a unit, and its name."""
    return next((unit for unit in ENERGIES if most >= unit[0]), ENERGIES[-1])


def aligned(numbers: Sequence[float]) -> tuple[str, list[str]]:
    """Counts as a column, all in thousands with one decimal or all whole: what stands behind its head, and the
    texts. Nothing is a dash."""
    size, unit = (1e3, " (k)") if max(numbers, default=0) >= 1e5 else (1.0, "")
    least = 0.05 if unit else 0
    return unit, [
        "–" if not n else "<0.1" if n / size < least else f"{n / size:,.{1 if unit else 0}f}" for n in numbers
    ]
