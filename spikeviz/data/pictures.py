"""Pictures to try, which ship: photographs under CC0 or in the public domain, and digits drawn with a font.

A network sees them as it sees a picture that somebody brings. Light to import, as `ingest`.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from spikeviz.paths import assets

if TYPE_CHECKING:
    from PIL import Image

    from spikeviz.data.catalog import DataSource
    from spikeviz.data.ingest import Input

DIGITS = tuple("0123456789")
SMALL = 96  # pixels of a thumbnail
PAPER, HEIGHT = 140, 100  # pixels: a drawn digit fills 20/28 of the paper, as those of MNIST do


@dataclass(frozen=True)
class PictureToTry:
    """One of them.

    Attributes:
        name: in an address.
        title: what it shows, such as "a cat".
        shows: the class it belongs to, of data sets that have that class; "" for none.
        credit: who made it, and under which licence.
        file: of a photograph; None of a drawn digit.
    """

    name: str
    title: str
    shows: str
    credit: str
    file: Path | None

    @property
    def short(self) -> str:
        """What it shows, in a word or two."""
        return self.title.partition(",")[0].removeprefix("a ").removeprefix("an ").removeprefix("the ")

    @property
    def content(self) -> bytes:
        """A picture file."""
        return self.file.read_bytes() if self.file else _drawn(self.shows)

    @property
    def thumbnail(self) -> bytes:
        """Its centre square, small, as a picture file."""
        return _small(self)


@cache
def photographs() -> tuple[PictureToTry, ...]:
    """Those of `assets/data/pictures`, as its table lists them."""
    folder = assets() / "data" / "pictures"
    rows = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))
    return tuple(
        PictureToTry(
            Path(row["file"]).stem,
            row["title"],
            row["shows"],
            f"a photograph to try, by {row['author']} ({row['licence']})",
            folder / row["file"],
        )
        for row in rows
    )


@cache
def drawn_digits() -> tuple[PictureToTry, ...]:
    """One of each digit, which nobody wrote by hand."""
    return tuple(
        PictureToTry(f"digit-{n}", f"a drawn {n}", n, "a digit to try, drawn with a font", None) for n in DIGITS
    )


def pictures_for(data: DataSource) -> list[PictureToTry]:
    """What can be tried on a network that was trained on a data set: first what shows one of its classes.

    Digits are only for networks that know digits.
    """
    digits = [digit for digit in drawn_digits() if digit.shows in data.classes]
    return sorted([*digits, *photographs()], key=lambda picture: picture.shows not in data.classes)


def read_picture(name: str, data: str) -> Input:
    """A picture to try, as a network takes it that was trained on the data set `data`; of events, simulated ones.

    Raises:
        ValueError: if there is none of that name for that data set.
    """
    from spikeviz.data.catalog import find_data
    from spikeviz.data.ingest import read_upload

    source = find_data(data)
    known = {picture.name: picture for picture in pictures_for(source)}
    if name not in known:
        raise ValueError(f"no picture to try is called {name[:40]!r}; there are {', '.join(known)}.")
    picture = known[name]
    # a digit is drawn light on black already
    found = read_upload(picture.content, f"{name}.jpg", data, "", turn=picture.file is not None)
    label = source.classes.index(picture.shows) if picture.shows in source.classes else None
    title = picture.title + (", simulated events" if source.kind == "events" else "")
    return replace(found, title=title, label=label, notes=(picture.credit, *found.notes))


@cache
def _small(picture: PictureToTry) -> bytes:
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(picture.content)) as whole:
        return _png(ImageOps.fit(whole, (SMALL, SMALL)))


@cache
def _drawn(digit: str) -> bytes:
    """A digit in the middle of black paper, as a PNG."""
    from PIL import Image, ImageDraw, ImageFont

    paper = Image.new("L", (PAPER, PAPER))
    font = ImageFont.load_default(size=HEIGHT * 1.3)
    left, top, right, bottom = font.getbbox(digit)
    corner = ((PAPER - left - right) / 2, (PAPER - top - bottom) / 2)
    ImageDraw.Draw(paper).text(corner, digit, fill=255, font=font)
    return _png(paper)


def _png(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()
