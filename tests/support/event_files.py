"""Event recordings: real ones, and writers, which know the events they write: x, y, p and microseconds of `SCENE`, and
what a format adds of its own.
"""

import io
import struct
from pathlib import Path

import numpy as np
import pytest

from spikeviz.data.events import EventRecording
from spikeviz.paths import data_folders

NMNIST = "nmnist/NMNIST"

# t, x, y, p; two at one instant, one pixel twice, the corners of 34 x 34
SCENE = ((100, 0, 0, 1), (100, 33, 33, 0), (140, 5, 7, 1), (5_000, 5, 7, 0), (70_001, 33, 0, 1))
GUESS_34 = "sensor taken as 34 x 34, the smallest known one that holds all events"


def needs(place: str) -> Path:
    """Where a real recording, or a folder of some, lies; skips the test where it does not."""
    found = next((folder / place for folder in data_folders() if (folder / place).exists()), None)
    return found or pytest.skip(f"{place} is not in SPIKEVIZ_DATA")


def columns(events: EventRecording) -> list[tuple[int, int, int, int]]:
    return [tuple(int(v) for v in row) for row in zip(events.t, events.x, events.y, events.p, strict=True)]


def made(rows, width=34, height=34) -> EventRecording:
    t, x, y, p = np.array(rows, np.int64).reshape(-1, 4).T
    return EventRecording(t, x, y, p, height, width)


def atis(rows) -> bytes:
    return b"".join(bytes([x, y, p << 7 | t >> 16]) + struct.pack(">H", t & 0xFFFF) for t, x, y, p in rows)


def aedat2(rows, chip="ch.unizh.ini.jaer.chip.retina.DVS128", end="#End Of ASCII Header\r\n") -> bytes:
    def address(x, y, p):
        if "DAVIS" in chip:
            width, height = (240, 180) if "240" in chip else (346, 260)
            return (height - 1 - y) << 22 | (width - 1 - x) << 12 | p << 11
        return (127 - y) << 8 | (127 - x) << 1 | (1 - p)

    header = "#!AER-DAT2.0\r\n# Timestamps tick: 1 us\r\n" + (f"# AEChip: {chip}\r\n" if chip else "") + end
    return header.encode() + b"".join(struct.pack(">II", address(x, y, p), t % 2**32) for t, x, y, p in rows)


def aedat3(rows, source="DVS128", lap=0, valid=1, per_packet=2) -> bytes:
    content = f"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: {source}\r\n#!END-HEADER\r\n".encode()
    content += struct.pack("<hh6i", 0, 1, 16, 4, lap, 1, 1, 1) + bytes(16)  # a special event, which is passed over
    for first in range(0, len(rows), per_packet):
        packet = rows[first : first + per_packet]
        content += struct.pack("<hh6i", 1, 1, 8, 4, lap, len(packet), len(packet), len(packet))
        content += b"".join(struct.pack("<II", x << 17 | y << 2 | p << 1 | valid, t) for t, x, y, p in packet)
    return content


def flatbuffer(identifier: bytes, fields) -> bytes:
    """A buffer whose root table has these fields; a field of kind "ref" is the bytes of a vector or string."""
    places, size = [], 4
    for kind, _ in fields:
        width = struct.calcsize("<I" if kind == "ref" else f"<{kind}")
        size += -size % width
        places.append(size)
        size += width
    size += -size % 8
    vtable = struct.pack("<HH", 4 + 2 * len(fields), size) + b"".join(struct.pack("<H", place) for place in places)
    vtable += bytes(-len(vtable) % 8)
    start, table, tail = 8 + len(vtable), bytearray(size), b""
    struct.pack_into("<i", table, 0, len(vtable))
    for (kind, value), place in zip(fields, places, strict=True):
        if kind == "ref":
            tail += bytes(-(start + size + len(tail) + 4) % 8)
            struct.pack_into("<I", table, place, size + len(tail) - place)
            tail += value
        else:
            struct.pack_into(f"<{kind}", table, place, value)
    return struct.pack("<I", start) + identifier + vtable + bytes(table) + tail


