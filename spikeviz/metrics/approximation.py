"""How well integers stand for membranes, and spikes for integers (E-SpikeFormer, sec. 4).

The paper's errors compare ReLU(U) with C / D, of which the first is in spikes and the second a rate: as printed, an
error grows with D. Here both are rates: u = U / D, so that what is left is rounding, and what is above D is clipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Num
from torch import Tensor, nn

from spikeviz.interventions import Intervention, SpikeDriven
from spikeviz.metrics.firing import MEMBRANES
from spikeviz.nn.integers import IntegerIF, Rounding, expand
from spikeviz.nn.layers import Population
from spikeviz.recording import Recording
from spikeviz.simulation import model_name, simulate

Numbers = Float[np.ndarray, "n"]


def fire(u: Num[np.ndarray, "n"], levels: int, rounding: Rounding = "half-even") -> Numbers:
    """C = round(clip(U, 0, D)), what an integer neuron fires (E-SpikeFormer, Eq. 5)."""
    clipped = np.clip(np.asarray(u, dtype=np.float64), 0, levels)
    return np.floor(clipped + 0.5) if rounding == "half-up" else np.round(clipped)


def spike_train(u: float, levels: int) -> Float[np.ndarray, "D"]:
    """IF with soft reset and threshold 1, U + 1/2 at d = 1 and nothing after: the proof of Proposition 1 (Eq. 16-20).

    It is simulated, not derived from C: where the two differ (half-even at 0.5, 2.5, ...) that shows.
    """
    potential, spikes = u + 0.5, np.zeros(levels)
    for d in range(levels):
        spikes[d] = potential >= 1
        potential -= spikes[d]
    return spikes


def constant_train(rate: float, steps: int) -> Float[np.ndarray, "T"]:
    """IF with soft reset and threshold 1 that starts at 1/2 and gets `rate` at every step: an ANN's value as spikes."""
    potential, spikes = 0.5, np.zeros(steps)
    for t in range(steps):
        potential += rate
        spikes[t] = potential >= 1 - 1e-9  # ten times a tenth is one
        potential -= spikes[t]
    return spikes


def random_train(rate: float, steps: int, seed: int = 0) -> Float[np.ndarray, "T"]:
    """`rate * steps` spikes, rounded, at steps that are drawn at random."""
    spikes = np.zeros(steps)
    count = int(np.floor(rate * steps + 0.5))
    spikes[np.random.default_rng(seed).permutation(steps)[:count]] = 1
    return spikes


def forward_error(u: Num[np.ndarray, "n"], levels: int, rounding: Rounding = "half-even") -> Numbers:
    """ReLU(U) / D - C / D: of the rate, in rates. Between 0 and D it is at most 1 / 2D, above D it grows."""
    return (np.maximum(u, 0) - fire(u, levels, rounding)) / levels


def forward_error_printed(u: Num[np.ndarray, "n"], levels: int, rounding: Rounding = "half-even") -> Numbers:
    """ReLU(U) - C / D, as printed (Eq. 24, 25): U in spikes, C / D a rate."""
    return np.maximum(u, 0) - fire(u, levels, rounding) / levels


def gradient_error(u: Num[np.ndarray, "n"], levels: int, rounding: Rounding = "half-even") -> Numbers:
    """The integral of the surrogate gradient up to U, minus C / D (Eq. 26, 27).

    The gradient is that of the published code and of `IntegerIF`: 1 / D in the window from 0 to D. Its integral is
    clip(U, 0, D) / D, so the error is at most 1 / 2D, and 0 above D.
    """
    return (np.clip(u, 0, levels) - fire(u, levels, rounding)) / levels


def gradient_error_printed(u: Num[np.ndarray, "n"], levels: int, rounding: Rounding = "half-even") -> Numbers:
    """As printed (Eq. 28): U - C / D from 0 to D, and 1 above D, where Eq. 27 with a window of height 1 is D - 1."""
    u = np.asarray(u, dtype=np.float64)
    inside = np.maximum(u, 0) - fire(u, levels, rounding) / levels
    return np.where(u >= levels, 1.0, inside)


