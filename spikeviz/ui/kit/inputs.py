"""Network and input of a page: a choice of networks, test samples by number, and what a person brings."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.data.ingest import MAX_MB, RECORDINGS, TYPES, read_upload
from spikeviz.ui.kit import session
from spikeviz.ui.kit.bind import bind
from spikeviz.views import runs
from spikeviz.views.inputs import data_of
from spikeviz.views.networks.words import full_name, list_entry
from spikeviz.views.page import Page

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.views.runs import Network


def row(page: str) -> DeltaGenerator:
    """Where network, input and what can be done with the page stand side by side."""
    return st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key=f"{page}_input_row")


def choose_network(page: Page) -> CheckpointCard:
    """The card of the network that the page shows, chosen where there are several."""
    names = session.names(page.networks)
    now = session.state().experiment.checkpoint
    if now not in names:
        default = page.networks.default()
        session.notice(f"The network {now} is not here any more: this is {full_name(names[default])}.")
        session.begin(default)
    if len(names) > 1:
        shown = session.state().experiment.checkpoint
        st.selectbox(
            "Network",
            list(names),
            format_func=lambda name: list_entry(names[name]) if name in names else name,
            **bind(f"{page.key}_checkpoint", shown, _take_checkpoint),
            width=264,
        )
    return names[session.state().experiment.checkpoint]


def opened(card: CheckpointCard) -> Network:
    """A network, once its test set is there as well; else a sentence, and the run of the page ends."""
    try:
        if runs.is_open(card):
            found = runs.network(card)
        else:
            with st.spinner("Loading the network ..."):
                found = runs.network(card)
        runs.test_set(card.data)
    except (ValueError, FileNotFoundError) as error:
        st.error(f"{card.name} cannot be shown: {error}")
        st.stop()
    return found


def choose_input(page: str, card: CheckpointCard) -> None:
    """The number of a test sample, a step back and forth, a random one, and an upload."""
    count, sample = card.samples, data_of(card).sample  # the whole test split, known without reading it
    index = session.state().experiment.index
    if index is not None:
        session.set_look(f"{page}_image", index)
    st.number_input(
        f"Test {sample}",
        0,
        count - 1,
        step=1,
        width=122,
        help=f"One of the {count:,} test {sample}s of {card.data}, by its number from 0.",
        **bind(f"{page}_image", session.look(f"{page}_image", 0), _take_number),
    )
    st.button("‹", key=f"{page}_back", on_click=_step, args=(-1, count), help=f"The test {sample} before")
    st.button("›", key=f"{page}_on", on_click=_step, args=(1, count), help=f"The next test {sample}")
    st.button("Random", key=f"{page}_random", on_click=_random, args=(count,), help=f"Any test {sample}")
    with st.popover("Upload", help=f"Bring {'a recording' if sample == 'recording' else 'a picture'} of your own"):
        _uploader(page, card)


def _uploader(page: str, card: CheckpointCard) -> None:
    turn = f"{page}_turn"
    st.session_state.setdefault(turn, True)
    where, data = (f"{page}_upload", turn, card), data_of(card)
    size, events = MAX_MB[data.kind], data.kind == "events"
    what = f"A recording of events or a picture, up to {size} MB" if events else f"A picture, up to {size} MB"
    st.file_uploader(
        what, [*TYPES, *RECORDINGS], key=where[0], on_change=_take_upload, args=where, max_upload_size=size
    )
    if data.channels < 3:
        st.checkbox(
            "Invert light backgrounds",
            key=turn,
            on_change=_take_upload,
            args=where,
            help="This network was trained on light things on black; most photos are the other way round.",
        )
    st.caption(
        f"It stays on this machine. A recording is moved onto {data.size} x {data.size} pixels and counted in "
        f"{data.steps} frames of equal time; a picture, its centre square, is seen by a simulated event camera."
        if events
        else "It stays on this machine. The centre square is taken."
    )


def _take_checkpoint(name: str) -> None:
    """Another network starts as it was trained, on the same picture if it was trained on the same data."""
    known, now = session.checkpoints(), session.state().experiment
    same = known[name].data == known[now.checkpoint].data
    source = now.source if same else "test/0"
    session.change(lambda now: now.but(checkpoint=name, source=source, interventions=()))


def _take_number(index: int) -> None:
    session.change(lambda now: now.but(source=f"test/{index}"))


def _step(by: int, count: int) -> None:
    index = session.state().experiment.index
    _take_number(0 if index is None else (index + by) % count)


def _random(count: int) -> None:
    _take_number(random.randrange(count))


def _take_upload(upload_key: str, turn_key: str, card: CheckpointCard) -> None:
    """Decode what was brought; what cannot be used is one sentence, and the input stays as it was."""
    file = st.session_state.get(upload_key)
    if file is None:  # taken away again
        if session.state().experiment.index is None:
            _take_number(0)
        return
    turn = st.session_state.get(turn_key, True)
    try:
        session.bring(read_upload(file.getvalue(), file.name, card.data, card.name, turn))
    except ValueError as error:  # a picture or a recording that cannot be used
        session.refuse(str(error))
