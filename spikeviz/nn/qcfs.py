"""Quantization-clip-floor-shift (QCFS), and the integrate-and-fire neuron that it becomes.

A network is trained with QCFS, an activation of L + 1 levels. Its threshold then belongs to a neuron with soft reset
that starts from half of it, whose mean over T = L steps of a constant current is the same number (Masked Spiking
Transformer, sec. 3.1 and 3.2, Eq. 1-5; Bu et al., "Optimal ANN-SNN conversion", ICLR 2022).
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from jaxtyping import Bool, Float
from spikingjelly.activation_based import surrogate
from spikingjelly.activation_based.functional import if_multi_step
from torch import Tensor, nn

from spikeviz.nn.in_place import Affine, Fired, Found, in_place, kernels, on_cpu, on_host
from spikeviz.nn.neurons import Neuron, Unit
from spikeviz.probe import reads
from spikeviz.unread import Scale

START = 2.0  # of every threshold


class QCFS(Neuron):
    """`y = th * clip(floor(x L / th + 1/2) / L, 0, 1)`; the gradient passes the floor as if it were not there.

    It has no time: what is recorded as its spikes are the levels 0 ... L, each worth th / L.

    Args:
        levels: L.
    """

    tunable = ("quanta",)

    def __init__(self, levels: int = 16):
        super().__init__()
        if levels < 1:
            raise ValueError(f"QCFS has 1 level or more, not {levels}.")
        self.quanta = int(levels)
        self.threshold = nn.Parameter(torch.full((1,), START))

    def forward(self, x: Float[Tensor, "*neurons"]) -> Float[Tensor, "*neurons"]:
        levels = self.settings()["quanta"]
        return cast(Tensor, _Quantise.apply(x, self.threshold, levels))

    def run(
        self,
        x: Float[Tensor, "T B *neurons"],
        norm: Affine | None,
        gate: Bool[Tensor, "C"] | None,
        counts: bool,
        membrane: bool,
    ) -> Fired:
        levels, threshold = self.settings()["quanta"], on_host(self.threshold)
        worth, way = on_host(self.threshold / levels), kernels().QUANTISE
        options = {"divisor": threshold, "norm": norm, "counts": counts, "membrane": membrane}
        found: Found = kernels().fire_integers(x, levels, way, worth, **options)
        return Fired(*found, threshold).gated(gate)

    def trace(self, x: Tensor) -> tuple[Tensor, Tensor, Scale]:
        """The membrane is what goes in; it would fire all its spikes from the threshold on."""
        return self(x), x, reads().worth(self.threshold)

    def unit(self) -> Unit:
        return Unit(reads().worth(self.threshold, self.settings()["quanta"]))

    def plain(self, x: Float[Tensor, "*neurons"]) -> Float[Tensor, "*neurons"]:
        """The numbers and gradients of `forward`, by operations that torch differentiates itself."""
        levels = self.settings()["quanta"]
        counts = x / self.threshold * levels + 0.5
        counts = (counts + (counts.floor() - counts).detach()).clamp(0, levels)
        return counts * (self.threshold / levels)

    def most(self) -> int:
        return self.settings()["quanta"]

    def extra_repr(self) -> str:
        return f"threshold {_in_words(self.threshold)}, L {self.quanta}"


class _Quantise(torch.autograd.Function):
    """QCFS and its gradients, written out: half of a training step went into those of division, clip and floor.

    Between the levels 0 and L `dy/dx = 1` and `dy/dth = y/th - x/th`; at them `dy/dx = 0` and `dy/dth = y/th`, whatever
    this version of torch thinks the gradient of a clip at its ends to be.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, threshold: Tensor, levels: int) -> Tensor:
        ctx.save_for_backward(x, threshold)
        ctx.levels = levels
        if not _compiled(x):
            return _counts(x, threshold, levels).clamp_(0, levels).mul_(threshold / levels)
        worth = on_host(threshold / levels)
        options = {"divisor": on_host(threshold)}
        flat = x.float().reshape(1, 1, -1)
        return kernels().fire_integers(flat, levels, kernels().QUANTISE, worth, **options)[0].view(x.shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        x, threshold = ctx.saved_tensors
        if _compiled(x):
            passed, own = kernels().quantise_back(
                x.float().contiguous(), gradient.float(), on_host(threshold), ctx.levels
            )
            return passed.to(x.dtype), own, None
        counts = _counts(x, threshold, ctx.levels)
        passed = gradient * ((counts > 0) & (counts < ctx.levels))
        y = counts.clamp_(0, ctx.levels).mul_(threshold / ctx.levels)
        return passed, ((gradient * y).sum() - (passed * x).sum()).reshape(1) / threshold, None


def _compiled(x: Tensor) -> bool:
    return on_cpu(x) and x.dtype != torch.float64


def _counts(x: Tensor, threshold: Tensor, levels: int) -> Tensor:
    """How many levels a current makes, before it is clipped; a tensor of its own."""
    return (x / threshold).mul_(levels).add_(0.5).floor_()


class ConvertedIF(Neuron):
    """The neuron that a QCFS becomes: integrate-and-fire, soft reset, v[0] = 1/2, a spike is worth the threshold.

        H[t] = V[t-1] + X[t] / th,  S[t] = 1 where H[t] >= 1,  V[t] = H[t] - S[t],  out = th S[t]

    With a constant current the sum of L steps over L is QCFS, exactly but for rounding.
    """

    initial: ClassVar[float] = 0.5
    reset = "soft"

    def __init__(self) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.full((1,), START))

    def forward(self, x: Float[Tensor, "T B *neurons"]) -> Float[Tensor, "T B *neurons"]:
        if in_place(x):
            return self.observe(x).spikes
        return self._fire(x / self.threshold)[0] * self.threshold

    def trace(self, x: Tensor) -> tuple[Tensor, Tensor, Scale]:
        """The membrane is in units of the threshold."""
        if in_place(x):
            found = self.observe(x, membrane=True)
            return found.spikes, cast(Tensor, found.membrane), found.threshold
        x = x / self.threshold
        spikes, after = self._fire(x, store_v_seq=True)
        after = cast(Tensor, after)
        before = torch.cat([torch.full_like(after[:1], self.initial), after[:-1]])
        return spikes * self.threshold, before + x, 1.0

    def run(
        self,
        x: Float[Tensor, "T B *neurons"],
        norm: Affine | None,
        gate: Bool[Tensor, "C"] | None,
        counts: bool,
        membrane: bool,
    ) -> Fired:
        threshold = on_host(self.threshold)
        options = {"norm": norm, "gate": gate, "counts": counts, "membrane": membrane}
        found: Found = kernels().fire(x, 1.0, rest=self.initial, divisor=threshold, worth=threshold, **options)
        return Fired(*found, 1.0)

    def _fire(self, x: Tensor, **options: Any) -> tuple[Tensor, Tensor | None]:
        wide = torch.promote_types(x.dtype, torch.float32)
        start = torch.full(x.shape[1:], self.initial, dtype=wide, device=x.device)
        options |= {"v_reset": None, "surrogate_function": surrogate.Sigmoid(4.0), "detach_reset": True}
        spikes, _, after = if_multi_step(x, start, v_threshold=1.0, **options)
        return spikes, after

    def unit(self) -> Unit:
        return Unit(reads().worth(self.threshold))

    def extra_repr(self) -> str:
        return f"threshold {_in_words(self.threshold)}"


def _in_words(threshold: Tensor) -> str:
    return "?" if threshold.is_meta else f"{float(threshold.detach()):g}"  # without weights
