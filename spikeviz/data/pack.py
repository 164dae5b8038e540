"""Write the Fashion-MNIST that ships: `python -m spikeviz.data.pack SOURCE_FOLDER`.

SOURCE_FOLDER holds the four official idx files (gzipped or not; their sha256 is checked). Out come three PNG sheets of
100 pictures a row, lossless, with classes and original indices as text chunks, and their SHA256SUMS. Why PNG: lzma
makes two of them 8 % smaller and takes three times as long to open, and a sheet can be looked at. The same Pillow
writes the same bytes; another may compress otherwise, the pixels stay.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
from einops import rearrange
from jaxtyping import Int64, UInt8
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from spikeviz.data.images import MOSAIC_COLUMNS, SHIPPED, Shipped, read_official
from spikeviz.data.splits import val_places
from spikeviz.paths import assets

PER_CLASS = 1_000


def first_of_each_class(labels: UInt8[np.ndarray, "n"], per_class: int) -> Int64[np.ndarray, "m"]:
    """Indices of the first `per_class` samples of each class, in file order; ValueError where a class has fewer."""
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < per_class:
        raise ValueError(f"class {classes[counts.argmin()]} has {counts.min()} samples, {per_class} are wanted")
    return np.sort(np.concatenate([np.flatnonzero(labels == c)[:per_class] for c in classes])).astype(np.int64)


def write_mosaic(path: Path, split: Shipped) -> None:
    """The pictures left to right, top to bottom, on a PNG sheet of 100 columns; the inverse is `images.read_mosaic`."""
    rows = -(-len(split.pixels) // MOSAIC_COLUMNS)
    tiles = np.zeros((rows * MOSAIC_COLUMNS, 1, 28, 28), np.uint8)
    tiles[: len(split.pixels)] = split.pixels
    text = PngInfo()
    text.add_text("Copyright", "(c) 2017 Zalando SE, MIT licence, see LICENSE-fashion-mnist")
    text.add_text("Labels", "".join(str(label) for label in split.labels), zip=True)
    text.add_text("Indices", " ".join(str(index) for index in split.indices), zip=True)
    sheet = rearrange(tiles, "(rows cols) 1 h w -> (rows h) (cols w)", cols=MOSAIC_COLUMNS)
    Image.fromarray(sheet).save(path, format="PNG", optimize=True, pnginfo=text)


def pack(source: Path, target: Path) -> list[Path]:
    """Write the sheets and SHA256SUMS from the official files in `source`; answers the sheets."""
    test, train = read_official(source, "t10k"), read_official(source, "train")
    parts = {"val": val_places(train.labels), "train-10k": first_of_each_class(train.labels, PER_CLASS)}
    splits = {"test": Shipped(test.pixels, test.labels, np.arange(len(test.labels)))}
    splits |= {split: Shipped(train.pixels[kept], train.labels[kept], kept) for split, kept in parts.items()}
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for split, content in splits.items():
        written.append(target / SHIPPED[split])
        write_mosaic(written[-1], content)
    named = [*written, *sorted((target / "pictures").glob("*"))]  # the pictures to try lie beside them
    sums = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(target).as_posix()}\n" for path in named
    )
    (target / "SHA256SUMS").write_text(sums, encoding="ascii")
    return written


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m spikeviz.data.pack", description="Pack Fashion-MNIST.")
    parser.add_argument("source", type=Path, help="folder of the four official idx files")
    parser.add_argument("--target", type=Path, default=assets() / "data", help="where to write (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        written = pack(arguments.source, arguments.target)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    for path in written:
        print(f"{path.stat().st_size:>9,} bytes  {path.name}")


if __name__ == "__main__":
    main()
