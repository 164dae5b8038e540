"""A scene: what the views of a page draw from. It is made from a page and a state, by the app and by everybody else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeviz.views import runs
from spikeviz.views.address import CHARTS, State, all_checkpoints, neuron_of
from spikeviz.views.experiment import Experiment
from spikeviz.views.inputs import Uploads, default_source, find_input, first_picture
from spikeviz.views.page import Page
from spikeviz.views.runs import Run, cached_simulate
from spikeviz.views.settings import Setting, complete, status_text

if TYPE_CHECKING:
    from jaxtyping import Shaped

    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.artifacts.packed_spikes import PackedSpikes
    from spikeviz.data.ingest import Input


@dataclass(frozen=True, eq=False)
class Side:
    """One of the runs that a scene shows.

    Attributes:
        name: A or B.
        run: that is shown.
        layer: of its network, that is looked at.
        neuron: of the layer, that is looked at: channel, row, column.
        alone: whether there is no other.
    """

    name: str
    run: Run
    layer: str
    neuron: tuple[int, int, int]
    alone: bool = True

    @property
    def mark(self) -> str:
        """What a title says of it where there are two: ", A"."""
        return "" if self.alone else f", {self.name}"

    @property
    def words(self) -> str:
        """Its layer in words."""
        return self.run.network.words(self.layer)

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, height and width of its layer."""
        return tuple(self.run.recording[f"{self.layer}.spike"].values.shape[2:])


@dataclass(frozen=True, eq=False)
class Scene:
    """What a view draws from.

    Attributes:
        page: that is shown.
        state: what it is set to.
        opens: makes the run of the present setting (`now`).
        compared: the run it is compared with (A), if there is one.
        settings: the controls.
        layer: that is looked at; "" of a page without layers.
        neuron: of it, that is looked at: channel, row, column.
        layer_of_a: that is looked at of A: the same, where its network has it.
        neuron_of_a: of that layer; the same, where it is one network's and one layer's.
        uploads: what a person brought.
        shipped: the spikes of the present setting, where they ship: then nothing has to be run to show them.
    """

    page: Page
    state: State
    opens: Callable[[], Run]
    compared: Run | None = None
    settings: Sequence[Setting] = ()
    layer: str = ""
    neuron: tuple[int, int, int] = (0, 0, 0)
    layer_of_a: str = ""
    neuron_of_a: tuple[int, int, int] = (0, 0, 0)
    uploads: Uploads = field(default_factory=dict)
    shipped: PackedSpikes | None = None

    @cached_property
    def now(self) -> Run:
        """The run of the present setting."""
        return self.opens()

    @property
    def card(self) -> CheckpointCard:
        """Of the present network."""
        return all_checkpoints()[self.state.experiment.checkpoint]

    @property
    def runs(self) -> list[tuple[str, Run]]:
        """A, if there is one, and B."""
        return [*([("A", self.compared)] if self.compared else []), ("B", self.now)]

    @property
    def sides(self) -> list[Side]:
        """A, if there is one, and B, with what is looked at of them."""
        b = Side("B", self.now, self.layer, self.neuron, self.compared is None)
        return [*([Side("A", self.compared, self.layer_of_a, self.neuron_of_a, False)] if self.compared else []), b]

    @property
    def packed(self) -> PackedSpikes:
        """All spikes of the present setting."""
        return self.shipped or self.now.packed

    @property
    def status(self) -> tuple[float, str, str]:
        """Milliseconds of the forward pass, its device, and the settings."""
        if self.shipped:
            return tuple(self.shipped.facts[name] for name in ("milliseconds", "device", "status_text"))
        return self.now.recording.milliseconds, self.now.recording.device, self.now.status_text

    def look(self, name: str, default: Any = None) -> Any:
        """What is kept of a look."""
        return self.state.look(name, default)

    def run(self, experiment: Experiment, keep: Sequence[str] | None = None) -> Run:
        """Another experiment on the input that it names; of what is intervened, what there are settings for.

        `keep`: globs of tracks, if not those that the page needs.

        Raises:
            ValueError: if that input is not here.
        """
        shown: Input | None = self.now.shown
        if experiment.source != self.now.experiment.source:
            shown = find_input(experiment, all_checkpoints()[experiment.checkpoint], self.uploads)
        if shown is None:
            raise ValueError(f"the input {experiment.source} is not here, or was made for another network.")
        return _run(self.page, experiment, shown, self.layer, keep)


