"""Splits: disjoint, complete, val the last of each class; and what needs the whole training set says so."""

import hashlib
import io

import numpy as np
import pytest
import torch
from PIL import Image

import spikeviz as sv
from spikeviz.data import event_sets, images, list_data, shipped_indices
from spikeviz.data.catalog import find_data
from spikeviz.data.event_folders import open_folder
from spikeviz.data.splits import SPLITS, TENTH, VAL, places, val_places, val_size


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine that holds no data but what ships."""
    monkeypatch.setenv("SPIKEVIZ_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(event_sets, "cache_folder", lambda: tmp_path / "frames")
    return tmp_path / "data"


def test_val_is_the_last_of_each_class_by_hand():
    labels = np.array([1, 0, 1, 0, 0, 1, 1], np.uint8)  # 0 lies at 1, 3, 4; 1 at 0, 2, 5, 6
    assert val_places(labels, 2).tolist() == [3, 4, 5, 6]
    assert places("val", labels, 2).tolist() == [3, 4, 5, 6] and places("train", labels, 2).tolist() == [0, 1, 2]
    assert places("train+val", labels, 2).tolist() == places("test", labels, 2).tolist() == list(range(7))
    assert val_places(labels, TENTH).tolist() == [4, 6]  # one at least of each
    with pytest.raises(ValueError, match="last 4 of each class, and a class here has 3"):
        val_places(labels, 4)


def test_a_tenth_is_rounded_down_and_at_least_one():
    assert [val_size(n, TENTH) for n in (1, 9, 10, 19, 20, 97)] == [1, 1, 1, 1, 2, 9]
    assert val_size(6_000, VAL) == 500
    assert places("val", np.zeros(0, np.uint8)).tolist() == places("train", np.zeros(0, np.uint8)).tolist() == []


@pytest.mark.parametrize("seed", range(5))
def test_train_and_val_are_disjoint_and_complete(seed):
    draw = np.random.default_rng(seed)
    labels = draw.permutation(np.repeat(np.arange(4, dtype=np.uint8), [3, 10, 25, 40]))
    train, val = (places(split, labels, TENTH) for split in ("train", "val"))
    assert sorted([*train, *val]) == list(range(len(labels)))
    assert (np.diff(train) > 0).all() and (np.diff(val) > 0).all()  # the set's own order
    assert np.bincount(labels[val]).tolist() == [1, 1, 2, 4]
    for label in range(4):
        assert train[labels[train] == label].max() < val[labels[val] == label].min()


def test_every_set_has_the_four_splits():
    assert SPLITS == ("train", "val", "train+val", "test")
    for name in list_data():
        assert find_data(name).splits[:4] == SPLITS
        with pytest.raises(ValueError, match=f"{name} has no split 'validation'; there are train, val, "):
            sv.load_data(name, "validation")


def test_val_of_fashion_ships(nowhere):
    x, y = sv.load_data("fashion", "val")
    assert x.shape == (5_000, 1, 28, 28) and torch.bincount(y).tolist() == [500] * 10
    # no picture of the smaller training set is among them, and all are late in the official file
    assert not set(shipped_indices("val")) & set(shipped_indices("train-10k"))
    assert shipped_indices("val").min() > 50_000 and (np.diff(shipped_indices("val")) > 0).all()


def test_val_of_simulated_events_is_of_the_same_pictures(nowhere):
    x, y = sv.load_data("fashion-dvs", "val", 4)
    assert x.shape == (4, 8, 2, 34, 34) and torch.equal(y, sv.load_data("fashion", "val", 4)[1])
    four, _ = sv.load_data("fashion-dvs-4", "val", 4)
    assert torch.equal(x.unflatten(1, (4, 2)).sum(2), four)
    first = event_sets.recording("fashion-dvs", "val", 3)
    assert len(first) == x[3].sum()


@pytest.mark.parametrize("name", ["fashion", "fashion-dvs"])
def test_the_official_training_set_is_not_replaced_by_a_part(name, nowhere):
    with pytest.raises(FileNotFoundError, match=r"train\+val of Fashion-MNIST needs .* 60,000 .* SPIKEVIZ_DATA"):
        sv.load_data(name, "train+val")
    with pytest.warns(UserWarning, match="10,000 training images"):
        x, _ = sv.load_data(name, "train", 2)
    assert torch.equal(x, sv.load_data(name, "train-10k", 2)[0])


def test_splits_of_the_whole_fashion():
    if not images.find_fashion():
        pytest.skip("the official files of Fashion-MNIST are not in SPIKEVIZ_DATA")
    whole = images.place_fashion("train+val")
    train, val = images.place_fashion("train"), images.place_fashion("val")
    assert np.array_equal(
        val.indices, np.sort([i for c in range(10) for i in np.flatnonzero(whole.labels == c)[-500:]])
    )
    assert sorted([*train.indices, *val.indices]) == list(range(60_000))
    for part in (train, val):
        assert np.array_equal(part.pixels, whole.pixels[part.indices])
        assert np.array_equal(part.labels, whole.labels[part.indices])
    assert {s: images.count_fashion(s) for s in SPLITS} == {s: len(images.read_fashion(s).labels) for s in SPLITS}


def tiny_fashion(folder, monkeypatch, labels):
    """An official training set of a few pictures, with val in the place of the file that ships."""
    folder.mkdir()
    labels = np.array(labels, np.uint8)
    pixels = np.random.default_rng(0).integers(0, 256, (len(labels), 28, 28), np.uint8)
    for name, array in (("train-images-idx3-ubyte", pixels), ("train-labels-idx1-ubyte", labels)):
        content = b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()
        monkeypatch.setitem(images.FASHION_SHA256, name, hashlib.sha256(content).hexdigest())
        (folder / name).write_bytes(content)
    monkeypatch.setattr(images, "VAL", 1)
    kept = val_places(labels, 1)
    shipped, whole = images.Shipped(pixels[kept][:, None], labels[kept], kept), images.read_shipped
    monkeypatch.setattr(images, "read_shipped", lambda split: shipped if split == "val" else whole(split))


def test_a_picture_has_one_recording_in_train_val_and_both(nowhere, monkeypatch):
    tiny_fashion(nowhere, monkeypatch, [1, 0, 1, 0, 0, 1, 1])  # val: 4 and 6
    both, labels = sv.load_data("fashion-dvs", "train+val")
    assert labels.tolist() == [1, 0, 1, 0, 0, 1, 1]
    for split, expected in (("val", [4, 6]), ("train", [0, 1, 2, 3, 5])):
        x, y = sv.load_data("fashion-dvs", split)
        assert torch.equal(x, both[expected]) and torch.equal(y, labels[expected])
        assert len(event_sets.recording("fashion-dvs", split, 1)) == x[1].sum()


def test_a_jpeg_set_is_split_before_it_is_decoded(nowhere, monkeypatch):
    files = []
    for level in range(0, 250, 25):
        stream = io.BytesIO()
        Image.new("RGB", (128, 128), (level,) * 3).save(stream, "JPEG")
        files.append(stream.getvalue())
    nowhere.mkdir()
    arrays = {"jpeg": np.frombuffer(b"".join(files), np.uint8), "offsets": np.cumsum([0, *map(len, files)])}
    arrays["labels"] = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0, 0], np.uint8)  # the last of each: 9 and 7
    np.savez(nowhere / "flowers128_jpeg.npz", **{f"train_{key}": value for key, value in arrays.items()})
    opened = []
    real = Image.open
    monkeypatch.setattr(images.Image, "open", lambda *a, **k: opened.append(1) or real(*a, **k))
    x, y = sv.load_data("flowers", "val")
    assert len(opened) == 2 and y.tolist() == [1, 0]
    assert torch.allclose(x.mean((1, 2, 3)) * 255, torch.tensor([175.0, 225.0]), atol=2)
    x, y = sv.load_data("flowers", "train", 3)
    assert y.tolist() == [0, 1, 0] and torch.allclose(x.mean((1, 2, 3)) * 255, torch.tensor([0.0, 25.0, 50.0]), atol=2)
    assert len(sv.load_data("flowers", "train")[1]) == 8 and len(sv.load_data("flowers", "train+val")[1]) == 10


def test_recordings_are_split_by_class(nowhere):
    for name in (*(f"0/{n:05}.bin" for n in range(25)), "1/00000.bin", "1/00001.bin"):
        path = nowhere / "NMNIST/Train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    train, val, both = (open_folder("nmnist", split) for split in ("train", "val", "train+val"))
    assert [path.name for path in val.files] == ["00023.bin", "00024.bin", "00001.bin"] and val.labels == (0, 0, 1)
    assert (len(train), len(both)) == (24, 27) and set(train.files) | set(val.files) == set(both.files)


def test_gestures_are_split_by_class_over_people(nowhere):
    for person in range(1, 12):
        path = nowhere / f"DVSGesture/ibmGestureTrain/user{person:02}_led/0.npy"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    val = open_folder("dvs-gesture", "val")
    assert [path.parent.name for path in val.files] == ["user11_led"]  # a tenth of eleven recordings of one class
    assert find_data("dvs-gesture").count("val") == 1 and find_data("dvs-gesture").count("train") == 10
