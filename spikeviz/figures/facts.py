"""What a file says of the figure in it: as metadata of its kind, and in small type below a picture."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

LETTERS = 118  # of a line below a figure
SIZE = 6.5  # points of that type
LINE = 0.115  # inches from line to line

# Without a date: the same figure gives the same bytes.
NOTHING: dict[str, dict[str, str | None]] = {
    "png": {"Software": None},
    "svg": {"Creator": None, "Date": None, "Format": None, "Type": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}


def metadata(kind: str, title: str, facts: Mapping[str, str]) -> dict[str, str | None]:
    """What matplotlib writes into a picture: text chunks of a PNG, Dublin Core of an SVG, the info of a PDF."""
    if not facts:
        return NOTHING[kind]
    text = "\n".join(f"{name}: {value}" for name, value in facts.items())
    described: dict[str, dict[str, str | None]] = {
        "png": {"Title": title, **facts},
        "svg": {
            "Title": title,
            "Description": text,
            "Source": facts.get("link"),
            "Identifier": facts.get("sha256"),
            "Creator": f"spikeviz {facts.get('spikeviz', '')}".strip(),
        },
        "pdf": {
            "Title": title,
            "Subject": text,
            "Keywords": ", ".join(facts[name] for name in ("network", "settings") if name in facts),
        },
    }
    return NOTHING[kind] | described[kind]


def head(title: str, facts: Mapping[str, str]) -> str:
    """Lines above a table, each behind `# `; nothing without facts."""
    lines = {"figure": title, **facts} if facts else {}
    return "".join(f"# {name}: {' '.join(value.split())}\n" for name, value in lines.items())


def array(title: str, facts: Mapping[str, str]) -> dict[str, np.ndarray]:
    """`about`: a JSON object as one string, which numpy reads without pickle."""
    text = json.dumps({"figure": title, **facts}, ensure_ascii=False)
    return {"about": np.array(text)} if facts else {}


def print_below(figure: Figure, lines: Mapping[str, str]) -> None:
    """Make a figure higher, and print lines in the room below it; nothing in it changes its size."""
    text = [part for name, value in lines.items() for part in textwrap.wrap(f"{name}: {value}", LETTERS)]
    if not text:
        return
    figure.draw_without_rendering()  # lays out
    figure.set_layout_engine("none")
    width, height = figure.get_size_inches()
    room = 0.1 + LINE * len(text)
    share = height / (height + room)
    for axes in figure.axes:
        left, bottom, wide, high = axes.get_position(original=True).bounds
        axes.set_position((left, 1 - share + bottom * share, wide, high * share))
    for words in figure.texts:
        words.set_y(1 - share + words.get_position()[1] * share)
    figure.set_size_inches(width, height + room)
    for number, part in enumerate(text):
        down = height + 0.05 + LINE * (number + 0.5)
        figure.text(0.1 / width, 1 - down / (height + room), part, va="center", fontsize=SIZE)
