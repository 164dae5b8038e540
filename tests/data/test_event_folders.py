"""Folders of event data sets: what is listed, split and labelled, and that tonic's events are ours."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.event_files import NMNIST, SCENE, aedat4, atis, columns, needs, saved

from spikeviz.data.event_folders import LAYOUTS, EventFolder, open_folder
from spikeviz.data.event_io.reader import read_events
from spikeviz.data.events import RecordingError
from spikeviz.data.images import CIFAR10_CLASSES


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(atis(SCENE))


def pairs(folder: EventFolder) -> list[tuple[str, str, int]]:
    """The folder, name and class of each file."""
    return [(path.parent.name, path.name, label) for path, label in zip(folder.files, folder.labels, strict=True)]


def same(one, other) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in "txyp")


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    """Reading a folder never opens an address, whatever the folder lacks."""
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("reading a folder went to the network"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEVIZ_DATA", os.pathsep.join([str(tmp_path / "nowhere"), str(tmp_path)]))
    return tmp_path


@pytest.mark.parametrize("inside", ["", "nmnist"])
def test_nmnist_is_listed_and_read(folder, inside):
    touch(folder / inside / "NMNIST", "Train/1/00002.bin", "Train/0/00009.bin", "Train/1/00001.bin", "Test/7/00001.bin")
    touch(folder / inside / "NMNIST", "Train/1/readme.txt", "Train/1/1/00003.bin")
    train = open_folder("nmnist", "train+val")
    assert pairs(train) == [("0", "00009.bin", 0), ("1", "00001.bin", 1), ("1", "00002.bin", 1)]
    assert pairs(open_folder("nmnist", "test")) == [("7", "00001.bin", 7)]
    events = train.recording(0)
    assert columns(events) == list(SCENE) and (events.height, events.width, events.notes) == (34, 34, ())


def test_tonic_reads_every_recording_of_nmnist_as_our_reader_does(monkeypatch):
    monkeypatch.setenv("SPIKEVIZ_DATA", str(needs(NMNIST).parent))
    train, test = open_folder("nmnist", "train+val"), open_folder("nmnist", "test")
    assert (len(train), len(test)) == (1000, 100) and set(train.labels) == set(range(10))
    assert all(path.parent.name == str(label) for path, label in zip(train.files, train.labels, strict=True))
    assert train.files == open_folder("nmnist", "train+val").files
    for part in (train, test):
        for i, path in enumerate(part.files):
            events, ours = part.recording(i), read_events(path, path.name, size=(34, 34))
            assert len(events) > 1000 and same(events, ours) and events.notes == ours.notes == ()


def gesture(root: Path, *names: str, kind: type = np.float64) -> None:
    """Recordings as tonic keeps them: x, y, p, milliseconds."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(root / name, np.array([[127, 126, 1, 3], [4, 5, 0, 9]], kind))


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64, np.int32])
def test_dvs_gesture_is_listed_and_read(folder, kind):
    root = folder / "DVSGesture"
    gesture(root, *(f"ibmGestureTrain/user02_led/{n}.npy" for n in (10, 2, 0)), "ibmGestureTest/user24_led/3.npy")
    gesture(root, "ibmGestureTrain/user01_lab/1.npy", kind=kind)
    (root / "ibmGestureTrain/user01_lab/labels.csv").write_text("none")
    train = open_folder("dvs-gesture", "train+val")
    assert pairs(train) == [
        ("user01_lab", "1.npy", 1),
        ("user02_led", "0.npy", 0),
        ("user02_led", "2.npy", 2),
        ("user02_led", "10.npy", 10),
    ]
    assert open_folder("dvs-gesture", "test").labels == (3,)
    events, path = train.recording(0), train.files[0]
    assert columns(events) == [(3_000, 127, 126, 1), (9_000, 4, 5, 0)] and events.width == events.height == 128
    assert same(events, read_events(path, path.name, size=(128, 128), columns="xypt", tick=1000))


def test_cifar10_dvs_is_split_nine_to_one(folder):
    for name in CIFAR10_CLASSES:
        touch(folder / "CIFAR10DVS", *(f"{name}/cifar10_{name}_{n}.aedat4" for n in range(20)))
    train, test = open_folder("cifar10-dvs", "train+val"), open_folder("cifar10-dvs", "test")
    assert (len(train), len(test)) == (180, 20) and not set(train.files) & set(test.files)
    assert test.labels == tuple(label for label in range(10) for _ in range(2))
    assert [path.parent.name for path in test.files[::2]] == list(CIFAR10_CLASSES)
    # by name as text 0, 1, 10, 11, ..., 19, 2, 3, ..., 9: the last two of twenty are 8 and 9
    assert [path.name for path in test.files[:2]] == ["cifar10_airplane_8.aedat4", "cifar10_airplane_9.aedat4"]


