"""Event recordings: each format read back exactly, real files against other readers, bad bytes, frames by arithmetic.

The writers here know the events they write: x, y, p and microseconds of `SCENE`, and what a format adds of its own.
"""

import io
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikeviz.data import event_files, event_formats
from spikeviz.data.event_files import (
    CIFAR10_DVS_CLASSES,
    list_cifar10_dvs,
    list_dvs_gesture,
    list_ncaltech101,
    list_nmnist,
    ncaltech101_classes,
    read_events,
)
from spikeviz.data.events import Events, RecordingError, by_count, by_number, by_time, resize
from spikeviz.places import data_folders

FOLDERS = (*data_folders(), Path(__file__).resolve().parents[2] / "shared/data")
# t, x, y, p; two at one instant, one pixel twice, the corners of 34 x 34
SCENE = ((100, 0, 0, 1), (100, 33, 33, 0), (140, 5, 7, 1), (5_000, 5, 7, 0), (70_001, 33, 0, 1))
GUESS_34 = "sensor taken as 34 x 34, the smallest known one that holds all events"


def columns(events: Events) -> list[tuple[int, int, int, int]]:
    return [tuple(int(v) for v in row) for row in zip(events.t, events.x, events.y, events.p, strict=True)]


def made(rows, width=34, height=34) -> Events:
    t, x, y, p = np.array(rows, np.int64).reshape(-1, 4).T
    return Events(t, x, y, p, height, width)


# --- writers ---


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


# --- each format, read back exactly ---


@pytest.mark.parametrize("name", FILES)
def test_events_are_read_back(name, tmp_path):
    events = read_events(FILES[name], name)
    assert columns(events) == list(SCENE)
    assert (events.t.dtype, events.x.dtype, events.y.dtype, events.p.dtype) == (np.int64, np.int16, np.int16, bool)
    known = SIZES.get(name.split(".")[0])
    assert (events.width, events.height) == (known or (34, 34))
    assert events.notes == (() if known else (GUESS_34,))
    # a path and an open file, left at its end, are the same recording
    (tmp_path / name).write_bytes(FILES[name])
    assert columns(read_events(tmp_path / name, name)) == list(SCENE)
    with (tmp_path / name).open("rb") as file:
        file.read()
        assert columns(read_events(file, name.upper())) == list(SCENE)


def test_aedat4_is_read_back():
    pytest.importorskip("aedat", reason="AEDAT 4 is read with the package aedat")
    events = read_events(aedat4(SCENE, 40, 36), "recording.aedat4")
    assert columns(events) == list(SCENE) and (events.width, events.height) == (40, 36) and events.notes == ()
    # cut inside the last of three packets of two events: four events are left
    cut = read_events(aedat4(SCENE)[:-3], "recording.aedat4")
    assert columns(cut) == list(SCENE[:4])
    assert cut.notes == ("the file is cut off or damaged, read up to the last whole packet",)
    with pytest.raises(RecordingError, match="holds no events"):
        read_events(aedat4((), kind="EVTS"), "recording.aedat4")
    with pytest.raises(RecordingError, match="holds no events"):
        read_events(aedat4((), kind="IMUS"), "recording.aedat4")


def test_aedat4_without_its_package(monkeypatch):
    monkeypatch.setattr(event_formats, "find_spec", lambda name: None)
    with pytest.raises(RecordingError, match="pip install aedat"):
        read_events(aedat4(SCENE), "recording.aedat4")


def test_overflow_entries_of_atis_move_time_on():
    # each entry of row 240 adds 2^13 = 8192 to what follows: 100, then 8192 + 50, then 2 x 8192 + 7
    rows = [(100, 1, 1, 1), (8191, 0, 240, 0), (50, 2, 2, 0), (8191, 0, 240, 1), (7, 3, 3, 1)]
    assert columns(read_events(atis(rows), "n.bin")) == [(100, 1, 1, 1), (8242, 2, 2, 0), (16391, 3, 3, 1)]


@pytest.mark.parametrize(
    ("name", "write", "bits"), [("a.bin", atis, 23), ("a.aedat", aedat2, 32), ("a.dat", dat, 32), ("a.raw", evt3, 24)]
)
def test_counters_that_ran_over(name, write, bits):
    rows = [(2**bits - 5, 1, 2, 1), (3, 1, 2, 0), (10, 1, 2, 1)]
    events = read_events(write(rows), name)
    assert events.t.tolist() == [2**bits - 5, 2**bits + 3, 2**bits + 10]
    assert f"the {bits}-bit time counter ran over 1 time" in events.notes


def test_aedat2_leaves_out_what_is_no_pixel_event():
    davis = "DAVIS240B"
    content = aedat2(SCENE, davis) + struct.pack(">IIII", 1 << 31 | 5, 80_000, 1 << 10, 80_000)  # a frame, a trigger
    events = read_events(content, "a.aedat")
    assert columns(events) == list(SCENE) and events.notes == ("left out entries that are no pixel events: 2",)
    sync = read_events(aedat2(SCENE) + struct.pack(">II", 1 << 15, 80_000), "a.aedat")
    assert columns(sync) == list(SCENE) and sync.notes == ("left out entries that are no pixel events: 1",)


