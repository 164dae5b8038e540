"""What is looked at of the layers of a page, in its address: layer, step, channel, side and neuron, and A's own."""

from __future__ import annotations

from collections.abc import Sequence

from spikeviz.views.address import ALL, CHARTS, MEAN, SIDES, Parameter, State, all_checkpoints, neuron_of
from spikeviz.views.page import Page
from spikeviz.views.runs import network
from spikeviz.views.settings import whole


def layer_parameters(page: Page, layers: Sequence[str]) -> list[Parameter]:
    """Of a network's layers: layer (without one the page's first), step, channel, side, neuron; of what is compared
    with, layer and neuron where they are not B's, and whether the charts show it."""
    key, first = page.key, page.first(layers) if page.first else ""

    def read_layer(state: State, text: str | None) -> State:
        if text is not None and text not in layers:
            raise ValueError(f"this network has no layer {text[:40]!r}.")
        return state.looking("layer", text or first)

    def read_step(state: State, text: str | None) -> State:
        return state.looking("step", whole(text or "0", "a step", 0, 10**6))

    def read_channel(state: State, text: str | None) -> State:
        named = {None: MEAN, "all": ALL}.get(text)
        return state.looking("channel", whole(text or "", "a channel", 0, 10**6) if named is None else named)

    def read_side(state: State, text: str | None) -> State:
        if text not in (None, *SIDES):
            raise ValueError(f"there are {', '.join(SIDES)}.")
        return state.looking("side", SIDES[text or "B"])

    def read_neuron(state: State, text: str | None) -> State:
        return state.looking(neuron_of(state.experiment.checkpoint, state.look("layer")), _place(text))

    def write_channel(state: State) -> str | None:
        channel = state.look("channel", MEAN)
        return None if channel == MEAN else "all" if channel == ALL else str(channel)

    def write_neuron(state: State) -> str | None:
        return _text(state.look(neuron_of(state.experiment.checkpoint, state.look("layer"))))

    def write_side(state: State) -> str | None:
        names = {shown: name for name, shown in SIDES.items()}
        return None if state.look("side", "B") == "B" else names.get(state.look("side"))

    def read_layer_of_a(state: State, text: str | None) -> State:
        if text is not None and text not in layers_of_a(state):
            raise ValueError(f"A's network has no layer {text[:40]!r}.")
        return state.looking("layer A", text)

    def read_neuron_of_a(state: State, text: str | None) -> State:
        name = _neuron_of_a(state)
        if name is None and text is not None:
            raise ValueError("A shows the neuron that B shows." if state.compared else "nothing is compared with.")
        return state.looking(name, _place(text)) if name else state

    def write_neuron_of_a(state: State) -> str | None:
        name = _neuron_of_a(state)
        return _text(state.look(name)) if name else None

    def read_charts(state: State, text: str | None) -> State:
        if text not in (None, "A", "B"):
            raise ValueError("charts show A or B.")
        return state.looking(CHARTS, text or "B")

    return [
        Parameter(f"{key}_layer", read_layer, lambda state: state.look("layer")),
        Parameter(f"{key}_step", read_step, lambda state: str(state.look("step")) if state.look("step") else None),
        Parameter(f"{key}_channel", read_channel, write_channel),
        Parameter(f"{key}_side", read_side, write_side),
        Parameter(f"{key}_neuron", read_neuron, write_neuron),
        Parameter(f"{key}_layerA", read_layer_of_a, lambda state: state.look("layer A")),
        Parameter(f"{key}_neuronA", read_neuron_of_a, write_neuron_of_a),
        Parameter(f"{key}_charts", read_charts, lambda state: "A" if state.look(CHARTS) == "A" else None),
    ]


def _place(text: str | None) -> tuple[int, ...] | None:
    """A neuron as an address says it."""
    numbers = tuple(whole(n, "each of channel.row.column", 0, 10**6) for n in text.split(".")) if text else None
    if numbers and len(numbers) != 3:
        raise ValueError("a neuron is channel.row.column, such as 5.3.3.")
    return numbers


def _text(place: Sequence[int] | None) -> str | None:
    return ".".join(map(str, place)) if place else None


def layers_of_a(state: State) -> Sequence[str]:
    """The layers of what a person holds as A; none, if nothing is held."""
    return network(all_checkpoints()[state.compared.checkpoint]).layers if state.compared else ()


def _neuron_of_a(state: State) -> str | None:
    """The look that keeps which neuron of A is looked at; None where it is B's, or nothing is compared with."""
    if state.compared is None:
        return None
    own = neuron_of(state.compared.checkpoint, state.look("layer A") or state.look("layer"))
    return None if own == neuron_of(state.experiment.checkpoint, state.look("layer")) else own
