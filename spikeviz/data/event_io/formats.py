"""Decoders of event-camera formats: bytes in, columns of events out, nothing checked that a format does not promise.

`event_files.read_events` is the door: it chooses the decoder, turns what a decoder raises into one sentence, and checks
what comes out. Each decoder takes `(content, notes, ...)` and answers `Decoded`; it counts the events before it makes
them, and appends to `notes` what it left out or put right.
"""

import os
import re
import struct
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64, Shaped, UInt16
from numpy.typing import DTypeLike

from spikeviz.data.events import RecordingError

MAX_EVENTS = 20 * 10**6
MAX_HEADER = 4 * 2**20  # bytes; jAER writes all its preferences there, about 1.4 MB
MAX_PACKETS = 10**6
CHUNK = 2**20  # words of EVT 3.0 decoded at once
CUT_OFF = "the file is cut off or damaged, read up to the last whole {}"


class Decoded(NamedTuple):
    """Events as a file has them, before anything is checked. `size`: (height, width) where the header says it."""

    t: Int64[np.ndarray, "n"]
    x: Shaped[np.ndarray, "n"]
    y: Shaped[np.ndarray, "n"]
    p: Shaped[np.ndarray, "n"]
    size: tuple[int, int] | None = None


def check_count(events: int) -> None:
    """Raises RecordingError for more events than are decoded at once."""
    if events > MAX_EVENTS:
        raise RecordingError(
            f"The recording has {events:,} events, more than {MAX_EVENTS // 10**6} million: "
            "cut a shorter piece out of it."
        )


def _unwrapped(counter: Int64[np.ndarray, "n"], bits: int, notes: list[str]) -> Int64[np.ndarray, "n"]:
    """Time from a counter of so many bits: a fall by more than half its range means that it ran over."""
    laps = np.cumsum(np.diff(counter, prepend=counter[:1]) < -(1 << (bits - 1)))
    if len(laps) and laps[-1]:
        notes.append(f"the {bits}-bit time counter ran over {laps[-1]:,} time{'s' if laps[-1] > 1 else ''}")
    return counter + (laps << bits)