def test_aedat2_headers():
    plain = read_events(aedat2(SCENE, chip="", end=""), "a.aedat")
    assert columns(plain) == list(SCENE) and plain.notes == ("its header names no camera, read as DVS128",)
    # the first address, y 39 = 0x23 - 0x80 rows from below, begins with the byte of '#'
    row = (5, 1, 127 - 0x23, 1)
    davis = (5, 1, 259 - (0x23 << 2), 1)
    assert aedat2([davis], "DAVIS346").rpartition(b"Header\r\n")[2].startswith(b"#")
    assert columns(read_events(aedat2([davis], "DAVIS346"), "a.aedat")) == [davis]
    assert columns(read_events(aedat2([row]), "a.aedat")) == [row]


def test_aedat3_laps_and_invalid_events():
    assert columns(read_events(aedat3(SCENE, "DAVIS240C", lap=2), "a.aedat")) == [
        (t + 2 * 2**31, x, y, p) for t, x, y, p in SCENE
    ]
    assert (read_events(aedat3(SCENE, "DAVIS240C"), "a.aedat").width) == 240
    assert read_events(aedat3(SCENE, "Unknown"), "a.aedat").notes == (GUESS_34,)
    mixed = aedat3(SCENE, "DVS128") + aedat3([(80_000, 1, 1, 1)], valid=0).rpartition(b"#!END-HEADER\r\n")[2]
    events = read_events(mixed, "a.aedat")
    assert columns(events) == list(SCENE) and events.notes == ("left out events marked as invalid: 1",)


@pytest.mark.parametrize(
    "content",
    [
        dat(SCENE, "% Height 40\n% Width 50\n"),
        evt2(SCENE, "% geometry 50x40\n% evt 2.0\n% end\n"),
        evt3(SCENE, "% camera_integration_name x\n% format EVT3;height=40;width=50\n% end\n"),
        evt2(SCENE, "% endianness big\n% format EVT2;height=40;width=50\n", ">"),
        evt3(SCENE, "% endianness big\n% evt 3.0\n% geometry 50x40\n", ">"),
    ],
)
def test_prophesee_headers_name_the_sensor(content):
    events = read_events(content, "a.dat" if b"Data file" in content else "a.raw")
    assert columns(events) == list(SCENE) and (events.width, events.height, events.notes) == (50, 40, ())


def vectors() -> list[int]:
    """Time 1 x 4096 + 2 = 4098, row 9: columns 20 and 31 (12 wide), 32 and 39 (8 wide), all ON; then 60 alone, OFF."""
    ahead = [0x2000 | 50]  # an event before any time
    state = [0x8001, 0x6002, 0x0009, 0x3000 | 1 << 11 | 20]
    return [*ahead, *state, 0x4000 | 0b1000_0000_0001, 0x5000 | 0b1000_0001, 0x2000 | 60, 0x4000 | 1]


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 100])
def test_vectors_of_evt3_whatever_the_chunks(chunk, monkeypatch):
    monkeypatch.setattr(event_formats, "CHUNK", chunk)
    words = vectors()
    content = b"% evt 3.0\n" + struct.pack(f"<{len(words)}H", *words)
    events = read_events(content, "a.raw")
    # the last vector goes on where the one before it ended: 20 + 12 + 8 = 40, ON
    expected = [(4098, x, 9, 1) for x in (20, 31, 32, 39)] + [(4098, 60, 9, 0), (4098, 40, 9, 1)]
    assert columns(events) == expected
    assert events.notes[0] == "left out events before the first time stamp: 1"
    assert columns(read_events(evt3(SCENE), "a.raw")) == list(SCENE)


def test_arrays_of_other_names_orders_and_units():
    other = {"timestamps": "t", "x": "x", "y": "y", "pol": "p"}
    renamed = {name: named(SCENE)[column] for name, column in other.items()}
    assert columns(read_events(archived(**renamed), "a.npz")) == list(SCENE)
    assert columns(read_events(archived(events=structured(SCENE)), "a.npz")) == list(SCENE)
    assert columns(read_events(archived(np_name=np.array(SCENE)), "a.npz")) == list(SCENE)
    # DVS128 Gesture as tonic keeps it: x, y, p, milliseconds
    rows = np.array([[1, 2, 1, 3], [4, 5, 0, 9]])
    events = read_events(saved(rows), "0.npy", size=(128, 128), columns="xypt", tick=1000)
    assert columns(events) == [(3_000, 1, 2, 1), (9_000, 4, 5, 0)] and (events.width, events.notes) == (128, ())
    seconds = archived(t=np.array([0.5, 0.5000014]), x=np.array([1, 2]), y=np.array([1, 2]), p=np.array([True, False]))
    assert read_events(seconds, "a.npz", tick=10**6).t.tolist() == [500_000, 500_001]
    signed = saved(np.array([[1, 2, 3, -1], [2, 2, 3, 1]]))
    events = read_events(signed, "a.npy")
    assert events.p.tolist() == [False, True] and events.notes[0] == "polarity -1 read as OFF"


