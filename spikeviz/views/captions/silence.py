"""What is said of a layer that does not fire on an input: how often it fires over a test set, by the card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spikeviz.display import plural

if TYPE_CHECKING:
    from spikeviz.views.scene import Side

SILENT = 5e-3  # spikes per neuron and step, below which a map is dark


def silence(side: Side) -> str:
    """`On this input none of its 512 neurons fires; ...`; "" of a layer that is not silent."""
    packed = side.run.packed.layers[side.layer]
    steps, channels, height, width = packed.shape
    neurons = channels * height * width
    if packed.count / (steps * neurons) >= SILENT:
        return ""
    name = "" if side.alone else f"{side.name}: "
    few = f"{plural(packed.count, 'spike')} of {plural(neurons, 'neuron')} in {plural(steps, 'step')}"
    here = few if packed.count else f"none of its {neurons:,} neurons fires"
    if any(each.edits(f"{side.layer}.spike", "spike") for each in side.run.experiment.interventions):
        here += ", of what the masks let pass"
    word = "nearly silent" if packed.count else "silent"
    return f"{name}**{side.words} is {word}.** On this input {here}; {_over_test_set(side)}"


def _over_test_set(side: Side) -> str:
    card = side.run.card
    firing = card.measured.get("firing", {})
    if side.layer not in firing.get("layers", {}):
        return "how often it fires over a test set was not measured."
    rate, samples = firing["layers"][side.layer], firing["samples"]
    changed = " as trained" if side.run.experiment.interventions else ""
    all_of = "the" if samples == card.samples else "the first"
    over = f"over {all_of} {samples:,} {side.run.samples} the network{changed}"
    if rate == 0:
        return f"{over} never fires there (`{firing['command']}`)."
    return f"{over} fires there at {_percent(rate)} of places and steps (`{firing['command']}`)."


def _percent(rate: float) -> str:
    """With one digit that counts: `0.3 %`, `0.002 %`."""
    return f"{100 * rate:.1g} %" if rate < 0.01 else f"{100 * rate:.1f} %"
