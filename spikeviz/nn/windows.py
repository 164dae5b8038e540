"""Self-attention of neurons within the shifted windows of a Swin (Masked Spiking Transformer, sec. 3.3; code)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from spikeviz.axes import MAPS, SCORES
from spikeviz.nn.layers import Conv, Norm, Population, Product
from spikeviz.nn.neurons import Neuron
from spikeviz.probe import Part, Probe, tagged
from spikeviz.unread import Scale

Maps = Float[Tensor, "T #B C H W"]
UNSEEN = -100.0  # added to the score of two tokens that a shifted window brought together


class SpikingLinear(Population, Part):
    """Linear layer, normalisation if there is one, neurons."""

    def __init__(self, conv: Conv, neuron: Neuron, norm: nn.Module | None = None):
        super().__init__(neuron)
        self.conv, self.norm = conv, norm

    def forward(
        self, x: Float[Tensor, "*#TB C H W"], scale: Scale = 1.0, steps: int | None = None
    ) -> Float[Tensor, "T #B c h w"]:
        """`scale` is the value of one spike of `x`."""
        x = self.conv(x, scale)
        norm = self.norm.fixed if isinstance(self.norm, Norm) else None
        if norm is None and self.norm is not None:
            x = self.norm(x)
        return super().forward(x, steps, norm=norm)


class ScoreNeurons(nn.Module):
    """The neurons of attention scores. `spike` is what is left of their spikes at the place `scores`, which may be
    masked.
    """

    def __init__(self, neuron: Neuron):
        super().__init__()
        self.neuron = neuron
        self.membrane, self.spike = Probe("membrane", SCORES, site="scores"), Probe("spike", SCORES, site="scores")

    def forward(self, current: Tensor, scores: Probe) -> Tensor:
        kept = scores.kept or self.spike.kept
        fired = self.neuron.observe(current, counts=kept, membrane=self.membrane.wanted)
        if fired.membrane is not None:
            self.membrane(fired.membrane, threshold=fired.threshold, stored=fired.stored_membrane)
        unit = self.neuron.unit()
        left = scores(fired.spikes, scale=unit.scale, stored=fired.counts, most=self.neuron.most())
        counts = fired.counts if left is fired.spikes else None
        return self.spike(left, scale=unit.scale, levels=unit.levels, stored=counts)


class WindowAttention(nn.Module):
    """Self-attention within windows, shifted in every other block.

        S = act(q k^T / sqrt(d)),  out = act(W act(softmax(S + bias) v))        as published
        out = act(W act(S v))                                                   softmax=False (sec. 3.3, Eq. 6, 7)

    The axis of heads of `scores` holds windows * heads, windows first, in raster order.

    Args:
        dim, heads: of the attention.
        grid: tokens along a side.
        window: tokens along a side of a window, which tile the grid.
        shift: by how many tokens windows are shifted; 0 in even blocks, and where one window covers the grid.
        neuron: makes one population's neurons.
        spiking: whether these send spikes; levels of QCFS are real numbers to a product.
        softmax: whether real-valued weights are made of the scores.
    """

    places: Tensor
    unseen: Tensor

    def __init__(
        self,
        dim: int,
        heads: int,
        grid: int,
        window: int,
        shift: int,
        neuron: Callable[[], Neuron],
        *,
        spiking: bool,
        softmax: bool = True,
    ):
        super().__init__()
        self.heads, self.window, self.shift, self.softmax = heads, min(window, grid), shift, softmax

        def linear() -> SpikingLinear:
            return SpikingLinear(Conv(dim, dim, 1, levels=not spiking), neuron())

        self.q, self.k, self.v = (tagged(linear(), site) for site in ("q", "k", "v"))
        self.qk = Product(left=spiking, right=spiking)
        self.av = Product(left=spiking and not softmax, right=spiking, softmax=softmax)
        self.match = Probe("feature", SCORES, counts=False, role="match")
        self.score = ScoreNeurons(neuron())
        self.scores = Probe("scores", SCORES, counts=True, site="scores")
        self.out = Population(neuron())
        self.proj = linear()
        self.added = Probe("feature", MAPS, counts=False, role="branch")
        self.bias = nn.Parameter(torch.zeros((2 * self.window - 1) ** 2, heads)) if self.softmax else None
        if self.bias is not None:
            nn.init.trunc_normal_(self.bias, std=0.02)
        self.register_buffer("places", relative_places(self.window), persistent=False)
        self.register_buffer("unseen", strangers(grid, self.window, shift), persistent=False)

    def forward(self, x: Maps, scale: Scale) -> Maps:
        """`scale` is the value of one spike of `x`."""
        height = x.shape[-2]
        q, k, v = (self._windows(layer(x, scale)) for layer in (self.q, self.k, self.v))
        current = self.match(self.qk(q, k.mT, (self.q.scale, self.k.scale))) * q.shape[-1] ** -0.5
        scores, scale = self.score(current, self.scores), self.score.neuron.unit().scale
        weights = self._weights(scores)
        y = self.av(weights, v, (1.0 if self.softmax else scale, self.v.scale))
        return self.added(self.proj(self.out(self._grid(y, height)), self.out.scale))

    def _weights(self, scores: Float[Tensor, "T B heads N N"]) -> Float[Tensor, "T B heads N N"]:
        """With softmax real numbers, in the spiking network as well; strangers do not see each other."""
        by_window = scores.unflatten(2, (-1, self.heads))
        if self.bias is None:
            return (by_window * ~self.unseen[:, None] if self.shift else by_window).flatten(2, 3)
        by_window = by_window + rearrange(self.bias[self.places], "n m heads -> heads n m")
        if self.shift:
            by_window = by_window + UNSEEN * self.unseen[:, None].to(scores.dtype)
        return by_window.softmax(-1).flatten(2, 3)

    def _windows(self, x: Shaped[Tensor, "T B C H W"]) -> Shaped[Tensor, "T B heads N d"]:
        if self.shift:
            x = x.roll((-self.shift, -self.shift), (-2, -1))
        return rearrange(x, "t b (n d) (y h) (x w) -> t b (y x n) (h w) d", n=self.heads, h=self.window, w=self.window)

    def _grid(self, x: Shaped[Tensor, "T B heads N d"], height: int) -> Shaped[Tensor, "T B C H W"]:
        """The inverse of `_windows`."""
        x = rearrange(
            x, "t b (y x n) (h w) d -> t b (n d) (y h) (x w)", n=self.heads, h=self.window, y=height // self.window
        )
        return x.roll((self.shift, self.shift), (-2, -1)) if self.shift else x


def relative_places(window: int) -> Int[Tensor, "N N"]:
    """For two tokens of a window, the row of the bias table: (2 w - 1) (dy + w - 1) + dx + w - 1.

    Reckoned by NumPy: under `torch.device("meta")` a difference of tensors makes torch import its compiler.
    """
    y, x = np.divmod(np.arange(window**2), window)
    down, right = (place[:, None] - place[None, :] + window - 1 for place in (y, x))
    return torch.as_tensor((2 * window - 1) * down + right)


def strangers(grid: int, window: int, shift: int) -> Bool[Tensor, "windows N N"]:
    """Which tokens of a shifted window are not neighbours: the shift, which wraps around, brought them together."""
    bands = np.zeros(grid, dtype=np.int64)
    if shift:
        bands[grid - window :], bands[grid - shift :] = 1, 2
    regions = 3 * bands[:, None] + bands[None, :]
    by_window = rearrange(regions, "(y h) (x w) -> (y x) (h w)", h=window, w=window)
    return torch.as_tensor(by_window[:, :, None] != by_window[:, None, :])
