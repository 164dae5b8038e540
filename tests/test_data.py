"""Data: what ships is the official thing, the door says what is wrong, an upload is a picture or a sentence."""

import hashlib
import io
import pickle
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from spikeviz.data import CATALOG, PictureError, images, list_data, load_data, read_image, shipped_indices, upload
from spikeviz.data import catalog as catalog_module
from spikeviz.data.pack import first_of_each_class, write_mosaic
from spikeviz.places import assets, data_folders

SHIPPED_SHA256 = {
    "fashion-test.png": "d592c9bc8a1961b851bfd2e38c5fb4e642964d4e08f584228a2be515ba04b6e1",
    "fashion-train-10k.png": "b5d1480fd027aa62ec6fececdb479e76062438ea3fac260481ee2e097d35c2be",
}


def needs(name: str, split: str = "train") -> None:
    try:
        load_data(name, split, limit=1)
    except FileNotFoundError as missing:
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
    assert sum((assets() / "data" / name).stat().st_size for name in SHIPPED_SHA256) < 10e6
    notice = (assets() / "data/LICENSE-fashion-mnist").read_text(encoding="utf-8")
    assert "2017 Zalando SE" in notice and "shall be included in all copies" in notice


def test_shipped_splits_equal_the_official_files():
    folder = official_folder()
    for split, part in (("test", "t10k"), ("train-10k", "train")):
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
    assert list_data() == ["fashion", "cifar10-jpeg", "cifar10", "flowers"]
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
    with pytest.raises(ValueError, match="there are fashion, cifar10-jpeg, cifar10, flowers"):
        load_data(name)


def test_unknown_split_lists_the_splits():
    with pytest.raises(ValueError, match="no split 'validation'; there are train, train-10k, test"):
        load_data("fashion", "validation")


@pytest.mark.parametrize("name", ["fashion", "cifar10-jpeg", "cifar10", "flowers"])
def test_missing_data_says_what_to_do(name, monkeypatch, tmp_path):
    for folders in ("", str(tmp_path), str(tmp_path / "nowhere")):
        monkeypatch.setenv("SPIKEVIZ_DATA", folders)
        with pytest.raises(FileNotFoundError, match="into SPIKEVIZ_DATA"):
            load_data(name, "train")


def test_download_names_what_it_can_fetch_and_fails_in_one_sentence(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="cannot be downloaded; these can: fashion, cifar10"):
        catalog_module.download_data("flowers", tmp_path)
    import torchvision.datasets

    def offline(folder, download):
        raise RuntimeError("Error downloading\n  x")

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", offline)
    with pytest.raises(OSError, match=r"^cifar10 could not be downloaded into .*: Error downloading x$"):
        catalog_module.download_data("cifar10", tmp_path)
    monkeypatch.setattr(torchvision.datasets, "CIFAR10", lambda folder, download: None)
    assert catalog_module.download_data("cifar10", tmp_path) == tmp_path


# --- sets that do not ship ---


def test_full_fashion():
    needs("fashion")
    x, y = load_data("fashion", "train")
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
    x, y = load_data("fashion", "train")
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
    files = [encoded(Image.new("RGB", (32, 32), (60 * i,) * 3), "JPEG") for i in range(4)]
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
    x, y = load_data("cifar10", "train")
    assert torch.equal(x, torch.from_numpy(rows).reshape(2, 3, 32, 32).float() / 255) and y.tolist() == [1, 8]

    # a batch that is not the official one is never unpickled
    (folder / "test_batch").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(ValueError, match="incomplete or damaged"):
        load_data("cifar10", "test")


# --- pictures that users bring ---


def encoded(image: Image.Image, format: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def gradient(mode: str = "RGB", size: tuple[int, int] = (40, 40)) -> Image.Image:
    """Red grows to the right, green downwards; blue stays."""
    across, down = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
    image = Image.fromarray(np.stack([across, down, np.full_like(across, 90)], -1).astype(np.uint8))
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)  # 255 x 257 = 65535
    return image.convert(mode)


