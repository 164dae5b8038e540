"""Events in numpy's files: `.npy`, a structured or a plain array, and `.npz`."""

import io
import math
import zipfile

import numpy as np
from jaxtyping import Shaped

from spikeviz.data.event_io.decoded import CUT_OFF, MAX_BYTES, MAX_TIME, Decoded, check_count
from spikeviz.data.events import RecordingError

NAMES = {"t": ("t", "ts", "timestamp", "timestamps"), "x": ("x",), "y": ("y",), "p": ("p", "pol", "polarity", "on")}
MISSING = "The file holds no t, x, y and p: save them as four lists of one length under these names."


def read_npy(content: bytes, columns: str, tick: int, notes: list[str]) -> Decoded:
    """Fields t, x, y, p in any order, or an array [n, 4] with these columns; `tick`: microseconds in a unit of time."""
    return _from_array(_array(content, notes), columns, tick, notes)


def read_npz(content: bytes, columns: str, tick: int, notes: list[str]) -> Decoded:
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
        return _from_array(next(iter(found.values())), columns, tick, notes)
    return _from_columns(found, tick, notes)


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