@pytest.mark.parametrize("arguments", [{"columns": "txy"}, {"columns": "xypz"}, {"tick": 0}, {"tick": True}])
def test_senseless_arguments_are_the_callers_fault(arguments):
    with pytest.raises(ValueError, match="a tick is") as caught:
        read_events(FILES["plain.npy"], "plain.npy", **arguments)
    assert not isinstance(caught.value, RecordingError)


@pytest.mark.parametrize(
    ("largest", "sensor"),
    [
        ((33, 33), (34, 34)),
        ((34, 0), (120, 100)),
        ((0, 100), (128, 128)),
        ((127, 127), (128, 128)),
        ((239, 179), (240, 180)),
        ((303, 239), (304, 240)),
        ((319, 239), (320, 240)),
        ((345, 259), (346, 260)),
        ((600, 400), (640, 480)),
        ((1279, 719), (1280, 720)),
        ((1280, 3), (1281, 4)),
    ],
)
def test_sensors_are_guessed_from_the_largest_coordinates(largest, sensor):
    events = read_events(dat([(1, *largest, 1), (2, 0, 0, 1)]), "a.dat")
    assert (events.width, events.height) == sensor
    assert len(events.notes) == 1 and events.notes[0].startswith(f"sensor taken as {sensor[0]} x {sensor[1]}")


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith(("npz", "fortran.npy"))])
def test_a_cut_file_is_read_up_to_the_last_whole_event(name):
    events = read_events(FILES[name][:-1], name)
    assert columns(events) == list(SCENE[:-1])
    assert "the file is cut off or damaged, read up to the last whole event" in events.notes


# --- real recordings ---

NMNIST = "nmnist/NMNIST"
OBJECTS = ("Caixa", "Caneca", "Celular", "Estilete", "Lapiseira", "Mouse", "Tesoura")
RECORDINGS = (
    *(f"dvs128_gesture/{n}.bs2" for n in range(1, 11)),
    *(f"dvs128_objects/{name}.aedat" for name in OBJECTS),
    *("recordings/sample.aedat4", "recordings/sample_ncars.dat", "recordings/NCARS_obj_004397_td.dat"),
    *("recordings/evt2_sample.raw", "recordings/evt3_sample.raw"),
)
ROW = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])


def needs(place: str) -> Path:
    found = next((folder / place for folder in FOLDERS if (folder / place).exists()), None)
    return found or pytest.skip(f"{place} is not in SPIKEVIZ_DATA")


def read_otherwise(path: Path):
    """(t, x, y, p, (width, height)) by a reader that is not ours; evt3 by its rules, one word after the other."""
    if path.suffix in (".bin", ".bs2"):
        tonic = pytest.importorskip("tonic.io", reason="tonic is the other reader")
        events = tonic.read_mnist_file(str(path), ROW)
        return *(events[name] for name in "txyp"), (34, 34) if path.suffix == ".bin" else (128, 128)
    if path.suffix == ".aedat4":
        aedat = pytest.importorskip("aedat", reason="aedat is the other reader")
        events = np.concatenate([packet["events"] for packet in aedat.Decoder(path) if "events" in packet])
        return *(events[name] for name in ("t", "x", "y", "on")), (320, 240)
    if path.name == "evt3_sample.raw":
        return *evt3_word_by_word(path.read_bytes()), (1280, 720)
    if path.suffix == ".aedat":
        content = path.read_bytes()
        mark = b"#End Of ASCII Header\r\n"
        pairs = [*struct.iter_unpack(">II", content[content.index(mark) + len(mark) :])]
        address, t = np.array(pairs).T
        return t, 127 - address // 2 % 128, 127 - address // 256 % 128, 1 - address % 2, (128, 128)
    expelliarmus = pytest.importorskip("expelliarmus", reason="expelliarmus is the other reader")
    events = expelliarmus.Wizard(encoding="dat" if path.suffix == ".dat" else "evt2").read(path)
    return *(events[name] for name in "txyp"), (120, 100) if path.suffix == ".dat" else (640, 480)


