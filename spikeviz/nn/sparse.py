"""Sparse convolution and sparse normalisation: places that are hidden stay hidden (E-SpikeFormer, sec. 3.4, SSC).

An ordinary convolution carries what is visible into the hidden places around it, layer by layer, until the mask is gone
and an autoencoder need not guess any more. Here everything outside the active map is set to zero again after every
convolution, and batch statistics are taken over the active places alone. The weights are those of the ordinary layers:
layers of an autoencoder (`spikeviz.nn.layers.allow_sparse`) run sparse inside `visible(active)`, as ever outside, and
nothing has to be converted back. The map belongs to the context: two threads have two. Layers of other networks do not
ask for one.

    sparse conv    y = active * conv(active * x)
    sparse BN      mean and variance over active places; y = active * (gamma (x - mean) / std + beta)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

_ACTIVE: ContextVar[Tensor | None] = ContextVar("spikeviz_active_map", default=None)


@contextmanager
def visible(active: Bool[Tensor, "B 1 h w"] | None) -> Iterator[None]:
    """Run layers that `allow_sparse` names sparse, on the places where `active` is True; None runs them as ever.

    The map is on the coarsest grid, that of the tokens; finer feature maps see each of its places as a square.
    """
    token = _ACTIVE.set(active)
    try:
        yield
    finally:
        _ACTIVE.reset(token)


def active_map() -> Bool[Tensor, "B 1 h w"] | None:
    """The active map, on the coarsest grid; None if everything is."""
    return _ACTIVE.get()


def spread(active: Bool[Tensor, "B 1 h w"], height: int, width: int) -> Bool[Tensor, "B 1 height width"]:
    """A map on a finer grid: each of its places becomes a square.

    Raises:
        ValueError: if its places do not tile the grid.
    """
    h, w = active.shape[-2:]
    if height % h or width % w:
        raise ValueError(f"an active map of {h} x {w} places does not tile {height} x {width}.")
    return active.repeat_interleave(height // h, -2).repeat_interleave(width // w, -1)


def sparse_norm(norm: nn.BatchNorm2d, x: Float[Tensor, "*#TB C H W"], active: Bool[Tensor, "B 1 H W"]) -> Tensor:
    """Batch normalisation over active places alone; zero elsewhere. In train mode running statistics follow, as ever.

    Args:
        norm: whose weights and statistics are used.
        x: `[B, C, H, W]` or `[T, B, C, H, W]`.
        active: on the grid of x.

    Raises:
        ValueError: if `norm` keeps no statistics.
    """
    known_mean, known_variance, seen = norm.running_mean, norm.running_var, norm.num_batches_tracked
    if known_mean is None or known_variance is None or seen is None:
        raise ValueError("a sparse normalisation needs one that keeps running statistics.")
    weights = active.to(x.dtype).expand(*x.shape[:-3], 1, *x.shape[-2:])
    shape = (-1, 1, 1)
    if norm.training:
        over = tuple(axis for axis in range(x.ndim) if axis != x.ndim - 3)
        count = weights.sum().clamp_min(1)
        mean = (x * weights).sum(over) / count
        variance = ((x - mean.view(shape)).square() * weights).sum(over) / count
        with torch.no_grad():
            seen += 1
            momentum = norm.momentum if norm.momentum is not None else 1 / float(seen)
            unbiased = variance * count / (count - 1).clamp_min(1)
            known_mean.lerp_(mean.to(known_mean), momentum)
            known_variance.lerp_(unbiased.to(known_variance), momentum)
    else:
        mean, variance = known_mean, known_variance
    scale = norm.weight / (variance + norm.eps).sqrt()
    return (scale.view(shape) * (x - mean.view(shape)) + norm.bias.view(shape)) * weights
