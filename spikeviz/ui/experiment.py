"""The experiment a session looks at: one frozen value under one key that is no widget's, and its form in the address.

A widget's own key dies when its page is left; the experiment, and what `recall` keeps beside it, do not. Widgets show
what the experiment says and hand changes to it; nothing is kept in a widget alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from spikeviz.artifacts.cards import CheckpointCard, list_checkpoints

KEY = "experiment"
HELD = "held"  # the experiment that the present one is compared with
VIEW = "view"  # what is looked at and not what is computed: layer, neuron, step
SEEN = "address_seen"
NEW = "address_new"
NOTICES = "notices"
WIDGET = "widget"


FIRST = "spikformer-fashion"  # of a page that is about no family of networks


@dataclass(frozen=True)
class Networks:
    """The networks that a page is about.

    Attributes:
        suits: whether a card's network is one.
        lacks: what another network lacks, after its name.
        first: the one a first visit starts with.
    """

    suits: Callable[[CheckpointCard], bool] = lambda card: card.classifies
    lacks: str = "is an autoencoder, which knows no classes"
    first: str = FIRST

    def names(self) -> dict[str, CheckpointCard]:
        """Cards by name; says so on the page, and stops it, where there is none."""
        found = {name: card for name, card in checkpoints().items() if self.suits(card)}
        if not found:
            st.info(
                f"There is no trained network for this page yet: run `spikeviz train {self.first}`, then reload it."
            )
            st.stop()
        return found

    def default(self) -> str:
        """`first` where it is there, else the first that is."""
        names = self.names()
        return self.first if self.first in names else next(iter(names))


ALL = Networks()


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

    def only(self, *kinds: type) -> Experiment:
        """Without what other pages intervene: a page computes what it shows controls for, and nothing else.

        In the order of `kinds`: what is drawn at random depends on the place of an intervention among the others, and
        must not on which slider was moved first.
        """
        own = (i for kind in dict.fromkeys(kinds) for i in self.interventions if isinstance(i, kind))
        return self.but(interventions=tuple(own))

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
    """The session's experiment."""
    if KEY not in st.session_state:
        st.session_state[KEY] = Experiment(ALL.default())
    return st.session_state[KEY]


def keep(experiment: Experiment) -> Experiment:
    """Make this the session's experiment."""
    st.session_state[KEY] = experiment
    return experiment


def held() -> Experiment | None:
    """What the present experiment is compared with, if something is."""
    experiment = st.session_state.get(HELD)
    return experiment if experiment and experiment.checkpoint in checkpoints() else None


def hold(experiment: Experiment | None) -> None:
    """Compare with this from now on; None ends the comparison."""
    st.session_state[HELD] = experiment


def recall(name: str, default: Any = None) -> Any:
    """What the session keeps of a view."""
    return st.session_state.get(VIEW, {}).get(name, default)


def remember(name: str, value: Any) -> Any:
    """Keep a value that outlives the page."""
    st.session_state.setdefault(VIEW, {})[name] = value
    return value


def shown(name: str, value: Any) -> str:
    """The key of a widget that shows `value`; `taken` reads what a person then sets.

    A value that changed on this side gets a widget of its own: the browser sends what all its widgets hold with every
    click, and what it had not heard of yet would look like a person's choice of the old value. And a widget is given
    its value once only: what a person has set since then would be taken back.
    """
    version, last = st.session_state.get(f"{WIDGET} {name}", (0, value))
    version += last != value
    st.session_state[f"{WIDGET} {name}"] = version, value
    key = f"{name} {version}" if version else name
    if key not in st.session_state:
        st.session_state[key] = value
    return key


def taken(name: str, take: Callable[[Any], None]) -> None:
    """Hand on what a person set in the widget of `shown`; Streamlit may call although nothing was."""
    version, last = st.session_state[f"{WIDGET} {name}"]
    value = st.session_state[f"{name} {version}" if version else name]
    if value != last:
        st.session_state[f"{WIDGET} {name}"] = version, value
        take(value)


def plain() -> bool:
    """Whether the page does without its own JavaScript: asked for by `?plain=1`, and under Streamlit's AppTest."""
    return st.query_params.get("plain") == "1" or "streamlit.testing.v1" in sys.modules


@dataclass(frozen=True)
class Parameter:
    """One part of the address of a page.

    Attributes:
        name: in the address.
        read: takes the text over, or raises a ValueError that says what would have worked; None sets the default.
        write: the present value as text; None for the default, which is left out.
    """

    name: str
    read: Callable[[str | None], None]
    write: Callable[[], str | None]


def arrive(page: str) -> None:
    """Note the address in a run of the whole page: after a first visit, a link, the back button.

    A run of a part of a page is not asked: the browser may send it with an address that is one step behind. What an
    address leaves out gets its default, unless one comes from another page: then it stays as it was. An empty address
    is that of a page that was chosen in the sidebar, and wants nothing.
    """
    address, (last, seen) = st.query_params.to_dict(), st.session_state.get(SEEN, ("", {}))
    if (last, seen) != (page, address):
        st.session_state[SEEN] = (page, address)
        st.session_state[NEW] = (page, address, set(), last in ("", page))


def read_address(page: str, parameters: list[Parameter]) -> None:
    """Take a new address over, once; what does not work is a notice."""
    where, address, done, complete = st.session_state.get(NEW, ("", {}, set(), True))
    if where != page or not address.keys() - {"plain"}:
        return
    for parameter in parameters:
        if parameter.name in done or not (complete or parameter.name in address):
            continue  # done: by a run of the page that was stopped half way
        done.add(parameter.name)
        text = address.get(parameter.name)
        try:
            parameter.read(text)
        except ValueError as error:
            notice(f"The address says {parameter.name}={str(text)[:40]}, which does not work here: {error}")
            parameter.read(None)


def write_address(page: str, parameters: list[Parameter]) -> None:
    """Put the state into the address; the back button then leads to the state before."""
    st.session_state.pop(NEW, None)
    wanted = {p.name: text for p in parameters if (text := p.write()) is not None}
    if st.query_params.get("plain") == "1":
        wanted["plain"] = "1"
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)
    st.session_state[SEEN] = (page, wanted)


def checkpoint_parameter(networks: Networks = ALL) -> Parameter:
    """`checkpoint=...`: another network starts as it was trained."""

    def read(text: str | None) -> None:
        names = networks.names()
        if text is not None and text not in names:
            why = f"{text} {networks.lacks}; " if text in checkpoints() else ""
            raise ValueError(f"{why}there are {', '.join(names)}.")
        name = text or networks.default()
        if current().checkpoint != name:  # another one starts as it was trained
            keep(current().but(checkpoint=name, interventions=()))

    return Parameter("checkpoint", read, lambda: current().checkpoint)


def seed_parameter() -> Parameter:
    """`seed=...` of random edits."""

    def read(text: str | None) -> None:
        keep(current().but(seed=whole(text or "0", "a seed", 0, 2**31 - 1)))

    return Parameter("seed", read, lambda: str(current().seed) if current().seed else None)


def whole(text: str, what: str, low: int, high: int) -> int:
    """A whole number of an address.

    Raises:
        ValueError: if it is none, or outside the range.
    """
    if not text.isascii() or not text.isdigit() or len(text) > 12 or not low <= int(text) <= high:
        raise ValueError(f"{what} is a number from {low} to {high}.")
    return int(text)


def notice(sentence: str) -> None:
    """Something to say above the next result."""
    st.session_state.setdefault(NOTICES, []).append(sentence)


def take_notices() -> list[str]:
    """What there is to say, once."""
    return st.session_state.pop(NOTICES, [])
