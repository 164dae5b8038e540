"""Neurons that fire integers, and the D binary steps that an integer stands for (E-SpikeFormer, sec. 3.2)."""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor

from spikeviz.nn.in_place import Affine, Fired, Found, in_place, kernels, on_cpu
from spikeviz.nn.neurons import Currents, Neuron, Unit

Rounding = Literal["half-even", "half-up"]
LONGEST = 1024  # T x D: no network is expanded into more binary steps than it may have time steps


class IntegerIF(Neuron):
    """Integrate-and-fire with soft reset that fires an integer C, 0 to D, at every step (E-SpikeFormer, Eq. 5).

        U[t] = H[t-1] + X[t]
        C[t] = round(clip(U[t], 0, D))
        H[t] = U[t] - C[t]
        out  = C[t] / D                    Eq. 7: the rate a spike train of D steps would have

    D (`levels`) owns the clip and the division, and nothing else knows it. The published code rounds in two ways, each
    with its own rectangular window in which the gradient of C is 1 (and that of the output 1/D), outside 0:

    - "half-even" (base sizes): 0.5 -> 0, 1.5 -> 2, 2.5 -> 2; window 0 <= U <= D.
    - "half-up" (large sizes): floor(U + 0.5), so 0.5 -> 1, 1.5 -> 2, 2.5 -> 3; window 0 < U < D.

    Half-up is what a binary neuron does (Proposition 1): IF, soft reset, threshold 1, started at 0.5, with input at
    d = 1 only, fires C times in D steps, at d = 1 .. C. Half-even differs from it at 0.5, 2.5, 4.5, ... only.

    The gradient does not pass through the reset. The membrane of a trace crosses 0.5 where a first spike is fired (at
    exactly 0.5 half-even fires none).

    Args:
        levels: D, 1 to 255.
        rounding: "half-even" or "half-up".
    """

    tunable = ("levels",)
    initial = 0.0
    reset = "soft"

    def __init__(self, levels: int, rounding: Rounding = "half-even"):
        super().__init__()
        if not 1 <= levels <= 255 or levels != int(levels):
            raise ValueError(f"levels (D) must be a whole number from 1 to 255, not {levels}.")
        if rounding not in ("half-even", "half-up"):
            raise ValueError(f"rounding is 'half-even' or 'half-up', not {rounding!r}.")
        self.levels, self.rounding = int(levels), rounding

    def forward(self, x: Currents) -> Float[Tensor, "T B *neurons"]:
        if in_place(x):
            return self.observe(x).spikes
        if on_cpu(x) and x.dtype != torch.float64:
            return cast(Tensor, _Fire.apply(x, *self._checked(x), self.rounding == "half-up"))
        return self.fire(x)[0]

    def trace(self, x: Currents) -> tuple[Tensor, Tensor, float]:
        spikes, potentials = self.fire(x)
        return spikes, torch.cat(potentials), 0.5

    def unit(self) -> Unit:
        depth = self.settings()["levels"]
        return Unit(1 / depth, depth)

    def fire(self, x: Currents) -> tuple[Tensor, list[Tensor]]:
        """`(C / D, membrane before reset at each step)`.

        Raises:
            ValueError: if T x D is more than `LONGEST`.
        """
        scale, depth = self._checked(x)
        wide = torch.promote_types(x.dtype, torch.float32)  # also under autocast: in bfloat16 255 + 0.5 is 256
        potentials: list[Tensor] = []
        counts: list[Tensor] = []
        for current in x.to(wide).split(1) if len(x) > 1 else [x.to(wide)]:  # an image has one step: no copies
            potentials.append(current + (potentials[-1] - counts[-1].detach()) if counts else current)
            counts.append(_Round.apply(potentials[-1], depth, self.rounding == "half-up"))
        fired = torch.cat(counts) if len(counts) > 1 else counts[0]
        return (fired * scale).to(x.dtype), potentials

    def run(
        self, x: Currents, norm: Affine | None, gate: Bool[Tensor, "C"] | None, counts: bool, membrane: bool
    ) -> Fired:
        scale, depth = self._checked(x)
        way = _way(self.rounding == "half-up")
        found: Found = kernels().fire_integers(x, depth, way, scale, norm=norm, counts=counts, membrane=membrane)
        return Fired(*found, 0.5).gated(gate)

    def _checked(self, x: Currents) -> Unit:
        unit = self.unit()
        if len(x) * unit.levels > LONGEST:
            raise ValueError(
                f"T {len(x)} x D {unit.levels} is {len(x) * unit.levels} binary steps; at most {LONGEST} are run: "
                "lower T or D."
            )
        return unit

    def extra_repr(self) -> str:
        return f"levels {self.levels}, {self.rounding}"


def _round(x: Tensor, half_up: bool) -> Tensor:
    """In place."""
    return x.add_(0.5).floor_() if half_up else x.round_()


def _way(half_up: bool) -> int:
    return kernels().HALF_UP if half_up else kernels().HALF_EVEN


class _Fire(torch.autograd.Function):
    """Integers in units of `scale` and their gradient, on a CPU: the numbers of `IntegerIF.fire`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float, depth: int, half_up: bool) -> Tensor:
        spikes, _, charged = kernels().fire_integers(x.float(), depth, _way(half_up), scale, membrane=True)
        ctx.save_for_backward(charged)
        ctx.settings, ctx.dtype = (depth, _way(half_up), scale), x.dtype
        return spikes.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (charged,) = ctx.saved_tensors
        return kernels().fire_integers_back(charged, gradient.float(), *ctx.settings).to(ctx.dtype), None, None, None


class _Round(torch.autograd.Function):
    """`round(clip(x, 0, D))`; the gradient is 1 in the window."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, levels: int, half_up: bool) -> Tensor:
        clipped = x.clamp(0, levels)
        if ctx.needs_input_grad[0]:
            inside = torch.empty_like(x)  # as numbers: on a CPU a product with booleans takes thirty times longer
            torch.eq(clipped, x, out=inside)
            ctx.save_for_backward(inside * ((x > 0) & (x < levels)) if half_up else inside)
        return _round(clipped, half_up)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (inside,) = ctx.saved_tensors
        return gradient * inside, None, None


def expand(counts: Num[Tensor, "T *neurons"], levels: int) -> Num[Tensor, "T*{levels} *neurons"]:
    """The D binary steps of each step (E-SpikeFormer, Eq. 6), t major, d minor; the spikes come first.

    A count C is a spike at every d <= C. Their sum is C, for either rounding. Its gradient is the mean of the steps'
    gradients, so that a layer without bias, run on every step and summed, has the gradients it has on C.
    """
    return _Expand.apply(counts, levels)


class _Expand(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, counts: Tensor, levels: int) -> Tensor:
        ctx.levels = levels
        steps = torch.arange(1, levels + 1, device=counts.device).view(-1, *[1] * (counts.ndim - 1))
        return (counts[:, None] >= steps).to(counts.dtype).flatten(0, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient.unflatten(0, (-1, ctx.levels)).mean(1), None
