"""What there is and how it is fetched: archives as the publishers have them, from files instead of the network."""

import gzip
import hashlib
import http.server
import io
import pickle
import socket
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tonic.datasets
import torch
import torchvision.datasets
from PIL import Image
from support.event_files import SCENE, aedat4, atis, columns, saved

import spikeviz as sv
from spikeviz.data import download, images
from spikeviz.data.catalog import CATALOG, list_data
from spikeviz.data.download import DownloadError, fetching, get_data
from spikeviz.data.event_folders import open_folder
from spikeviz.data.images import CIFAR10_CLASSES

RNG = np.random.default_rng(0)


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """Puts an archive where its publisher's would lie, and changes a class of torchvision or tonic to name it."""

    def put(known: type, content: bytes, url: str, checksum: str) -> Path:
        path = tmp_path / "publisher" / f"{known.__name__}-{url}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        monkeypatch.setattr(known, url, path.as_uri())
        monkeypatch.setattr(known, checksum, md5(content))
        return path

    return put


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEVIZ_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("spikeviz.data.event_sets.cache_folder", lambda: tmp_path / "frames")
    return tmp_path / "data"


def idx(array: np.ndarray) -> bytes:
    return b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()


def publish_fashion(tmp_path, monkeypatch, count: int = 3) -> np.ndarray:
    """A Fashion-MNIST of a few pictures on the second of two mirrors; answers its training pictures."""
    mirror, resources = tmp_path / "mirror", []
    mirror.mkdir(exist_ok=True)
    for part in ("train", "t10k"):
        pixels, labels = RNG.integers(0, 256, (count, 28, 28), np.uint8), np.arange(count, dtype=np.uint8)
        for name, array in ((f"{part}-images-idx3-ubyte", pixels), (f"{part}-labels-idx1-ubyte", labels)):
            content = gzip.compress(idx(array))
            (mirror / f"{name}.gz").write_bytes(content)
            resources.append((f"{name}.gz", md5(content)))
            monkeypatch.setitem(images.FASHION_SHA256, name, hashlib.sha256(idx(array)).hexdigest())
        train = pixels if part == "train" else train
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "resources", resources)
    addresses = [f"{(tmp_path / 'nowhere').as_uri()}/", f"{mirror.as_uri()}/"]
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "mirrors", addresses)
    return train


def test_fashion_is_fetched_and_read(tmp_path, monkeypatch, folder):
    pixels = publish_fashion(tmp_path, monkeypatch)
    assert get_data("fashion", folder) == folder
    x, y = sv.load_data("fashion", "train+val")
    assert torch.equal(x[:, 0], torch.from_numpy(pixels).float() / 255) and y.tolist() == [0, 1, 2]
    theirs = torchvision.datasets.FashionMNIST(folder, train=True, download=False)  # torchvision finds it too
    assert np.array_equal(theirs.data.numpy(), pixels)


@pytest.fixture
def cifar10(publish, monkeypatch):
    """A CIFAR-10 of two pictures in each split, at its publisher's; answers their bytes."""
    known, base = torchvision.datasets.CIFAR10, "cifar-10-batches-py"
    rows = RNG.integers(0, 256, (2, 3072), np.uint8)
    batch = pickle.dumps({"data": rows, "labels": [1, 8]})
    meta = pickle.dumps({"label_names": list(CIFAR10_CLASSES)})
    monkeypatch.setattr(known, "train_list", [["data_batch_1", md5(batch)]])
    monkeypatch.setattr(known, "test_list", [["test_batch", md5(batch)]])
    monkeypatch.setattr(known, "meta", {"filename": "batches.meta", "key": "label_names", "md5": md5(meta)})
    files = {"data_batch_1": batch, "test_batch": batch, "batches.meta": meta}
    publish(known, tarred({f"{base}/{name}": content for name, content in files.items()}), "url", "tgz_md5")
    return rows


def test_cifar10_is_fetched_and_read(cifar10, folder):
    get_data("cifar10", folder)
    x, y = sv.load_data("cifar10", "train+val")
    assert torch.equal(x, torch.from_numpy(cifar10).reshape(2, 3, 32, 32).float() / 255) and y.tolist() == [1, 8]


