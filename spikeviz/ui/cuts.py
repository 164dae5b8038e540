"""How a recording is cut into slices: so many, of so much time, or of so many events; and the controls for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from jaxtyping import Float, Integer

from spikeviz.ui.experiment import Parameter, recall, remember, shown, taken, whole

if TYPE_CHECKING:
    from spikeviz.data.events import EventRecording

COUNTED = 1_000  # slices


@dataclass(frozen=True)
class Cut:
    """A way to cut a recording: what it is called, and the number it takes."""

    title: str
    label: str
    first: int
    low: int
    high: int
    help: str


CUTS = {
    "number": Cut("Number of slices", "Slices", 16, 1, COUNTED, "So many, of equal time."),
    "time": Cut("Equal time", "Slice (ms)", 20, 1, 60_000, "Each lasts so long; the last reaches past the end."),
    "count": Cut("Equal count", "Slice (events)", 500, 1, 10**6, "Each holds so many events; the last the rest."),
}


def parameters(page: str) -> list[Parameter]:
    """`events_cut=time`, `events_slice=20`: how the recording is cut, and the number that goes with it."""

    def read_cut(text: str | None) -> None:
        if text not in (None, *CUTS):
            raise ValueError(f"there are {', '.join(CUTS)}.")
        remember("cut", text or "number")

    def read_slice(text: str | None) -> None:
        cut, _ = chosen()
        size = CUTS[cut].first if text is None else whole(text, CUTS[cut].label, CUTS[cut].low, CUTS[cut].high)
        remember(f"slice {cut}", size)

    def write_cut() -> str | None:
        cut, _ = chosen()
        return None if cut == "number" else cut

    def write_slice() -> str | None:
        cut, size = chosen()
        return None if size == CUTS[cut].first else str(size)

    return [Parameter(f"{page}_cut", read_cut, write_cut), Parameter(f"{page}_slice", read_slice, write_slice)]


def chosen() -> tuple[str, int]:
    """How the recording is cut, and the number that goes with it."""
    cut = recall("cut", "number")
    return cut, recall(f"slice {cut}", CUTS[cut].first)


def choose(page: str) -> None:
    """How the recording is cut, and how finely."""
    cut, size = chosen()
    way = CUTS[cut]
    with st.container(horizontal=True, vertical_alignment="bottom", key=f"{page}_slices"):
        name = f"{page}_cut"
        st.segmented_control(
            "Cut into", list(CUTS), format_func=lambda key: CUTS[key].title, key=shown(name, cut), on_change=taken,
            args=(name, lambda new: remember("cut", new or cut)),  # a click on what is chosen already gives none
        )  # fmt: skip
        name = f"{page}_slice_{cut}"
        st.number_input(
            way.label, way.low, way.high, step=1, key=shown(name, size), width=150, help=way.help,
            on_change=taken, args=(name, partial(_take_size, cut)),
        )  # fmt: skip


def _take_size(cut: str, size: int) -> None:
    remember(f"slice {cut}", min(max(int(size), CUTS[cut].low), CUTS[cut].high))


def how_many(events: EventRecording, cut: str, size: int) -> int:
    """Slices that a recording would be cut into."""
    return {
        "number": size,
        "time": events.duration // (1000 * size) + 1,
        "count": -(-len(events) // size),
    }[cut]


def sliced(
    events: EventRecording, cut: str, size: int
) -> tuple[Integer[np.ndarray, "n 2 H W"], Float[np.ndarray, "n+1"]]:
    """The slices of a recording as frames, and in ms from its first event where they begin and where the last ends."""
    from spikeviz.data.events import by_count, by_number, by_time

    if cut == "number":
        return by_number(events, size), equal(events, size)
    if cut == "time":
        slices = by_time(events, 1000 * size)
        return slices, np.arange(len(slices) + 1.0) * size
    starts = events.t[::size] - events.t[0]
    return by_count(events, size), np.append(starts, events.duration) / 1000


def window(events: EventRecording, cut: str, size: int) -> int:
    """Microseconds of a slice, of an equal count the mean over all slices; a recording has 10,000 such at most."""
    length = {
        "number": -(-(events.duration + 1) // size),
        "time": 1000 * size,
        "count": events.duration * size // max(len(events), 1),
    }[cut]
    return max(length, events.duration // (10 * COUNTED), 1)


def equal(events: EventRecording, count: int) -> Float[np.ndarray, "count+1"]:
    """Where slices of equal time begin, in ms, and where the last ends."""
    return np.arange(count + 1) * (events.duration + 1) / count / 1000


def times(edges: Sequence[float]) -> list[str]:
    """What each slice is called: `20–40 ms`, with decimals where slices are short."""
    digits = 0 if np.diff(edges).min() >= 2 else 1 if np.diff(edges).min() >= 0.2 else 3
    return [f"{start:,.{digits}f}–{stop:,.{digits}f} ms" for start, stop in pairwise(edges)]
