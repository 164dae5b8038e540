"""A picture a user brings, decoded with distrust: `read_image(data, channels=1, size=28) -> Picture`.

What happens to it, in this order (each step that changed something leaves a note for the page to show):
    1. at most 10 MB are read, and at most 40 megapixels by the header, before anything is decoded;
    2. PNG, JPEG, WEBP, BMP, GIF or TIFF, by content and not by name; the first frame where there are several;
    3. turned upright by its EXIF orientation;
    4. cropped to the centre square (a side of 8 pixels at least);
    5. 16-bit grey is divided by 65535 (12-bit by 4095); float values outside [0, 1] and 32-bit whole numbers are
       stretched from the square's own least and greatest value; palettes, CMYK and the rest become 8-bit RGB;
    6. resized with a triangle filter as wide as the reduction (antialiased; it never leaves [0, 1], sharper ones do);
    7. transparent parts are laid on white, as on paper;
    8. colour turned to grey by luma (ITU-R BT.601: .299 R + .587 G + .114 B) where one channel is asked, grey repeated
       where three are;
    9. inverted where asked: Fashion-MNIST shows light things on black, most photos of clothes are the other way round.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from einops import rearrange, repeat
from jaxtyping import Float32
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

if TYPE_CHECKING:
    from torch import Tensor

GREYED = "colour turned to grey"  # a note
MAX_BYTES = 10 * 10**6
MAX_PIXELS = 40 * 10**6
MIN_SIDE = 8
LONGEST = 16  # tiles along the longer side of a picture
MAX_SCANNED = 8 * 10**9  # pixels times passes of a progressive JPEG: about 8 s; ordinary files have 12 passes or fewer
TOO_LARGE = f"The picture has more than {MAX_PIXELS // 10**6} megapixels: save a smaller copy of it."
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")  # grey modes of more than 8 bits
GREY = ("1", "L", "LA", "La", *DEEP)
BITS_PER_SAMPLE, PHOTOMETRIC, ORIENTATION = 258, 262, 274  # TIFF 6.0, section 8; EXIF uses the last one too
WHITE_IS_ZERO = 0
START_OF_SCAN = b"\xff\xda"  # JPEG, ITU-T T.81 table B.1


class PictureError(ValueError):
    """A picture that cannot be used: one sentence for the person who brought it."""


@dataclass(frozen=True)
class Picture:
    """`pixels` in [0, 1]; `notes`: what was done to the picture on its way, one short phrase each.

    `wide`: as much of the picture as whole tiles of `size` x `size` pixels can hold, if that was asked.
    """

    pixels: Float32[Tensor, "C size size"]
    notes: tuple[str, ...]
    wide: Float32[Tensor, "C height width"] | None = None


def read_image(
    data: bytes | io.BufferedIOBase, *, channels: int, size: int, invert: bool = False, tiles: int = 0
) -> Picture:
    """Decode an untrusted picture to float32 [channels, size, size] in [0, 1].

    `data`: its bytes, or an open binary file, which is read from its beginning. `channels`: 1 (grey) or 3 (RGB).
    `tiles`: if not 0, how many tiles the shorter side of `wide` is cut into; the longer one has at most `LONGEST`.
    Raises PictureError, whatever the bytes are; ValueError for channels or a size that make no sense.
    """
    if channels not in (1, 3) or size < 1:
        raise ValueError(f"a picture has 1 or 3 channels and a size of 1 or more, not {channels} and {size}")
    import torch  # here, so that a page can be drawn before it is loaded

    content = _content(data)
    notes: list[str] = []
    try:
        image = _upright(content, notes)
        pixels = _resized(_centre(image, 1, 1, notes), channels, (size, size), notes)
        rows, columns = _grid(image, tiles)
        shape = columns * size, rows * size
        tiled = _resized(_centre(image, rows, columns, []), channels, shape, []) if tiles else None
    except PictureError:
        raise
    except Image.UnidentifiedImageError:
        raise PictureError(f"This is not a picture in a format read here: save it as {', '.join(FORMATS)}.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError(TOO_LARGE) from None
    except Exception:  # what decoders raise on hostile bytes cannot be listed, and none of it may reach the page
        raise PictureError("The picture is cut off or damaged: open it in another program and save it again.") from None
    if invert:
        pixels, tiled = 1 - pixels, None if tiled is None else 1 - tiled
        notes.append("inverted, light for dark")
    return Picture(torch.from_numpy(pixels), tuple(notes), None if tiled is None else torch.from_numpy(tiled))


def _content(data: bytes | io.BufferedIOBase) -> bytes:
    if not isinstance(data, bytes | bytearray | memoryview):
        if data.seekable():
            data.seek(0)  # an uploaded file stays open between two runs of a page
        data = data.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise PictureError(f"The file is larger than {MAX_BYTES // 10**6} MB: save a smaller copy of the picture.")
    if not data:
        raise PictureError("The file is empty: choose a picture.")
    return bytes(data)


def _upright(content: bytes, notes: list[str]) -> Image.Image:
    """The first frame, upright, still in its own mode. TIFF's tags are kept in `info`."""
    image = Image.open(io.BytesIO(content), formats=FORMATS)  # reads the header only
    if image.width * image.height > MAX_PIXELS:
        raise PictureError(TOO_LARGE)
    if min(image.size) < MIN_SIDE:
        raise PictureError(
            f"The picture has {image.width} x {image.height} pixels, each side needs {MIN_SIDE}: choose a larger one."
        )
    if isinstance(image, JpegImageFile) and image.width * image.height * content.count(START_OF_SCAN) > MAX_SCANNED:
        raise PictureError(
            "The picture is stored in far too many passes: open it in another program and save it again."
        )
    if getattr(image, "is_animated", False):
        notes.append("first of several frames")
    tags = getattr(image, "tag_v2", {})
    orientation = tags.get(ORIENTATION)  # PIL turns a TIFF upright while it loads and forgets the tag
    image.load()
    if orientation is None:
        orientation = image.getexif().get(ORIENTATION, 1)
        ImageOps.exif_transpose(image, in_place=True)
    if orientation in range(2, 9):
        notes.append("turned upright by its EXIF tag")
    image.info["white is zero"] = tags.get(PHOTOMETRIC) == WHITE_IS_ZERO
    image.info["bits"] = tags.get(BITS_PER_SAMPLE, (16,))[0]
    return image


