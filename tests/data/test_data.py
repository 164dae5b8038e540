"""Data: what ships is the official thing, the door says what is wrong."""

import hashlib
import io
import pickle
import struct
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from spikeviz.data import CATALOG, images, list_data, load_data, shipped_indices
from spikeviz.data.pack import first_of_each_class, write_mosaic
from spikeviz.paths import assets, data_folders

SHIPPED_SHA256 = {
    "fashion-test.png": "d592c9bc8a1961b851bfd2e38c5fb4e642964d4e08f584228a2be515ba04b6e1",
    "fashion-val.png": "b1a87fb952d9327c6e67b44d0c61e670fd961324751ede176892a62f0191b851",
    "fashion-train-10k.png": "b5d1480fd027aa62ec6fececdb479e76062438ea3fac260481ee2e097d35c2be",
}


def needs(name: str, split: str = "train") -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # that only the shipped part of a set is here
            load_data(name, split, limit=1)
    except (FileNotFoundError, UserWarning) as missing:
        pytest.skip(str(missing))


def official_folder():
    for folder in data_folders():
        for place in (folder, folder / "fashion-mnist", folder / "FashionMNIST/raw"):
            if images.idx_file(place, "t10k-images-idx3-ubyte") and images.idx_file(place, "train-images-idx3-ubyte"):
                return place
    pytest.skip("the official files of Fashion-MNIST are not in SPIKEVIZ_DATA")


# --- what ships ---


@pytest.mark.parametrize("name", SHIPPED_SHA256)
def test_shipped_files_are_the_packed_ones(name):
    content = (assets() / "data" / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == SHIPPED_SHA256[name]
    assert f"{SHIPPED_SHA256[name]}  {name}" in (assets() / "data/SHA256SUMS").read_text().splitlines()


def test_shipped_files_are_small_and_keep_their_licence():
    assert sum((assets() / "data" / name).stat().st_size for name in SHIPPED_SHA256) < 12e6
    notice = (assets() / "data/LICENSE-fashion-mnist").read_text(encoding="utf-8")
    assert "2017 Zalando SE" in notice and "shall be included in all copies" in notice


def test_shipped_splits_equal_the_official_files():
    folder = official_folder()
    for split, part in (("test", "t10k"), ("val", "train"), ("train-10k", "train")):
        official, shipped, indices = (
            images.read_official(folder, part),
            images.read_shipped(split),
            shipped_indices(split),
        )
        assert np.array_equal(shipped.pixels, official.pixels[indices])
        assert np.array_equal(shipped.labels, official.labels[indices])
    assert np.array_equal(indices, first_of_each_class(official.labels, 1_000))


@pytest.mark.parametrize("split", ["test", "train-10k"])
def test_shipped_splits_are_balanced(split):
    x, y = load_data("fashion", split)
    assert x.shape == (10_000, 1, 28, 28) and x.dtype == torch.float32
    assert y.shape == (10_000,) and y.dtype == torch.int64
    assert (x.min(), x.max()) == (0, 1)
    assert torch.bincount(y).tolist() == [1_000] * 10
    assert (np.diff(shipped_indices(split)) > 0).all()  # file order is kept


def test_test_split_is_in_the_official_order():
    assert shipped_indices("test").tolist() == list(range(10_000))
    _, y = load_data("fashion", "test", limit=5)
    assert [CATALOG["fashion"].classes[i] for i in y] == ["Ankle boot", "Pullover", "Trouser", "Trouser", "Shirt"]


def test_first_of_each_class_by_hand():
    # class 0 lies at 1, 3, 4 and class 1 at 0, 2, 5: the first two of each are 1, 3 and 0, 2
    assert first_of_each_class(np.array([1, 0, 1, 0, 0, 1], np.uint8), 2).tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="class 1 has 1 samples"):
        first_of_each_class(np.array([0, 0, 1], np.uint8), 2)


@pytest.mark.parametrize("n", [1, 100, 137])
def test_a_mosaic_gives_back_what_went_in_and_the_same_bytes_twice(tmp_path, n):
    draw = np.random.default_rng(n)
    split = images.Shipped(
        draw.integers(0, 256, (n, 1, 28, 28), np.uint8), draw.integers(0, 10, n, np.uint8), draw.permutation(60_000)[:n]
    )
    for name in ("a.png", "b.png"):
        write_mosaic(tmp_path / name, split)
    back = images.read_mosaic(tmp_path / "a.png")
    assert all(np.array_equal(before, after) for before, after in zip(split, back, strict=True))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


# --- the door ---


