"""Spiking neurons without state: a sequence of currents in, a sequence of spikes out.

The dynamics are SpikingJelly's functionals, started from an explicit membrane potential of 0, so that nothing is left
over after a call and one network serves several threads. Surrogate gradient: Sigmoid(alpha 4), the published choice.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from spikingjelly.activation_based import surrogate
from spikingjelly.activation_based.functional import if_multi_step, lif_multi_step
from torch import Tensor, nn

from spikeviz.probe import tuned

Reset = Literal["hard", "soft"]
Currents = Float[Tensor, "T B *neurons"]


class Neuron(nn.Module):
    """A population of neurons. `forward(x)` gives the spikes; `trace(x)` also the membrane potential before reset.

    A subclass names what an intervention may tune by its attributes (`threshold`, `tau`).
    """

    def forward(self, x: Currents) -> Float[Tensor, "T B *neurons"]:
        return self.fire(x)[0]

    def trace(self, x: Currents) -> tuple[Tensor, Tensor, float]:
        """`(spikes, membrane before reset, threshold)`, the first two shaped like `x`."""
        raise NotImplementedError

    def fire(self, x: Currents, store: bool = False) -> tuple[Tensor, Tensor | None]:
        """`(spikes, membrane after reset)`; the membrane only if `store`."""
        raise NotImplementedError


class LIF(Neuron):
    """Leaky integrate-and-fire (Spikformer V2, sec. 3; facts: bit-identical to SpikingJelly's `LIFNode`).

        H[t] = V[t-1] + (X[t] - V[t-1]) / tau
        S[t] = 1 where H[t] >= threshold, else 0
        V[t] = H[t] (1 - S[t])             hard reset to 0
        V[t] = H[t] - threshold S[t]       soft reset

    The gradient does not pass through the reset.

    Args:
        threshold: > 0.
        tau: membrane time constant, > 1.
        reset: hard (to 0) or soft (by subtraction).
        alpha: slope of the surrogate gradient.
    """

    def __init__(self, threshold: float = 1.0, tau: float = 2.0, reset: Reset = "hard", alpha: float = 4.0):
        super().__init__()
        _check(threshold, reset)
        if not tau > 1:
            raise ValueError(f"tau must be above 1, not {tau}: at 1 nothing is remembered.")
        self.threshold, self.tau, self.reset, self.alpha = float(threshold), float(tau), reset, alpha

    def fire(self, x: Currents, store: bool = False) -> tuple[Tensor, Tensor | None]:
        s = tuned(threshold=self.threshold, tau=self.tau)
        spikes, _, after = lif_multi_step(
            x,
            _rest(x),
            tau=s["tau"],
            v_threshold=s["threshold"],
            v_reset=_reset_value(self.reset),
            surrogate_function=surrogate.Sigmoid(self.alpha),
            detach_reset=True,
            store_v_seq=store,
        )
        return spikes, after

    def trace(self, x: Currents) -> tuple[Tensor, Tensor, float]:
        s = tuned(threshold=self.threshold, tau=self.tau)
        spikes, after = self.fire(x, store=True)
        before = torch.cat([torch.zeros_like(after[:1]), after[:-1]])
        return spikes, before + (x - before) / s["tau"], s["threshold"]

    def extra_repr(self) -> str:
        return f"threshold {self.threshold:g}, tau {self.tau:g}, {self.reset} reset"


class IF(Neuron):
    """Integrate-and-fire: `H[t] = V[t-1] + X[t]`, otherwise as `LIF`.

    Args:
        threshold: > 0.
        reset: hard (to 0) or soft (by subtraction).
        alpha: slope of the surrogate gradient.
    """

    def __init__(self, threshold: float = 1.0, reset: Reset = "soft", alpha: float = 4.0):
        super().__init__()
        _check(threshold, reset)
        self.threshold, self.reset, self.alpha = float(threshold), reset, alpha

    def fire(self, x: Currents, store: bool = False) -> tuple[Tensor, Tensor | None]:
        spikes, _, after = if_multi_step(
            x,
            _rest(x),
            v_threshold=tuned(threshold=self.threshold)["threshold"],
            v_reset=_reset_value(self.reset),
            surrogate_function=surrogate.Sigmoid(self.alpha),
            detach_reset=True,
            store_v_seq=store,
        )
        return spikes, after

    def trace(self, x: Currents) -> tuple[Tensor, Tensor, float]:
        spikes, after = self.fire(x, store=True)
        before = torch.cat([torch.zeros_like(after[:1]), after[:-1]])
        return spikes, before + x, tuned(threshold=self.threshold)["threshold"]

    def extra_repr(self) -> str:
        return f"threshold {self.threshold:g}, {self.reset} reset"


def _rest(x: Tensor) -> Tensor:
    """The membrane at rest: float32 also under autocast, so that charging is not rounded to bfloat16."""
    return torch.zeros(x.shape[1:], dtype=torch.promote_types(x.dtype, torch.float32), device=x.device)


def _reset_value(reset: Reset) -> float | None:
    return 0.0 if reset == "hard" else None


def _check(threshold: float, reset: str) -> None:
    if not threshold > 0:
        raise ValueError(f"threshold must be above 0, not {threshold}.")
    if reset not in ("hard", "soft"):
        raise ValueError(f"reset is 'hard' or 'soft', not {reset!r}.")
