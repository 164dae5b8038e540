"""What every decoder answers and shares.

A decoder turns bytes into columns of events and checks nothing that its format does not promise. It takes
`(content, notes, ...)` and answers `Decoded`; it counts the events before it makes them, and appends to `notes` what it
left out or put right. `reader.read_events` is the door: it chooses the decoder, turns what a decoder raises into one
sentence, and checks what comes out.
"""

import re
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64, Shaped
from numpy.typing import DTypeLike

from spikeviz.data.events import RecordingError

MAX_BYTES = 200 * 10**6
MAX_EVENTS = 20 * 10**6
MAX_TIME = 2**53  # microseconds, 285 years: a clock that counts from 1970 is below it, and float64 is exact up to it
MAX_HEADER = 4 * 2**20  # bytes; jAER writes all its preferences there, about 1.4 MB
CUT_OFF = "the file is cut off or damaged, read up to the last whole {}"


class Decoded(NamedTuple):
    """Events as a file has them, before anything is checked. `size`: (height, width) where the header says it."""

    t: Int64[np.ndarray, "n"]
    x: Shaped[np.ndarray, "n"]
    y: Shaped[np.ndarray, "n"]
    p: Shaped[np.ndarray, "n"]
    size: tuple[int, int] | None = None


def leading(pattern: bytes, content: bytes) -> bytes:
    """What a pattern matches at the beginning of a file, within the longest header; nothing where it does not match."""
    found = re.match(pattern, content[:MAX_HEADER])
    return found[0] if found else b""


def check_count(events: int) -> None:
    """Raises RecordingError for more events than are decoded at once."""
    if events > MAX_EVENTS:
        raise RecordingError(
            f"The recording has {events:,} events, more than {MAX_EVENTS // 10**6} million: "
            "cut a shorter piece out of it."
        )


def unwrapped(counter: Int64[np.ndarray, "n"], bits: int, notes: list[str]) -> Int64[np.ndarray, "n"]:
    """Time from a counter of so many bits: a fall by more than half its range means that it ran over."""
    laps = np.cumsum(np.diff(counter, prepend=counter[:1]) < -(1 << (bits - 1)))
    if len(laps) and laps[-1]:
        notes.append(f"the {bits}-bit time counter ran over {laps[-1]:,} time{'s' if laps[-1] > 1 else ''}")
    return counter + (laps << bits)


def records(content: bytes, start: int, dtype: DTypeLike, notes: list[str]) -> Shaped[np.ndarray, "n"]:
    """All whole records from `start` on."""
    size = np.dtype(dtype).itemsize
    if (len(content) - start) % size:
        notes.append(CUT_OFF.format("event"))
    return np.frombuffer(content, dtype, count=(len(content) - start) // size, offset=start)


def kept_mask(kept: Bool[np.ndarray, "n"], notes: list[str], what: str) -> Bool[np.ndarray, "n"]:
    """Says how many entries are left out; answers the mask."""
    if not kept.all():
        notes.append(f"left out {what}: {(~kept).sum():,}")
    return kept