def approximation_error(model: nn.Module, recording: Recording) -> pd.DataFrame:
    """What is lost where the membranes of a network become integers, layer by layer (E-SpikeFormer, Definition 1).

    The membranes U that were recorded against the C that was fired at D, both as rates. The error is split into
    rounding (where U is not above D: |ReLU(U) - C| / D) and clipping (above: (U - D) / D), each a mean over all
    neurons, steps and the batch.

    Args:
        model: that was recorded; only its integer neurons are looked at.
        recording: that kept `MEMBRANES`.

    Returns:
        layer (module path), D, rounding, clipping, error (their sum), clipped (the share of neurons above D), relative
        (error over the mean of ReLU(U) / D; 0 where no membrane is above 0), in forward order.

    Raises:
        ValueError: if the network fires no integers, or membranes and spikes were not kept.
    """
    layers = integer_layers(model)
    if not layers:
        raise ValueError(
            f"{recording.model} fires binary spikes: an approximation error is that of integer neurons, such as those "
            "of an E-SpikeFormer trained with SFA."
        )
    if missing := [layer for layer in layers if not {f"{layer}.membrane", f"{layer}.spike"} <= recording.keys()]:
        raise ValueError(f'this recording has not both membrane and spike of {missing[0]}; keep={MEMBRANES}, or "*".')
    order = {name: place for place, name in enumerate(recording)}
    rows = []
    for layer in sorted(layers, key=lambda layer: order[f"{layer}.spike"]):
        u, spike = recording[f"{layer}.membrane"].values.double(), recording[f"{layer}.spike"]
        depth = spike.levels
        error, above = (u.relu() - spike.values).abs() / depth, u > depth
        clipping, whole = float((error * above).mean()), float(error.mean())
        signal, share = float(u.relu().mean()) / depth, float(above.double().mean())
        rows.append((layer, depth, whole - clipping, clipping, whole, share, whole / signal if signal else 0.0))
    return pd.DataFrame(rows, columns=["layer", "D", "rounding", "clipping", "error", "clipped", "relative"])


def integer_layers(model: nn.Module) -> list[str]:
    """Module paths of the populations that fire integers."""
    return [n for n, m in model.named_modules() if isinstance(m, Population) and isinstance(m.neuron, IntegerIF)]


@dataclass(frozen=True, eq=False)
class Equality:
    """A network run with integers, and the same run with binary spikes alone.

    Attributes:
        logits: largest |difference| of the logits.
        layers: layer, neurons (times T), spikes (binary, of all D steps), membrane (largest |difference|), differ (in
            how many places the two fired another integer), in forward order.
        unequal: in how many places an integer is not the sum of its D binary steps, which are counted one by one.
        dtype: what was computed in.
        milliseconds: of the run with integers, and of the one with spikes.
    """

    logits: float
    layers: pd.DataFrame
    unequal: int
    dtype: str
    milliseconds: tuple[float, float]

    @property
    def membrane(self) -> float:
        """Largest |difference| of any membrane."""
        return float(self.layers["membrane"].max())

    @property
    def differ(self) -> int:
        """In how many places of the network another integer was fired."""
        return int(self.layers["differ"].sum())


def spike_driven_equality(
    model: nn.Module, x: Tensor, interventions: Sequence[Intervention] = (), seed: int = 0
) -> Equality:
    """Run `model` on `x` twice: with integers, and with every weighted product on binary spikes (`SpikeDriven`).

    Both sum the same numbers in another order, so that membranes differ by rounding errors of the floating point type.
    A neuron fires another integer only where its membrane is as near as that to the middle between two integers; if
    one does, what follows differs visibly.

    Raises:
        ValueError: if the network fires no integers; and for what `simulate` does not take.
    """
    if not integer_layers(model):
        raise ValueError(f"{model_name(model)} fires binary spikes already: its two runs would be one.")
    whole = simulate(model, x, interventions, MEMBRANES, seed)
    driven = simulate(model, x, (*interventions, SpikeDriven()), MEMBRANES, seed)
    return equality_of(model, whole, driven)


def equality_of(model: nn.Module, whole: Recording, driven: Recording) -> Equality:
    """How far two runs of `model` agree: with integers, and on binary spikes (`SpikeDriven`); both kept `MEMBRANES`."""
    layers = integer_layers(model)
    rows, unequal = [], 0
    for name in (n for n in whole if n.endswith(".spike") and n.removesuffix(".spike") in layers):
        layer = name.removesuffix(".spike")
        counts, other = whole[name].values, driven[name].values
        steps = expand(counts, whole[name].levels)
        unequal += int((steps.unflatten(0, (len(counts), -1)).sum(1) != counts).sum())
        apart = (whole[f"{layer}.membrane"].values - driven[f"{layer}.membrane"].values).abs().max()
        rows.append((layer, counts.numel(), int(steps.sum()), float(apart), int((counts != other).sum())))
    table = pd.DataFrame(rows, columns=["layer", "neurons", "spikes", "membrane", "differ"])
    logits, dtype = float((whole.output - driven.output).abs().max()), str(whole.output.dtype).removeprefix("torch.")
    return Equality(logits, table, unequal, dtype, (whole.milliseconds, driven.milliseconds))