def open_scene(page: Page, state: State, uploads: Uploads) -> tuple[Scene, State, list[str]]:
    """The scene of a state; the state as far as it can be shown; and a sentence for what could not.

    Raises:
        ValueError, FileNotFoundError: with a sentence, if nothing can be shown.
    """
    card = all_checkpoints()[state.experiment.checkpoint]
    if page.first is None:
        state = state.but(experiment=state.experiment.only())  # whatever other pages intervene
        shipped = _shipped(card) if state.experiment == Experiment(card.name) else None
        if shipped:
            scene = Scene(
                page,
                state,
                lambda: _run(page, state.experiment, _input(state, card, uploads)[0], ""),
                uploads=uploads,
                shipped=shipped,
            )
            return scene, state, []
    shown, state, notices = _input(state, card, uploads)
    if page.first is None:
        now = _run(page, state.experiment, shown, "")
        return Scene(page, state, lambda: now, uploads=uploads), state, notices
    opened = runs.network(card)
    if state.look("layer") not in opened.layers:
        state = state.looking("layer", page.first(opened.layers))
    layer = state.look("layer")
    now = _run(page, state.experiment, shown, layer)
    compared, state = _compared(page, state, uploads, notices)
    if compared is None and page.beside is not None:
        wanted = page.beside(now)
        compared = _run(page, wanted, shown, _layer_of_a(state, wanted)) if wanted else None
    neuron, state = _neuron(state, layer, now, notices)
    layer_of_a, neuron_of_a = layer, neuron
    if compared is not None:
        layer_of_a = _layer_of_a(state, compared.experiment)
        neuron_of_a, state = _neuron(state, layer_of_a, compared, notices)
    state = state.looking("layer A", None if layer_of_a == layer else layer_of_a)
    settings = page.settings(opened.model, state.experiment)
    looked = (layer, neuron, layer_of_a, neuron_of_a)
    scene = Scene(page, state, lambda: now, compared, settings, *looked, uploads)
    for look, sides in (("side", sides_of(scene)), (CHARTS, [side.name for side in scene.sides])):
        if state.look(look, "B") not in sides:
            state = state.looking(look, "B")
    return replace(scene, state=state), state, notices


def sides_of(scene: Scene) -> list[str]:
    """What the viewer can show: A and B, and their difference where the layers are of one shape."""
    sides = scene.sides
    alike = len(sides) == 2 and sides[0].shape == sides[1].shape
    return [*(side.name for side in sides), *(["A−B"] if alike else [])]


def _shipped(card: CheckpointCard) -> PackedSpikes | None:
    from spikeviz.artifacts.packed_spikes import find_packed

    return runs.DATA.get(("packed", card.name, card.sha256), lambda: find_packed(card.name))


def _input(state: State, card: CheckpointCard, uploads: Uploads) -> tuple[Input, State, list[str]]:
    """The input of a state; another one with a sentence, if it is gone or cannot be read."""
    try:
        shown = find_input(state.experiment, card, uploads)
        gone, other = "That input is gone, or was made for another network.", default_source(card)
    except (ValueError, FileNotFoundError) as error:  # a test set that is not here, or is damaged
        shown, gone, other = None, str(error), first_picture(card)
    if shown is not None:
        return shown, state, []
    state = state.but(experiment=state.experiment.but(source=other))
    shown = find_input(state.experiment, card, uploads)
    if shown is None:
        raise ValueError(f"the test set of {card.data} is empty.")
    return shown, state, [f"{gone} This is {shown.title}."]


