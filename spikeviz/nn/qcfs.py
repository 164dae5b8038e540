"""Quantization-clip-floor-shift (QCFS), and the integrate-and-fire neuron that it becomes.

A network is trained with QCFS, an activation of L + 1 levels. Its threshold then belongs to a neuron with soft reset
that starts from half of it, whose mean over T = L steps of a constant current is the same number (Masked Spiking
Transformer, sec. 3.1, Eq. 1-5; Bu et al., "Optimal ANN-SNN conversion", ICLR 2022).
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from jaxtyping import Float
from spikingjelly.activation_based import surrogate
from spikingjelly.activation_based.functional import if_multi_step
from torch import Tensor, nn

from spikeviz.nn.in_place import MOST_COUNT, Fired, Prepare, chunks, compare, in_place, steps, whole
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
        if torch.is_grad_enabled():
            return _Quantise.apply(x, self.threshold, levels)
        return _counts(x, self.threshold, levels).clamp_(0, levels).mul_(self.threshold / levels)

    def run(self, x: Float[Tensor, "T B *neurons"], prepare: Prepare | None, counts: bool, membrane: bool) -> Fired:
        levels = self.settings()["quanta"]
        worth = self.threshold / levels
        spikes = torch.empty_like(x)
        counted = torch.empty_like(x, dtype=torch.uint8) if counts and levels <= MOST_COUNT else None
        currents = torch.empty_like(x) if membrane else None
        for part in chunks(x):
            for t, current in enumerate(steps(x, part, prepare)):
                if currents is not None:
                    currents[t, part] = current
                spike = torch.div(current, self.threshold, out=spikes[t, part])
                spike.mul_(levels).add_(0.5).floor_().clamp_(0, levels)
                if counted is not None:
                    whole(spike, counted[t, part], levels)
                spike.mul_(worth)
        return Fired(spikes, counted, currents, float(self.threshold))

    def trace(self, x: Tensor) -> tuple[Tensor, Tensor, Scale]:
        """The membrane is what goes in; it would fire all its spikes from the threshold on."""
        return self(x), x, reads().worth(self.threshold)

    def unit(self) -> Unit:
        return Unit(reads().worth(self.threshold, self.settings()["quanta"]))

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
        counts = _counts(x, threshold, levels)
        y = counts.clamp(0, levels) * (threshold / levels)
        inside = torch.gt(counts, 0, out=torch.empty_like(counts))  # comparing into floats takes a sixth of the time
        ctx.save_for_backward(x, threshold, y, inside.mul_(torch.lt(counts, levels, out=counts)))
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        x, threshold, y, inside = ctx.saved_tensors
        passed = gradient * inside
        return passed, ((gradient * y).sum() - (passed * x).sum()).reshape(1) / threshold, None


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
            return self.run(x).spikes
        return self._fire(x / self.threshold)[0] * self.threshold

    def trace(self, x: Tensor) -> tuple[Tensor, Tensor, Scale]:
        """The membrane is in units of the threshold."""
        if in_place(x):
            found = self.run(x, membrane=True)
            return found.spikes, cast(Tensor, found.membrane), found.threshold
        x = x / self.threshold
        spikes, after = self._fire(x, store_v_seq=True)
        after = cast(Tensor, after)
        before = torch.cat([torch.full_like(after[:1], self.initial), after[:-1]])
        return spikes * self.threshold, before + x, 1.0

    def run(
        self,
        x: Float[Tensor, "T B *neurons"],
        prepare: Prepare | None = None,
        counts: bool = False,
        membrane: bool = False,
    ) -> Fired:
        spikes = torch.empty_like(x)
        counted = torch.empty_like(x, dtype=torch.uint8) if counts else None
        before = torch.empty_like(x) if membrane else None
        for part in chunks(x):
            after = torch.full_like(x[0, part], self.initial)
            charged, fired = torch.empty_like(after), torch.empty_like(after, dtype=torch.uint8)
            for t, current in enumerate(steps(x, part, prepare)):
                if before is not None:
                    charged = before[t, part]
                torch.add(after, torch.div(current, self.threshold, out=charged), out=charged)
                flags = fired if counted is None else counted[t, part]
                spike = compare(charged, 1.0, flags, spikes[t, part])
                torch.sub(charged, spike, out=after)
                spike.mul_(self.threshold)
        return Fired(spikes, counted, before, 1.0)

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
