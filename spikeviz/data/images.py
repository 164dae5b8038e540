"""Readers of image sets: what ships, Fashion-MNIST's idx files, folders of JPEG bytes, CIFAR-10's batches.

Every reader answers `(pixels uint8 [n, C, H, W], labels uint8 [n])`, read-only and kept in one cache that is bounded by
bytes, so a caller copies before writing. No reader unpickles a file whose checksum it has not seen: arrays are loaded
with `allow_pickle=False`, CIFAR-10's pickles are left to torchvision, which compares them with the official md5 sums
first. A damaged file is a ValueError of one sentence, a missing one a FileNotFoundError that says what to do.
"""

import gzip
import hashlib
import io
import math
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from einops import EinopsError, rearrange
from jaxtyping import Int64, UInt8
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from spikeviz.cache import MB, ByteCache
from spikeviz.data.splits import TENTH, VAL, places
from spikeviz.paths import assets, data_folders

READ = ByteCache(512 * MB)  # splits: 8 MB shipped, 47 of idx files, 154 of CIFAR-10, about 170 of JPEGs

# What reading a damaged file may raise, besides the ValueErrors written here.
DAMAGE = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, SyntaxError),
    *(zlib.error, zipfile.BadZipFile, EinopsError, Image.DecompressionBombError),
)

# sha256 of the four official files, unpacked. MNIST's digits lie in files of the same names: names prove nothing.
FASHION_SHA256 = {
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
}
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_BATCHES = "cifar-10-batches-py"  # a folder
TRAIN_IMAGES = "train-images-idx3-ubyte"
MOSAIC_COLUMNS = 100  # 100 x 100 pictures of 28 x 28 make a sheet of 2800 x 2800 pixels
SHIPPED = {"test": "fashion-test.png", "val": "fashion-val.png", "train-10k": "fashion-train-10k.png"}
IDX_MAX_BYTES = 256 * 2**20  # five times the largest file; a gzip bomb stops here


class Shipped(NamedTuple):
    """A split of Fashion-MNIST as it ships. `indices` are places in the official file the pictures come from."""

    pixels: UInt8[np.ndarray, "n 1 28 28"]
    labels: UInt8[np.ndarray, "n"]
    indices: Int64[np.ndarray, "n"]


class Pixels(NamedTuple):
    """What a reader answers: pictures at native size and their classes."""

    pixels: UInt8[np.ndarray, "n C H W"]
    labels: UInt8[np.ndarray, "n"]


def read_fashion(split: str, limit: int | None = None) -> Pixels:
    """Fashion-MNIST [n, 1, 28, 28]. `test`, `val` and `train-10k` ship.

    `train+val` is the official 60,000 from `SPIKEVIZ_DATA`, `train` those that are not val; where they are not found,
    `train` is `train-10k`, with a warning.
    """
    found = place_fashion(split, limit)
    return Pixels(found.pixels, found.labels)


def place_fashion(split: str, limit: int | None = None) -> Shipped:
    """The same, with the place of each picture in the official file."""
    split = fashion_split(split)
    if split in SHIPPED:
        return Shipped(*(values[:limit] for values in read_shipped(split)))
    folder = find_fashion()
    images = folder and idx_file(folder, TRAIN_IMAGES)
    if folder is None or images is None:
        raise FileNotFoundError(
            f"{split} of Fashion-MNIST needs the official 60,000 images, which do not ship: put the folder of the idx "
            "files into SPIKEVIZ_DATA, or fetch them with `spikeviz data get fashion`"
        )
    whole = READ.get(("idx", folder, _stamp(images)), lambda: read_official(folder, "train"))
    return Shipped(*_taken(whole, split, limit, VAL), places(split, whole.labels, VAL)[:limit])


def fashion_split(split: str) -> str:
    """The split that is read: `train-10k`, with a warning, where `train` is asked for and the 60,000 are not here."""
    if split != "train" or find_fashion():
        return split
    warnings.warn(
        "these are the 10,000 training images of Fashion-MNIST that ship; for all 60,000 put the folder of the "
        "official idx files into SPIKEVIZ_DATA, or fetch them with `spikeviz data get fashion`",
        stacklevel=4,
    )
    return "train-10k"


def count_fashion(split: str) -> int:
    """How many pictures of a split are here."""
    here = find_fashion() is not None
    return {"train": 55_000 if here else 10_000, "train+val": 60_000 * here, "val": 5_000}.get(split, 10_000)


def find_fashion() -> Path | None:
    """The folder of the official training files in `SPIKEVIZ_DATA`, as they are or as torchvision keeps them."""
    return _find(("", "fashion-mnist", "FashionMNIST/raw"), lambda folder: idx_file(folder, TRAIN_IMAGES))


