"""A recording of an event camera, decoded with distrust: `read_events(data, name) -> Events`.

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

`list_nmnist`, `list_dvs_gesture`, `list_cifar10_dvs` and `list_ncaltech101` find the recordings of a data set, laid out
as tonic leaves them, in the folders of `SPIKEVIZ_DATA`.
"""

import io
import math
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Shaped

from spikeviz.data.event_io.formats import (
    CUT_OFF,
    Decoded,
    check_count,
    read_aedat2,
    read_aedat3,
    read_aedat4,
    read_atis,
    read_prophesee,
)
from spikeviz.data.events import MAX_SIDE, Events, RecordingError
from spikeviz.paths import data_folders

MAX_BYTES = 200 * 10**6
MAX_TIME = 2**53  # microseconds, 285 years: a clock that counts from 1970 is below it, and float64 is exact up to it
MAX_FALL = 10**6  # microseconds that an event may lie before an earlier one and still pass for disorder
SENSORS = (
    *((34, 34), (120, 100), (128, 128), (240, 180), (304, 240), (320, 240)),
    *((346, 260), (640, 480), (1280, 720)),
)  # width x height, the smallest first: N-MNIST, N-CARS, DVS128, DAVIS240, ATIS, DVXplorer Lite, DAVIS346, VGA, HD
ENDINGS = (".bin", ".bs2", ".aedat", ".aedat4", ".dat", ".raw", ".npy", ".npz")
AEDAT = {b"2": read_aedat2, b"3": read_aedat3, b"4": read_aedat4}
NAMES = {"t": ("t", "ts", "timestamp", "timestamps"), "x": ("x",), "y": ("y",), "p": ("p", "pol", "polarity", "on")}
MISSING = "The file holds no t, x, y and p: save them as four lists of one length under these names."
CIFAR10_DVS_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def read_events(
    data: bytes | Path | BinaryIO,
    name: str,
    *,
    size: tuple[int, int] | None = None,
    columns: str = "txyp",
    tick: int = 1,
) -> Events:
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
    _check(decoded)
    height, width = size or decoded.size or _guessed_size(decoded, notes)
    try:
        return Events(decoded.t, decoded.x, decoded.y, decoded.p, height, width, tuple(notes))
    except ValueError as error:
        raise RecordingError(f"The recording is damaged or made for another camera: {error}.") from None


def _content(data: bytes | Path | BinaryIO) -> bytes:
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
        return _from_array(_array(content, notes), columns, tick, notes)
    if ending in (".bin", ".bs2"):  # no mark of its own: any other first bytes may be an event
        return read_atis(content, notes)
    if content.startswith(b"PK\3\4"):
        return _read_npz(content, columns, tick, notes)
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


def _array(content: bytes, notes: list[str]) -> Shaped[np.ndarray, "..."]:
    """The array of an `.npy` file, never unpickled; whole rows only where bytes are missing."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, fortran, dtype = header(stream)
    if dtype.hasobject:
        raise RecordingError("The file holds Python objects, which are never loaded: save numbers only.")
    if not shape or min(shape) < 0 or dtype.itemsize < 1:
        raise RecordingError(MISSING)
    check_count(shape[0])
    width = math.prod(shape[1:])
    there = (len(content) - stream.tell()) // (dtype.itemsize * max(1, width))
    if there < shape[0]:
        if fortran and len(shape) > 1:
            raise RecordingError("The file is cut off, and its columns lie one after the other: save it again.")
        notes.append(CUT_OFF.format("event"))
    rows = min(there, shape[0])
    values = np.frombuffer(content, dtype, count=rows * width, offset=stream.tell())
    return values.reshape((rows, *shape[1:]), order="F" if fortran else "C")


def _from_array(array: Shaped[np.ndarray, "..."], columns: str, tick: int, notes: list[str]) -> Decoded:
    if array.dtype.names:
        return _from_columns({name: array[name] for name in array.dtype.names}, tick, notes)
    if array.ndim != 2 or array.shape[1] != 4:
        raise RecordingError(
            "The array has neither fields t, x, y, p nor the shape [events, 4]: save it as one of them."
        )
    return _from_columns(dict(zip(columns, array.T, strict=True)), tick, notes)


def _from_columns(found: dict[str, Shaped[np.ndarray, "n"]], tick: int, notes: list[str]) -> Decoded:
    lists = {}
    for name, aliases in NAMES.items():
        values = next((found[alias] for alias in aliases if alias in found), None)
        if values is None or values.ndim != 1 or values.dtype.kind not in "iubf":
            raise RecordingError(MISSING)
        if len(values) and not -MAX_TIME <= values.min() <= values.max() <= MAX_TIME:  # also false for nan
            raise RecordingError(f"The values of {name} are too large or not numbers: the recording is damaged.")
        whole = values.dtype.kind != "f" or (name == "t" and tick > 1)  # times in seconds are rounded to microseconds
        if not whole and (values != np.rint(values)).any():
            raise RecordingError(f"The values of {name} are fractions: save whole numbers, time in microseconds.")
        lists[name] = values
    if len({len(values) for values in lists.values()}) > 1:
        raise RecordingError(MISSING)
    t, p = lists["t"], lists["p"].astype(np.int64)
    if len(t) and t.max() > MAX_TIME // tick:
        raise RecordingError("Its times are larger than any camera's: the recording is damaged.")
    t = np.rint(t * float(tick)).astype(np.int64) if t.dtype.kind == "f" else t.astype(np.int64) * tick
    if (p == -1).any() and not (p == 0).any():
        notes.append("polarity -1 read as OFF")
        p = np.where(p == -1, 0, p)
    return Decoded(t, lists["x"].astype(np.int64), lists["y"].astype(np.int64), p)


def _read_npz(content: bytes, columns: str, tick: int, notes: list[str]) -> Decoded:
    """Arrays t, x, y, p; or one array that holds all four, whatever its name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        wanted = [name for aliases in NAMES.values() for name in aliases if name in files]
        if "frames" in files and not wanted:
            raise RecordingError("The file holds frames and no events: choose the recording they were counted from.")
        wanted = wanted or (list(files) if len(files) == 1 else [])
        found = {}
        for name in wanted:
            if files[name].file_size > MAX_BYTES:
                raise RecordingError(
                    f"{name} unpacks to more than {MAX_BYTES // 10**6} MB: cut a shorter piece out of it."
                )
            with archive.open(files[name]) as file:
                found[name] = _array(file.read(MAX_BYTES), notes)
    if len(found) == 1:
        return _from_array(*found.values(), columns, tick, notes)
    return _from_columns(found, tick, notes)