def _grid(image: Image.Image, tiles: int) -> tuple[int, int]:
    """Rows and columns of square tiles, `tiles` along the shorter side."""
    short = min(image.size)
    columns, rows = (min(LONGEST, side * tiles // short) for side in image.size)
    return rows, columns


def _centre(image: Image.Image, rows: int, columns: int, notes: list[str]) -> Image.Image:
    """The largest piece of the middle that is `rows` by `columns` squares."""
    unit = min(image.width / columns, image.height / rows)
    width, height = round(unit * columns), round(unit * rows)
    if rows == columns and image.width != image.height:
        notes.append(f"cropped from {image.width} x {image.height} to the centre square")
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _resized(
    square: Image.Image, channels: int, size: tuple[int, int], notes: list[str]
) -> Float32[np.ndarray, "C height width"]:
    """[0, 1], in the channels asked, `size` = (width, height).

    Laying on white and luma are linear: they come after resizing, on few pixels.
    """
    grey = square.mode in GREY
    if square.mode in DEEP:
        image, full_scale = Image.fromarray(_deep_values(square, notes)), 1
    else:
        mode = "RGBA" if square.has_transparency_data else "L" if grey else "RGB"
        image, full_scale = square.convert(mode), 255
    transparent = image.mode == "RGBA" and bool((np.asarray(image.getchannel("A")) < 255).any())
    if image.size != size:
        notes.append(f"resized from {image.width} x {image.height} to {size[0]} x {size[1]}")
        image = image.resize(size, Image.Resampling.BILINEAR)  # RGBA is weighted by its alpha
    if transparent:
        notes.append("transparent parts laid on white")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if not grey and channels == 1:
        notes.append(GREYED)
    if image.mode != "F":
        image = image.convert("RGB").convert("L" if grey or channels == 1 else "RGB")
    values = np.asarray(image, dtype=np.float32) / np.float32(full_scale)
    if values.ndim == 2:
        return repeat(np.clip(values, 0, 1), "h w -> c h w", c=channels)
    return np.ascontiguousarray(rearrange(values, "h w c -> c h w"))


def _deep_values(square: Image.Image, notes: list[str]) -> Float32[np.ndarray, "side side"]:
    """Grey of more than 8 bits as [0, 1]: whole numbers by their known depth, others as they are or stretched."""
    values = np.asarray(square)
    if square.mode.startswith("I;16"):
        values = values.astype(np.float32) / np.float32(2 ** square.info["bits"] - 1)
    else:
        if not np.isfinite(values).all():
            raise PictureError("The picture holds values that are not numbers: save it as an 8-bit or 16-bit picture.")
        low, high = float(values.min()), float(values.max())
        if square.mode == "I" or low < 0 or high > 1:
            values = (values.astype(np.float64) - low) / ((high - low) or 1.0)
            notes.append(f"values stretched from {low:g} ... {high:g}")
    if square.info["white is zero"]:  # PIL turns these round for 8 bits and fewer only
        values = 1 - values
    return np.clip(values, 0, 1).astype(np.float32)
