"""Dropping spikes at random, each by itself: of n Binomial(n, 1 - r) pass (Masked Spiking Transformer, sec. 3.4).

An activation may stand for several spikes: a level of QCFS for one each, an integer of E-SpikeFormer for its binary
steps, an attention score for its coincidences. To drop it as a whole has the same mean, and up to n times the variance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from spikeviz.nn.in_place import in_place, kernels, on_cpu
from spikeviz.recording import MOST_COUNT
from spikeviz.runtime import sent
from spikeviz.unread import Scale

Law = Literal["spikes", "whole"]
LAWS: tuple[Law, ...] = ("spikes", "whole")
# Of the digits of a number of spikes: each is drawn by itself, so that no table has more rows than this.
BASE = 32
FAR = 8.0  # standard deviations beyond which no draw lies: 1e-15 of them would, and a draw has 24 bits


@dataclass(frozen=True)
class Thinning:
    """Drops spikes with probability `ratio`.

    Attributes:
        ratio: 0 to 1.
        scale: the value of one spike.
        most: how many spikes an activation stands for at most; at 1 it passes as it is or not at all.
        known: whether `most` is known without a look at the numbers: then, and at 1, it is told which activations were
            kept (bool), else how many spikes of each.
    """

    ratio: float
    scale: Scale = 1.0
    most: int = 1
    known: bool = True

    def edit(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What passes, and what was kept."""
        return self._of(x, lambda: torch.rand(x.shape, generator=generator))

    def edit_rows(self, x: Tensor, generators: Sequence[torch.Generator], axis: int) -> tuple[Tensor, Tensor]:
        """The same for several generators, each for a row of `axis`; a single row is one for all of them."""
        row = x.narrow(axis, 0, 1).shape

        def draw() -> Tensor:
            drawn = torch.empty(*row[:axis], len(generators), *row[axis + 1 :])
            for own, generator in zip(drawn.split(1, axis), generators, strict=True):
                own.copy_(torch.rand(row, generator=generator))
            return drawn

        return self._of(x, draw)

    def _of(self, x: Tensor, draw: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
        drawn = draw()
        if self.most <= 1:
            passed, kept = self._one(x, drawn)
            return passed, kept if self.known else (kept & (x > 0)).int()
        draws = iter([drawn, *(draw() for _ in _further_digits(self.most))])
        passed, count = cast(tuple[Tensor, Tensor], _Thin.apply(x.expand(drawn.shape), draws, self))
        return passed, count

    def _one(self, x: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        if in_place(x):
            return kernels().thin(x.expand(drawn.shape), drawn, self.ratio)
        kept = sent(drawn.ge(self.ratio), x.device)
        return torch.where(kept, x, 0.0), kept


class _Thin(torch.autograd.Function):
    """n spikes of `scale` become k of them. The gradient is the share that passed, k / n, so that its mean is that of
    the mean: 1 - ratio. Where nothing was sent, it passes or not as that of one spike would."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, draws: Iterator[Tensor], rule: Thinning) -> tuple[Tensor, Tensor]:
        counts = (x / rule.scale).round_().clamp_(0, rule.most)
        first = next(draws)
        kept = _kept(counts, first, rule.ratio, 0)
        for digit, drawn in enumerate(draws, 1):
            kept += _kept(counts, drawn, rule.ratio, digit)
        if x.requires_grad:
            alone = sent(first.ge(rule.ratio), x.device).to(x.dtype)
            ctx.save_for_backward(torch.where(counts > 0, kept.to(x.dtype) / counts.clamp(min=1), alone))
        passed = x.clone() if rule.ratio == 0 else kept.to(x.dtype) * rule.scale  # as its neuron had fired it
        kept = kept.to(torch.uint8 if rule.known and rule.most <= MOST_COUNT else torch.int32)
        ctx.mark_non_differentiable(kept)
        return passed, kept

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Any) -> tuple[Tensor, None, None]:
        (share,) = ctx.saved_tensors
        return gradient * share, None, None


def _further_digits(most: int) -> range:
    """The digits of a number up to `most` behind its first, in the base `BASE`."""
    digits = 1
    while most >= BASE**digits:
        digits += 1
    return range(1, digits)


def _kept(counts: Tensor, drawn: Tensor, ratio: float, digit: int) -> Int[Tensor, "..."]:
    """Of the spikes that a digit of each count stands for, how many are kept: Binomial, by its inverse distribution."""
    table, first = (torch.from_numpy(x) for x in cumulative(ratio, digit))
    if on_cpu(counts) and counts.dtype == torch.float32:
        return kernels().quantiles(counts, drawn, table, first, BASE**digit)
    table, first, drawn = (sent(x, counts.device) for x in (table, first, drawn))
    own = counts.div(BASE**digit, rounding_mode="floor").remainder(BASE).long()
    width, flat = table.shape[1], table.flatten()
    low, high = torch.zeros_like(own), torch.full_like(own, width)
    for _ in range(width.bit_length()):  # how many entries of a row are not above what was drawn
        middle = (low + high) // 2
        above = drawn < flat[own * width + middle.clamp(max=width - 1)]
        low, high = torch.where(above | (low == high), low, middle + 1), torch.where(above, middle, high)
    return first[own] + low.int()


@lru_cache(maxsize=256)
def cumulative(ratio: float, digit: int) -> tuple[Float[np.ndarray, "values width"], Int[np.ndarray, "values"]]:
    """Of each value of a digit, how many of its spikes are kept: the probability of at most `first[d] + j`, in row d
    and column j, and `first`. What is further than `FAR` from the mean is left out."""
    n = np.arange(BASE) * BASE**digit
    mean, reach = n * (1 - ratio), FAR * np.sqrt(n * ratio * (1 - ratio)) + FAR
    first = np.maximum(np.floor(mean - reach), 0).astype(np.int32)
    last = np.minimum(np.ceil(mean + reach), n).astype(np.int64)
    k = first[:, None] + np.arange((last - first).max() + 1)
    factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n[-1] + 1)))])  # logarithms
    there = k <= n[:, None]
    kept, gone = np.where(there, k, 0), np.where(there, n[:, None] - k, 0)
    with np.errstate(divide="ignore", invalid="ignore"):  # at the ratios 0 and 1
        odds = np.where(kept > 0, kept * np.log(1 - ratio), 0.0) + np.where(gone > 0, gone * np.log(ratio), 0.0)
    odds += factorial[n][:, None] - factorial[kept] - factorial[gone]
    shares = np.exp(np.where(there, odds, -np.inf))
    table = np.where(k < last[:, None], np.cumsum(shares, 1), 1.0)
    if digit == 0:
        table[1, 0] = ratio  # to the last bit: one spike is kept where a single draw says so
    return table.clip(max=1.0).astype(np.float32), first
