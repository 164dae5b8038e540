"""The figures of a page without a browser: for the command line, a report, a notebook."""

from __future__ import annotations

import operator
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from spikeviz.views import address
from spikeviz.views.address import SIDES, State, all_checkpoints, neuron_of
from spikeviz.views.data_sets import lacking
from spikeviz.views.experiment import Experiment
from spikeviz.views.inputs import Uploads, default_source, source_of
from spikeviz.views.inputs import source as named_source
from spikeviz.views.page import Page, Preset, find_page
from spikeviz.views.scene import Scene, open_scene
from spikeviz.views.sharing.provenance import provenance
from spikeviz.views.view import Component, Figure, Item, Note, Option, Progress, Row, Study, drive

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.data.ingest import Input
    from spikeviz.views.sharing.provenance import Provenance

LOOKS = ("layer", "neuron", "side", "step", "channel")  # what is looked at of a page with layers


class First(int):
    """Test sample 0 that nobody asked for: where it is not here, another input may stand in for it."""


FIRST = First(0)


class Figures(Sequence[Figure]):
    """The figures of a page, with a display of their own in a notebook."""

    def __init__(self, figures: Iterable[Figure]):
        self._figures = tuple(figures)

    def __getitem__(self, which: Any) -> Any:
        found = self._figures[which]
        return Figures(found) if isinstance(which, slice) else found

    def __len__(self) -> int:
        return len(self._figures)

    def _repr_html_(self) -> str:
        return "".join(figure._repr_html_() for figure in self)

    def __repr__(self) -> str:
        return "Figures(" + "; ".join(figure.title for figure in self) + ")"


def figures_of(
    items: Iterable[Item],
    looks: Mapping[str, Any],
    studies: bool = False,
    asked: dict[str, Option] | None = None,
    about: Provenance | None = None,
) -> Iterator[Figure]:
    """Every figure of a view, in its order.

    Args:
        items: of a view.
        looks: answers of its options, by name; the others get their default.
        studies: whether work over data is done as well; without it there is what a view has before.
        asked: gets the options of the view, by name.
        about: where the figures are from.

    Raises:
        ValueError: with its sentence, if the view says that it cannot be shown.
    """
    found: list[Figure] = []

    def handle(item: Item) -> Any:
        if isinstance(item, Figure):
            found.append(about.on(item) if about else item)
        elif isinstance(item, Component):
            figures = [figure for figure in (item.figure, *item.others) if figure is not None]
            found.extend(about.on(figure) if about else figure for figure in figures)
        elif isinstance(item, Note) and item.level == "error":
            raise ValueError(item.text)
        elif isinstance(item, Option):
            if asked is not None:
                asked[item.name] = item
            return item.answer(looks)
        elif isinstance(item, Row):
            for column in item.columns:
                drive(column, handle)
        elif isinstance(item, Study):
            if studies and not (item.data and lacking(item.data)):
                found.extend(figures_of(_studied(item), looks, about=about and about.studied()))
            else:
                drive(item.idle(), handle)
        return None

    drive(items, handle)
    yield from found


def _studied(study: Study) -> Iterable[Item]:
    """What a study has found in the end."""
    start, value, done = time.monotonic(), None, 0
    for done, value in study.work():  # noqa: B007
        pass
    if value is None:
        return ()
    return study.figures(value, Progress(done, study.total, time.monotonic() - start, True))


def page_figures(
    scene: Scene, tab: str | None = None, studies: bool = False, asked: dict[str, Option] | None = None
) -> list[Figure]:
    """The figures of a scene: its main picture, and those of a tab, by default the one that the state names.

    `asked` gets the options of both, by name.

    Raises:
        ValueError: for a tab there is none of, and with its sentence, if a view says that it cannot be shown.
    """
    page, looks = scene.page, scene.state.looks
    tab = tab or (scene.look(f"{page.key}_part") if page.tabs else None)
    views, about = [page.main, page.tab(tab)], provenance(scene, tab=tab)
    return [figure for view in views for figure in figures_of(view(scene), looks, studies, asked, about)]


def shown_figures(scene: Scene) -> list[Figure]:
    """The figures of a scene as the app shows it: what cannot be shown is left out."""
    page, found = scene.page, list[Figure]()
    for view in (page.main, page.tab(scene.look(f"{page.key}_part") if page.tabs else None)):
        with suppress(ValueError):
            found += figures_of(view(scene), scene.state.looks)
    return found


def scene_at(page: Page, query: Mapping[str, str]) -> tuple[Scene, list[str]]:
    """The scene that an address names, and a sentence for each part of it that does not work.

    Raises:
        ValueError, FileNotFoundError: with a sentence, if nothing can be shown.
    """
    state = State(Experiment(page.networks.default()))
    network = address.checkpoint_parameter(page.networks)
    state, notices = address.read([network], state, query)
    parameters = address.parameters(page, state, {}, query)
    more = address.unknown([network, *parameters], query)
    state, wrong = address.read(parameters, state, query)
    scene, _, most = open_scene(page, state, {})
    return scene, [*notices, *more, *wrong, *most]


