"""Steps of neurons on a CPU where nobody asks for a gradient: in place, chunk by chunk, counted as they come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from spikeviz.unread import Scale

Prepare = Callable[[Tensor], Tensor]
MOST_COUNT, MOST_SIGNED = 255, 127  # that uint8 and int8 hold
CHUNK = 1 << 16  # numbers of a step that are worked on at once, so that they stay in the cache of a core


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


def in_place(x: Tensor) -> bool:
    """Whether neurons may take steps of their own, which no gradient passes: on a CPU, in full precision, and not where
    `torch.compile` makes steps of its own."""
    full = x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)
    return full and not torch.is_grad_enabled() and not torch.compiler.is_compiling()


def chunks(x: Float[Tensor, "T B *neurons"]) -> Iterator[slice]:
    """Samples of `x` that are worked on at once."""
    samples = x.shape[1]
    at_once = max(1, CHUNK * torch.get_num_threads() * samples // max(1, x[0].numel()))
    return (slice(start, start + at_once) for start in range(0, samples, at_once))


def steps(x: Float[Tensor, "T B *neurons"], part: slice, prepare: Prepare | None = None) -> Iterator[Tensor]:
    """The currents of these samples, step by step."""
    if prepare is None:
        return iter(x[:, part])
    if not x.stride(0):  # a still image: one step, repeated
        return repeat(prepare(x[0, part]), len(x))
    if len(range(*part.indices(x.shape[1]))) == x.shape[1]:
        return iter(prepare(x.flatten(0, 1)).unflatten(0, x.shape[:2]))
    return map(prepare, x[:, part])


def compare(charged: Tensor, threshold: float, fired: UInt8[Tensor, "..."], spikes: Tensor) -> Tensor:
    """Write where a membrane reaches its threshold, as flags and as numbers; gives the latter.

    By numpy: torch compares into booleans or floats in three to twenty times that time.
    """
    np.greater_equal(charged.numpy(), threshold, out=fired.view(torch.bool).numpy())
    return spikes.copy_(fired)


def whole(spikes: Tensor, out: UInt8[Tensor, "..."], most: int = 1) -> None:
    """Write spikes, whole numbers up to `most`, as uint8: by way of signed numbers, since a CPU converts these in an
    eighth of the time."""
    if most <= MOST_SIGNED:
        out.view(torch.int8).copy_(spikes)
    else:
        out.copy_(spikes.to(torch.int32))