def _records(content: bytes, start: int, dtype: DTypeLike, notes: list[str]) -> Shaped[np.ndarray, "n"]:
    """All whole records from `start` on."""
    size = np.dtype(dtype).itemsize
    if (len(content) - start) % size:
        notes.append(CUT_OFF.format("event"))
    return np.frombuffer(content, dtype, count=(len(content) - start) // size, offset=start)


def _keep(kept: Bool[np.ndarray, "n"], notes: list[str], what: str) -> Bool[np.ndarray, "n"]:
    """Says how many entries are left out; answers the mask."""
    if not kept.all():
        notes.append(f"left out {what}: {(~kept).sum():,}")
    return kept


def read_atis(content: bytes, notes: list[str]) -> Decoded:
    """5 bytes an event. Row 240 is no pixel: each such entry adds 2^13 us to all that follow (ATIS, Orchard 2015)."""
    check_count(len(content) // 5)
    raw = _records(content, 0, [("x", "u1"), ("y", "u1"), ("high", "u1"), ("low", ">u2")], notes)
    overflow = raw["y"] == 240
    counter = raw["high"].astype(np.int64) % 2**7 << 16 | raw["low"]
    t = _unwrapped(counter, 23, notes) + np.cumsum(overflow) * 2**13
    return Decoded(*(column[~overflow] for column in (t, raw["x"], raw["y"], raw["high"] >> 7)))


def read_aedat2(content: bytes, notes: list[str]) -> Decoded:
    """Pairs of big-endian (address, us). jAER counts from the lower right corner, here from the upper left one."""
    header = re.match(rb"(?:#[^\n]*\n)*", content[:MAX_HEADER])[0]
    if end := re.search(rb"#End Of ASCII Header\r?\n", header, re.IGNORECASE):
        header = header[: end.end()]  # an event may begin with a # too
    check_count((len(content) - len(header)) // 8)
    raw = _records(content, len(header), [("address", ">u4"), ("t", ">u4")], notes)
    address = raw["address"].astype(np.int64)
    chip = re.search(rb"AEChip: *(?:\w+\.)*(\w+)", header)
    camera = chip[1].decode() if chip else ""
    if davis := re.match("DAVIS(240|346)", camera):
        height, width = {"240": (180, 240), "346": (260, 346)}[davis[1]]
        events = (address >> 31 == 0) & (address >> 10 & 1 == 0)  # else frames, motion, external triggers
        x, y, p = width - 1 - (address >> 12 & 0x3FF), height - 1 - (address >> 22 & 0x1FF), address >> 11 & 1
    elif camera.startswith("DVS128") or (not camera and (address < 2**16).all()):
        height = width = 128
        events = address < 2**15  # else synchronisation
        x, y, p = 127 - (address >> 1 & 0x7F), 127 - (address >> 8 & 0x7F), 1 - (address & 1)
        if not camera:
            notes.append("its header names no camera, read as DVS128")
    else:
        raise RecordingError(
            "The recording is of a camera other than DVS128, DAVIS240, DAVIS346: convert it to AEDAT 4."
        )
    kept = _keep(events, notes, "entries that are no pixel events")
    t = _unwrapped(raw["t"].astype(np.int64), 32, notes)
    return Decoded(t[kept], x[kept], y[kept], p[kept], (height, width))


def read_aedat3(content: bytes, notes: list[str]) -> Decoded:
    """Packets of a 28-byte header and events; type 1 are polarity events of 8 bytes. Time has 31 bits and a lap."""
    end = re.search(rb"#!END-HEADER\r?\n", content[:MAX_HEADER])
    if not end:
        raise RecordingError("The header of the AEDAT 3 file has no end: the recording is damaged.")
    header, place = content[: end.end()], end.end()
    if re.search(rb"#Format:[^\n]*Serial", header):
        raise RecordingError("The AEDAT 3 file is compressed (serialised time stamps): save it with the format RAW.")
    packets, data, laps = 0, [], []
    while place + 28 <= len(content) and (packets := packets + 1) <= MAX_PACKETS:
        kind, _, size, _, lap, _, number, _ = struct.unpack_from("<hh6i", content, place)
        if size < 1 or number < 0 or (kind == 1 and size != 8):
            raise RecordingError(f"Packet {packets:,} of the AEDAT 3 file makes no sense: the recording is damaged.")
        place += 28
        whole = min(number, (len(content) - place) // size)
        if kind == 1 and whole:
            data.append(np.frombuffer(content, "<u4", count=2 * whole, offset=place).reshape(-1, 2))
            laps.append(lap)
        place += number * size
    if packets > MAX_PACKETS:
        raise RecordingError(f"The recording is in more than {MAX_PACKETS:,} packets: cut a shorter piece out of it.")
    if place != len(content):
        notes.append(CUT_OFF.format("event"))
    sizes = [len(piece) for piece in data]
    check_count(sum(sizes))
    address, t = np.concatenate([np.zeros((0, 2), np.uint32), *data]).T
    t = t.view(np.int32) + (np.repeat(np.array(laps, np.int64), sizes) << 31)
    kept = _keep(address & 1 == 1, notes, "events marked as invalid")
    source = re.search(rb"#Source +\d+: *(DVS128|DAVIS128|DAVIS240|DAVIS346|DAVIS640)", header)
    sizes = {"128": (128, 128), "240": (180, 240), "346": (260, 346), "640": (480, 640)}
    size = sizes[source[1].decode()[-3:]] if source else None
    return Decoded(t[kept], (address >> 17)[kept], (address >> 2 & 0x7FFF)[kept], (address >> 1 & 1)[kept], size)


# Runs in a process of its own, which damaged bytes can end. Prints the sensor's size; events go to a file packet by
# packet, so that those before a damaged one are kept. A small packet may unpack to any size: memory is bounded where
# the system can.
AEDAT4_EVENT = [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")]
AEDAT4_PROGRAM = f"""
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except (ImportError, ValueError, OSError):
    pass
import aedat, numpy
decoder = aedat.Decoder("recording.aedat4")
streams = decoder.id_to_stream()
chosen = min((key for key in streams if streams[key]["type"] == "events"), default=None)
if chosen is not None:
    print(streams[chosen]["height"], streams[chosen]["width"], flush=True)
count = 0
with open("events", "wb", buffering=0) as file:
    for packet in decoder:
        if packet["stream_id"] == chosen and count <= {MAX_EVENTS}:
            events = numpy.empty(len(packet["events"]), {AEDAT4_EVENT})
            for to, of in zip("txyp", ("t", "x", "y", "on")):
                events[to] = packet["events"][of]
            file.write(events.tobytes())
            count += len(events)
"""


def read_aedat4(content: bytes, notes: list[str]) -> Decoded:
    if find_spec("aedat") is None:
        raise RecordingError("AEDAT 4 recordings need the package aedat: install it with pip install aedat.")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "recording.aedat4").write_bytes(content)
        try:
            done = subprocess.run(
                [sys.executable, "-c", AEDAT4_PROGRAM],
                cwd=folder,
                env={
                    **os.environ,
                    "OPENBLAS_NUM_THREADS": "1",
                    "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
                },
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=120,
            )
        except subprocess.TimeoutExpired:
            raise RecordingError("The AEDAT 4 file takes minutes to unpack: cut a shorter piece out of it.") from None
        path = Path(folder) / "events"
        raw = _records(path.read_bytes() if path.exists() else b"", 0, AEDAT4_EVENT, [])
    check_count(len(raw))
    if done.returncode and not len(raw):
        raise RecordingError("The AEDAT 4 file is damaged: export it again from the program that recorded it.")
    if done.returncode:
        notes.append(CUT_OFF.format("packet"))
    size = tuple(int(side) for side in done.stdout.split()) or None
    return Decoded(raw["t"], raw["x"], raw["y"], raw["p"], size)


def read_prophesee(content: bytes, ending: str, notes: list[str]) -> Decoded:
    """A header of lines `% key value`, then events. `% end` ends it where it is there."""
    header = re.match(rb"(?:% [^\n]*\n)*", content[:MAX_HEADER])[0]
    if end := re.search(rb"^% end\r?\n", header, re.MULTILINE):
        header = header[: end.end()]
    encoding = re.search(rb"% (?:evt|format EVT) *([\d.]+)", header)
    if not encoding and (ending == ".dat" or b"Data file containing" in header):
        decoded = read_dat(content, header, notes)
    else:
        encodings = {b"2": read_evt2, b"2.0": read_evt2, b"3": read_evt3, b"3.0": read_evt3}
        if not encoding or encoding[1] not in encodings:
            raise RecordingError("Its header names neither EVT 2.0 nor EVT 3.0: convert the recording to one of them.")
        order = ">" if b"% endianness big" in header else "<"
        decoded = encodings[encoding[1]](content, len(header), order, notes)
    sides = [re.search(rb"\b%b[ =](\d{1,5})\b" % side, header, re.IGNORECASE) for side in (b"height", b"width")]
    if geometry := re.search(rb"% geometry (\d{1,5})x(\d{1,5})\b", header):
        return decoded._replace(size=(int(geometry[2]), int(geometry[1])))
    return decoded._replace(size=(int(sides[0][1]), int(sides[1][1]))) if all(sides) else decoded


def read_dat(content: bytes, header: bytes, notes: list[str]) -> Decoded:
    """Two bytes, type and size of an event, then (us, p 4 bits, y 14, x 14) in 8 bytes, little endian."""
    if b"% Version 2" not in header:
        raise RecordingError("The DAT file is not of version 2: convert it with Prophesee's tools.")
    if len(content) < len(header) + 2 or content[len(header)] not in (0, 12) or content[len(header) + 1] != 8:
        raise RecordingError("The DAT file holds no CD events: choose a recording of pixel events.")
    check_count((len(content) - len(header) - 2) // 8)
    raw = _records(content, len(header) + 2, [("t", "<u4"), ("xyp", "<u4")], notes)
    t = _unwrapped(raw["t"].astype(np.int64), 32, notes)
    return Decoded(t, raw["xyp"] & 0x3FFF, raw["xyp"] >> 14 & 0x3FFF, raw["xyp"] >> 28)


def read_evt2(content: bytes, start: int, order: str, notes: list[str]) -> Decoded:
    """Words of 32 bits. Types 0, 1 = OFF, ON with the lower 6 bits of time; type 8 = the upper 28 of what follows."""
    words = _records(content, start, f"{order}u4", notes)
    kinds = (words >> 28).astype(np.uint8)
    check_count(np.count_nonzero(kinds < 2))
    places, highs = np.flatnonzero(kinds < 2), np.flatnonzero(kinds == 8)
    latest = np.searchsorted(highs, places) - 1
    kept = _keep(latest >= 0, notes, "events before the first time stamp")
    words, high, p = words[places[kept]], words[highs[latest[kept]]], kinds[places[kept]]
    t = _unwrapped(high.astype(np.int64) % 2**28 << 6 | (words >> 22 & 0x3F), 34, notes)
    return Decoded(t, words >> 11 & 0x7FF, words & 0x7FF, p)


def read_evt3(content: bytes, start: int, order: str, notes: list[str]) -> Decoded:
    """Words of 16 bits: 4 of type, 12 of value. A state (time, row, base column) holds until a word changes it.

    Types: 0 = row; 2 = one event's column and polarity; 3 = base column and polarity of the vectors that follow; 4, 5 =
    vector, one bit a pixel for the next 12 or 8 columns; 6, 8 = lower and upper 12 bits of time, which run over.
    Decoded in chunks; the state goes into the next chunk as the words that would set it.
    """
    words = _records(content, start, f"{order}u2", notes)
    chunks = [words[first : first + CHUNK].astype(np.uint16) for first in range(0, len(words), CHUNK)]
    check_count(sum(int(np.unpackbits(_pixels(chunk).view(np.uint8)).sum()) for chunk in chunks))
    carried, laps, early, pieces = np.zeros(0, np.uint16), 0, 0, [(np.zeros(0, np.uint8),) * 4]
    for chunk in chunks:
        piece = np.concatenate([carried, chunk])
        kinds, values = piece >> 12, (piece & 0xFFF).astype(np.int64)
        row, base, low, high = (_latest(kinds == kind) for kind in (0, 3, 6, 8))
        width = np.select([kinds == 4, kinds == 5], [12, 8], 0)
        passed = np.cumsum(width) - width  # columns that vectors went through, up to each word
        falls = np.diff(values[kinds == 8], prepend=values[kinds == 8][:1]) < -(2**11)
        lap = laps + np.cumsum(falls)

        bits = _pixels(piece)
        filled = np.flatnonzero(bits)
        place, offset = np.nonzero(bits[filled, None] >> np.arange(12, dtype=np.uint16) & 1)
        place = filled[place]
        origin = np.where(kinds[place] == 2, place, base[place])  # where column and polarity stand
        known = (high[place] >= 0) & (row[place] >= 0) & (origin >= 0)
        early += int((~known).sum())
        place, offset, origin = place[known], offset[known], origin[known]
        upper = lap[np.cumsum(kinds == 8)[place] - 1] << 12 | values[high[place]]
        t = upper << 12 | np.where(low[place] >= 0, values[low[place]], 0)
        x = values[origin] % 2**11 + passed[place] - passed[origin] + offset
        y, p = values[row[place]] % 2**11, values[origin] >> 11
        pieces.append((t, x.astype(np.int32), y.astype(np.int16), p.astype(np.uint8)))

        states = [state[-1] for state in (row, base, low, high)]
        carried = piece[[state for state in states if state >= 0]].copy()
        if base[-1] >= 0:
            column = min(values[base[-1]] % 2**11 + passed[-1] + width[-1] - passed[base[-1]], 2**11 - 1)
            carried[int(row[-1] >= 0)] = 3 << 12 | values[base[-1]] >> 11 << 11 | column
        laps = int(lap[-1]) if len(lap) else laps
    if early:
        notes.append(f"left out events before the first time stamp: {early:,}")
    if laps:
        notes.append(f"the 24-bit time counter ran over {laps:,} time{'s' if laps > 1 else ''}")
    return Decoded(*(np.concatenate(column) for column in zip(*pieces, strict=True)))


def _pixels(words: UInt16[np.ndarray, "n"]) -> UInt16[np.ndarray, "n"]:
    """One bit for each event in a word of EVT 3.0."""
    kinds = words >> 12
    masks = np.zeros(16, np.uint16)
    masks[4], masks[5] = 0xFFF, 0xFF
    bits = words & masks[kinds]
    bits[kinds == 2] = 1
    return bits


def _latest(mask: Bool[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
    """The last place up to each one at which the mask is true; -1 before the first."""
    return np.maximum.accumulate(np.where(mask, np.arange(len(mask)), -1))