def evt3_word_by_word(content: bytes):
    start = content.index(b"\n", content.rindex(b"\n% ") + 1) + 1
    rows, row, base, low, high, on = [], 0, 0, 0, 0, 0
    for (word,) in struct.iter_unpack("<H", content[start : start + (len(content) - start) // 2 * 2]):
        kind, value = word >> 12, word & 0xFFF
        if kind == 0:
            row = value & 0x7FF
        elif kind == 2:
            rows.append((high << 12 | low, value & 0x7FF, row, value >> 11))
        elif kind == 3:
            base, on = value & 0x7FF, value >> 11
        elif kind in (4, 5):
            width = 12 if kind == 4 else 8
            rows += [(high << 12 | low, base + bit, row, on) for bit in range(width) if value >> bit & 1]
            base += width
        elif kind == 6:
            low = value
        elif kind == 8:
            high = value
    return np.array(rows).T


@pytest.mark.parametrize("place", RECORDINGS)
def test_real_recordings_equal_another_reader(place):
    path = needs(place)
    events = read_events(path, path.name)
    t, x, y, p, size = read_otherwise(path)
    assert len(events) == len(t) > 1000
    assert np.array_equal(events.t, t) and np.array_equal(events.x, x)
    assert np.array_equal(events.y, y) and np.array_equal(events.p, p)
    assert (events.width, events.height) == size
    assert by_number(events, 8).sum() == len(events) == by_number(events, 8, "count").sum()


def test_expelliarmus_agrees_on_the_pixels_of_evt3():
    # not on its times: it takes each fall of the lower 12 bits for 4096 us, and this camera repeats a word out of turn
    expelliarmus = pytest.importorskip("expelliarmus", reason="expelliarmus is the other reader")
    path = needs("recordings/evt3_sample.raw")
    events, other = read_events(path, path.name), expelliarmus.Wizard(encoding="evt3").read(path)
    assert all(np.array_equal(getattr(events, name), other[name]) for name in "xyp")
    assert ((other["t"] - events.t) % 4096 == 0).all() and events.t[0] == other["t"][0]


def test_every_recording_of_nmnist():
    needs(NMNIST)
    total = 0
    for path in sorted(needs(NMNIST).rglob("*.bin")):
        events = read_events(path, path.name)
        t, x, y, p, size = read_otherwise(path)
        assert (events.width, events.height) == size and events.notes == (GUESS_34,)
        assert np.array_equal([events.t, events.x, events.y, events.p], [t, x, y, p])
        total += 1
    assert total == 1100


# --- bad input ---


def header_of(shape, dtype="<i8") -> bytes:
    """An .npy that claims a shape and holds nothing."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue()


MIXED = [(t, 1, 1, 1) for t in range(100, 0, -1)]
DVS128 = aedat2(SCENE)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.bin", b"", "file is empty"),
        ("a.bin", b"abc", "holds no events"),
        ("a.bin", atis([(1, 0, 240, 0)]), "holds no events"),
        ("a.bin", atis(MIXED), "backwards at 99 of 100 events"),
        ("a.npy", saved(np.array([[5_000_000, 1, 1, 1], [1, 1, 1, 1]])), "back by 5.0 s before event 2"),
        ("a.aedat", b"hello world", "does not begin as a .aedat recording does"),
        ("a.aedat", b"#!AER-DAT1.0\r\n", "version not read here"),
        ("a.aedat", DVS128[: DVS128.index(b"Header\r\n") + 8], "holds no events"),
        ("a.aedat", aedat2(SCENE, "ch.unizh.ini.jaer.chip.cochlea.CochleaAMS1c"), "camera other than DVS128"),
        ("a.aedat", aedat2([(1, 0, 0, 1)], "DAVIS240C")[:-8] + struct.pack(">II", 300 << 12, 5), "outside the sensor"),
        ("a.aedat", aedat3(SCENE).replace(b"#!END-HEADER", b"#!END"), "header of the AEDAT 3 file has no end"),
        ("a.aedat", aedat3(SCENE).replace(b"RAW", b"SerializedTS"), "compressed"),
        ("a.aedat", aedat3([(1, 1, 1, 1)], lap=-1), "0 or more microseconds"),
        ("a.aedat", aedat3(()) + b"\1\0\1\0" + b"\xff" * 24, "Packet 2 of the AEDAT 3 file makes no sense"),
        ("a.aedat", aedat3([(1, 200, 1, 1)]), "1 of 1 events lie outside the sensor of 128 x 128 pixels"),
        ("a.aedat", aedat3([(1, 32_000, 1, 1)], "none"), "larger than any camera's"),
        ("a.aedat4", aedat4(SCENE)[:300], "damaged"),
        ("a.dat", b"% Version 1\n\0\x08", "not of version 2"),
        ("a.dat", b"% Version 2\n\x0e\x08" + bytes(8), "no CD events"),
        ("a.dat", dat([(1, 2, 3, 7)]), "polarity is 0"),
        ("a.dat", dat(SCENE, "% Height 20\n% Width 20\n"), "outside the sensor of 20 x 20"),
        ("a.dat", dat(SCENE, "% Height 0\n% Width 20\n"), "1 to 16,384 pixels a side"),
        ("a.raw", b"% evt 2.1\n" + bytes(80), "neither EVT 2.0 nor EVT 3.0"),
        ("a.raw", evt2(SCENE, "% evt 4.0\n"), "neither EVT 2.0 nor EVT 3.0"),
        ("a.raw", b"% evt 3.0\n", "holds no events"),
        ("a.npy", saved(np.array([{"a": 1}], object), allow_pickle=True), "Python objects"),
        ("a.npz", archived(t=np.array([None]), x=np.ones(1), y=np.ones(1), p=np.ones(1)), "Python objects"),
        ("a.npy", saved(np.zeros((3, 5))), r"shape \[events, 4\]"),
        ("a.npy", saved(np.array([[0.5, 1, 1, 1]])), "t are fractions"),
        ("a.npy", saved(np.array([[np.nan, 1, 1, 1]])), "not numbers"),
        ("a.npy", saved(np.array([[1, 1, -1, 1]])), "outside the sensor"),
        ("a.npy", saved(np.array([[-1, 1, 1, 1]])), "0 or more microseconds"),
        ("a.npy", saved(np.array([[1, 1, 1, 2]])), "polarity is 0"),
        ("a.npy", saved(np.zeros((0, 4))), "holds no events"),
        ("a.npy", header_of((21_000_000, 4)), "21,000,000 events, more than 20 million"),
        ("a.npy", b"\x93NUMPY\x01\x00\xff\xff", "damaged"),
        ("a.npz", archived(frames=np.zeros((4, 2, 8, 8))), "holds frames"),
        ("a.npz", archived(t=np.ones(2), x=np.ones(2)), "no t, x, y and p"),
        ("a.npz", archived(**named(SCENE) | {"p": np.ones(2)}), "no t, x, y and p"),
        ("a.npz", archived(t=np.zeros(26 * 10**6), x=np.ones(1), y=np.ones(1), p=np.ones(1)), "unpacks to more than"),
        ("a.npz", b"PK\3\4 no archive", "damaged"),
        ("a.hdf5", b"\x89HDF", "format read here"),
        ("", b"anything", "format read here"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(name, content, says):
    if content.startswith(b"#!AER-DAT4"):
        pytest.importorskip("aedat", reason="AEDAT 4 is read with the package aedat")
    with pytest.raises(RecordingError, match=says) as caught:
        read_events(content, name)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and ". " not in sentence
    assert caught.value.__cause__ is None and (caught.value.__suppress_context__ or not caught.value.__context__)


def test_bounds_are_arithmetic(monkeypatch):
    monkeypatch.setattr(event_formats, "MAX_EVENTS", 4)
    for name, content in FILES.items():
        with pytest.raises(RecordingError, match="5 events, more than"):
            read_events(content, name)
    monkeypatch.setattr(event_formats, "MAX_PACKETS", 3)
    with pytest.raises(RecordingError, match="more than 3 packets"):
        read_events(FILES["caer.aedat"], "caer.aedat")
    monkeypatch.setattr(event_files, "MAX_BYTES", 10)
    for data in (FILES["digit.bin"], io.BytesIO(FILES["digit.bin"])):
        with pytest.raises(RecordingError, match="larger than"):
            read_events(data, "digit.bin")


def test_a_path_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_events(tmp_path / "none.bin", "none.bin")


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def assert_recording_or_sentence(content: bytes, name: str) -> None:
    try:
        events = read_events(content, name)
    except RecordingError as error:
        assert "\n" not in str(error)
        return
    assert len(events) and (np.diff(events.t) >= 0).all() and events.t[0] >= 0
    assert 0 <= events.x.min() <= events.x.max() < events.width <= 2**14
    assert 0 <= events.y.min() <= events.y.max() < events.height <= 2**14


@FUZZ
@pytest.mark.filterwarnings("ignore")  # numpy warns of headers it repairs
@given(st.binary(max_size=200), st.sampled_from(list(FILES)), st.integers(0, 60))
def test_any_bytes_are_a_recording_or_a_sentence(tail, name, head):
    assert_recording_or_sentence(tail, name)
    assert_recording_or_sentence(FILES[name][:head] + tail, name)


@settings(FUZZ, max_examples=600)
@pytest.mark.filterwarnings("ignore")
@given(st.sampled_from(list(FILES)), st.sampled_from(list(FILES)), st.data())
def test_a_damaged_recording_is_a_recording_or_a_sentence(name, other, data):
    assert_recording_or_sentence(damaged(FILES[name], data), data.draw(st.sampled_from([name, other])))


def damaged(content: bytes, data) -> bytes:
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, 5))):
        # headers are where the trouble lies: half of the changes go there
        place = data.draw(st.integers(0, min(120, len(content) - 1)) | st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.just(len(content)) | st.integers(1, len(content)))
    return bytes(content[:end])


@settings(FUZZ, max_examples=12)
@given(st.data())
def test_a_damaged_aedat4_is_a_recording_or_a_sentence(data):
    # one process an example, so few of them; the package ends its process on some
    pytest.importorskip("aedat", reason="AEDAT 4 is read with the package aedat")
    assert_recording_or_sentence(damaged(aedat4(SCENE), data), "a.aedat4")


def test_a_process_that_ends_costs_a_sentence(monkeypatch):
    pytest.importorskip("aedat", reason="AEDAT 4 is read with the package aedat")
    monkeypatch.setattr(event_formats, "AEDAT4_PROGRAM", "import os; os.abort()")
    with pytest.raises(RecordingError, match="AEDAT 4 file is damaged"):
        read_events(aedat4(SCENE), "a.aedat4")


def test_importing_does_not_import_decoders():
    code = "import sys, spikeviz.data.events, spikeviz.data.event_files; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    tops = {name.split(".")[0] for name in done.stdout.split()}
    assert "spikeviz" in tops and not tops & {"torch", "tonic", "expelliarmus", "aedat"}


# --- the value ---


def test_events_are_checked_when_made():
    ok = {"t": [1, 2], "x": [0, 3], "y": [1, 2], "p": [0, 1], "height": 3, "width": 4}
    events = Events(**ok)
    assert len(events) == 2 and events.duration == 1 and events.p.dtype == bool and events.notes == ()
    for change, says in (
        ({"t": [1]}, "got lengths t 1, x 2, y 2, p 2"),
        ({"x": [[0, 3]]}, "lists of one length"),
        ({"x": [0, 4]}, "1 of 2 events lie outside the sensor of 4 x 3 pixels, the first at x 4, y 2"),
        ({"y": [-1, 3]}, "2 of 2 events lie outside"),
        ({"t": [-1, 2]}, r"0 or more microseconds and below 2\^62, not -1"),
        ({"t": np.array([1, 2**63], np.uint64)}, "not 9223372036854775808"),
        ({"p": [0, 2]}, r"0 \(OFF\) or 1 \(ON\), not 2"),
        ({"t": [0.5, 1]}, "t holds whole numbers, not float64"),
        ({"height": 0}, "1 to 16,384 pixels a side, not 4 x 0"),
    ):
        with pytest.raises(ValueError, match=says) as caught:
            Events(**ok | change)
        assert not isinstance(caught.value, RecordingError)


def test_events_are_frozen_copies():
    t = np.array([1, 2])
    events = Events(t, [0, 0], [0, 0], [0, 1], 1, 1)
    t[0] = 9
    assert events.t.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        events.t[0] = 3
    with pytest.raises(AttributeError):
        events.height = 3


def test_time_out_of_order_is_sorted_stably_with_a_note():
    events = Events([5, 3, 5, 4, 9], [0, 1, 2, 3, 4], [0] * 5, [1] * 5, 1, 5, ("before",))
    assert events.t.tolist() == [3, 4, 5, 5, 9] and events.x.tolist() == [1, 3, 0, 2, 4]
    # 3 comes after 5, 4 comes after 5: two events
    assert events.notes == ("before", "time stamps were not in order, 2 events were moved")
    read = read_events(atis([(7, 1, 1, 1), (5, 2, 2, 0)]), "a.bin")
    assert columns(read) == [(5, 2, 2, 0), (7, 1, 1, 1)]
    assert read.notes[-1] == "time stamps were not in order, 1 event was moved"


def test_rate_by_hand():
    # windows from 100 on: [100, 200) holds 3, [200, 300) none, [300, 400) one; 3 in 100 us are 30,000 a second
    events = made([(100, 0, 0, 1), (150, 0, 0, 1), (199, 0, 0, 0), (300, 0, 0, 1)])
    assert events.rate(100).tolist() == [30_000, 0, 10_000]
    assert made([]).rate().tolist() == [] and made([]).duration == 0
    with pytest.raises(ValueError, match="more than 1,000,000 windows"):
        made([(0, 0, 0, 1), (10**9, 0, 0, 1)]).rate(1)


# --- frames ---

FIVE = [(10, 0, 0, 0), (12, 1, 0, 1), (14, 2, 1, 1), (19, 2, 1, 1), (20, 0, 1, 0)]  # 3 wide, 2 high


def test_by_number_of_equal_time():
    # 11 microseconds, 10 to 20, in two: 10 + floor(11 / 2) = 15 begins the second; it holds 19 and the last one, 20
    frames = by_number(made(FIVE, 3, 2), 2)
    assert frames.shape == (2, 2, 2, 3) and frames.dtype == np.uint8
    assert frames[0].tolist() == [[[1, 0, 0], [0, 0, 0]], [[0, 1, 0], [0, 0, 1]]]
    assert frames[1].tolist() == [[[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [0, 0, 1]]]


def test_by_number_of_equal_count():
    # 5 events in 3 frames: edges floor(5 k / 3) = 0, 1, 3, 5
    frames = by_number(made(FIVE, 3, 2), 3, split="count")
    assert frames.sum((1, 2, 3)).tolist() == [1, 2, 2]
    assert by_number(made(FIVE, 3, 2), 9, "count").sum((1, 2, 3)).tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 1]


def test_by_time_with_and_without_overlap():
    events = made(FIVE, 3, 2)
    # 4 us: [10, 14) 2 events, [14, 18) 1, [18, 22) 2
    assert by_time(events, 4).sum((1, 2, 3)).tolist() == [2, 1, 2]
    # a step of 2 us: [10, 14) [12, 16) [14, 18) [16, 20) [18, 22), the first to reach 20
    assert by_time(events, 4, overlap=2).sum((1, 2, 3)).tolist() == [2, 2, 1, 1, 2]
    assert by_time(events, 11).sum((1, 2, 3)).tolist() == [5]
    assert by_time(events, 10).sum((1, 2, 3)).tolist() == [4, 1]
    assert by_time(events, 10**30, 10**29).sum() == 5


def test_by_count_keeps_the_rest():
    assert by_count(made(FIVE, 3, 2), 2).sum((1, 2, 3)).tolist() == [2, 2, 1]
    assert by_count(made(FIVE, 3, 2), 100).sum((1, 2, 3)).tolist() == [5]


def test_frames_without_events():
    empty = made([], 3, 2)
    assert by_number(empty, 4).shape == by_number(empty, 4, "count").shape == (4, 2, 2, 3)
    assert by_time(empty, 5).shape == by_count(empty, 5).shape == (0, 2, 2, 3)
    assert by_number(empty, 4).sum() == 0


@pytest.mark.parametrize(
    ("fires", "dtype"), [(255, np.uint8), (256, np.uint16), (65_536, np.int32), (100_000, np.int32)]
)
def test_one_pixel_firing_often_does_not_overflow(fires, dtype):
    t = np.arange(fires)
    events = Events(t, np.full(fires, 2), np.full(fires, 1), np.ones(fires, bool), 3, 4)
    for frames in (
        by_number(events, 1),
        by_time(events, fires),
        by_count(events, fires),
        by_number(events, 1, "count"),
    ):
        assert frames.dtype == dtype and frames[0, 1, 1, 2] == fires == frames.sum()
    # counts of 100,000 and more of one pixel also survive a smaller grid
    assert resize(by_number(events, 2), 1)[:, 1, 0, 0].sum() == fires


def test_one_frame_of_many_makes_all_wide(monkeypatch):
    monkeypatch.setattr("spikeviz.data.events.BLOCK_CELLS", 1)
    rows = [(0, 0, 0, 1)] * 300 + [(5, 0, 0, 0)]
    frames = by_time(made(rows, 1, 1), 1)
    assert frames.dtype == np.uint16 and frames[:, :, 0, 0].tolist() == [[0, 300], *[[0, 0]] * 4, [1, 0]]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda e: by_number(e, 0), "frames is a whole number, 1 or more, not 0"),
        (lambda e: by_number(e, 2.5), "frames is a whole number"),
        (lambda e: by_number(e, 2, "number"), "'time' or 'count', not 'number'"),
        (lambda e: by_time(e, 0), "microseconds is a whole number"),
        (lambda e: by_time(e, 5, 5), "shorter than a frame of 5 us, not 5"),
        (lambda e: by_time(e, 5, -1), "0 or more"),
        (lambda e: by_count(e, True), "count is a whole number"),
        (lambda e: by_number(e, 10**9), "1,000,000,000 frames of 2 x 2 x 3 are more than"),
        (lambda e: by_time(made([(0, 0, 0, 1), (10**12, 0, 0, 1)]), 1), "ask for fewer frames"),
        (lambda e: resize(e, 0), "size is a whole number"),
        (lambda e: resize(e, 10**5), "at most 16,384"),
        (lambda e: resize(np.zeros((1, 2, 2, 3)), 2), "not float64"),
        (lambda e: resize(np.zeros((1000, 2, 2, 3), int), 16_000), "more than"),
    ],
)
def test_frames_that_make_no_sense(call, says):
    with pytest.raises(ValueError, match=says):
        call(made(FIVE, 3, 2))


def test_resize_by_hand():
    # 4 x 2 onto 2: columns 0 1 2 3 become 0 0 1 1, rows 0 1 stay
    frames = np.array([[[1, 2, 3, 4], [5, 6, 7, 8]], [[0, 0, 0, 200], [0, 0, 0, 100]]], np.uint8)[None]
    assert resize(frames, 2).tolist() == [[[[3, 7], [11, 15]], [[0, 200], [0, 100]]]]
    assert resize(frames, 1).tolist() == [[[[36]], [[300]]]] and resize(frames, 1).dtype == np.uint16
    # onto 4: row 1 becomes 2, and rows 1 and 3 never fire
    assert resize(frames, 4)[0, 0].tolist() == [[1, 2, 3, 4], [0] * 4, [5, 6, 7, 8], [0] * 4]
    events = resize(made([(1, 3, 1, 1)], 4, 2), 8)
    assert columns(events) == [(1, 6, 4, 1)] and (events.width, events.height) == (8, 8)
    assert events.notes == ("moved from 4 x 2 onto 8 x 8 pixels",)
    same = made([(1, 3, 1, 1)], 4, 4)
    assert resize(same, 4) is same


@st.composite
def recordings(draw):
    width, height = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    event = st.tuples(st.integers(0, 60), st.integers(0, width - 1), st.integers(0, height - 1), st.integers(0, 1))
    start = draw(st.sampled_from([0, 1, 2**40]))
    rows = sorted(draw(st.lists(event, max_size=30)))
    return made([(t + start, x, y, p) for t, x, y, p in rows], width, height)


@settings(deadline=None, max_examples=200)
@given(recordings(), st.integers(1, 80), st.integers(1, 9))
def test_every_event_is_in_exactly_one_frame(events, number, size):
    whole = np.zeros((2, events.height, events.width), int)
    for _, x, y, p in columns(events):
        whole[p, y, x] += 1
    for framed in (
        lambda e: by_number(e, number),
        lambda e: by_number(e, number, "count"),
        lambda e: by_time(e, number),
        lambda e: by_count(e, number),
    ):
        frames = framed(events)
        assert np.array_equal(frames.astype(int).sum(0), whole)
        assert np.array_equal(resize(frames, size), framed(resize(events, size)))  # in either order
    by_numbers, by_counts = by_number(events, number, "count"), by_count(events, number)
    assert np.ptp(by_numbers.sum((1, 2, 3))) <= 1
    assert (by_counts[:-1].sum((1, 2, 3)) == number).all() and by_counts[-1:].sum() <= number


@settings(deadline=None, max_examples=100)
@given(recordings(), st.integers(1, 20), st.data())
def test_overlapping_frames_are_windows(events, length, data):
    overlap = data.draw(st.integers(0, length - 1))
    frames, step = by_time(events, length, overlap), length - overlap
    starts = [int(events.t[0]) + k * step for k in range(len(frames))] if len(events) else []
    inside = [int(((events.t >= s) & (events.t < s + length)).sum()) for s in starts]
    assert frames.sum((1, 2, 3)).tolist() == inside
    if starts:  # the last frame reaches the last event, the one before it does not
        assert events.t[-1] < starts[-1] + length and (len(starts) == 1 or events.t[-1] >= starts[-2] + length)


# --- folders of data sets ---


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(atis(SCENE))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEVIZ_DATA", os.pathsep.join([str(tmp_path / "nowhere"), str(tmp_path)]))
    return tmp_path


@pytest.mark.parametrize("inside", ["", "nmnist"])
def test_nmnist_is_listed(folder, inside):
    touch(folder / inside / "NMNIST", "Train/1/00002.bin", "Train/0/00009.bin", "Train/1/00001.bin", "Test/7/00001.bin")
    touch(folder / inside / "NMNIST", "Train/1/readme.txt", "Train/extra/00001.bin")
    train = list_nmnist("train")
    assert [(path.parent.name, path.name, label) for path, label in train] == [
        ("0", "00009.bin", 0),
        ("1", "00001.bin", 1),
        ("1", "00002.bin", 1),
    ]
    assert [label for _, label in list_nmnist("test")] == [7]
    assert columns(read_events(train[0][0], train[0][0].name)) == list(SCENE)


def test_real_nmnist_is_listed(monkeypatch):
    monkeypatch.setenv("SPIKEVIZ_DATA", str(needs(NMNIST).parent))
    train, test = list_nmnist("train"), list_nmnist("test")
    assert (len(train), len(test)) == (1000, 100) and {label for _, label in train} == set(range(10))
    assert all(path.parent.name == str(label) for path, label in train) and train == list_nmnist("train")


def test_dvs_gesture_is_listed_and_read(folder):
    root = folder / "DVSGesture"
    touch(root, *(f"ibmGestureTrain/user02_led/{n}.npy" for n in (10, 2, 0)), "ibmGestureTest/user24_led/3.npy")
    touch(root, "ibmGestureTrain/user01_lab/1.npy", "ibmGestureTrain/user01_lab/labels.csv")
    pairs = list_dvs_gesture("train")
    assert [(path.parent.name, label) for path, label in pairs] == [
        ("user01_lab", 1),
        ("user02_led", 0),
        ("user02_led", 2),
        ("user02_led", 10),
    ]
    assert [label for _, label in list_dvs_gesture("test")] == [3]
    path = pairs[0][0]
    np.save(path, np.array([[127, 126, 1, 3], [4, 5, 0, 9]], np.float64))
    events = read_events(path, path.name, size=(128, 128), columns="xypt", tick=1000)
    assert columns(events) == [(3_000, 127, 126, 1), (9_000, 4, 5, 0)]


def test_cifar10_dvs_is_split_nine_to_one(folder):
    for name in CIFAR10_DVS_CLASSES:
        touch(folder / "CIFAR10DVS", *(f"{name}/cifar10_{name}_{n}.aedat4" for n in range(20)))
    train, test = list_cifar10_dvs("train"), list_cifar10_dvs("test")
    assert (len(train), len(test)) == (180, 20) and not set(train) & set(test)
    assert [label for _, label in test] == [label for label in range(10) for _ in range(2)]
    # by name as text 0, 1, 10, 11, ..., 19, 2, 3, ..., 9: the last two of twenty are 8 and 9
    assert [path.name for path, _ in test[:2]] == ["cifar10_airplane_8.aedat4", "cifar10_airplane_9.aedat4"]


def test_ncaltech101_labels_follow_the_folders(folder):
    root = folder / "ncaltech101" / "NCALTECH101" / "Caltech101"
    for name, number in (("zebra", 10), ("BACKGROUND_Google", 11), ("airplanes", 1)):
        touch(root / name, *(f"image_{n:04}.bin" for n in range(number)))
    assert ncaltech101_classes() == ("BACKGROUND_Google", "airplanes", "zebra")
    # 9 tenths, rounded up: 10 of 11, 1 of 1, 9 of 10
    assert [label for _, label in list_ncaltech101("train")] == [0] * 10 + [1] + [2] * 9
    assert [(path.name, label) for path, label in list_ncaltech101("test")] == [
        ("image_0010.bin", 0),
        ("image_0009.bin", 2),
    ]


@pytest.mark.parametrize("listing", [list_nmnist, list_dvs_gesture, list_cifar10_dvs, list_ncaltech101])
def test_listings_say_what_is_missing(listing, folder):
    with pytest.raises(ValueError, match="no split 'valid'; there are train, test"):
        listing("valid")
    with pytest.raises(FileNotFoundError, match="into SPIKEVIZ_DATA"):
        listing("train")


def test_an_empty_folder_holds_no_recordings(folder):
    (folder / "NMNIST/Train").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="holds no recordings of this split"):
        list_nmnist("train")


def test_a_zip_may_hold_members_under_odd_names():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../evil", saved(np.array(SCENE)))
    assert columns(read_events(stream.getvalue(), "a.npz")) == list(SCENE)
