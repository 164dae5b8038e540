"""The experiment a session looks at: one frozen value under one key that is no widget's, and its form in the address.

A widget's own key dies when its page is left; the experiment, and what `recall` keeps beside it, do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from spikeviz.cards import CheckpointCard, list_checkpoints

KEY = "experiment"
VIEW = "view"  # what is looked at and not what is computed: layer, neuron
READ = "addresses_read"
NOTICES = "notices"


@dataclass(frozen=True)
class Experiment:
    """What is computed: everything a result depends on.

    Attributes:
        checkpoint: name of a card.
        source: of the input: `test/<index>` of the checkpoint's own data, or `upload/<hash>`.
        seed: of random edits.
        interventions: `spikeviz.interventions`, in the order in which they are applied.
    """

    checkpoint: str
    source: str = "test/0"
    seed: int = 0
    interventions: tuple[Any, ...] = ()

    def but(self, **changes: Any) -> Experiment:
        """The same with some fields changed."""
        return replace(self, **changes)

    def set(self, kind: type, value: Any | None) -> Experiment:
        """With `value` as its only intervention of that kind (None: without any), in the same place."""
        found = [i for i in self.interventions if isinstance(i, kind)]
        if value is None:
            return self.but(interventions=tuple(i for i in self.interventions if i not in found))
        if not found:
            return self.but(interventions=(*self.interventions, value))
        return self.but(interventions=tuple(value if i is found[0] else i for i in self.interventions))

    @property
    def index(self) -> int | None:
        """Of the test image; None for an upload."""
        kind, _, rest = self.source.partition("/")
        return int(rest) if kind == "test" else None


def checkpoints() -> dict[str, CheckpointCard]:
    """Every network that can be shown, by name; says why on the page, and stops it, where there is none."""
    try:
        found = {card.name: card for card in list_checkpoints()}
    except ValueError as error:
        st.error(str(error))
        st.stop()
    if not found:
        st.info("There is no trained network here yet: run `spikeviz train spikformer-fashion`, then reload this page.")
        st.stop()
    return found


def current() -> Experiment:
    """The session's experiment; a fresh session, and one whose checkpoint has gone, start with the first checkpoint."""
    names = checkpoints()
    experiment = st.session_state.get(KEY)
    if experiment is None or experiment.checkpoint not in names:
        experiment = st.session_state[KEY] = Experiment(next(iter(names)))
    return experiment


def keep(experiment: Experiment) -> Experiment:
    """Make this the session's experiment."""
    st.session_state[KEY] = experiment
    return experiment


def recall(name: str, default: Any = None) -> Any:
    """What the session keeps of a view."""
    return st.session_state.get(VIEW, {}).get(name, default)


def remember(name: str, value: Any) -> Any:
    """Keep a value that outlives the page."""
    st.session_state.setdefault(VIEW, {})[name] = value
    return value


def read_address(page: str, readers: dict[str, Callable[[str], None]]) -> None:
    """Take over the address a page was opened with, once for each session and page.

    Each reader gets the text of its parameter; a ValueError becomes a notice and leaves things as they were.
    """
    done = st.session_state.setdefault(READ, set())
    if page in done:
        return
    done.add(page)
    for name, reader in readers.items():
        if name in st.query_params:
            try:
                reader(st.query_params[name])
            except ValueError as error:
                notice(f"The address says {name}={st.query_params[name][:40]}, which does not work here: {error}")


def write_address(parameters: dict[str, str]) -> None:
    """Put the state into the address; None leaves a parameter out."""
    wanted = {name: str(value) for name, value in parameters.items() if value is not None}
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)


def read_checkpoint(text: str) -> None:
    """`checkpoint=...` of an address."""
    names = checkpoints()
    if text not in names:
        raise ValueError(f"there are {', '.join(names)}.")
    keep(current().but(checkpoint=text, interventions=()))


def notice(sentence: str) -> None:
    """Something to say above the next result."""
    st.session_state.setdefault(NOTICES, []).append(sentence)


def take_notices() -> list[str]:
    """What there is to say, once."""
    return st.session_state.pop(NOTICES, [])