def test_cifar10_dvs_is_read_in_a_process_of_its_own(folder):
    pytest.importorskip("aedat", reason="AEDAT 4 is read with the package aedat")
    touch(folder / "CIFAR10DVS", "cat/cifar10_cat_0.aedat4")
    (train,) = (open_folder("cifar10-dvs", "train+val"),)
    train.files[0].write_bytes(aedat4(SCENE, 128, 128))
    events = train.recording(0)
    assert columns(events) == list(SCENE) and (events.height, events.width) == (128, 128) and train.labels == (3,)
    train.files[0].write_bytes(aedat4(SCENE, 128, 128)[:300])
    with pytest.raises(RecordingError, match=r"cifar10_cat_0.aedat4 cannot be read: The AEDAT 4 file is damaged"):
        train.recording(0)


def test_ncaltech101_labels_follow_the_folders(folder):
    root = folder / "ncaltech101" / "NCALTECH101" / "Caltech101"
    for name, number in (("zebra", 10), ("BACKGROUND_Google", 11), ("airplanes", 1)):
        touch(root / name, *(f"image_{n:04}.bin" for n in range(number)))
    touch(root.parent, "__MACOSX/airplanes/image_0000.bin")
    train = open_folder("ncaltech101", "train+val")
    assert [name for name, *_ in pairs(train)] == ["BACKGROUND_Google"] * 10 + ["airplanes"] + ["zebra"] * 9
    # 9 tenths, rounded up: 10 of 11, 1 of 1, 9 of 10
    assert train.labels == (*[0] * 10, 1, *[2] * 9)
    assert [(name, label) for _, name, label in pairs(open_folder("ncaltech101", "test"))] == [
        ("image_0010.bin", 0),
        ("image_0009.bin", 2),
    ]


def test_recordings_of_ncaltech101_stay_where_they_were_seen(folder):
    touch(folder / "NCALTECH101/Caltech101", "ant/image_0001.bin")
    moved = tuple((t, x + 100, y + 50, p) for t, x, y, p in SCENE)
    train = open_folder("ncaltech101", "train+val")
    train.files[0].write_bytes(atis(moved))
    assert columns(train.recording(0)) == list(moved)


@pytest.mark.parametrize("name", LAYOUTS)
def test_listings_say_what_is_missing(name, folder):
    with pytest.raises(ValueError, match="no split 'valid'; there are train, val, train\\+val, test"):
        open_folder(name, "valid")
    with pytest.raises(FileNotFoundError, match="into SPIKEVIZ_DATA"):
        open_folder(name, "train+val")


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_empty_folder_holds_no_recordings(name, folder):
    (folder / LAYOUTS[name].folder / LAYOUTS[name].train).mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="holds no recordings of this split"):
        open_folder(name, "train+val")


@pytest.mark.parametrize(
    ("name", "stray"),
    [
        ("nmnist", "NMNIST/Train/extra/00001.bin"),
        ("dvs-gesture", "DVSGesture/ibmGestureTrain/extra/0.npy"),
        ("dvs-gesture", "DVSGesture/ibmGestureTrain/user01_led/first.npy"),
        ("cifar10-dvs", "CIFAR10DVS/extra/a.aedat4"),
    ],
)
def test_files_that_are_not_of_the_set_are_one_sentence(name, stray, folder):
    touch(folder, stray)
    with pytest.raises(ValueError, match=r"holds files that are not of \w+ \(.*\): fetch it again$"):
        open_folder(name, "train+val")


@pytest.mark.parametrize(
    ("name", "file", "content"),
    [
        ("nmnist", "NMNIST/Train/3/00001.bin", atis(SCENE)[:-1]),
        ("nmnist", "NMNIST/Train/3/00001.bin", b""),
        ("nmnist", "NMNIST/Train/3/00001.bin", atis([(1, 200, 1, 1)])),
        ("dvs-gesture", "DVSGesture/ibmGestureTrain/user01_led/3.npy", b"no array"),
        ("dvs-gesture", "DVSGesture/ibmGestureTrain/user01_led/3.npy", saved(np.zeros((3, 5)))),
        ("dvs-gesture", "DVSGesture/ibmGestureTrain/user01_led/3.npy", saved(np.array([{}]), allow_pickle=True)),
        ("ncaltech101", "NCALTECH101/Caltech101/ant/3.bin", b"abc"),
    ],
)
def test_a_damaged_file_of_a_set_is_one_sentence_with_its_name(name, file, content, folder):
    touch(folder, file)
    (folder / file).write_bytes(content)
    with pytest.raises(RecordingError, match=f"{Path(file).name} cannot be read: .*[.]$") as caught:
        open_folder(name, "train+val").recording(0)
    assert "\n" not in str(caught.value)


def test_a_zip_may_hold_members_under_odd_names():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../evil", saved(np.array(SCENE)))
    assert columns(read_events(stream.getvalue(), "a.npz")) == list(SCENE)
