"""A picture that a person brought, in an address: where it is small, a link carries it into another session.

It travels as a PNG of 8 bits, and only where that loses nothing: the picture that arrives has the same pixels.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from spikeviz.data.catalog import DataSource
    from spikeviz.data.ingest import Input

PLAIN, INVERTED = "png-", "png-inverted-"  # before the file; of what was brought on a light ground its negative
MOST = 1600  # letters of a picture
LONGEST = 2000  # letters of an address that still carries pictures: mail and chat break longer ones
HEADER = slice(16, 24)  # of a PNG: its width and height
TITLE = "the picture of this link"


def as_text(pixels: Tensor) -> str | None:
    """A picture [C, H, W] in [0, 1] as text for an address; None of one that does not fit, or is no picture."""
    import torch

    if pixels.ndim != 3:
        return None
    for prefix, values in ((PLAIN, pixels), (INVERTED, 1 - pixels)):
        levels = (values * 255).round().to(torch.uint8)
        back = levels.float() / 255
        if torch.equal(back if prefix == PLAIN else 1 - back, pixels):
            text = prefix + base64.urlsafe_b64encode(_png(levels)).decode().rstrip("=")
            return text if len(text) <= MOST else None
    return None


def picture(text: str, data: DataSource) -> Input:
    """The picture that an address carries, for a network that was trained on `data`.

    Raises:
        ValueError: if it is none, or of another size than the network sees.
    """
    from spikeviz.data.image_decode import read_image
    from spikeviz.data.ingest import Input

    if data.kind != "images":
        raise ValueError("it carries a picture, and this network sees events.")
    content = _content(text)
    width, height = (int.from_bytes(content[HEADER][part : part + 4], "big") for part in (0, 4))
    if (width, height) != (data.size, data.size):  # known before anything is decoded
        raise ValueError(f"it carries a picture that is not {data.size} x {data.size} pixels.")
    found = read_image(content, channels=data.channels, size=data.size, invert=text.startswith(INVERTED))
    return Input(found.pixels, TITLE)


def carrying(query: Mapping[str, str], uploads: Mapping[str, Input]) -> dict[str, str]:
    """An address with pictures in place of the names of uploads, which mean something in their own session only; as
    far as the pictures are small."""
    found = dict(query)
    for source, shown in uploads.items():
        name, text = source.replace("/", "-"), as_text(shown.pixels)
        if text is None:
            continue
        changed = {key: value.replace(name, text) for key, value in found.items()}
        if sum(len(key) + len(value) + 2 for key, value in changed.items()) <= LONGEST:
            found = changed
    return found


def stays(query: Mapping[str, str]) -> bool:
    """Whether an address names an upload, and so works in its session only."""
    return any(re.search(r"upload-[0-9a-f]{12}", value) for value in query.values())


def _content(text: str) -> bytes:
    """The file in an address.

    Raises:
        ValueError: if it holds none.
    """
    body = text.removeprefix(INVERTED).removeprefix(PLAIN)
    try:
        if len(text) > MOST:
            raise ValueError
        content = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise ValueError("it carries a picture that was cut off or changed.") from None
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        raise ValueError("it carries something that is no picture.")
    return content


def _png(levels: Tensor) -> bytes:
    from PIL import Image

    values, stream = levels.numpy(), io.BytesIO()
    Image.fromarray(values[0] if len(values) == 1 else values.transpose(1, 2, 0)).save(stream, "PNG", optimize=True)
    return stream.getvalue()
