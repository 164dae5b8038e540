"""How a recording is cut into slices: so many, of so much time, or of so many events; and the choice of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Integer

from spikeviz.views.address import Parameter, State
from spikeviz.views.settings import whole
from spikeviz.views.view import Item, Option, Row

if TYPE_CHECKING:
    from spikeviz.data.events import EventRecording
    from spikeviz.views.scene import Scene

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
    "number": Cut("Number of slices", "Slices", 16, 1, COUNTED, "The number of slices, of equal time."),
    "time": Cut("Equal time", "Slice (ms)", 20, 1, 60_000, "The length of a slice; the last ends with the recording."),
    "count": Cut("Equal count", "Slice (events)", 500, 1, 10**6, "The events of a slice; the last holds the rest."),
}


def cut_option() -> Option:
    """The choice of a cut."""
    return Option("cut", "Cut into", "number", tuple(CUTS), form="buttons", titles=lambda cut: CUTS[cut].title)


def size_option(cut: str) -> Option:
    """The choice of the number that goes with a cut; every cut keeps its own."""
    way = CUTS[cut]
    return Option(
        f"slice_{cut}", way.label, way.first, low=way.low, high=way.high, form="number", help=way.help, width=150
    )


def chosen(state: State) -> tuple[str, int]:
    """How the recording is cut, and the number that goes with it."""
    cut = cut_option().answer(state.looks)
    return cut, size_option(cut).answer(state.looks)


def choose(scene: Scene) -> Iterator[Item]:
    """How the recording is cut, and how finely."""
    cut, _ = chosen(scene.state)
    yield Row([cut_option()], [size_option(cut)], widths=(1, 2), gap="small")


def parameters(page: str) -> list[Parameter]:
    """`events_cut=time`, `events_slice=20`: how the recording is cut, and the number that goes with it."""

    def read_cut(state: State, text: str | None) -> State:
        if text not in (None, *CUTS):
            raise ValueError(f"there are {', '.join(CUTS)}.")
        return state.looking("cut", text or "number")

    def read_slice(state: State, text: str | None) -> State:
        cut, _ = chosen(state)
        way = CUTS[cut]
        size = way.first if text is None else whole(text, way.label, way.low, way.high)
        return state.looking(f"slice_{cut}", size)

    def write_cut(state: State) -> str | None:
        cut, _ = chosen(state)
        return None if cut == "number" else cut

    def write_slice(state: State) -> str | None:
        cut, size = chosen(state)
        return None if size == CUTS[cut].first else str(size)

    return [Parameter(f"{page}_cut", read_cut, write_cut), Parameter(f"{page}_slice", read_slice, write_slice)]


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
    """The slices of a recording as frames, and in ms from its first event where they begin and where the last ends.

    It ends with the last event, however long a slice is.
    """
    from spikeviz.data.events import by_count, by_number, by_time

    if cut == "number":
        return by_number(events, size), equal(events, size)
    end = events.duration + 1  # both ends are counted
    if cut == "time":
        slices = by_time(events, 1000 * size)
        return slices, np.append(np.arange(len(slices)) * 1000 * size, end) / 1000
    starts = events.t[::size] - events.t[0]
    return by_count(events, size), np.append(starts, end) / 1000


def whole_slices(
    counts: Integer[np.ndarray, "n"], edges: Float[np.ndarray, "n+1"], cut: str, size: int
) -> tuple[Integer[np.ndarray, "m"], str]:
    """The events of slices that are as long as was asked; and what the last holds, in words, where it is not."""
    last, length = int(counts[-1]), float(edges[-1] - edges[-2])
    short = (cut == "time" and length < size - 1e-6) or (cut == "count" and last < size)
    if not short or len(counts) == 1:
        return counts, ""
    return counts[:-1], f", the last, shorter, {last:,} in {length:,.4g} ms"


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


def times(edges: Sequence[float] | Float[np.ndarray, "n"]) -> list[str]:
    """What each slice is called: `20–40 ms`, with decimals where slices are short."""
    digits = 0 if np.diff(edges).min() >= 2 else 1 if np.diff(edges).min() >= 0.2 else 3
    return [f"{start:,.{digits}f}–{stop:,.{digits}f} ms" for start, stop in pairwise(edges)]
