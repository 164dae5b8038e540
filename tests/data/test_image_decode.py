"""Pictures that users bring: an upload is a picture or a sentence, never a traceback."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from spikeviz.data import PictureError, read_image
from spikeviz.data import image_decode as upload

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


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        *(((400, 400), (4, 4)), ((800, 400), (4, 8)), ((9, 8), (4, 4))),
        *(((100, 9000), (upload.LONGEST, 4)), ((9000, 10), (4, upload.LONGEST))),
    ],
)
def test_a_photo_is_cut_into_whole_tiles(size, grid):
    content = encoded(gradient(size=size))
    picture = read_image(content, channels=3, size=32, tiles=4)
    assert picture.pixels.shape == (3, 32, 32) and picture.wide.shape == (3, 32 * grid[0], 32 * grid[1])
    assert read_image(content, channels=1, size=28).wide is None
    grey, turned = (read_image(content, channels=1, size=28, tiles=4, invert=invert) for invert in (False, True))
    assert torch.allclose(turned.wide, 1 - grey.wide)
