"""What one session keeps: the state of each page, the inputs they share, uploads, and what there is to say.

A widget's own key dies when its page is left; what is kept here does not. Widgets show what the state says and hand
changes to it; nothing is kept in a widget alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from spikeviz.views import address
from spikeviz.views.address import State, all_checkpoints
from spikeviz.views.experiment import Experiment
from spikeviz.views.inputs import data_of, default_source, is_picture, sample_shape, source_of
from spikeviz.views.page import Networks, Page

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.data.ingest import Input

PAGE, STATES, INPUTS = "page", "states", "inputs"
UPLOADS, NOTICES, REFUSED = "uploads", "notices", "upload_error"
KEPT_UPLOADS = 4  # of one session


def checkpoints() -> dict[str, CheckpointCard]:
    """Every network that can be shown, by name; says why on the page, and stops it, where there is none."""
    try:
        found = all_checkpoints()
    except ValueError as error:
        st.error(str(error))
        st.stop()
    if not found:
        st.info("There is no trained network here yet: run `spikeviz train spikformer-fashion`, then reload this page.")
        st.stop()
    return found


def names(networks: Networks) -> dict[str, CheckpointCard]:
    """The networks that a page takes, by name; says so on the page, and stops it, where there is none."""
    checkpoints()
    try:
        return networks.names()
    except ValueError as error:
        st.info(str(error))
        st.stop()


def enter(page: Page) -> None:
    """Make this the page whose state is shown and changed; on another one than before, with the input it shares."""
    last = st.session_state.get(PAGE)
    st.session_state[PAGE] = page
    if last is not None and last.key != page.key and page.key in st.session_state.get(STATES, {}):
        store(_sharing(st.session_state[STATES][page.key]))


def state() -> State:
    """What the page is set to; on a first visit its first network, as it was trained."""
    page, states = st.session_state[PAGE], st.session_state.setdefault(STATES, {})
    if page.key not in states:
        names(page.networks)
        begin(page.networks.default())
        if opening := page.opening():
            _open(page, opening)
    found = states[page.key]
    if found.compared is not None and found.compared.checkpoint not in checkpoints():
        found = store(found.but(compared=None))
    return found


def _open(page: Page, opening: Mapping[str, str]) -> None:
    """Set a page to the address with which it opens, and to the input that other pages showed."""
    found, _ = address.read([address.checkpoint_parameter(page.networks)], state(), opening)
    found, _ = address.read(address.parameters(page, found, uploads(), opening), found, opening)
    store(_sharing(found))


def begin(checkpoint: str) -> State:
    """Set the page to a network as it was trained, and to the input that other pages showed last if it can take it."""
    card = checkpoints().get(checkpoint)
    source = default_source(card) if card else Experiment.source
    return store(_sharing(State(Experiment(checkpoint, source))))


def store(found: State) -> State:
    """Make this the state of the page."""
    st.session_state.setdefault(STATES, {})[st.session_state[PAGE].key] = found
    return found


def share_input(experiment: Experiment) -> None:
    """Let other pages take over the input of what is shown, where they can."""
    data, inputs = checkpoints()[experiment.checkpoint].data, st.session_state.setdefault(INPUTS, {})
    inputs.pop(data, None)
    inputs[data] = experiment.source  # the newest is the last


def _sharing(found: State) -> State:
    """With the input that another page showed last and this one can take: a sample of the same data set, a picture to
    try, or what a person brought in the same shape."""
    card = checkpoints().get(found.experiment.checkpoint)
    if card is None:  # its network is not here any more
        return found
    for data, source in reversed(st.session_state.get(INPUTS, {}).items()):
        if is_picture(source, card):
            return found.but(experiment=found.experiment.but(source=source))
        brought = uploads().get(source)
        gone = brought is None and source.startswith("upload/")
        if tuple(brought.pixels.shape) == sample_shape(data_of(card)) if brought else data == card.data and not gone:
            return found.but(experiment=found.experiment.but(source=source))
    return found


def change(changed: Callable[[Experiment], Experiment]) -> None:
    """Change the experiment of the page."""
    now = state()
    store(now.but(experiment=changed(now.experiment)))


def look(name: str, default: Any = None) -> Any:
    """What is kept of what is looked at."""
    return state().look(name, default)


def set_look(name: str, value: Any) -> None:
    """Keep what is looked at."""
    store(state().looking(name, value))


def uploads() -> dict[str, Input]:
    """What the person brought, by its source in an experiment."""
    return st.session_state.get(UPLOADS, {})


def bring(shown: Input) -> None:
    """Make this the input of the page."""
    source = source_of(shown)
    kept = {key: value for key, value in uploads().items() if key != source} | {source: shown}
    st.session_state[UPLOADS] = dict(list(kept.items())[-KEPT_UPLOADS:])
    change(lambda experiment: experiment.but(source=source))


def refuse(sentence: str) -> None:
    """Say why what was brought was not taken."""
    st.session_state[REFUSED] = sentence


def refused() -> str | None:
    """Why it was not, once."""
    return st.session_state.pop(REFUSED, None)


def notice(*sentences: str) -> None:
    """Something to say above the next result."""
    st.session_state.setdefault(NOTICES, []).extend(sentences)


def take_notices() -> list[str]:
    """What there is to say, once."""
    return list(dict.fromkeys(st.session_state.pop(NOTICES, [])))


def plain() -> bool:
    """Whether the page does without its own JavaScript: asked for by `?plain=1`, and under Streamlit's AppTest."""
    return st.query_params.get("plain") == "1" or "streamlit.testing.v1" in sys.modules