def _run(page: Page, experiment: Experiment, shown: Input, layer: str, keep: Sequence[str] | None = None) -> Run:
    """With what a page needs of a run: all spikes and operands, the membranes of one layer, and what came to the places
    that are masked at random, which tells what was dropped; of an autoencoder also what was hidden and what it made."""
    from spikeviz.interventions import MaskSpikes
    from spikeviz.metrics import OPERANDS, SPIKES
    from spikeviz.metrics.dropped import came

    card = all_checkpoints()[experiment.checkpoint]
    settings = page.settings(runs.network(card).model, experiment)
    experiment = complete(settings, experiment)
    text = status_text(settings, experiment)
    if keep is None:
        masked = [came(place) for i in experiment.of_kind(MaskSpikes) for place in i.at]
        keep = (*SPIKES, *OPERANDS, *runs.MADE, *([f"{layer}.membrane"] if layer else []), *masked)
    return Run(experiment, card, shown, text, cached_simulate(experiment, keep, lambda: shown.batch))


def _layer_of_a(state: State, compared: Experiment) -> str:
    """The layer that A shows: that of B where its network has it; else the one that was chosen, or the first of those
    whose module paths have most in common with B's."""
    layer, chosen = state.look("layer"), state.look("layer A")
    layers = runs.network(all_checkpoints()[compared.checkpoint], compared.variant).layers
    if layer in layers or chosen not in layers:
        return like(layer, layers)
    return chosen


def like(layer: str, layers: Sequence[str]) -> str:
    """Of the layers of a network, the one that another network's `layer` is compared with first."""

    def common(name: str) -> int:
        pairs = zip(layer.split("."), name.split("."), strict=False)
        return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))

    return layer if layer in layers else max(layers, key=common)


def _compared(page: Page, state: State, uploads: Uploads, notices: list[str]) -> tuple[Run | None, State]:
    """A, if something is compared with; what cannot be run any more is released, with a notice."""
    wanted, cards = state.compared, all_checkpoints()
    if wanted is None:
        return None, state
    try:
        if wanted.checkpoint not in cards:
            raise ValueError("its network is not here any more.")
        card = cards[wanted.checkpoint]
        shown = find_input(wanted, card, uploads)
        if shown is None:
            raise ValueError("its picture is not here any more.")
        if card.task != cards[state.experiment.checkpoint].task:
            raise ValueError("an autoencoder and a network that classifies answer with different things.")
        run = _run(page, wanted, shown, _layer_of_a(state, wanted))
        _ = run.recording  # what cannot be run is known now, and not while a figure is drawn
        return run, state
    except (ValueError, FileNotFoundError) as error:
        notices.append(f"A is released: {error}")
        return None, state.but(compared=None)


def _neuron(state: State, layer: str, now: Run, notices: list[str]) -> tuple[tuple[int, int, int], State]:
    """Of the layer: the neuron that was chosen, else one that has something to show on this run. The state keeps it, so
    that a moved setting shows the same neuron and not another one."""
    name, spikes = neuron_of(now.card.name, layer), now.recording[f"{layer}.spike"].values[:, 0]
    place = state.look(name)
    if place is not None and not is_neuron(place, spikes.shape):
        shape = list(spikes.shape[1:])
        notices.append(f"{now.network.words(layer)} has no neuron {'.'.join(map(str, place))}; its shape is {shape}.")
        place = None
    place = tuple(place) if place else telling_neuron(spikes.cpu().numpy())
    return place, state.looking(name, place)


def is_neuron(place: Any, shape: Sequence[int]) -> bool:
    """Whether a layer of the shape [S, C, H, W] has a neuron there."""
    whole_numbers = isinstance(place, list | tuple) and len(place) == 3 and all(isinstance(i, int) for i in place)
    return whole_numbers and all(0 <= i < n for i, n in zip(place, shape[1:], strict=True))


def telling_neuron(spikes: Shaped[np.ndarray, "T C H W"]) -> tuple[int, int, int]:
    """The neuron nearest to the centre that fires at some steps and not at all of them, if there is one."""
    fired = spikes.astype(np.int64).sum(0)
    _, height, width = fired.shape
    telling = (fired > 0) & (fired < len(spikes)) if len(spikes) > 1 else fired > 0
    if not telling.any():
        return 0, height // 2, width // 2
    distance = (np.arange(height)[:, None] - height / 2) ** 2 + (np.arange(width) - width / 2) ** 2
    # of those at the least distance, the one that fires most; a quarter is less than any two distances differ by
    score = np.where(telling, distance - 0.25 * fired / len(spikes), np.inf)
    channel, row, column = np.unravel_index(int(score.argmin()), fired.shape)
    return int(channel), int(row), int(column)