def test_catalogue_lists_what_it_holds():
    images = ["fashion", "cifar10-jpeg", "cifar10", "flowers"]
    assert [name for name in list_data() if CATALOG[name].kind == "images"] == images
    events = ["fashion-dvs", "fashion-dvs-4", "nmnist", "dvs-gesture", "cifar10-dvs", "ncaltech101"]
    assert [name for name in list_data() if CATALOG[name].kind == "events"] == events
    for name, source in CATALOG.items():
        assert source.name == name and "test" in source.splits and len(set(source.classes)) == len(source.classes)
    assert "lossy" in CATALOG["cifar10-jpeg"].note


def test_limit_is_the_first_ones():
    x, y = load_data("fashion", "test")
    few, their_labels = load_data("fashion", "test", limit=np.int64(7))
    assert torch.equal(few, x[:7]) and torch.equal(their_labels, y[:7])
    assert len(load_data("fashion", "test", limit=10**6)[0]) == 10_000


def test_what_is_returned_is_the_callers_own():
    first, labels = load_data("fashion", "test", limit=3)
    before, their_labels = first.clone(), labels.clone()
    first.fill_(7)
    labels.fill_(7)
    again, labels_again = load_data("fashion", "test", limit=3)
    assert torch.equal(again, before) and torch.equal(labels_again, their_labels)
    with pytest.raises(ValueError, match="read-only"):
        images.read_shipped("test").pixels[0] = 1


@pytest.mark.parametrize("limit", [0, -1, 2.5, "3", True])
def test_limit_out_of_range(limit):
    with pytest.raises(ValueError, match="1 or more"):
        load_data("fashion", "test", limit=limit)


@pytest.mark.parametrize("name", ["mnist", "", None, ["fashion"]])
def test_unknown_name_lists_the_names(name):
    with pytest.raises(ValueError, match="there are fashion, fashion-dvs, "):
        load_data(name)


def test_unknown_split_lists_the_splits():
    with pytest.raises(ValueError, match="no split 'validation'; there are train, val, train\\+val, test, train-10k"):
        load_data("fashion", "validation")


def test_fashion_trains_on_what_ships_but_not_silently(monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKEVIZ_DATA", str(tmp_path))
    with pytest.warns(UserWarning, match=r"10,000 training images .* that ship; for all 60,000 .* SPIKEVIZ_DATA"):
        x, y = load_data("fashion", "train")
    shipped, labels = load_data("fashion", "train-10k")
    assert torch.equal(x, shipped) and torch.equal(y, labels)


@pytest.mark.parametrize("name", ["cifar10-jpeg", "cifar10", "flowers"])
def test_missing_data_says_what_to_do(name, monkeypatch, tmp_path):
    for folders in ("", str(tmp_path), str(tmp_path / "nowhere")):
        monkeypatch.setenv("SPIKEVIZ_DATA", folders)
        with pytest.raises(FileNotFoundError, match="into SPIKEVIZ_DATA"):
            load_data(name, "val")


# --- sets that do not ship ---


def test_full_fashion():
    needs("fashion")
    x, y = load_data("fashion", "train+val")
    assert x.shape == (60_000, 1, 28, 28) and torch.bincount(y).tolist() == [6_000] * 10
    shipped, labels = load_data("fashion", "train-10k")
    indices = torch.from_numpy(shipped_indices("train-10k"))
    assert torch.equal(x[indices], shipped) and torch.equal(y[indices], labels)


@pytest.mark.parametrize("place", ["", "fashion-mnist", "FashionMNIST/raw"])
@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_are_found_packed_or_not(place, packed, monkeypatch, tmp_path):
    pixels, labels = np.arange(2 * 784, dtype=np.uint8).reshape(2, 28, 28), np.array([3, 9], np.uint8)
    write_idx(tmp_path / place, monkeypatch, packed, pixels, labels)
    monkeypatch.setenv("SPIKEVIZ_DATA", str(tmp_path))
    x, y = load_data("fashion", "train+val")
    assert torch.equal(x, torch.from_numpy(pixels).float()[:, None] / 255) and y.tolist() == [3, 9]


def write_idx(folder, monkeypatch, packed, *arrays):
    """A tiny `train` of Fashion-MNIST that passes for the official one."""
    import gzip

    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(("train-images-idx3-ubyte", "train-labels-idx1-ubyte"), arrays, strict=True):
        content = b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape) + array.tobytes()
        monkeypatch.setitem(images.FASHION_SHA256, name, hashlib.sha256(content).hexdigest())
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(content) if packed else content)


