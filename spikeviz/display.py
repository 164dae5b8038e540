"""How values show themselves: counts in words, small tables of HTML in a notebook. Needs the standard library alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

MOST = 40  # rows of a table


def plural(number: float, noun: str) -> str:
    """`1 step`, `2 steps`, `1,024 steps`: a noun that takes an s."""
    return f"{number:,.0f} {noun}{'' if number == 1 else 's'}"


def facts(title: str, values: Mapping[str, Any]) -> str:
    """A title and what is known, a line each; what is None or empty is left out."""
    rows = [(name, value) for name, value in values.items() if value is not None and value != ""]
    return table(title, (), rows)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A title and a table; after `MOST` rows it says how many more there are."""
    rows = list(rows)
    head = f"<tr>{''.join(f'<th>{escape(c)}</th>' for c in columns)}</tr>" if columns else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows[:MOST])
    more = f"<div>and {len(rows) - MOST} more</div>" if len(rows) > MOST else ""
    return f"<div><b>{escape(title)}</b><table>{head}{body}</table>{more}</div>"
