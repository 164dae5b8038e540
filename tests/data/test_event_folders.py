"""Folders of event data sets: what is listed, split and labelled."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.event_files import NMNIST, SCENE, atis, columns, needs, saved

from spikeviz.data.event_folders import (
    list_cifar10_dvs,
    list_dvs_gesture,
    list_ncaltech101,
    list_nmnist,
    ncaltech101_classes,
)
from spikeviz.data.event_io.reader import read_events
from spikeviz.data.images import CIFAR10_CLASSES


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
    for name in CIFAR10_CLASSES:
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