def test_digits_in_files_of_the_same_names_are_refused(monkeypatch, tmp_path):
    pixels, labels = np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.uint8)
    with monkeypatch.context() as disguise:
        write_idx(tmp_path, disguise, True, pixels, labels)
    monkeypatch.setenv("SPIKEVIZ_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="not the official file"):
        load_data("fashion", "train")


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1f\x8b", b"hello", b"\0\0\x08\x03\0\0", b"\0\0\x08\x01\0\0\0\x05abc", b"\0\0\x08\x02" + b"\xff" * 8],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_damaged_idx_files(content, suffix, tmp_path):
    path = tmp_path / f"train-images-idx3-ubyte{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged"):
        images.read_idx(path)


def jpeg_set(path, **changes):
    """A `.npz` of four JPEGs of 32 x 32, each of one grey level: 0, 60, 120, 180."""
    files = []
    for i in range(4):
        stream = io.BytesIO()
        Image.new("RGB", (32, 32), (60 * i,) * 3).save(stream, "JPEG")
        files.append(stream.getvalue())
    arrays = {
        "test_jpeg": np.frombuffer(b"".join(files), np.uint8),
        "test_offsets": np.cumsum([0, *map(len, files)]),
        "test_labels": np.arange(4, dtype=np.uint8),
    }
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, **arrays | changes)


@pytest.mark.parametrize("place", ["cifar10_jpeg.npz", "cifar10/cifar10_jpeg.npz"])
def test_jpeg_set_is_found_and_read_anew_when_replaced(place, monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKEVIZ_DATA", str(tmp_path))
    jpeg_set(tmp_path / place)
    x, y = load_data("cifar10-jpeg", "test", limit=3)
    assert x.shape == (3, 3, 32, 32) and y.tolist() == [0, 1, 2]
    assert torch.allclose(x.mean((1, 2, 3)) * 255, torch.tensor([0.0, 60.0, 120.0]), atol=2)
    jpeg_set(tmp_path / place, test_labels=np.array([9, 9, 9, 9], np.uint8))
    assert load_data("cifar10-jpeg", "test")[1].tolist() == [9, 9, 9, 9]


@pytest.mark.parametrize(
    "changes",
    [
        {"test_offsets": np.array([0, 5])},
        {"test_offsets": np.array([0, 9, 5, 7, 10**6])},
        {"test_labels": np.zeros(4)},
        {"test_jpeg": np.zeros(10, np.float32)},
        {"test_jpeg": np.array([{"a": 1}], dtype=object)},
    ],
)
def test_damaged_jpeg_set(changes, monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKEVIZ_DATA", str(tmp_path))
    jpeg_set(tmp_path / "cifar10_jpeg.npz", **changes)
    with pytest.raises(ValueError, match="is damaged"):
        load_data("cifar10-jpeg", "test")
    (tmp_path / "cifar10_jpeg.npz").write_bytes(b"PK\3\4 no archive")
    with pytest.raises(ValueError, match="is damaged"):
        load_data("cifar10-jpeg", "test")


@pytest.mark.parametrize(("name", "classes"), [("cifar10-jpeg", 10), ("flowers", 5)])
def test_real_jpeg_sets(name, classes):
    needs(name, "test")
    source = CATALOG[name]
    x, y = load_data(name, "test", limit=200)
    assert x.shape == (200, 3, source.size, source.size) and len(source.classes) == classes
    assert 0 <= x.min() < 0.05 and 0.95 < x.max() <= 1 and set(y.tolist()) == set(range(classes))
    few, labels = load_data(name, "test", limit=10)
    assert torch.equal(few, x[:10]) and torch.equal(labels, y[:10])


def test_cifar10_from_a_torchvision_folder(monkeypatch, tmp_path):
    from torchvision.datasets import CIFAR10

    folder = tmp_path / "cifar10" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    rows = np.random.default_rng(0).integers(0, 256, (2, 3072), np.uint8)

    def write(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return hashlib.md5((folder / name).read_bytes()).hexdigest()

    sums = [write(name, {"data": rows, "labels": [1, 8]}) for name in ("data_batch_1", "test_batch")]
    meta = write("batches.meta", {"label_names": list(CATALOG["cifar10"].classes)})
    monkeypatch.setattr(CIFAR10, "train_list", [["data_batch_1", sums[0]]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums[1]]])
    monkeypatch.setattr(CIFAR10, "meta", {"filename": "batches.meta", "key": "label_names", "md5": meta})
    monkeypatch.setenv("SPIKEVIZ_DATA", str(tmp_path))
    x, y = load_data("cifar10", "train+val")
    assert torch.equal(x, torch.from_numpy(rows).reshape(2, 3, 32, 32).float() / 255) and y.tolist() == [1, 8]

    # a batch that is not the official one is never unpickled
    (folder / "test_batch").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(ValueError, match="incomplete or damaged"):
        load_data("cifar10", "test")
