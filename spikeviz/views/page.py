"""A page as a value: what it asks, which networks and settings it takes, and its views."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from spikeviz.views.view import Item, View

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.views.address import Parameter
    from spikeviz.views.experiment import Experiment
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene
    from spikeviz.views.settings import Setting


FILES = (
    "overview",
    "spike_maps",
    "channel_masks",
    "random_masks",
    "integer_firing",
    "reconstruction",
    "events",
)  # of `pages/`


@dataclass(frozen=True)
class Preset:
    """A figure of a paper on a page.

    Attributes:
        key: on the command line.
        title: of the button.
        source: paper and figure.
        about: what is the same and what is not: network, data, what is plotted.
        address: parameters; those it does not name get their defaults, but for the network and the input.
    """

    key: str
    title: str
    source: str
    about: str
    address: Mapping[str, str]


@dataclass(frozen=True)
class Tab:
    """Some figures of a page, of which one tab at a time is computed."""

    title: str
    view: View


def nothing(_: Scene) -> Iterator[Item]:
    """A view without items."""
    yield from ()


def no_items() -> Iterator[Item]:
    """Of a page that ends with its figures."""
    yield from ()


def no_settings(*_: Any) -> Sequence[Setting]:
    """Of a page that shows networks as they were trained."""
    return ()


def no_parameters(_: str) -> Sequence[Parameter]:
    """Of a page whose address has nothing of its own."""
    return ()


@dataclass(frozen=True)
class Networks:
    """The networks that a page is about.

    Attributes:
        suits: whether a card's network is one.
        lacks: what another network lacks, after its name.
        first: the one a first visit starts with.
    """

    suits: Callable[[CheckpointCard], bool]
    lacks: str
    first: str

    def names(self) -> dict[str, CheckpointCard]:
        """Cards by name.

        Raises:
            ValueError: where there is none, with the command that trains one.
        """
        from spikeviz.artifacts.cards import list_checkpoints

        found = {card.name: card for card in list_checkpoints() if self.suits(card)}
        if not found:
            raise ValueError(
                f"There is no trained network for this page yet: run `spikeviz train {self.first}`, then reload it."
            )
        return found

    def default(self) -> str:
        """`first` where it is there, else the first that is."""
        names = self.names()
        return self.first if self.first in names else next(iter(names))


def classifies(card: CheckpointCard) -> bool:
    """Whether a network answers with classes."""
    return card.classifies


CLASSIFIERS = Networks(classifies, "is an autoencoder, which knows no classes", "spikformer-fashion")


def supports(card: CheckpointCard, *kinds: str) -> bool:
    """Whether every kind of intervention (by name) has something to act on in a network; asked of a network without
    weights."""
    from spikeviz import interventions
    from spikeviz.artifacts.checkpoints import skeleton

    try:
        model = skeleton(card)
    except ValueError:  # a model of another version: refused with its reason where it is opened
        return False
    return all(getattr(interventions, kind).possible(model) for kind in kinds)


@dataclass(frozen=True)
class Page:
    """One page: in the app, on the command line, in a notebook and in the documentation.

    Attributes:
        key: prefix of its parameters in the address.
        file: of `pages/`, and its name on the command line.
        title: above it.
        question: what it answers, one or two sentences.
        paper: where the question comes from.
        networks: which networks it takes.
        main: the picture above all others.
        tabs: by their key in the address; the first is open. Without tabs `body` follows the picture.
        settings: of a network and an experiment, the controls.
        clicked: what its figures show of a neuron that is clicked in the viewer; "" if nothing.
        first: of a network's layers, the one that is looked at until another is chosen; None of a page without layers.
        beside: what a run is compared with where nothing is, if there is something.
        opening: makes the address that a first visit without one gets; without it the page opens on its first network
            as it was trained.
        parameters: further parts of the address, for the key of the page.
        another: of a network, a further intervention of a kind that may stand several times; None: no kind may.
        presets: figures of papers.
        terms: of the glossary.
        after: what stands below everything.
    """

    key: str
    file: str
    title: str
    question: str
    main: View
    paper: str = ""
    networks: Networks = CLASSIFIERS
    tabs: Mapping[str, Tab] = field(default_factory=dict)
    body: View = nothing
    settings: Callable[[Any, Experiment], Sequence[Setting]] = no_settings
    first: Callable[[Sequence[str]], str] | None = lambda layers: layers[0]
    clicked: str = ""
    beside: Callable[[Run], Experiment | None] | None = None
    opening: Callable[[], Mapping[str, str]] = dict
    parameters: Callable[[str], Sequence[Parameter]] = no_parameters
    another: Callable[[Any], Any] | None = None
    presets: Sequence[Preset] = ()
    terms: Sequence[str] = ()
    after: Callable[[], Iterator[Item]] = no_items

    def preset(self, key: str) -> Preset:
        """A preset by its key.

        Raises:
            ValueError: for none, with those there are.
        """
        for preset in self.presets:
            if preset.key == key:
                return preset
        there = ", ".join(preset.key for preset in self.presets)
        raise ValueError(f"{self.file} has no preset {key!r}; " + (f"there are {there}." if there else "it has none."))

    def tab(self, key: str | None) -> View:
        """The view of a tab by its key; None for the first.

        Raises:
            ValueError: for none, with those there are.
        """
        if not self.tabs and key is None:
            return self.body
        if key is not None and key not in self.tabs:
            there = ", ".join(self.tabs)
            raise ValueError(f"{self.file} has no tab {key!r}; " + (f"there are {there}." if there else "it has none."))
        return self.tabs[key or next(iter(self.tabs))].view


def find_page(file: str) -> Page:
    """The page of a file in `pages/`, imported when it is first asked for.

    Raises:
        ValueError: for none, with those there are.
    """
    if file not in FILES:
        raise ValueError(f"there is no page {file!r}; there are {', '.join(FILES)}.")
    return import_module(f"spikeviz.views.{file}").PAGE
