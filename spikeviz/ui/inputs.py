"""The input of an experiment: a test sample by its number, or a picture or recording the user brings."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.artifacts.cards import CheckpointCard
from spikeviz.data.ingest import MAX_MB, RECORDINGS, TYPES, Input, read_upload
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
    from streamlit.delta_generator import DeltaGenerator

    from spikeviz.data.catalog import DataSource
    from spikeviz.data.events import EventRecording

PICTURES = "pictures"
KEPT_PICTURES = 4  # of one session


def picked(card: CheckpointCard) -> Input:
    """The input of the current experiment; falls back to test sample 0 with a notice."""
    found = picture(current(), card)
    if found is None:
        notice(f"That input is gone, or was made for another network: this is test {_data(card).sample} 0.")
        found = picture(keep(current().but(source="test/0")), card)
    return found


def picture(experiment: Experiment, card: CheckpointCard) -> Input | None:
    """The input of an experiment; None if it is gone, or does not fit the network, such as events one for images."""
    brought = st.session_state.get(PICTURES, {}).get(experiment.source)
    if brought is not None:
        return brought if tuple(brought.pixels.shape) == _shape(_data(card)) else None
    x, y = runs.test_set(card.data)
    index = experiment.index
    title = f"test {_data(card).sample} {index}"
    return None if index is None or index >= len(x) else Input(x[index], title, int(y[index]))


def recording(experiment: Experiment, shown: Input, card: CheckpointCard) -> EventRecording:
    """The events behind an input of event frames, as the camera sent them.

    Raises:
        ValueError, FileNotFoundError: if the recording cannot be read.
    """
    from spikeviz.data import event_sets

    return shown.events or event_sets.recording(card.data, "test", experiment.index)


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
    """A network, once its test set is there as well; else a sentence, and the run of the page ends."""
    try:
        found = runs.network(card.name, card.sha256)
        runs.test_set(card.data)
    except (ValueError, FileNotFoundError) as error:
        st.error(f"{card.name} cannot be shown: {error}")
        st.stop()
    return found


def parameter(card: CheckpointCard) -> Parameter:
    """`input=12`: the number of a test sample; `input=upload-...` is of this session only."""

    def read(text: str | None) -> None:
        keep(current().but(source=source(text or "0", card)))

    return Parameter("input", read, lambda: short(current()))


def short(experiment: Experiment) -> str:
    """The input of an experiment in an address: `12`, or `upload-...`."""
    return experiment.source.removeprefix("test/").replace("/", "-")


def source(text: str, card: CheckpointCard) -> str:
    """The opposite of `short`.

    Raises:
        ValueError: if there is no such test sample, or the session does not have that input.
    """
    found = text.replace("upload-", "upload/", 1)
    if found in st.session_state.get(PICTURES, {}):
        return found
    if found.startswith("upload/"):
        raise ValueError("an upload stays in the session that brought it.")
    return f"test/{whole(found, f'a test {_data(card).sample}', 0, card.samples - 1)}"


def choose_input(page: str, card: CheckpointCard) -> None:
    """The number of a test sample, a step back and forth, a random one, and an upload."""
    count, sample = card.samples, _data(card).sample  # the whole test split, known without reading it
    name = f"{page}_image"
    if current().index is not None:
        remember(name, current().index)
    st.number_input(
        f"Test {sample}", 0, count - 1, step=1, key=shown(name, recall(name, 0)), width=122,
        on_change=taken, args=(name, _take_number),
        help=f"One of the {count:,} test {sample}s of {card.data}, by its number from 0.",
    )  # fmt: skip
    st.button("‹", key=f"{page}_back", on_click=_step, args=(-1, count), help=f"The test {sample} before")
    st.button("›", key=f"{page}_on", on_click=_step, args=(1, count), help=f"The next test {sample}")
    st.button("Random", key=f"{page}_random", on_click=_random, args=(count,), help=f"Any test {sample}")
    with st.popover("Upload", help=f"Bring {'a recording' if sample == 'recording' else 'a picture'} of your own"):
        _uploader(page, card)


def _uploader(prefix: str, card: CheckpointCard) -> None:
    turn = f"{prefix}_turn"
    st.session_state.setdefault(turn, True)
    where, data = (f"{prefix}_upload", turn, card), _data(card)
    size, events = MAX_MB[data.kind], data.kind == "events"
    what = f"A recording of events or a picture, up to {size} MB" if events else f"A picture, up to {size} MB"
    st.file_uploader(
        what, [*TYPES, *RECORDINGS], key=where[0], on_change=_take_upload, args=where, max_upload_size=size
    )
    if data.channels < 3:
        st.checkbox(
            "Turn a light ground dark", key=turn, on_change=_take_upload, args=where,
            help="This network was trained on light things on black; most photos are the other way round.",
        )  # fmt: skip
    st.caption(
        f"It stays on this machine. A recording is moved onto {data.size} x {data.size} pixels and counted in "
        f"{data.steps} frames of equal time; a picture, its centre square, is seen by a simulated event camera."
        if events else "It stays on this machine. The centre square is taken."
    )  # fmt: skip


def _data(card: CheckpointCard) -> DataSource:
    """What a network was trained on."""
    from spikeviz.data.catalog import find_data

    return find_data(card.data)


def _shape(data: DataSource) -> tuple[int, ...]:
    """Of what is brought to a network: an image `[C, H, W]`, or event frames `[T, 2, H, W]`."""
    sample = (data.channels, data.size, data.size)
    return (data.steps, *sample) if data.steps else sample


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
    """Decode what was brought; what cannot be used is one sentence, and the input stays as it was."""
    from spikeviz.data.events import RecordingError
    from spikeviz.data.image_decode import PictureError

    file = st.session_state.get(upload_key)
    if file is None:  # taken away again
        if current().index is None:
            keep(current().but(source="test/0"))
        return
    try:
        add_upload(file.getvalue(), file.name, card, st.session_state.get(turn_key, True))
    except (PictureError, RecordingError) as error:
        st.session_state["upload_error"] = str(error)


def add_upload(content: bytes, name: str, card: CheckpointCard, turn: bool) -> None:
    """Make a picture or a recording of events the session's input.

    Raises:
        PictureError, RecordingError: if it cannot be used.
    """
    bring(read_upload(content, name, card.data, card.name, turn))


def bring(shown: Input) -> None:
    """Make this the session's input."""
    source = "upload/" + hashlib.sha256(shown.pixels.numpy().tobytes()).hexdigest()[:12]
    pictures = {k: p for k, p in st.session_state.get(PICTURES, {}).items() if k != source}
    pictures[source] = shown
    st.session_state[PICTURES] = dict(list(pictures.items())[-KEPT_PICTURES:])
    keep(current().but(source=source))


def upload_error() -> str | None:
    """Why the last picture was not taken, once."""
    return st.session_state.pop("upload_error", None)