def test_the_jpeg_copy_is_made_of_cifar10(cifar10, folder):
    seen = []
    get_data("cifar10-jpeg", folder, lambda what, *_: seen.append(what))
    assert seen[-2:] == ["packing the train pictures, 0 of 2", "packing the test pictures, 0 of 2"]
    x, y = sv.load_data("cifar10-jpeg", "test")
    stream = io.BytesIO()
    picture = Image.fromarray(cifar10[1].reshape(3, 32, 32).transpose(1, 2, 0))
    picture.save(stream, "JPEG", quality=75)
    lossy = np.asarray(Image.open(stream)).transpose(2, 0, 1)
    assert torch.equal(x[1], torch.from_numpy(lossy.copy()).float() / 255) and y.tolist() == [1, 8]
    assert not list(folder.rglob("*.part"))


def test_a_second_download_waits_for_the_first(cifar10, tmp_path):
    first = fetching("cifar10", tmp_path / "one")
    next(first)
    second = fetching("cifar10", tmp_path / "two")
    assert next(second) == ("waiting for another download", 0, 0)
    first.close()  # as a cancelled job does
    assert "waiting" not in next(second)[0]
    second.close()
    assert not [path for path in tmp_path.rglob("*.part") if path.is_file()]


def test_nmnist_is_fetched_and_read(publish, folder):
    digits = {f"{digit}/0000{digit}.bin": atis(SCENE) for digit in range(10)}
    known = tonic.datasets.NMNIST
    train = zipped({f"Train/{name}": content for name, content in digits.items()})
    publish(known, train, "train_url", "train_md5")
    publish(known, zipped({f"Test/{name}": content for name, content in digits.items()}), "test_url", "test_md5")
    seen = []
    get_data("nmnist", folder, lambda what, done, total: seen.append((what, done, total)))
    x, y = sv.load_data("nmnist", "test")
    assert x.shape == (10, 8, 2, 34, 34) and x.sum() == 10 * len(SCENE) and y.tolist() == list(range(10))
    assert seen[:3] == [
        ("train.zip", 0, len(train)),
        ("train.zip", len(train), len(train)),
        ("unpacking train.zip", 0, 0),
    ]
    assert [what for what, *_ in seen[3:]] == ["test.zip", "test.zip", "unpacking test.zip"]
    assert not list(folder.rglob("*.part"))


def test_dvs_gesture_is_fetched_and_read(publish, folder):
    gesture = saved(np.array([[127, 126, 1, 3], [4, 5, 0, 9]], np.float64))
    for part, prefix in (("ibmGestureTrain", "train"), ("ibmGestureTest", "test")):
        content = tarred({f"{part}/user01_led/{n}.npy": gesture for n in range(11)})
        publish(tonic.datasets.DVSGesture, content, f"{prefix}_url", f"{prefix}_md5")
    get_data("dvs-gesture", folder)
    x, y = sv.load_data("dvs-gesture", "train+val")
    assert x.shape == (11, 16, 2, 128, 128) and x.sum() == 22 and y.tolist() == list(range(11))
    assert columns(open_folder("dvs-gesture", "test").recording(0)) == [(3_000, 127, 126, 1), (9_000, 4, 5, 0)]


def test_cifar10_dvs_is_an_archive_of_archives(publish, folder):
    pytest.importorskip("aedat", reason="AEDAT 4 is read with the package aedat")
    inner = {
        f"{name}.zip": zipped({f"{name}/cifar10_{name}_{n}.aedat4": aedat4(SCENE, 128, 128) for n in range(10)})
        for name in CIFAR10_CLASSES
    }
    publish(tonic.datasets.CIFAR10DVS, zipped(inner), "url", "file_md5")
    get_data("cifar10-dvs", folder)
    assert sorted(path.name for path in folder.rglob("*.zip")) == ["CIFAR10DVS.zip"]  # the inner ones are not kept
    test = open_folder("cifar10-dvs", "test")
    assert test.labels == tuple(range(10)) and columns(test.recording(9)) == list(SCENE)


@pytest.mark.parametrize("top", ["", "N-Caltech101-archive/"])
def test_ncaltech101_is_an_archive_in_an_archive(top, publish, folder):
    inner = zipped({f"Caltech101/{name}/image_0001.bin": atis(SCENE) for name in ("ant", "zebra")})
    content = zipped({f"{top}Caltech101.zip": inner, f"{top}Caltech101_annotations.zip": zipped({"a.mat": b"x"})})
    publish(tonic.datasets.NCALTECH101, content, "url", "file_md5")
    get_data("ncaltech101", folder)
    train = open_folder("ncaltech101", "train+val")
    assert train.labels == (0, 1) and columns(train.recording(1)) == list(SCENE)


