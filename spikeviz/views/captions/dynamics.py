"""What captions say of a network's neurons, from the neurons themselves: where membranes start, what a spike does."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from spikeviz.display import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spikeviz.nn.neurons import Neuron
    from spikeviz.views.runs import Run

PARTS = {0.0: "0", 0.5: "half of its threshold"}


def starts(model: Any) -> str:
    """Where the membranes of a network start: `Every membrane starts at 0.`; "" where nothing has one."""
    from spikeviz.nn.neurons import Neuron

    found = Counter(n.initial for n in model.modules() if isinstance(n, Neuron) and n.initial is not None)
    if not found:
        return ""
    if len(found) == 1:
        return f"Every membrane starts at {_part(next(iter(found)))}."
    each = [f"in {plural(count, 'layer')} at {_part(share)}" for share, count in sorted(found.items())]
    return f"Where a membrane starts differs: {', '.join(each)}."


def first_step(model: Any, values: Sequence[float]) -> str:
    """Where membranes start, and what the first of several steps is beside the later ones; "" of one step."""
    if len(values) < 2 or not (where := starts(model)):
        return ""
    low, high = min(values[1:]), max(values[1:])
    later = f"{low:.3f}" if f"{low:.3f}" == f"{high:.3f}" else f"{low:.3f} to {high:.3f}"
    return f"{where} The first step has {values[0]:.3f}, {'the second' if len(values) == 2 else 'later ones'} {later}."


def _part(share: float) -> str:
    return PARTS.get(share, f"{share:g} of its threshold")


def with_mean(what: str, mean: str) -> str:
    """`firing rate, mean over t`; without the mean where there is one step only."""
    return f"{what}, {mean}" if mean else what


def formula(run: Run, layer: str) -> str:
    """What a neuron of a layer computes at a step, with its numbers of the moment, in Markdown; "" without one."""
    from spikeviz.nn.integers import IntegerIF
    from spikeviz.nn.neurons import LIF
    from spikeviz.nn.qcfs import ConvertedIF
    from spikeviz.probe import Tape

    neuron = neuron_of(run.model, layer)
    if neuron is None or neuron.initial is None:
        return ""
    with Tape(run.experiment.interventions, keep="").rolling():
        settings, scale = neuron.settings(), neuron.unit().scale
    if isinstance(neuron, IntegerIF):
        depth = settings["levels"]
        return (
            rf"$U_t = V_{{t-1}} + X_t$, $C_t = \mathrm{{round}}(\mathrm{{clip}}(U_t, 0, {depth}))$ spikes, "
            rf"then $V_t = U_t - C_t$; $V_0 = {neuron.initial:g}$"
        )
    if isinstance(neuron, ConvertedIF):
        charge, threshold = rf"V_{{t-1}} + X_t / {scale:.2f}", 1.0
    elif isinstance(neuron, LIF):
        charge = rf"V_{{t-1}} + \frac{{1}}{{{settings['tau']:.2f}}}\,(X_t - V_{{t-1}})"
        threshold = settings["threshold"]
    else:
        charge, threshold = "V_{t-1} + X_t", settings["threshold"]
    after = "0" if neuron.reset == "hard" else rf"H_t - {threshold:.2f}"
    return (
        rf"$H_t = {charge}$, a spike where $H_t \geq {threshold:.2f}$, then $V_t = {after}$, else $V_t = H_t$; "
        rf"$V_0 = {neuron.initial * threshold:g}$"
    )


def source(model: Any, layer: str) -> str:
    """Where the neurons of a layer are published."""
    from spikeviz.nn.integers import IntegerIF
    from spikeviz.nn.neurons import LIF
    from spikeviz.nn.qcfs import ConvertedIF

    papers = {
        LIF: "E-SpikeFormer, sec. 3.1, Eq. 1-3",
        IntegerIF: "E-SpikeFormer, sec. 3.2, Eq. 5",
        ConvertedIF: "Masked Spiking Transformer, sec. 3.1, Eq. 2, 3",
    }
    return next((paper for kind, paper in papers.items() if isinstance(neuron_of(model, layer), kind)), "")


def neuron_of(model: Any, layer: str) -> Neuron | None:
    """The neurons of a layer; None where it has none of ours."""
    from spikeviz.nn.neurons import Neuron

    return next((part for part in model.get_submodule(layer).modules() if isinstance(part, Neuron)), None)
