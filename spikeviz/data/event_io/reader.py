"""A recording of an event camera, decoded with distrust: `read_events(data, name) -> EventRecording`.

The first bytes decide where a format has a mark of its own, else the ending of the name:

    .bin .bs2      N-MNIST, N-Caltech101 and SLAYER: 5 bytes an event, x 8 bits, y 8, p 1, t 23, big endian
    .aedat         AEDAT 2.0 (DVS128, DAVIS240, DAVIS346), AEDAT 3 (polarity packets), both as jAER and cAER write them
    .aedat4        AEDAT 4.0, through the package aedat, in a process of its own
    .dat           Prophesee DAT, version 2, CD events
    .raw           Prophesee EVT 2.0 and EVT 3.0
    .npy           a structured array with fields t, x, y, p in any order, or an array [n, 4] with columns t, x, y, p
    .npz           arrays t, x, y, p, as SpikingJelly keeps them

At most 200 MB are read and at most 20 million events decoded, counted before they are. Bytes left over at the end of a
file, entries that are no pixel events, counters that ran over and a sensor that had to be guessed each leave a note.
Each format has its file: `nmnist` (.bin, .bs2), `aedat`, `prophesee` (.dat, .raw), `numpy_io` (.npy, .npz).
"""

from io import BufferedIOBase
from pathlib import Path

import numpy as np

from spikeviz.data.event_io.aedat import read_aedat2, read_aedat3, read_aedat4
from spikeviz.data.event_io.decoded import MAX_BYTES, MAX_TIME, Decoded, check_count
from spikeviz.data.event_io.nmnist import read_atis
from spikeviz.data.event_io.numpy_io import read_npy, read_npz
from spikeviz.data.event_io.prophesee import read_prophesee
from spikeviz.data.events import MAX_SIDE, EventRecording, RecordingError

MAX_FALL = 10**6  # microseconds that an event may lie before an earlier one and still pass for disorder
SENSORS = (
    *((34, 34), (120, 100), (128, 128), (240, 180), (304, 240), (320, 240)),
    *((346, 260), (640, 480), (1280, 720)),
)  # width x height, the smallest first: N-MNIST, N-CARS, DVS128, DAVIS240, ATIS, DVXplorer Lite, DAVIS346, VGA, HD
ENDINGS = (".bin", ".bs2", ".aedat", ".aedat4", ".dat", ".raw", ".npy", ".npz")
AEDAT = {b"2": read_aedat2, b"3": read_aedat3, b"4": read_aedat4}


def read_events(
    data: bytes | Path | BufferedIOBase,
    name: str,
    *,
    size: tuple[int, int] | None = None,
    columns: str = "txyp",
    tick: int = 1,
) -> EventRecording:
    """Decode an untrusted recording.

    `data`: its bytes, a path, or an open binary file, which is read from its beginning. `name`: the file's name, for
    its ending. `size`: (height, width) of the sensor where the caller knows it; else the header's, else the smallest
    known sensor that holds all coordinates. `columns`: the order of the columns of an `.npy` array [n, 4]. `tick`:
    microseconds in one unit of time of an `.npy` or `.npz`.
    Raises RecordingError, whatever the bytes are; ValueError for columns or a tick that make no sense; OSError where a
    path cannot be opened.
    """
    if sorted(columns) != sorted("txyp") or isinstance(tick, bool) or tick != int(tick) or not 1 <= tick <= 10**6:
        raise ValueError(f"columns are t, x, y, p in some order and a tick is 1 us to 1 s, not {columns!r} and {tick}")
    content = _content(data)
    notes: list[str] = []
    try:
        decoded = _decoded(content, Path(name).suffix.lower(), notes, columns, int(tick))
    except RecordingError:
        raise
    except Exception:  # what decoders raise on hostile bytes cannot be listed, and none of it may reach the page
        raise RecordingError("The recording is damaged: export it again from the program that recorded it.") from None
    return checked_recording(decoded._replace(size=size or decoded.size), notes)


def checked_recording(decoded: Decoded, notes: list[str]) -> EventRecording:
    """Events that a decoder answered, once they are what a camera may have sent; a sensor that is not known is guessed.

    Raises RecordingError for what no recording does.
    """
    _check(decoded)
    height, width = decoded.size or _guessed_size(decoded, notes)
    try:
        return EventRecording(decoded.t, decoded.x, decoded.y, decoded.p, height, width, tuple(notes))
    except ValueError as error:
        raise RecordingError(f"The recording is damaged or made for another camera: {error}.") from None


def _content(data: bytes | Path | BufferedIOBase) -> bytes:
    if isinstance(data, Path):
        with data.open("rb") as stream:
            return _content(stream)
    if not isinstance(data, bytes | bytearray | memoryview):
        if data.seekable():
            data.seek(0)  # an uploaded file stays open between two runs of a page
        data = data.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise RecordingError(f"The recording is larger than {MAX_BYTES // 10**6} MB: cut a shorter piece out of it.")
    if not data:
        raise RecordingError("The file is empty: choose a recording.")
    return bytes(data)


def _decoded(content: bytes, ending: str, notes: list[str], columns: str, tick: int) -> Decoded:
    """Choose the reader by the first bytes, and by the ending where they say nothing."""
    if content.startswith(b"#!AER-DAT"):
        version = content[9:10]
        if version not in AEDAT:
            raise RecordingError("The file is AEDAT of a version not read here: convert it to 2.0, 3.1 or 4.0.")
        return AEDAT[version](content, notes)
    if content.startswith(b"\x93NUMPY"):
        return read_npy(content, columns, tick, notes)
    if ending in (".bin", ".bs2"):  # no mark of its own: any other first bytes may be an event
        return read_atis(content, notes)
    if content.startswith(b"PK\3\4"):
        return read_npz(content, columns, tick, notes)
    if content.startswith(b"% "):
        return read_prophesee(content, ending, notes)
    if ending in ENDINGS:
        raise RecordingError(f"The file does not begin as a {ending} recording does: export it again.")
    raise RecordingError(f"This is not a recording in a format read here: choose a file of {', '.join(ENDINGS)}.")


def _check(decoded: Decoded) -> None:
    """What no recording does: no events, coordinates or times beyond any camera, a clock that runs backwards."""
    t = decoded.t
    check_count(len(t))
    if not len(t):
        raise RecordingError("The recording holds no events: choose another one.")
    if max(decoded.x.max(), decoded.y.max()) >= MAX_SIDE or t.max() > MAX_TIME:
        raise RecordingError("Its coordinates or times are larger than any camera's: the recording is damaged.")
    backwards = int((np.diff(t) < 0).sum())
    if backwards > max(10, len(t) // 10):
        raise RecordingError(
            f"Time runs backwards at {backwards:,} of {len(t):,} events: "
            "the recording is damaged, or its events must be sorted by time first."
        )
    fall = np.maximum.accumulate(t) - t
    if fall.max() > MAX_FALL:
        raise RecordingError(
            f"Time runs back by {fall.max() / 10**6:,.1f} s before event {int(fall.argmax()) + 1:,}: "
            "split the recording there, or sort its events by time first."
        )


def _guessed_size(decoded: Decoded, notes: list[str]) -> tuple[int, int]:
    width, height = max(0, int(decoded.x.max())) + 1, max(0, int(decoded.y.max())) + 1
    for known in SENSORS:
        if width <= known[0] and height <= known[1]:
            notes.append(f"sensor taken as {known[0]} x {known[1]}, the smallest known one that holds all events")
            return known[1], known[0]
    notes.append(f"sensor taken as {width} x {height} from the largest coordinates")
    return height, width
