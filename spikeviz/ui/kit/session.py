"""What one session keeps: the state of the page, uploads, and what there is to say.

A widget's own key dies when its page is left; what is kept here does not. Widgets show what the state says and hand
changes to it; nothing is kept in a widget alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import streamlit as st

from spikeviz.views.address import State, all_checkpoints
from spikeviz.views.experiment import Experiment
from spikeviz.views.inputs import source_of
from spikeviz.views.page import CLASSIFIERS, Networks

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.data.ingest import Input

STATE, UPLOADS, NOTICES, REFUSED = "state", "uploads", "notices", "upload_error"
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


def state() -> State:
    """What the session's page is set to."""
    if STATE not in st.session_state:
        names(CLASSIFIERS)
        st.session_state[STATE] = State(Experiment(CLASSIFIERS.default()))
    found = st.session_state[STATE]
    if found.compared is not None and found.compared.checkpoint not in checkpoints():
        found = store(found.but(compared=None))
    return found


def store(found: State) -> State:
    """Make this the session's state."""
    st.session_state[STATE] = found
    return found


def change(changed: Callable[[Experiment], Experiment]) -> None:
    """Change the session's experiment."""
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
    """Make this the session's input."""
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