def test_what_is_there_is_not_fetched_again(tmp_path, monkeypatch, folder):
    publish_fashion(tmp_path, monkeypatch)
    get_data("fashion", folder)
    raw = folder / "FashionMNIST/raw"
    (raw / "t10k-labels-idx1-ubyte.gz").write_bytes(b"cut off")
    (raw / "train-images-idx3-ubyte").unlink()
    seen = set()
    get_data("fashion", folder, lambda what, *_: seen.add(what))
    assert {what for what in seen if "unpacking" not in what} == {"t10k-labels-idx1-ubyte.gz"}
    assert (raw / "train-images-idx3-ubyte").is_file()


# --- what goes wrong is one sentence ---


def address_of_nothing() -> str:
    """Where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


def assert_sentence(caught) -> None:
    text = str(caught.value)
    assert "\n" not in text and "urlopen" not in text and text.endswith("; put its folder into SPIKEVIZ_DATA yourself")


@pytest.mark.parametrize("name", [name for name in list_data() if CATALOG[name].download])
def test_no_network_is_a_sentence_within_seconds(name, monkeypatch, folder):
    package, _, known = CATALOG[name].download.rpartition(".")
    known = getattr(torchvision.datasets if "torchvision" in package else tonic.datasets, known)
    nothing = address_of_nothing()
    for attribute in ("url", "train_url", "test_url"):
        if hasattr(known, attribute):
            monkeypatch.setattr(known, attribute, nothing)
    if hasattr(known, "mirrors"):
        monkeypatch.setattr(known, "mirrors", [nothing])
    with pytest.raises(DownloadError, match=rf"^{name} could not be downloaded \(no network\?\): ") as caught:
        get_data(name, folder)
    assert_sentence(caught)
    assert not folder.exists()


@pytest.fixture
def silent():
    """The address of a server that takes a connection and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/a"


def test_a_silent_server_is_left(silent, monkeypatch, folder):
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    monkeypatch.setattr(tonic.datasets.NCALTECH101, "url", silent)
    with pytest.raises(DownloadError, match=r"^ncaltech101 .* \(no network\?\): .*timed out") as caught:
        get_data("ncaltech101", folder)
    assert_sentence(caught)


def test_an_address_that_moved_is_named(monkeypatch, folder):
    class Gone(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404, "Not Found")

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Gone) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(tonic.datasets.NCALTECH101, "url", f"http://127.0.0.1:{server.server_port}/a")
        with pytest.raises(DownloadError, match=r"could not be downloaded: HTTP Error 404: Not Found") as caught:
            get_data("ncaltech101", folder)
        server.shutdown()
    assert_sentence(caught)


def test_an_archive_that_is_not_the_publishers(publish, monkeypatch, folder):
    publish(tonic.datasets.NCALTECH101, zipped({"a": b"b"}), "url", "file_md5")
    monkeypatch.setattr(tonic.datasets.NCALTECH101, "file_md5", "0" * 32)
    with pytest.raises(DownloadError, match="arrived with another md5 sum than 0000") as caught:
        get_data("ncaltech101", folder)
    assert_sentence(caught)
    assert not [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (zipped({"other": b"x"}), "hold no NCALTECH101 as tonic reads it"),
        (zipped({"Caltech101.zip": b"no archive"}), "File is not a zip file"),
    ],
)
def test_an_archive_of_another_layout(content, says, publish, folder):
    publish(tonic.datasets.NCALTECH101, content, "url", "file_md5")
    with pytest.raises(DownloadError, match=says) as caught:
        get_data("ncaltech101", folder)
    assert_sentence(caught)


def test_who_watches_may_end_it(publish, folder):
    publish(tonic.datasets.NCALTECH101, zipped({"a": b"b"}), "url", "file_md5")

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get_data("ncaltech101", folder, stop)
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_a_folder_that_is_a_file(tmp_path, publish):
    publish(tonic.datasets.NCALTECH101, zipped({"a": b"b"}), "url", "file_md5")
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DownloadError, match="taken") as caught:
        get_data("ncaltech101", tmp_path / "taken")
    assert_sentence(caught)


def test_what_cannot_be_fetched(tmp_path):
    names = "fashion, cifar10-jpeg, cifar10, nmnist, dvs-gesture, cifar10-dvs, ncaltech101"
    with pytest.raises(ValueError, match=f"^flowers cannot be downloaded; these can be downloaded: {names}$"):
        get_data("flowers", tmp_path)
    with pytest.raises(ValueError, match=r"^fashion-dvs ships with spikeviz; "):
        get_data("fashion-dvs", tmp_path)
    with pytest.raises(ValueError, match="no data set is called 'mnist'"):
        get_data("mnist", tmp_path)
