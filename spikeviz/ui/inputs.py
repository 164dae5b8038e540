"""The input of an experiment: a test image by its number, or a picture the user brings."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.cards import CheckpointCard
from spikeviz.ui import runs
from spikeviz.ui.experiment import (
    ALL,
    Experiment,
    Networks,
    Parameter,
    checkpoints,
    current,
    keep,
    notice,
    recall,
    remember,
    shown,
    taken,
    whole,
)

if TYPE_CHECKING:
    import numpy as np
    from streamlit.delta_generator import DeltaGenerator
    from torch import Tensor

PICTURES = "pictures"
KEPT_PICTURES = 4  # of one session
TYPES = ["png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff"]


@dataclass(frozen=True, eq=False)
class Input:
    """What goes in, what to call it, its class if that is known, and what was done to it.

    `pixels` is an image `[C, H, W]` in [0, 1], or event frames `[T, 2, H, W]`.
    """

    pixels: Tensor
    title: str
    label: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def batch(self) -> Tensor:
        """As a model takes it: `[1, C, H, W]`, or events `[T, 1, 2, H, W]`."""
        from spikeviz.data.catalog import as_batch

        return as_batch(self.pixels[None])

    @property
    def picture(self) -> np.ndarray:
        """To look at, `[C, H, W]` in [0, 1]: the image, or all events in one picture."""
        from spikeviz.figures.events import picture

        values = self.pixels.numpy()
        return picture(values) if values.ndim == 4 else values


def picked(card: CheckpointCard) -> Input:
    """The input of the current experiment; falls back to test image 0 with a notice."""
    found = picture(current(), card)
    if found is None:
        notice("That picture is not here any more: this is test image 0.")
        found = picture(keep(current().but(source="test/0")), card)
    return found


def picture(experiment: Experiment, card: CheckpointCard) -> Input | None:
    """The input of an experiment; None if it is gone."""
    brought = st.session_state.get(PICTURES, {}).get(experiment.source)
    if brought is not None:
        return brought
    x, y = runs.test_images(card.data)
    index = experiment.index
    return None if index is None or index >= len(x) else Input(x[index], f"test image {index}", int(y[index]))


def row(page: str) -> DeltaGenerator:
    """Where network, input and what can be done with the page stand side by side."""
    return st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key=f"{page}_input_row")


def choose_network(page: str, networks: Networks = ALL) -> CheckpointCard:
    """The card of the current experiment's network, chosen where there are several.

    A page that is about other networks than the one before has its own: the one it showed last, or its first.
    """
    names, last = networks.names(), f"experiment of {page}"
    if current().checkpoint not in names:
        if current().checkpoint not in checkpoints():
            notice(f"The network {current().checkpoint} is not here any more: this is {networks.default()}.")
        _leave_for(recall(last), networks.default())
    if len(names) > 1:
        name = f"{page}_checkpoint"
        key = shown(name, current().checkpoint)
        st.selectbox("Network", list(names), key=key, on_change=taken, args=(name, _take_checkpoint), width=264)
    remember(last, current())
    return names[current().checkpoint]


def _leave_for(last: Experiment | None, name: str) -> None:
    """Show `last`, or else the network `name` as it was trained; with the same picture, if both are of one data set."""
    known, before = checkpoints(), current()
    wanted = last if last and last.checkpoint in known else Experiment(name, seed=before.seed)
    same = before.checkpoint in known and known[before.checkpoint].data == known[wanted.checkpoint].data
    keep(wanted.but(source=before.source) if same else wanted)


def opened(card: CheckpointCard) -> runs.Opened:
    """A network, once its test images are there as well; else a sentence, and the run of the page ends."""
    try:
        found = runs.network(card.name, card.sha256)
        runs.test_images(card.data)
    except (ValueError, FileNotFoundError) as error:
        st.error(f"{card.name} cannot be shown: {error}")
        st.stop()
    return found


def parameter(card: CheckpointCard) -> Parameter:
    """`input=12`: the number of a test image; `input=upload-...` is a picture of this session only."""

    def read(text: str | None) -> None:
        keep(current().but(source=source(text or "0", card)))

    return Parameter("input", read, lambda: short(current()))


def short(experiment: Experiment) -> str:
    """The input of an experiment in an address: `12`, or `upload-...`."""
    return experiment.source.removeprefix("test/").replace("/", "-")


def source(text: str, card: CheckpointCard) -> str:
    """The opposite of `short`.

    Raises:
        ValueError: if there is no such test image, or the session does not have that picture.
    """
    found = text.replace("upload-", "upload/", 1)
    if found in st.session_state.get(PICTURES, {}):
        return found
    if found.startswith("upload/"):
        raise ValueError("an uploaded picture stays in the session that brought it.")
    return f"test/{whole(found, 'a test image', 0, card.samples - 1)}"


def choose_input(page: str, card: CheckpointCard) -> None:
    """The number of a test image, a step back and forth, a random one, and an upload."""
    count = card.samples  # the whole test split, known without reading it
    name = f"{page}_image"
    if current().index is not None:
        remember(name, current().index)
    st.number_input(
        "Test image", 0, count - 1, step=1, key=shown(name, recall(name, 0)), width=122,
        on_change=taken, args=(name, _take_number),
        help=f"One of the {count:,} test images of {card.data}, by its number from 0.",
    )  # fmt: skip
    st.button("‹", key=f"{page}_back", on_click=_step, args=(-1, count), help="The test image before")
    st.button("›", key=f"{page}_on", on_click=_step, args=(1, count), help="The next test image")
    st.button("Random", key=f"{page}_random", on_click=_random, args=(count,), help="Any test image")
    with st.popover("Upload", help="Bring a picture of your own"):
        _uploader(page, card)


def _uploader(prefix: str, card: CheckpointCard) -> None:
    turn = f"{prefix}_turn"
    st.session_state.setdefault(turn, True)
    where = (f"{prefix}_upload", turn, card)
    st.file_uploader(
        "A picture, up to 10 MB", TYPES, key=where[0], on_change=_take_upload, args=where, max_upload_size=10
    )
    if _grey(card):
        st.checkbox(
            "Turn a light ground dark", key=turn, on_change=_take_upload, args=where,
            help="This network was trained on light things on black; most photos are the other way round.",
        )  # fmt: skip
    st.caption("It stays on this machine. The centre square is taken.")


def _grey(card: CheckpointCard) -> bool:
    return _form(card)[0] == 1


def _form(card: CheckpointCard) -> tuple[int, int]:
    """Channels and side of the pictures a network was trained on."""
    from spikeviz.data.catalog import find_data

    data = find_data(card.data)
    return data.channels, data.size


def _take_checkpoint(name: str) -> None:
    """Another network starts as it was trained, on the same picture if it was trained on the same data."""
    known, now = checkpoints(), current()
    same = known[name].data == known[now.checkpoint].data
    keep(now.but(checkpoint=name, source=now.source if same else "test/0", interventions=()))


def _take_number(index: int) -> None:
    keep(current().but(source=f"test/{index}"))


def _step(by: int, count: int) -> None:
    index = current().index
    keep(current().but(source=f"test/{0 if index is None else (index + by) % count}"))


def _random(count: int) -> None:
    keep(current().but(source=f"test/{random.randrange(count)}"))


def _take_upload(upload_key: str, turn_key: str, card: CheckpointCard) -> None:
    """Decode what was brought; a picture that cannot be used is one sentence, and the input stays as it was."""
    from spikeviz.data.upload import PictureError

    file = st.session_state.get(upload_key)
    if file is None:  # taken away again
        if current().index is None:
            keep(current().but(source="test/0"))
        return
    try:
        add_picture(file.getvalue(), card, st.session_state.get(turn_key, True))
    except PictureError as error:
        st.session_state["upload_error"] = str(error)


def add_picture(content: bytes, card: CheckpointCard, turn: bool) -> None:
    """Make a picture the session's input.

    Raises:
        PictureError: if it cannot be used.
    """
    from spikeviz.data.upload import read_image

    channels, size = _form(card)
    picture = read_image(content, channels=channels, size=size)
    if turn and channels == 1 and _light_ground(picture.pixels):
        picture = read_image(content, channels=channels, size=size, invert=True)
    source = "upload/" + hashlib.sha256(picture.pixels.numpy().tobytes()).hexdigest()[:12]
    pictures = {k: p for k, p in st.session_state.get(PICTURES, {}).items() if k != source}
    pictures[source] = Input(picture.pixels, "your picture", None, picture.notes)
    st.session_state[PICTURES] = dict(list(pictures.items())[-KEPT_PICTURES:])
    keep(current().but(source=source))


def _light_ground(pixels: Tensor) -> bool:
    """Whether the frame of a picture, one pixel wide, is lighter than medium grey."""
    frame = [pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]]
    return float(sum(side.mean() for side in frame)) / len(frame) > 0.5


def upload_error() -> str | None:
    """Why the last picture was not taken, once."""
    return st.session_state.pop("upload_error", None)