def png_header(width: int, height: int) -> bytes:
    """A PNG of a header and an empty body: its size costs nothing to claim."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("mode", "format"),
    [
        *((mode, "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        *((mode, "TIFF") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F")),
        *((mode, "JPEG") for mode in ("L", "RGB", "CMYK")),
        *((mode, "WEBP") for mode in ("RGB", "RGBA")),
        *((mode, "BMP") for mode in ("1", "L", "P", "RGB")),
        *((mode, "GIF") for mode in ("L", "P")),
    ],
)
def test_every_mode_gives_the_shape_asked(mode, format, channels):
    picture = read_image(encoded(gradient(mode), format), channels=channels, size=28)
    assert picture.pixels.shape == (channels, 28, 28) and picture.pixels.dtype == torch.float32
    assert picture.pixels.min() >= 0 and picture.pixels.max() <= 1 and picture.pixels.std() > 0.05
    assert "resized from 40 x 40 to 28 x 28" in picture.notes


def test_pixels_at_their_own_size_are_exact():
    image = gradient(size=(32, 32))
    picture = read_image(encoded(image), channels=3, size=32)
    assert torch.equal(picture.pixels, torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255)
    assert picture.notes == ()


def test_colour_becomes_luma_and_grey_is_repeated():
    # pure green: .587 x 255 = 149.7, an 8-bit 150
    green = read_image(encoded(Image.new("RGB", (28, 28), (0, 255, 0))), channels=1, size=28)
    assert torch.equal(green.pixels, torch.full((1, 28, 28), 150.0) / 255) and green.notes == ("colour turned to grey",)
    grey = read_image(encoded(Image.new("L", (28, 28), 51)), channels=3, size=28)
    assert torch.equal(grey.pixels, torch.full((3, 28, 28), 51.0) / 255) and grey.notes == ()


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(format):
    values = np.full((28, 28), 65535, np.uint16)
    values[:, :14] = 13107  # a fifth of 65535
    picture = read_image(encoded(Image.fromarray(values), format), channels=1, size=28)
    assert torch.allclose(picture.pixels[0, 0, [0, 27]], torch.tensor([0.2, 1.0]))


def test_sixteen_bits_with_white_as_zero():
    values = np.full((28, 28), 13107, np.uint16)
    content = bytearray(encoded(Image.fromarray(values), "TIFF"))
    tag = struct.pack("<HHIH", 262, 3, 1, 1)  # PhotometricInterpretation, one short, BlackIsZero
    assert content.count(tag) == 1
    content = bytes(content).replace(tag, struct.pack("<HHIH", 262, 3, 1, 0))
    assert torch.allclose(read_image(content, channels=1, size=28).pixels, torch.full((1, 28, 28), 0.8))


def test_float_values_are_kept_in_the_unit_range_and_stretched_outside():
    ramp = np.linspace(0, 1, 28 * 28, dtype=np.float32).reshape(28, 28)
    kept = read_image(encoded(Image.fromarray(ramp / 2), "TIFF"), channels=1, size=28)
    assert torch.equal(kept.pixels[0], torch.from_numpy(ramp / 2)) and kept.notes == ()
    stretched = read_image(encoded(Image.fromarray(ramp * 1000 - 200), "TIFF"), channels=1, size=28)
    assert torch.allclose(stretched.pixels[0], torch.from_numpy(ramp), atol=1e-6)
    assert stretched.notes == ("values stretched from -200 ... 800",)
    ramp[3, 3] = np.nan
    with pytest.raises(PictureError, match="not numbers"):
        read_image(encoded(Image.fromarray(ramp), "TIFF"), channels=1, size=28)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_lie_on_white(mode):
    image = Image.new("RGBA", (28, 28), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 14, 28))
    picture = read_image(encoded(image.convert(mode)), channels=3, size=28)
    assert picture.pixels[:, :, 0].eq(1).all() and picture.pixels[:, :, 27].eq(0).all()
    assert picture.notes == ("transparent parts laid on white",)
    opaque = read_image(encoded(Image.new(mode, (28, 28), 0).convert("RGB").convert("RGBA")), channels=3, size=28)
    assert opaque.notes == ()


def test_hidden_colours_of_transparent_parts_do_not_bleed():
    # half is white, half is a transparent black: on paper all of it is white, also along the border of a reduction
    image = Image.new("RGBA", (99, 99), (255, 255, 255, 255))
    image.paste((0, 0, 0, 0), (0, 0, 50, 99))
    assert read_image(encoded(image), channels=1, size=28).pixels.eq(1).all()


def test_transparent_palette_colour_lies_on_white():
    image = Image.new("P", (28, 28), 0)
    image.putpalette([10, 20, 30, 200, 100, 0])
    picture = read_image(encoded(image, transparency=0), channels=3, size=28)
    assert picture.pixels.eq(1).all() and "transparent parts laid on white" in picture.notes


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(("orientation", "bright"), [(1, "left"), (3, "right"), (6, "top"), (8, "bottom")])
def test_exif_orientation_is_applied(format, orientation, bright):
    # stored: the left half is white; 6 asks for a quarter turn clockwise, which brings left to the top
    image = Image.new("RGB", (64, 64))
    image.paste("white", (0, 0, 32, 64))
    exif = Image.Exif()
    exif[upload.ORIENTATION] = orientation
    picture = read_image(encoded(image, format, exif=exif), channels=1, size=64)
    edges = {"left": picture.pixels[0, :, 0], "right": picture.pixels[0, :, -1]}
    edges |= {"top": picture.pixels[0, 0], "bottom": picture.pixels[0, -1]}
    assert max(edges, key=lambda name: edges[name].mean()) == bright
    assert ("turned upright by its EXIF tag" in picture.notes) == (orientation != 1)


def test_centre_square_is_cropped():
    image = Image.new("L", (120, 40), 0)
    image.paste(255, (40, 0, 80, 40))  # just the centre square is white
    picture = read_image(encoded(image), channels=1, size=40)
    assert picture.pixels.eq(1).all() and picture.notes == ("cropped from 120 x 40 to the centre square",)
    assert read_image(encoded(image.resize((10_000, 10))), channels=1, size=28).pixels.shape == (1, 28, 28)


def test_reduction_is_antialiased():
    # a chessboard of single pixels, reduced four times, is even grey; a filter that skips pixels shows black or white
    board = np.indices((112, 112)).sum(0) % 2 * np.uint8(255)
    picture = read_image(encoded(Image.fromarray(board.astype(np.uint8))), channels=1, size=28)
    assert (picture.pixels - 0.5).abs().max() < 0.05


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_of_several_frames(format):
    frames = [Image.new("RGB", (28, 28), colour) for colour in ("white", "black", "red")]
    content = encoded(frames[0], format, save_all=True, append_images=frames[1:])
    picture = read_image(content, channels=3, size=28)
    assert picture.pixels.min() > 0.98 and picture.notes == ("first of several frames",)


def test_invert_and_determinism_and_files():
    content = encoded(gradient())
    plain, again = (read_image(content, channels=1, size=28) for _ in range(2))
    assert torch.equal(plain.pixels, again.pixels) and plain.notes == again.notes
    inverted = read_image(content, channels=1, size=28, invert=True)
    assert torch.equal(inverted.pixels, 1 - plain.pixels) and inverted.notes[-1] == "inverted, light for dark"
    file = io.BytesIO(content)
    file.read()  # as a page leaves it after its first run
    assert torch.equal(read_image(file, channels=1, size=28).pixels, plain.pixels)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"%PDF-1.7 not a picture", "not a picture in a format read here: save it as PNG, JPEG"),
        (b"\0" * (upload.MAX_BYTES + 1), "larger than 10 MB"),
        (io.BytesIO(b"\0" * (upload.MAX_BYTES + 1)), "larger than 10 MB"),
        (png_header(7_000, 7_000), "more than 40 megapixels"),
        (png_header(10_000, 10_000), "more than 40 megapixels"),
        (png_header(60_000, 60_000), "more than 40 megapixels"),
        (png_header(2**31 - 1, 2**31 - 1), "more than 40 megapixels"),
        (png_header(5_000, 5_000), "cut off or damaged"),
        (encoded(gradient())[:-40], "cut off or damaged"),
        (encoded(gradient(), "JPEG")[:-200], "cut off or damaged"),
        (encoded(Image.new("L", (7, 300))), "7 x 300 pixels, each side needs 8"),
        (encoded(Image.new("L", (1, 10_000))), "each side needs 8"),
        (encoded(gradient(), "ICO"), "not a picture in a format read here"),
        (encoded(gradient(), "EPS"), "not a picture in a format read here"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_cannot_be_used_is_said_in_one_sentence(content, says):
    with pytest.raises(PictureError, match=says) as caught:
        read_image(content, channels=1, size=28)
    assert str(caught.value).count(". ") == 0 and "\n" not in str(caught.value)
    assert caught.value.__cause__ is None and (caught.value.__suppress_context__ or not caught.value.__context__)


def test_a_jpeg_of_endless_passes_is_refused():
    # 4 megapixels x 2,500 passes = 10^10 pixels to go through, from a file of some 40 KB
    content = encoded(Image.new("L", (2000, 2000)), "JPEG", progressive=True)
    last = content[content.rindex(upload.START_OF_SCAN) : -2]
    with pytest.raises(PictureError, match="too many passes"):
        read_image(content[:-2] + last * 2_500 + content[-2:], channels=1, size=28)
    assert read_image(content[:-2] + last * 10 + content[-2:], channels=1, size=28).pixels.eq(0).all()


@pytest.mark.parametrize(("channels", "size"), [(2, 28), (1, 0)])
def test_senseless_arguments_are_the_callers_fault(channels, size):
    with pytest.raises(ValueError, match="1 or 3 channels") as caught:
        read_image(encoded(gradient()), channels=channels, size=size)
    assert not isinstance(caught.value, PictureError)


SEEDS = [
    *(encoded(gradient(mode), "PNG") for mode in ("P", "RGBA", "I;16")),
    encoded(gradient(), "JPEG", progressive=True),
    encoded(gradient("RGBA"), "WEBP"),
    encoded(gradient(), "BMP"),
    encoded(gradient("P"), "GIF", save_all=True, append_images=[gradient("L")]),
    *(encoded(gradient(mode), "TIFF") for mode in ("RGB", "F")),
    encoded(gradient(), "TIFF", compression="tiff_deflate"),
]
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def assert_picture_or_sentence(content: bytes) -> None:
    try:
        picture = read_image(content, channels=3, size=16)
    except PictureError:
        return
    assert picture.pixels.shape == (3, 16, 16) and picture.pixels.isfinite().all()
    assert picture.pixels.min() >= 0 and picture.pixels.max() <= 1


@FUZZ
@pytest.mark.filterwarnings("ignore")  # PIL warns of what it repairs
@given(st.binary(max_size=300), st.sampled_from([b"", *(seed[:16] for seed in SEEDS)]))
def test_any_bytes_are_a_picture_or_a_sentence(tail, head):
    assert_picture_or_sentence(head + tail)


@FUZZ
@pytest.mark.filterwarnings("ignore")
@given(st.sampled_from(SEEDS), st.data())
def test_a_damaged_picture_is_a_picture_or_a_sentence(seed, data):
    content = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        # headers are where the trouble lies: half of the changes go there
        place = data.draw(st.integers(0, 63) | st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.just(len(content)) | st.integers(1, len(content)))
    assert_picture_or_sentence(bytes(content[:end]))