def query_of(page: Page, preset: str | Preset | None = None, url: str = "") -> dict[str, str]:
    """The address of a preset, or of a URL; both: the preset, and what the URL says beside it; neither: the one with
    which the page opens.

    Raises:
        ValueError: for a preset there is none of.
    """
    found = page.preset(preset) if isinstance(preset, str) else preset
    named = {**(found.address if found else {}), **address.as_query(f"?{url.rpartition('?')[2]}")}
    return named if found or named else dict(page.opening())


def view(
    page: str,
    checkpoint: str | None = None,
    input: int | str | Input = FIRST,
    interventions: Sequence[Any] = (),
    seed: int = 0,
    tab: str | None = None,
    studies: bool = False,
    **options: Any,
) -> Figures:
    """The figures of a page, as the app shows them, without the app.

    Args:
        page: name of a file of `pages/`: "spike_maps", "random_masks", ...
        checkpoint: that is shown; the page's first network by default.
        input: number of a test sample, a picture to try ("picture-cat"), or an input made by `spikeviz.data.ingest`;
            test sample 0 by default, or a picture to try where the data set of the network is not here.
        interventions: that the page has controls for, in the order in which they are applied.
        seed: of random edits.
        tab: key of one of the page's tabs; its first by default.
        studies: whether work over data is done as well, which takes as long as in the app.
        options: what is looked at, by name: `layer="blocks.0.attn.q"`, `neuron=(3, 2, 2)`, or what a view asks for.

    Raises:
        ValueError: with a sentence, for a page, network, input, intervention, tab or option there is none of.
        FileNotFoundError: for a test sample, where the data set of the network is not here.
    """
    found = find_page(page)
    names = found.networks.names()
    name = checkpoint or found.networks.default()
    if name not in names:
        why = f"{name} {found.networks.lacks}; " if name in all_checkpoints() else ""
        raise ValueError(f"{page} does not show {name!r}: {why}there are {', '.join(names)}.")
    source, uploads = _source(input, names[name])
    interventions = tuple(interventions) if isinstance(interventions, Sequence) else (interventions,)
    wanted = Experiment(name, source, seed, interventions)
    state = State(wanted, looks=_looks(name, options))
    scene, state, notices = open_scene(found, state, uploads)
    missing = [i for i in interventions if i not in scene.now.experiment.interventions]
    if missing:
        raise ValueError(f"{page} has no control for {', '.join(map(str, missing))}: simulate({name!r}, ...) takes it.")
    for kind in {type(i): None for i in interventions}:
        several, shown = len(wanted.of_kind(kind)), len({s.number for s in scene.settings if s.kind is kind})
        if several > shown:
            raise ValueError(f"{page} has controls for {shown} {kind.__name__}, not for {several}: give the last one.")
    if notices:
        raise ValueError(" ".join(notices))
    if "layer" in options and state.look("layer") != options["layer"]:
        raise ValueError(f"{name} has no layer {options['layer']!r}; there are {', '.join(scene.now.layers)}.")
    asked: dict[str, Option] = {}
    figures = page_figures(scene, tab, studies, asked)
    _check_options(found, options, asked)
    return Figures(figures)


def _source(input: int | str | Input, card: CheckpointCard) -> tuple[str, Uploads]:
    """What names an input in an experiment, and the input by that name if it was brought.

    Raises:
        ValueError: for neither the number of a test sample nor an input.
        FileNotFoundError: for a test sample of a data set that is not here.
    """
    from spikeviz.data.ingest import Input

    if isinstance(input, First):
        return default_source(card), {}
    if isinstance(input, str) and input.startswith("picture-"):
        return named_source(input, card, {}), {}
    if isinstance(input, Input):
        source = source_of(input)
        return source, {source: input}
    try:
        index = operator.index(input)  # type: ignore[arg-type]  # what else there is raises
    except TypeError:
        raise ValueError(
            f'an input is the number of a test sample, a picture such as "picture-cat", or made by '
            f"spikeviz.data.ingest.read_upload; not {input!r:.40}."
        ) from None
    if not 0 <= index < card.samples:
        raise ValueError(f"{card.name} has test samples 0 to {card.samples - 1}, there is no {index}.")
    if lack := lacking(card.data):
        raise FileNotFoundError(lack)
    return f"test/{index}", {}


def _check_options(page: Page, options: Mapping[str, Any], asked: Mapping[str, Option]) -> None:
    """Raises ValueError for an option that nothing asks for, and for one with an answer that it does not take."""
    own, _ = address.read(page.parameters(page.key), State(Experiment("")), {})
    known = {*(LOOKS if page.first else ()), *own.looks, *asked}
    for name, value in options.items():
        if name not in known:
            there = ", ".join(sorted(name for name in known if name.isidentifier()))
            raise ValueError(f"{page.file} has no option {name!r}; there are {there or 'none'}.")
        if name == "side" and value not in SIDES.values():
            raise ValueError(f"side is one of {', '.join(SIDES.values())}, not {value!r}.")
        option = asked.get(name)
        if option is not None and option.store is None and not option.takes(value):
            raise ValueError(f"{name} takes {option.answers}, not {value!r}.")


def _looks(checkpoint: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as the state keeps them: a neuron belongs to a layer of a network."""
    looks = dict(options)
    if "neuron" in looks:
        if "layer" not in looks:
            raise ValueError("a neuron belongs to a layer: give layer=... with neuron=(channel, row, column).")
        looks[neuron_of(checkpoint, looks["layer"])] = tuple(looks.pop("neuron"))
    return looks
