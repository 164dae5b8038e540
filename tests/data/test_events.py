"""Event recordings: each format read back exactly, real files against other readers."""

import struct
from pathlib import Path

import numpy as np
import pytest
from support.event_files import (
    FILES,
    GUESS_34,
    NMNIST,
    SCENE,
    SIZES,
    aedat2,
    aedat3,
    aedat4,
    archived,
    atis,
    columns,
    dat,
    evt2,
    evt3,
    named,
    needs,
    saved,
    structured,
)

from spikeviz.data.event_io import aedat as aedat_io
from spikeviz.data.event_io import prophesee
from spikeviz.data.event_io.reader import read_events
from spikeviz.data.events import RecordingError, by_number

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
    monkeypatch.setattr(aedat_io, "find_spec", lambda name: None)
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
    monkeypatch.setattr(prophesee, "CHUNK", chunk)
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

OBJECTS = ("Caixa", "Caneca", "Celular", "Estilete", "Lapiseira", "Mouse", "Tesoura")
RECORDINGS = (
    *(f"dvs128_gesture/{n}.bs2" for n in range(1, 11)),
    *(f"dvs128_objects/{name}.aedat" for name in OBJECTS),
    *("recordings/sample.aedat4", "recordings/sample_ncars.dat", "recordings/NCARS_obj_004397_td.dat"),
    *("recordings/evt2_sample.raw", "recordings/evt3_sample.raw"),
)
ROW = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])


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
