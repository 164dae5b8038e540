"""What a CPU does with every number of a feature map: neurons, pooling, packing, each in one pass, compiled by numba.

A step of torch reads and writes a whole tensor; a neuron takes half a dozen of them, and they cost as much as the
convolutions. Here a block of numbers stays in the cache of a core from its current to its spikes. Nothing is
contracted or reordered, so the bits are those of the separate steps; the one fused multiply-add, of a normalisation, is
the one torch's own kernel makes (`spikeviz.nn.in_place.fuses` looks).

Every function takes float32 tensors on the CPU and asks for no gradient; its callers see to that.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikeviz.kernels import loops
from spikeviz.kernels.loops import HALF_EVEN as HALF_EVEN
from spikeviz.kernels.loops import HALF_UP as HALF_UP
from spikeviz.kernels.loops import INTEGRATE, LEAK_BY_FACTOR, LEAK_BY_QUOTIENT, Kernel
from spikeviz.kernels.loops import QUANTISE as QUANTISE
from spikeviz.recording import MOST_COUNT

MANY = 1 << 18  # numbers from which on several threads share the work
# A normalisation with fixed statistics, of the third axis of [T, B, C, ...]: weight, bias, mean, variance [C] and eps.
Affine = tuple[Tensor, Tensor, Tensor, Tensor, float]

# Spikes, these as whole numbers (uint8), the membrane before reset; the last two where they were asked for.
Fired = tuple[Tensor, Tensor | None, Tensor | None]


def fire(
    x: Tensor,
    threshold: float,
    *,
    tau: float | None = None,
    hard: bool = False,
    rest: float = 0.0,
    divisor: float = 1.0,
    worth: float = 1.0,
    norm: Affine | None = None,
    gate: Tensor | None = None,
    counts: bool = False,
    membrane: bool = False,
) -> Fired:
    """Neurons that fire one spike where their membrane reaches `threshold`.

    Args:
        x: `[T, B, ...]`; of a still input one step, expanded.
        threshold: of the membrane.
        tau: its time constant; None of neurons without leak.
        hard: whether the reset is to 0 and not by subtraction.
        rest: the membrane before the first step.
        divisor: what currents are divided by.
        worth: what a spike is.
        norm: normalises `x` on its way.
        gate: `[C]`, bool: which channels send what they fire. The membrane of a closed one is not kept track of.
        counts, membrane: what else is wanted.
    """
    leak = INTEGRATE
    if tau is not None:
        leak = LEAK_BY_FACTOR if np.frexp(tau)[0] == 0.5 else LEAK_BY_QUOTIENT  # times 1 / tau is the same number
    settings = (divisor, threshold, tau or 1.0, leak, hard, rest, worth)
    return _neurons(loops.fire, x, settings, norm, gate, counts, membrane)


def fire_integers(
    x: Tensor,
    levels: int,
    rounding: int,
    worth: float,
    *,
    divisor: float = 1.0,
    norm: Affine | None = None,
    counts: bool = False,
    membrane: bool = False,
) -> Fired:
    """Neurons that fire whole numbers up to `levels`, each `worth` that much: HALF_EVEN, HALF_UP, or those of QUANTISE,
    `floor(x / divisor * levels + 1/2)`, which have no memory. Arguments as of `fire`; counts only up to 255 levels.
    """
    settings = (divisor, levels, worth, rounding)
    return _neurons(loops.fire_integers, x, settings, norm, None, counts and levels <= MOST_COUNT, membrane)


def _neurons(
    kernel: Kernel,
    x: Tensor,
    settings: tuple[float, ...],
    norm: Affine | None,
    gate: Tensor | None,
    counts: bool,
    membrane: bool,
) -> Fired:
    shape = x.shape
    steps, samples, size = shape[0], shape[1], x.numel()
    neurons = size // max(1, steps * samples)
    still = steps > 1 and not x.stride(0)
    if norm is None and gate is None and _in_steps(x):
        given, spikes = x, torch.empty_like(x)
    else:
        given, spikes = (x[:1] if still else x).contiguous(), torch.empty(shape)
    counted = torch.empty_like(spikes, dtype=torch.uint8) if counts else None
    before = torch.empty_like(spikes) if membrane else None
    channels = shape[2] if norm is not None or gate is not None else 1
    first = (given.data_ptr(), still, steps, samples, channels, neurons // max(1, channels))
    rest = (*_addresses(norm), _address(gate), *settings, spikes.data_ptr(), _address(counted), _address(before))
    if size:
        shared_over(neurons, size, lambda low, high: kernel(*first, low, high, *rest, counts, membrane))
    return spikes, counted, before


def _in_steps(x: Tensor) -> bool:
    """Whether steps follow each other in memory, each without gaps: then neurons need not know in which order."""
    if x.is_contiguous():
        return True
    step = x[0]
    follow = len(x) == 1 or x.stride(0) == step.numel()
    return follow and step.ndim == 4 and step.is_contiguous(memory_format=torch.channels_last)


def _laid_out_as(x: Tensor, other: Tensor) -> Tensor:
    return x if x.stride() == other.stride() else torch.empty_like(other).copy_(x)


def _address(x: Tensor | None) -> int:
    """Of its first number; 0 of none."""
    return 0 if x is None else x.data_ptr()


def _addresses(norm: Affine | None) -> tuple[float, ...]:
    return (0, 0, 0, 0, 0.0) if norm is None else (*(x.data_ptr() for x in norm[:4]), norm[4])


def fire_back(
    before: Tensor, slope: Tensor, gradient: Tensor, alpha: float, threshold: float, tau: float | None, hard: bool
) -> Tensor:
    """The gradient of the currents of `fire`, written over `slope`, which is sigmoid(alpha (before - threshold)).

    It does not pass through the reset. All are `[T, ...]`.
    """
    steps, neurons = len(before), before[0].numel()
    settings = (alpha, threshold, tau or 1.0, tau is not None, hard)
    gradient = _laid_out_as(gradient, before)
    given = (before.data_ptr(), slope.data_ptr(), gradient.data_ptr(), steps, neurons)
    shared_over(neurons, before.numel(), lambda low, high: loops.fire_back(*given, low, high, *settings))
    return slope


def fire_integers_back(charged: Tensor, gradient: Tensor, levels: int, rounding: int, worth: float) -> Tensor:
    """The gradient of the currents of `fire_integers`; all are `[T, ...]`."""
    steps, neurons = len(charged), charged[0].numel()
    gradient = gradient if _in_steps(gradient) else gradient.contiguous()
    found, charged, settings = torch.empty_like(gradient), _laid_out_as(charged, gradient), (levels, worth, rounding)
    given = (charged.data_ptr(), gradient.data_ptr(), found.data_ptr(), steps, neurons)
    shared_over(neurons, charged.numel(), lambda low, high: loops.fire_integers_back(*given, low, high, *settings))
    return found


def quantise_back(x: Tensor, gradient: Tensor, threshold: float, levels: int) -> tuple[Tensor, Tensor]:
    """The gradients of the currents and of the threshold, `[1]`, of QCFS."""
    found, total = torch.empty_like(x), torch.empty(1)
    gradient = gradient.contiguous()
    addresses = (x.data_ptr(), gradient.data_ptr(), found.data_ptr(), total.data_ptr())
    loops.quantise_back(*addresses, x.numel(), threshold, levels)
    return found, total


def normalise(x: Tensor, norm: Affine) -> Tensor:
    """Normalise `x`, contiguous `[..., C, H, W]`, where it lies."""
    neurons, plane, channels = x.shape[-3:].numel(), x.shape[-2:].numel(), x.shape[-3]
    samples = x.numel() // max(1, neurons)
    first, rest = (x.data_ptr(), samples, channels, plane), _addresses(norm)
    shared_over(neurons, x.numel(), lambda low, high: loops.normalise(*first, low, high, *rest))
    return x


def halve(x: Tensor) -> Tensor:
    """The largest of 3 x 3 neighbours of `[N, C, H, W]`, in steps of 2; half a grid, rounded up."""
    x = x.contiguous()
    height, width = x.shape[-2:]
    out = torch.empty(*x.shape[:2], (height + 1) // 2, (width + 1) // 2)
    maps = x.shape[0] * x.shape[1]
    given = (x.data_ptr(), maps, height, width, out.data_ptr())
    shared_over(maps, x.numel(), lambda low, high: loops.halve(*given, low, high))
    return out


def thin(x: Tensor, drawn: Tensor, ratio: float) -> tuple[Tensor, Tensor]:
    """`x` where `drawn`, of its shape, is `ratio` or more, else 0; and which these are, bool."""
    x, drawn = x.contiguous(), drawn.contiguous()
    out, kept = torch.empty(x.shape), torch.empty(x.shape, dtype=torch.bool)
    given = (x.data_ptr(), drawn.data_ptr(), out.data_ptr(), kept.data_ptr())
    shared_over(x.numel(), x.numel(), lambda low, high: loops.thin(*given, low, high, ratio))
    return out, kept


def quantiles(counts: Tensor, drawn: Tensor, table: Tensor, first: Tensor, place: int) -> Tensor:
    """Of the digit of every count at a place (1, b, b b, ...; b is how many rows there are), how many are kept, int32:
    `first` of its row of `table`, and one more for each entry there that is not above what was drawn."""
    counts, drawn = counts.contiguous(), drawn.contiguous()
    out = torch.empty(counts.shape, dtype=torch.int32)
    given = (counts.data_ptr(), drawn.data_ptr(), table.data_ptr(), first.data_ptr(), out.data_ptr(), table.shape[1])
    base = len(table)
    shared_over(counts.numel(), counts.numel(), lambda low, high: loops.quantiles(*given, low, high, place, base))
    return out


def pack(x: Tensor, scale: float) -> Tensor | None:
    """How many times `scale` each number is, as uint8; None where one is no whole number of times, or over 255."""
    x = x.contiguous()
    packed = torch.empty(x.shape, dtype=torch.uint8)
    return packed if loops.pack(x.data_ptr(), packed.data_ptr(), x.numel(), scale) else None


def shared_over(units: int, work: int, run: Callable[[int, int], Any]) -> None:
    """`run(low, high)` over all units, in as many threads as torch takes where there is enough to do."""
    threads = torch.get_num_threads() if work >= MANY else 1
    if threads == 1:
        run(0, units)
        return
    size = -(-units // threads)
    list(_pool().map(lambda low: run(low, min(units, low + size)), range(0, units, size)))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="spikeviz kernels")