def shipped_indices(split: str) -> Int64[np.ndarray, "n"]:
    """For each shipped picture its place, from 0, in the official file (of training, but for `test`)."""
    return read_shipped(split).indices.copy()


def read_shipped(split: str) -> Shipped:
    """Decode the PNG mosaic of a shipped split (pack.py writes them); about 0.1 s for 10,000 pictures."""
    path = assets() / "data" / SHIPPED[split]
    try:
        return READ.get(("mosaic", path), lambda: read_mosaic(path))
    except DAMAGE as error:
        raise ValueError(f"{path} is missing or damaged ({error}): install spikeviz again") from error


def read_mosaic(path: Path) -> Shipped:
    """The exact inverse of `pack.write_mosaic`: a sheet of 28 x 28 grey pictures, labels and indices as PNG text."""
    with PngImageFile(path) as sheet:
        sheet.load()
        labels = np.array([int(digit) for digit in sheet.text["Labels"]], dtype=np.uint8)
        indices = np.array(sheet.text["Indices"].split(), dtype=np.int64)
        tiles = rearrange(np.asarray(sheet), "(rows h) (cols w) -> (rows cols) 1 h w", h=28, cols=MOSAIC_COLUMNS)
    if not len(labels) == len(indices) <= len(tiles):
        raise ValueError(f"{len(tiles)} pictures, {len(labels)} labels, {len(indices)} indices")
    return Shipped(*_frozen(np.ascontiguousarray(tiles[: len(labels)]), labels, indices))