def list_nmnist(split: str) -> list[tuple[Path, int]]:
    """(path, digit) of N-MNIST's `train` or `test`, by digit, then by name: `NMNIST/Train/<digit>/*.bin`.

    Its sensor is 34 x 34. Raises ValueError for another split, FileNotFoundError where no recording is found.
    """
    root = _folder("NMNIST", _part(split, "Train", "Test"))
    return _found([(path, digit) for digit in range(10) for path in _files(root / str(digit), ".bin")], root)


def list_dvs_gesture(split: str) -> list[tuple[Path, int]]:
    """(path, class 0 ... 10) of DVS128 Gesture's `train` or `test`, by user and light, then by class.

    Layout: `DVSGesture/ibmGestureTrain/user<number>_<light>/<class>.npy`, arrays [n, 4] of x, y, p and milliseconds:
    `read_events(path, path.name, size=(128, 128), columns="xypt", tick=1000)`. Raises as `list_nmnist`.
    """
    root = _folder("DVSGesture", _part(split, "ibmGestureTrain", "ibmGestureTest"))
    users = sorted(user for user in root.glob("user*") if user.is_dir())
    numbered = [(path, int(path.stem)) for user in users for path in _files(user, ".npy") if path.stem.isdecimal()]
    return _found(sorted(numbered, key=lambda pair: (pair[0].parent.name, pair[1])), root)


def list_cifar10_dvs(split: str) -> list[tuple[Path, int]]:
    """(path, class) of CIFAR10-DVS, by class in the order of CIFAR10_DVS_CLASSES, then by name.

    Layout: `CIFAR10DVS/<class>/*.aedat4`; the sensor is 128 x 128. There is no official split; as in the papers, the
    first 90 % of each class, by name as text, are `train` and the rest `test`. Raises as `list_nmnist`.
    """
    _part(split, "", "")
    root = _folder("CIFAR10DVS", "")
    return _found(_ninety(split, [_files(root / name, ".aedat4") for name in CIFAR10_DVS_CLASSES]), root)


def list_ncaltech101(split: str) -> list[tuple[Path, int]]:
    """(path, class) of N-Caltech101, by class, then by name: `NCALTECH101/Caltech101/<class>/*.bin` of ATIS.

    A class is its folder's place among all folders, sorted by name as text: `ncaltech101_classes()`. There is no
    official split; the first 90 % of each class are `train`, the rest `test`. Recordings differ in size, at most
    240 x 180. Raises as `list_nmnist`.
    """
    _part(split, "", "")
    root = _folder("NCALTECH101", "Caltech101")
    return _found(_ninety(split, [_files(root / name, ".bin") for name in ncaltech101_classes()]), root)


def ncaltech101_classes() -> tuple[str, ...]:
    """The names of N-Caltech101's classes, 101 in a whole copy. Raises FileNotFoundError where the set is not found."""
    return tuple(sorted(path.name for path in _folder("NCALTECH101", "Caltech101").iterdir() if path.is_dir()))


def _part(split: str, train: str, test: str) -> str:
    if split not in ("train", "test"):
        raise ValueError(f"there is no split {split!r}; there are train, test")
    return train if split == "train" else test


def _folder(name: str, part: str) -> Path:
    """`<name>/<part>` in a folder of `SPIKEVIZ_DATA`, or inside a folder there that has the name in small letters."""
    for folder in data_folders():
        for root in (folder / name / part, folder / name.lower() / name / part):
            if root.is_dir():
                return root
    raise FileNotFoundError(f"{name} does not ship: put the folder that holds {name} into SPIKEVIZ_DATA")


def _files(folder: Path, ending: str) -> list[Path]:
    return sorted((path for path in folder.glob(f"*{ending}") if path.is_file()), key=lambda path: path.name)


def _ninety(split: str, classes: list[list[Path]]) -> list[tuple[Path, int]]:
    """The first 90 % of each class, rounded up, or the rest."""
    cuts = [math.ceil(len(paths) * 9 / 10) for paths in classes]
    halves = [paths[:cut] if split == "train" else paths[cut:] for paths, cut in zip(classes, cuts, strict=True)]
    return [(path, label) for label, paths in enumerate(halves) for path in paths]


def _found(pairs: list[tuple[Path, int]], root: Path) -> list[tuple[Path, int]]:
    if not pairs:
        raise FileNotFoundError(f"{root} holds no recordings of this split: fetch the data set again")
    return pairs
