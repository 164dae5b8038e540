"""Recordings of event cameras as values, and frames counted from them.

An event is a pixel that saw the light change: `(t, x, y, p)`, time in microseconds, column from the left, row from the
top, polarity (True = ON, brighter; False = OFF, darker). `event_io` reads recordings, the functions here count:
`by_number`, `by_time` and `by_count` answer frames `[T, 2, H, W]` of whole numbers, channel 0 = OFF and channel 1 = ON,
as uint8, uint16 or int32, the narrowest that holds the largest count. Without overlap each event is in exactly one
frame, so that the frames' sum is the number of events.
"""

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, SupportsIndex, overload

import numpy as np
from jaxtyping import Bool, Float64, Int16, Int64, Integer
from numpy.typing import ArrayLike

MAX_SIDE = 2**14  # pixels; the widest address among the formats read (Prophesee's DAT), and x, y fit into int16
MAX_CELLS = 2**28  # T x 2 x H x W of one answer: 256 MB as bytes
BLOCK_CELLS = 2**22  # counted at once; bincount needs 8 bytes for each
MAX_WINDOWS = 10**6


class RecordingError(ValueError):
    """A recording that cannot be used: one sentence for the person who brought it."""


@dataclass(frozen=True, eq=False, init=False)
class EventRecording:
    """A recording, sorted by time. Its arrays are copies that cannot be written to.

    `t`: microseconds from any start, 0 or more (starts are left as they are). `x`: columns from the left, below
    `width`. `y`: rows from the top, below `height`. `p`: True (1) = ON, False (0) = OFF. `notes`: what was done to
    the recording on its way, one short phrase each; events out of order are sorted stably, which leaves one too.
    Raises ValueError for arrays of different lengths, a coordinate outside the sensor, a negative time, a polarity
    that is not 0 or 1, values that are not whole numbers, or a side that is not between 1 and 16,384 pixels.
    """

    t: Int64[np.ndarray, "n"]
    x: Int16[np.ndarray, "n"]
    y: Int16[np.ndarray, "n"]
    p: Bool[np.ndarray, "n"]
    height: int
    width: int
    notes: tuple[str, ...]

    def __init__(
        self,
        t: ArrayLike,
        x: ArrayLike,
        y: ArrayLike,
        p: ArrayLike,
        height: SupportsIndex,
        width: SupportsIndex,
        notes: Iterable[str] = (),
    ) -> None:
        columns = {name: np.asarray(values) for name, values in zip("txyp", (t, x, y, p), strict=True)}
        sides = operator.index(height), operator.index(width)
        _check_events(columns, *sides)
        times, words = columns["t"].astype(np.int64), tuple(notes)
        late = int((times < np.maximum.accumulate(times)).sum())
        order = np.argsort(times, kind="stable") if late else slice(None)
        if late:
            words += (f"time stamps were not in order, {late:,} event{'s were' if late > 1 else ' was'} moved",)
        kinds = {"t": np.int64, "x": np.int16, "y": np.int16, "p": bool}
        for name, values in columns.items():
            kept = values.astype(kinds[name])[order]
            kept.flags.writeable = False
            object.__setattr__(self, name, kept)
        for name, value in zip(("height", "width", "notes"), (*sides, words), strict=True):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        """The number of events."""
        return len(self.t)

    @property
    def duration(self) -> int:
        """Microseconds from the first event to the last; 0 where there are none."""
        return int(self.t[-1] - self.t[0]) if len(self) else 0

    def windows(self, microseconds: int = 10_000) -> Int64[np.ndarray, "edges"]:
        """Where windows of equal length begin, in microseconds from the first event on, and where the last ends.

        The last ends with the last event, that microsecond included, and not behind it: it is as long as is left. A
        rest shorter than half a window belongs to the window before it, since a rate over next to no time says nothing.
        Raises ValueError for a window below 1 microsecond, or for more than a million windows.
        """
        window, whole = _positive(microseconds, "microseconds"), self.duration + 1
        if self.duration // window >= MAX_WINDOWS:
            raise ValueError(f"{self.duration:,} us make more than {MAX_WINDOWS:,} windows of {window} us")
        count = max(1, (2 * whole + window) // (2 * window)) if len(self) else 0
        return np.append(np.arange(count, dtype=np.int64) * window, whole if count else 0)

    def counts(self, windows: Int64[np.ndarray, "edges"]) -> Int64[np.ndarray, "windows"]:
        """Events in each of the windows with these edges, in microseconds from the first event on."""
        first = self.t[:1].sum()
        return np.diff(np.searchsorted(self.t, first + windows))

    def rate(self, microseconds: int = 10_000) -> Float64[np.ndarray, "windows"]:
        """Events per second in each of the `windows`: what it counts over how long it is.

        Raises ValueError for a window below 1 microsecond, or for more than a million windows.
        """
        windows = self.windows(microseconds)
        return self.counts(windows) / (np.diff(windows) / 1e6)


def by_number(
    events: EventRecording, frames: int, split: Literal["time", "count"] = "time"
) -> Integer[np.ndarray, "frames 2 H W"]:
    """A fixed number of frames: of equal time (`split="time"`) or of equal event count (`split="count"`).

    Time: frame k of T holds t0 + floor(k D / T) <= t < t0 + floor((k + 1) D / T), where t0 is the first event's time
    and D the number of microseconds from the first to the last, both counted, so the last event is in the last frame.
    Count: frame k holds events floor(k n / T) to floor((k + 1) n / T); counts differ by one at most.
    Raises ValueError for fewer than one frame, an unknown split, or frames too large to hold.
    """
    frames = _positive(frames, "frames")
    _check_cells(events, frames)
    if split == "count":
        edges = np.arange(frames + 1) * len(events) // frames
    elif split == "time":
        first = int(events.t[0]) if len(events) else 0
        ends = [first + k * (events.duration + 1) // frames for k in range(frames + 1)]  # exact, whatever the clock
        edges = np.searchsorted(events.t, ends)
    else:
        raise ValueError(f"split is 'time' or 'count', not {split!r}")
    return _counted(events, edges[:-1], edges[1:])


def by_time(events: EventRecording, microseconds: int, overlap: int = 0) -> Integer[np.ndarray, "T 2 H W"]:
    """Frames of a fixed length in microseconds from the first event on, as many as reach the last event.

    Each frame begins `microseconds - overlap` after the one before; with an overlap an event is in several frames.
    Without events there are no frames. Raises ValueError for a length below 1, an overlap that is negative or not
    shorter than a frame, or frames too many to hold.
    """
    length = _positive(microseconds, "microseconds")
    overlap = operator.index(overlap)
    if not 0 <= overlap < length:
        raise ValueError(f"overlap is 0 or more and shorter than a frame of {length} us, not {overlap}")
    step = length - overlap
    frames = max(0, -((length - events.duration - 1) // step)) + 1 if len(events) else 0  # ceil((D - length) / step)
    _check_cells(events, frames)
    begins = events.t[:1] + np.arange(frames) * min(step, events.duration + 1)
    starts = np.searchsorted(events.t, begins)
    stops = np.searchsorted(events.t, begins + min(length, events.duration + 1))
    return _counted(events, starts, stops)


def by_count(events: EventRecording, count: int) -> Integer[np.ndarray, "T 2 H W"]:
    """Frames of a fixed number of events each; the last frame holds the rest, which may be fewer.

    Without events there are no frames. Raises ValueError for a count below 1, or frames too many to hold.
    """
    count = _positive(count, "count")
    _check_cells(events, -(-len(events) // count))
    starts = np.arange(0, len(events), count)
    return _counted(events, starts, np.minimum(starts + count, len(events)))


@overload
def resize(recording: EventRecording, size: int) -> EventRecording: ...


@overload
def resize(recording: Integer[np.ndarray, "*frames H W"], size: int) -> Integer[np.ndarray, "*frames size size"]: ...


def resize(
    recording: EventRecording | Integer[np.ndarray, "*frames H W"], size: int
) -> EventRecording | Integer[np.ndarray, "*frames size size"]:
    """Move a recording, or frames counted from one, onto a square grid of `size` pixels a side.

    x becomes floor(x size / width), y becomes floor(y size / height): each pixel moves as a whole to one pixel of the
    grid, nothing is interpolated, and the number of events stays. A larger grid has pixels that never fire; a sensor
    that is not square is stretched. `resize` and framing may be done in either order. Raises ValueError for a size
    that is not between 1 and 16,384.
    """
    size = _positive(size, "size")
    if size > MAX_SIDE:
        raise ValueError(f"size is at most {MAX_SIDE:,} pixels, not {size}")
    if isinstance(recording, EventRecording):
        width, height = recording.width, recording.height
        if (width, height) == (size, size):
            return recording
        x, y = recording.x.astype(np.int64) * size // width, recording.y.astype(np.int64) * size // height
        note = f"moved from {width} x {height} onto {size} x {size} pixels"
        return EventRecording(recording.t, x, y, recording.p, size, size, (*recording.notes, note))
    if recording.dtype.kind not in "iu":
        raise ValueError(f"frames hold whole numbers of events, not {recording.dtype}")
    if recording.size // max(1, recording.shape[-1] * recording.shape[-2]) * size**2 > MAX_CELLS:
        raise ValueError(f"frames of {size} x {size} pixels would hold more than {MAX_CELLS:,} numbers")
    counts = recording.astype(np.int64)
    for axis in (-2, -1):
        places, firsts = np.unique(np.arange(counts.shape[axis]) * size // counts.shape[axis], return_index=True)
        shape = list(counts.shape)
        shape[axis] = size
        moved = np.zeros(shape, np.int64)
        np.moveaxis(moved, axis, 0)[places] = np.moveaxis(np.add.reduceat(counts, firsts, axis=axis), axis, 0)
        counts = moved
    return _narrowed(counts)


def _check_events(columns: dict[str, np.ndarray], height: int, width: int) -> None:
    """Raises ValueError, as `EventRecording`."""
    lengths = {name: len(column) if column.ndim == 1 else column.shape for name, column in columns.items()}
    if any(column.ndim != 1 for column in columns.values()) or len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"t, x, y and p are lists of one length, one value an event; got lengths {found}")
    for name, values in columns.items():
        if len(values) and values.dtype.kind not in ("iub" if name == "p" else "iu"):
            raise ValueError(f"{name} holds whole numbers, not {values.dtype}")
    t, x, y, p = (columns[name] for name in "txyp")
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise ValueError(f"a sensor has 1 to {MAX_SIDE:,} pixels a side, not {width} x {height}")
    outside = (x < 0) | (x >= width) | (y < 0) | (y >= height)
    if outside.any():
        first = int(outside.argmax())
        raise ValueError(
            f"{outside.sum():,} of {len(t):,} events lie outside the sensor of {width} x {height} pixels, "
            f"the first at x {x[first]}, y {y[first]}"
        )
    if len(t) and not 0 <= int(t.min()) <= int(t.max()) < 2**62:
        bad = t.min() if t.min() < 0 else t.max()
        raise ValueError(f"a time is 0 or more microseconds and below 2^62, not {bad}")
    if not ((p == 0) | (p == 1)).all():
        raise ValueError(f"a polarity is 0 (OFF) or 1 (ON), not {p[(p != 0) & (p != 1)][0]}")


def _counted(
    events: EventRecording, starts: Int64[np.ndarray, "T"], stops: Int64[np.ndarray, "T"]
) -> Integer[np.ndarray, "T 2 H W"]:
    """Frame k counts the events from number `starts[k]` up to `stops[k]`; as many frames at once as a block holds."""
    cells = 2 * events.height * events.width
    lengths = stops - starts
    if lengths.sum() > MAX_CELLS:
        raise ValueError(f"with this overlap the events are counted {lengths.sum():,} times: use a smaller overlap")
    places = (events.p * np.int64(events.height) + events.y) * events.width + events.x
    blocks = [np.zeros(0, np.uint8)]
    for first in range(0, len(starts), max(1, BLOCK_CELLS // cells)):
        block = slice(first, first + max(1, BLOCK_CELLS // cells))
        sizes = lengths[block]
        frames = np.repeat(np.arange(len(sizes)), sizes)
        inside = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # 0, 1, ... anew in each frame
        chosen = places[np.repeat(starts[block], sizes) + inside]
        blocks.append(_narrowed(np.bincount(frames * cells + chosen, minlength=len(sizes) * cells)))
    return np.concatenate(blocks).reshape(len(starts), 2, events.height, events.width)


def _narrowed(counts: Int64[np.ndarray, "*any"]) -> Integer[np.ndarray, "*any"]:
    largest = counts.max(initial=0)
    return counts.astype(np.uint8 if largest < 2**8 else np.uint16 if largest < 2**16 else np.int32)


def _check_cells(events: EventRecording, frames: int) -> None:
    if frames * 2 * events.height * events.width > MAX_CELLS:
        raise ValueError(
            f"{frames:,} frames of 2 x {events.height} x {events.width} are more than {MAX_CELLS:,} numbers: "
            "ask for fewer frames or a smaller sensor"
        )


def _positive(value: int, name: str) -> int:
    try:
        number = 0 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"{name} is a whole number, 1 or more, not {value!r}")
    return number