def aedat4(rows, width=34, height=34, kind="EVTS", per_packet=2) -> bytes:
    sides = f'<attr key="sizeX" type="int">{width}</attr><attr key="sizeY" type="int">{height}</attr>'
    xml = (
        '<dv version="2.0"><node name="outInfo" path="/mainloop/Recorder/outInfo/">'
        '<node name="0" path="/mainloop/Recorder/outInfo/0/"><attr key="compression" type="string">NONE</attr>'
        f'<attr key="typeIdentifier" type="string">{kind}</attr>'
        f'<node name="info" path="/mainloop/Recorder/outInfo/0/info/">{sides}</node></node></node></dv>'
    ).encode()
    header = flatbuffer(b"IOHE", [("i", 0), ("q", -1), ("ref", struct.pack("<I", len(xml)) + xml + b"\0")])
    content = b"#!AER-DAT4.0\r\n" + struct.pack("<I", len(header)) + header
    for first in range(0, len(rows), per_packet):
        packet = rows[first : first + per_packet]
        vector = b"".join(struct.pack("<qhh?3x", *row) for row in packet)
        buffer = flatbuffer(b"EVTS", [("ref", struct.pack("<I", len(packet)) + vector)])
        content += struct.pack("<iiI", 0, len(buffer) + 4, len(buffer)) + buffer
    return content


def dat(rows, more="") -> bytes:
    header = f"% Data file containing CD events\n% Version 2\n{more}".encode() + b"\x0c\x08"
    return header + b"".join(struct.pack("<II", t % 2**32, p << 28 | y << 14 | x) for t, x, y, p in rows)


def evt2(rows, header="% evt 2.0\n", order="<") -> bytes:
    words = []
    for t, x, y, p in rows:
        words += [8 << 28 | t >> 6, p << 28 | (t & 63) << 22 | x << 11 | y]
    return header.encode() + struct.pack(f"{order}{len(words)}I", *words)


def evt3(rows, header="% evt 3.0\n", order="<") -> bytes:
    words = []
    for t, x, y, p in rows:
        words += [0x8000 | t >> 12 & 0xFFF, 0x6000 | t & 0xFFF, y, 0x2000 | p << 11 | x]
    return header.encode() + struct.pack(f"{order}{len(words)}H", *words)


def saved(array, **options) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def archived(**arrays) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def structured(rows, order="txyp") -> np.ndarray:
    kinds = {"t": "<i8", "x": "<u2", "y": "<u2", "p": "?"}
    array = np.zeros(len(rows), [(name, kinds[name]) for name in order])
    for name, values in zip("txyp", zip(*rows, strict=True), strict=True):
        array[name] = values
    return array


def named(rows) -> dict:
    return dict(zip("txyp", np.array(rows).T, strict=True))


FILES = {
    "digit.bin": atis(SCENE),
    "gesture.bs2": atis(SCENE),
    "dvs128.aedat": aedat2(SCENE),
    "davis240.aedat": aedat2(SCENE, "eu.seebetter.ini.chips.davis.DAVIS240C"),
    "davis346.aedat": aedat2(SCENE, "eu.seebetter.ini.chips.davis.DAVIS346blue"),
    "caer.aedat": aedat3(SCENE),
    "cars.dat": dat(SCENE),
    "gen3.raw": evt2(SCENE),
    "gen4.raw": evt3(SCENE),
    "structured.npy": saved(structured(SCENE, "pyxt")),
    "plain.npy": saved(np.array(SCENE)),
    "fortran.npy": saved(np.asfortranarray(np.array(SCENE, np.float64))),
    "spikingjelly.npz": archived(**named(SCENE)),
}
SIZES = {"dvs128": (128, 128), "davis240": (240, 180), "davis346": (346, 260), "caer": (128, 128)}
