"""Network and input of a page: a choice of networks, test samples by number, and what a person brings."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.data.ingest import MAX_MB, RECORDINGS, TYPES, read_upload
from spikeviz.data.pictures import pictures_for
from spikeviz.ui.components import sketch_pad
from spikeviz.ui.kit import session
from spikeviz.ui.kit.bind import bind
from spikeviz.ui.kit.job_panel import panel
from spikeviz.views import runs
from spikeviz.views.data_sets import WITHOUT, download_study, lacking
from spikeviz.views.inputs import PICTURE, carried, data_of, default_source
from spikeviz.views.networks.words import full_name, list_entry
from spikeviz.views.page import Page

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.data.catalog import DataSource
    from spikeviz.evaluation.job import Job
    from spikeviz.views.runs import Network
    from spikeviz.views.view import Study


COLUMNS, THUMBNAIL = 4, 84  # of the pictures to try; pixels


def row(page: str) -> DeltaGenerator:
    """Where network, input and what can be done with the page stand side by side."""
    return st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key=f"{page}_input_row")


def network(page: Page) -> CheckpointCard:
    """The card of the network that the page shows."""
    names = session.names(page.networks)
    now = session.state().experiment.checkpoint
    if now not in names:
        default = page.networks.default()
        session.notice(f"The network {now} is not here any more: this is {full_name(names[default])}.")
        session.begin(default)
    return names[session.state().experiment.checkpoint]


def choose_network(page: Page) -> None:
    """Another network, where there are several."""
    names = session.names(page.networks)
    if len(names) > 1:
        st.selectbox(
            "Network",
            list(names),
            format_func=lambda name: list_entry(names[name]) if name in names else name,
            **bind(f"{page.key}_checkpoint", session.state().experiment.checkpoint, _take_checkpoint),
            width=228,
        )


def libraries() -> None:
    """Import what networks need, before any is asked what it can do; says what the page waits for."""
    if not runs.imported():
        with st.spinner("Loading torch ..."):
            runs.libraries()


def waiting(card: CheckpointCard) -> AbstractContextManager[None]:
    """Says what the page waits for, until a network is open."""
    if runs.is_open(card):
        return nullcontext()
    return st.spinner(f"Loading {'' if runs.imported() else 'torch and '}the network {full_name(card)} ...")


def opened(card: CheckpointCard, otherwise: Callable[[], None]) -> Network:
    """A network; where it cannot be opened a sentence, and the run of the page ends, after `otherwise` has drawn what
    changes it."""
    try:
        with waiting(card):
            return runs.network(card)
    except ValueError as error:
        otherwise()
        st.error(f"{card.name} cannot be shown: {error}")
        st.stop()


def choose_input(page: str, card: CheckpointCard) -> None:
    """A test sample, where the test set is here; a picture to try, an upload, a drawing."""
    data = data_of(card)
    if data.is_here:
        _test_samples(page, card, data.sample)
    with st.popover("Pictures", help="Pictures to try, which no network was trained on, and a pad to draw on"):
        _pictures(page, data)
        st.markdown("**Draw one**")
        sketch_pad.pad(card, f"{page}_pad")
    own = "a recording or a picture" if data.kind == "events" else "a picture"
    with st.popover("Upload", help=f"Bring {own} of your own"):
        _uploader(page, card)


def download(card: CheckpointCard) -> None:
    """Where the test set of a network is not here: what can be done without it, and what fetches it."""
    data = data_of(card)
    if data.is_here:
        return
    if (study := download_study(data)) is None:
        st.caption(f"{lacking(data.name)} {WITHOUT}")
    else:
        panel(study, _fetched)


def _fetched(_: Study, job: Job) -> None:
    st.caption(job.latest)


def _test_samples(page: str, card: CheckpointCard, sample: str) -> None:
    """One by its number, a step back and forth, a random one; no number while another input is shown."""
    count = card.samples  # the whole test split, known without reading it
    st.number_input(
        f"Test {sample}",
        0,
        count - 1,
        value=None,
        step=1,
        placeholder="none",
        width=100,
        help=f"One of the {count:,} test {sample}s of {card.data}, by its number from 0.",
        **bind(f"{page}_image", session.state().experiment.index, _take_number),
    )
    st.button("‹", key=f"{page}_back", on_click=_step, args=(-1, count), help=f"The test {sample} before")
    st.button("›", key=f"{page}_on", on_click=_step, args=(1, count), help=f"The next test {sample}")
    st.button("Random", key=f"{page}_random", on_click=_random, args=(count,), help=f"Any test {sample}")


def _pictures(page: str, data: DataSource) -> None:
    """Each with what it shows; a click makes it the input."""
    st.caption(f"Photographs that ship{', seen by a simulated event camera' if data.kind == 'events' else ''}.")
    pictures = pictures_for(data)
    places = [column for _ in range(0, len(pictures), COLUMNS) for column in st.columns(COLUMNS)]
    for place, picture in zip(places, pictures, strict=False):
        source = f"{PICTURE}{picture.name}"
        with place:
            st.image(picture.thumbnail, width=THUMBNAIL)
            st.button(picture.short, key=f"{page} {source}", on_click=_take_source, args=(source,), width="stretch")


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
    """Another network starts as it was trained, on the same picture if it can see it."""
    known, now = session.checkpoints(), session.state().experiment
    source = carried(now.source, known[now.checkpoint], known[name])
    session.change(lambda now: now.but(checkpoint=name, source=source, interventions=()))


def _take_source(source: str) -> None:
    session.change(lambda now: now.but(source=source))


def _take_number(index: int | None) -> None:
    if index is not None:  # an emptied field chooses nothing
        _take_source(f"test/{index}")


def _step(by: int, count: int) -> None:
    index = session.state().experiment.index
    _take_number(0 if index is None else (index + by) % count)


def _random(count: int) -> None:
    _take_number(random.randrange(count))


def _take_upload(upload_key: str, turn_key: str, card: CheckpointCard) -> None:
    """Decode what was brought; what cannot be used is one sentence, and the input stays as it was."""
    file = st.session_state.get(upload_key)
    source, before = session.state().experiment.source, f"{upload_key} before"
    if file is None:  # taken away again, or about to be replaced
        if source in session.uploads():
            st.session_state[before] = source
            _take_source(default_source(card))
        return
    replaced = st.session_state.pop(before, None)
    turn = st.session_state.get(turn_key, True)
    try:
        session.bring(read_upload(file.getvalue(), file.name, card.data, card.name, turn))
    except ValueError as error:  # a picture or a recording that cannot be used
        session.refuse(str(error))
        if replaced in session.uploads():
            _take_source(replaced)
