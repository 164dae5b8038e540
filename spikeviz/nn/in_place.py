"""Where neurons may be run by compiled loops, and what they give there."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spikeviz.unread import Scale


class Affine(NamedTuple):
    """A normalisation with fixed statistics, of the channels of `[B, C, ...]`; each `[C]`."""

    weight: Tensor
    bias: Tensor
    mean: Tensor
    variance: Tensor
    eps: float

    def over_samples(self, x: Float[Tensor, "B C *grid"]) -> Float[Tensor, "B C *grid"]:
        """As torch does it."""
        weight, bias, mean, variance, eps = self
        return torch.batch_norm(x, weight, bias, mean, variance, False, 0.0, eps, False)

    def over_steps(self, x: Float[Tensor, "T B C *grid"]) -> Float[Tensor, "T B C *grid"]:
        """Of one step repeated it is asked once."""
        if len(x) > 1 and not x.stride(0):
            return self.over_samples(x[0]).expand(x.shape)
        return self.over_samples(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    def over_own(self, x: Float[Tensor, "*TB C H W"]) -> Float[Tensor, "*TB C H W"]:
        """Of what nobody else reads: it is normalised where it lies, if it can be."""
        if in_place(x) and fuses() and x.is_contiguous():
            return kernels().normalise(x, self)
        return self.over_samples(x.flatten(0, -4)).view(x.shape)


Found = tuple[Tensor, Tensor | None, Tensor | None]  # spikes, counts, membrane, of a kernel


class Fired(NamedTuple):
    """What a population did with its currents.

    Attributes:
        spikes: what flows on.
        counts: the spikes as whole numbers, uint8, where they were asked for and came out on the way; else None.
        membrane: before reset, where it was asked for.
        threshold: of that membrane.
        own: whether the membrane is a tensor that nobody else has, so that it may be kept as it is.
    """

    spikes: Tensor
    counts: Tensor | None = None
    membrane: Tensor | None = None
    threshold: Scale = 1.0
    own: bool = True

    @property
    def stored_membrane(self) -> Tensor | None:
        """What a tape may keep without a copy."""
        return self.membrane if self.own else None

    def gated(self, gate: Bool[Tensor, "C"] | None) -> Fired:
        """What is left of the spikes where some channels do not send them."""
        if gate is None:
            return self
        gate = gate[:, None, None]
        counts = None if self.counts is None else self.counts * gate
        return self._replace(spikes=self.spikes * gate.to(self.spikes.dtype), counts=counts)


def on_cpu(x: Tensor) -> bool:
    """Whether the numbers of a tensor lie in this machine's memory; not those of a fake one or of one being traced."""
    return x.is_cpu and type(x) in (Tensor, torch.nn.Parameter) and not torch.compiler.is_compiling()


def on_host(x: Tensor) -> float:
    """A number that lies in this machine's memory: to read it waits for no device."""
    assert x.is_cpu
    return float(x.detach())


def in_place(x: Tensor) -> bool:
    """Whether neurons may take steps of their own, which no gradient passes: on a CPU, in float32."""
    return x.dtype == torch.float32 and not torch.is_grad_enabled() and on_cpu(x)


@cache
def fuses() -> bool:
    """Whether this build of torch normalises as the kernels do, by a fused multiply-add, so that bits are the same."""
    x = torch.linspace(-3, 3, 4 * 8 * 37, dtype=torch.float32).view(1, 4, 8, 37)
    weight, bias, mean, variance = torch.linspace(0.3, 1.7, 32).view(4, 8)
    norm = Affine(weight, bias, mean, variance, 1e-5)
    charged = kernels().fire(x, 1.0, norm=norm, membrane=True)[2]
    return torch.equal(charged, norm.over_steps(x))


@cache
def kernels() -> ModuleType:
    """The compiled loops. Importing numba takes half a second: it waits for the first spike."""
    from spikeviz import kernels

    return kernels
