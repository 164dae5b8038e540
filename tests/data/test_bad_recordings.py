"""Event recordings that cannot be used: one sentence, whatever the bytes."""

import io
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.event_files import FILES, SCENE, aedat2, aedat3, aedat4, archived, atis, dat, evt2, named, saved

from spikeviz.data.event_io import aedat, decoded, reader
from spikeviz.data.event_io.reader import read_events
from spikeviz.data.events import RecordingError


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
    monkeypatch.setattr(decoded, "MAX_EVENTS", 4)
    for name, content in FILES.items():
        with pytest.raises(RecordingError, match="5 events, more than"):
            read_events(content, name)
    monkeypatch.setattr(aedat, "MAX_PACKETS", 3)
    with pytest.raises(RecordingError, match="more than 3 packets"):
        read_events(FILES["caer.aedat"], "caer.aedat")
    monkeypatch.setattr(reader, "MAX_BYTES", 10)
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
    monkeypatch.setattr(aedat, "AEDAT4_PROGRAM", "import os; os.abort()")
    with pytest.raises(RecordingError, match="AEDAT 4 file is damaged"):
        read_events(aedat4(SCENE), "a.aedat4")