def idx_file(folder: Path, name: str) -> Path | None:
    """`name` or `name.gz` in a folder, where it exists."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def read_idx(path: Path) -> UInt8[np.ndarray, "..."]:
    """One idx file of unsigned bytes, gzipped or not (http://yann.lecun.com/exdb/mnist, "file format").

    Layout: two zero bytes, the type (8 = unsigned byte), the number of axes, each as a big-endian int32, the values.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            content = stream.read(IDX_MAX_BYTES)
        if content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
            raise ValueError("no idx header")
        shape = tuple(int(n) for n in np.frombuffer(content, ">i4", count=content[3], offset=4))
        start = 4 + 4 * content[3]
        if math.prod(shape) != len(content) - start:
            raise ValueError(f"its header promises {shape}, {len(content) - start} bytes follow")
        return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
    except DAMAGE as error:
        raise ValueError(f"{path} is damaged ({error}): fetch it again") from error


def read_official(folder: Path, part: str) -> Pixels:
    """`part` (`train` or `t10k`) of the official Fashion-MNIST in a folder of idx files, checked against its sha256."""
    read = []
    for name in (f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"):
        path = idx_file(folder, name)
        if path is None:
            raise FileNotFoundError(f"{folder} has no {name} or {name}.gz: Fashion-MNIST needs both")
        values = read_idx(path)
        header = b"\0\0\x08" + bytes([values.ndim]) + np.array(values.shape, ">i4").tobytes()
        if hashlib.sha256(header + values.tobytes()).hexdigest() != FASHION_SHA256[name]:
            raise ValueError(f"{path} is not the official file of Fashion-MNIST (its sha256 differs): fetch it again")
        read.append(values)
    return Pixels(*_frozen(rearrange(read[0], "n h w -> n 1 h w"), read[1]))


def read_cifar10(split: str, limit: int | None = None) -> Pixels:
    """CIFAR-10 [n, 3, 32, 32] in the official order, from a `cifar-10-batches-py` folder as torchvision keeps it."""
    root = find_cifar10()
    if root is None:
        raise FileNotFoundError(
            f"CIFAR-10 does not ship: put the folder that holds {CIFAR10_BATCHES} into SPIKEVIZ_DATA, "
            "or fetch it with `spikeviz data get cifar10`"
        )
    part, name = ("test", "test_batch") if split == "test" else ("train", "data_batch_1")
    path = root / CIFAR10_BATCHES / name
    stamp = _stamp(path) if path.is_file() else (0, 0)
    return _taken(READ.get(("batches", root, stamp, part), lambda: read_cifar10_folder(root, part)), split, limit, VAL)


def find_cifar10() -> Path | None:
    """The folder in `SPIKEVIZ_DATA` that holds CIFAR-10's batches, as torchvision keeps them."""
    return _find(("", "cifar10", "CIFAR10"), lambda folder: (folder / CIFAR10_BATCHES).is_dir())


def read_cifar10_folder(root: Path, part: str) -> Pixels:
    """All pictures of the official `train` or `test`, from the folder that holds CIFAR-10's batches."""
    from torchvision.datasets import CIFAR10  # a second to import, and only this set needs it

    try:
        official = CIFAR10(root, train=part == "train", download=False)  # compares md5 sums before it unpickles
    except RuntimeError as error:
        folder = f"{root}/{CIFAR10.base_folder}"
        raise ValueError(f"{folder} is incomplete or damaged (an md5 sum differs): fetch it again") from error
    pixels = np.ascontiguousarray(rearrange(official.data, "n h w c -> n c h w"))
    return Pixels(*_frozen(pixels, np.array(official.targets, dtype=np.uint8)))


def read_cifar10_jpeg(split: str, limit: int | None = None) -> Pixels:
    """CIFAR-10 [n, 3, 32, 32] from a lossy JPEG copy, `cifar10_jpeg.npz`, in the copy's own order."""
    missing = (
        "the JPEG copy of CIFAR-10 does not ship: `spikeviz data get cifar10-jpeg` fetches CIFAR-10 and makes it, or "
        "put the folder of one that you have into SPIKEVIZ_DATA"
    )
    return _read_jpeg_set("cifar10", 32, split, limit, missing, VAL)


def read_flowers(split: str, limit: int | None = None) -> Pixels:
    """Flower photos [n, 3, 128, 128] from `flowers128_jpeg.npz`."""
    missing = (
        "the flower photos do not ship and cannot be fetched, since they are a selection of our own: who has them puts "
        "their folder into SPIKEVIZ_DATA"
    )
    return _read_jpeg_set("flowers128", 128, split, limit, missing, TENTH)


def _read_jpeg_set(name: str, size: int, split: str, limit: int | None, missing: str, per_class: int | None) -> Pixels:
    path = find_jpeg_set(name)
    if path is None:
        raise FileNotFoundError(missing)
    # a power of two, so that neighbouring limits share one decoding
    at_least = None if limit is None else max(256, 1 << (limit - 1).bit_length())
    key = ("jpegs", path, _stamp(path), split, at_least)
    pixels, labels = READ.get(key, lambda: _read_jpegs(path, size, split, at_least, per_class))
    return Pixels(pixels[:limit], labels[:limit])


def find_jpeg_set(name: str) -> Path | None:
    """`<name>_jpeg.npz` in `SPIKEVIZ_DATA`, or in a folder there of this name."""
    file = f"{name}_jpeg.npz"
    return _find((file, f"{name}/{file}"), Path.is_file)


def _read_jpegs(path: Path, size: int, split: str, limit: int | None, per_class: int | None) -> Pixels:
    """The first `limit` pictures of a split of an `.npz`, which holds the official train and test.

    `{part}_jpeg`: files end to end, `_offsets` [n+1], `_labels` [n].
    """
    part = "test" if split == "test" else "train"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            jpeg, offsets, labels = (arrays[f"{part}_{key}"] for key in ("jpeg", "offsets", "labels"))
        content = jpeg.astype(np.uint8, casting="equiv").tobytes()
        bounds = [int(o) for o in offsets]
        if len(bounds) != len(labels) + 1 or bounds[0] != 0 or bounds[-1] != len(content) or bounds != sorted(bounds):
            raise ValueError("its offsets do not fit its pictures")
        chosen = places(split, labels, per_class)[:limit]
        labels = labels.astype(np.uint8, casting="equiv")[chosen]
        pixels = np.empty((len(labels), 3, size, size), np.uint8)
        for number, i in enumerate(chosen):
            with Image.open(io.BytesIO(content[bounds[i] : bounds[i + 1]]), formats=("JPEG",)) as picture:
                if picture.size != (size, size):
                    raise ValueError(f"picture {i} has {picture.width} x {picture.height} pixels, not {size} x {size}")
                pixels[number] = rearrange(np.asarray(picture.convert("RGB")), "h w c -> c h w")
    except DAMAGE as error:
        raise ValueError(f"{path} is damaged ({error}): fetch it again") from error
    return Pixels(*_frozen(pixels, labels))


def _taken(whole: Pixels, split: str, limit: int | None, per_class: int | None) -> Pixels:
    """The first `limit` of a split; `whole` is the official training set, or for `test` the test set."""
    if split not in ("train", "val"):
        return Pixels(whole.pixels[:limit], whole.labels[:limit])  # without a copy
    chosen = places(split, whole.labels, per_class)[:limit]
    return Pixels(*_frozen(whole.pixels[chosen], whole.labels[chosen]))


def _find(below: tuple[str, ...], holds: Callable[[Path], object]) -> Path | None:
    """The first place under a folder of `SPIKEVIZ_DATA` for which `holds` is true."""
    return next((f / place for f in data_folders() for place in below if holds(f / place)), None)


def _stamp(path: Path) -> tuple[int, int]:
    """Changes when the file does, so that a cache never answers for a file replaced since."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _frozen(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    for array in arrays:
        array.flags.writeable = False
    return arrays
