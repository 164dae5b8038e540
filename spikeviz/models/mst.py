"""Masked Spiking Transformer (MST): a Swin trained with QCFS, which becomes a spiking network (paper, sec. 3; code).

As published, three things stay real-valued in the spiking network: the residual stream, the softmax of the attention
with its position bias, and the normalisation of what flows on the stream. The paper's Eq. 6 and 7 show none of them;
the variant `softmax=False` is their stricter form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from spikeviz.axes import SCORES
from spikeviz.nn.layers import Conv, Head, Intake, Norm, Population, Product
from spikeviz.nn.neurons import Neuron
from spikeviz.nn.qcfs import QCFS, ConvertedIF
from spikeviz.probe import Probe, tuned

Maps = Float[Tensor, "T B C H W"]
UNSEEN = -100.0  # added to the score of two tokens that a shifted window brought together


@dataclass(frozen=True)
class MSTConfig:
    """One MST.

    dim: channels of the first stage; each further stage has twice as many and a quarter of the tokens. depths, heads:
    of every stage. spiking: IF neurons instead of QCFS, run for time_steps steps. mlp_norm: BatchNorm in the MLP
    (ImageNet). levels: L of QCFS. norm: "batch", or "layer" (as a Swin has it; the paper's Fig. 3 compares). softmax:
    False gives the stricter form of Eq. 6 and 7: the spikes of the scores weigh the values, with no softmax and no
    bias. frames: of events, that become 2 * frames channels which a 1x1 convolution reduces to three (sec. 4.2); 0 of
    images. fits: an image of another size is framed or resized; a published checkpoint refuses it. mean, std: what the
    training images are normalised by.
    """

    dim: int
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    num_classes: int
    in_channels: int
    image_size: int
    time_steps: int = 1
    spiking: bool = False
    patch: int = 4
    window: int = 7
    mlp_ratio: int = 4
    levels: int = 16
    mlp_norm: bool = False
    norm: Literal["batch", "layer"] = "batch"
    softmax: bool = True
    frames: int = 0
    fits: bool = True
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("dim", "num_classes", "in_channels", "time_steps", "patch", "window", "mlp_ratio", "levels"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if len(self.depths) != len(self.heads) or not self.depths or min(*self.depths, *self.heads) < 1:
            raise ValueError(f"depths {self.depths} and heads {self.heads} must be as many numbers from 1.")
        if self.norm not in ("batch", "layer"):
            raise ValueError(f"norm is 'batch' or 'layer', not {self.norm!r}.")
        if self.image_size % (self.patch * 2 ** (len(self.depths) - 1)):
            raise ValueError(
                f"image_size {self.image_size} is not a multiple of {self.patch * 2 ** (len(self.depths) - 1)}, the "
                "stride of all stages together."
            )
        for stage, heads in enumerate(self.heads):
            if self.width(stage) % heads:
                raise ValueError(f"stage {stage + 1} has {self.width(stage)} channels, not divisible by {heads} heads.")
            grid = self.grid(stage)
            if grid < 1 or grid % min(self.window, grid):
                raise ValueError(
                    f"image_size {self.image_size} leaves {grid} x {grid} tokens in stage {stage + 1}, which windows "
                    f"of {self.window} do not tile."
                )

    @property
    def depth(self) -> int:
        """Blocks in all."""
        return sum(self.depths)

    def width(self, stage: int) -> int:
        """Channels of a stage, from 0."""
        return self.dim * 2**stage

    def grid(self, stage: int) -> int:
        """Tokens along a side of a stage, from 0."""
        return self.image_size // self.patch // 2**stage

    def neuron(self) -> Neuron:
        """One population's."""
        return ConvertedIF() if self.spiking else QCFS(self.levels)

    def normalisation(self, channels: int) -> nn.Module:
        return Norm(channels) if self.norm == "batch" else TokenNorm(channels)

    def conv(self, inputs: int, outputs: int, *, bias: bool = True, real: bool = False) -> Conv:
        """A linear layer of tokens on their grid. QCFS levels are real numbers to it: only neurons send spikes."""
        return Conv(inputs, outputs, 1, bias=bias, real=real or not self.spiking)


class TokenNorm(nn.LayerNorm):
    """Layer normalisation over the channels of every place."""

    def forward(self, x: Maps) -> Maps:
        return super().forward(x.movedim(-3, -1)).movedim(-1, -3)


class SpikingLinear(Population):
    """Linear layer, normalisation if there is one, neurons."""

    def __init__(self, conv: Conv, neuron: Neuron, norm: nn.Module | None = None):
        super().__init__(neuron)
        self.conv, self.norm = conv, norm

    def forward(self, x: Maps, scale: float = 1.0, steps: int | None = None) -> Maps:
        """`scale` is the value of one spike of `x`."""
        x = self.conv(x, scale)
        return super().forward(x if self.norm is None else self.norm(x), steps)


class SpikingNorm(Population):
    """Normalisation, neurons."""

    def __init__(self, norm: nn.Module, neuron: Neuron):
        super().__init__(neuron)
        self.norm = norm

    def forward(self, x: Maps) -> Maps:
        return super().forward(self.norm(x))


class ScoreNeurons(nn.Module):
    """The neurons of attention scores. What they send is the attention's own place `scores`, which may be masked."""

    def __init__(self, neuron: Neuron):
        super().__init__()
        self.neuron = neuron
        self.membrane = Probe("membrane", SCORES)

    def forward(self, current: Tensor) -> Tensor:
        if not self.membrane.wanted:
            return self.neuron(current)
        spikes, potential, threshold = self.neuron.trace(current)
        self.membrane(potential, threshold=threshold)
        return spikes


class WindowAttention(nn.Module):
    """Self-attention within windows, shifted in every other block.

        S = act(q k^T / sqrt(d)),  out = act(W act(softmax(S + bias) v))        as published
        out = act(W act(S v))                                                   softmax=False (sec. 3.3, Eq. 6, 7)

    The axis of heads of `scores` holds windows * heads, windows first, in raster order.

    Args:
        dim, heads: of the attention.
        grid: tokens along a side.
        shift: by how many tokens windows are shifted; 0 in even blocks, and where one window covers the grid.
    """

    def __init__(self, config: MSTConfig, dim: int, heads: int, grid: int, shift: int):
        super().__init__()
        self.heads, self.window, self.shift, self.softmax = heads, min(config.window, grid), shift, config.softmax
        self.q, self.k, self.v = (SpikingLinear(config.conv(dim, dim), config.neuron()) for _ in range(3))
        counts = config.spiking
        self.qk, self.av = Product(left=counts, right=counts), Product(left=counts and not self.softmax, right=counts)
        self.score = ScoreNeurons(config.neuron())
        self.scores = Probe("spike", SCORES)
        self.out = Population(config.neuron())
        self.proj = SpikingLinear(config.conv(dim, dim), config.neuron())
        self.bias = nn.Parameter(torch.zeros((2 * self.window - 1) ** 2, heads)) if self.softmax else None
        if self.bias is not None:
            nn.init.trunc_normal_(self.bias, std=0.02)
        self.register_buffer("places", relative_places(self.window), persistent=False)
        self.register_buffer("unseen", strangers(grid, self.window, shift), persistent=False)

    def forward(self, x: Maps, scale: float) -> Maps:
        """`scale` is the value of one spike of `x`."""
        height = x.shape[-2]
        q, k, v = (self._windows(layer(x, scale)) for layer in (self.q, self.k, self.v))
        current = self.qk(q, k.mT, (self.q.scale, self.k.scale)) * q.shape[-1] ** -0.5
        unit = self.score.neuron.unit()
        scores = self.scores(self.score(current), scale=unit.scale, levels=unit.levels)
        weights = self._weights(scores)
        y = self.av(weights, v, (1.0 if self.softmax else unit.scale, self.v.scale))
        return self.proj(self.out(self._grid(y, height)), self.out.scale)

    def _weights(self, scores: Float[Tensor, "T B heads N N"]) -> Float[Tensor, "T B heads N N"]:
        """With softmax real numbers, in the spiking network as well; strangers do not see each other."""
        by_window = scores.unflatten(2, (-1, self.heads))
        if not self.softmax:
            return (by_window * ~self.unseen[:, None] if self.shift else by_window).flatten(2, 3)
        by_window = by_window + rearrange(self.bias[self.places], "n m heads -> heads n m")
        if self.shift:
            by_window = by_window + UNSEEN * self.unseen[:, None].to(scores.dtype)
        return by_window.softmax(-1).flatten(2, 3)

    def _windows(self, x: Maps) -> Float[Tensor, "T B heads N d"]:
        if self.shift:
            x = x.roll((-self.shift, -self.shift), (-2, -1))
        return rearrange(x, "t b (n d) (y h) (x w) -> t b (y x n) (h w) d", n=self.heads, h=self.window, w=self.window)

    def _grid(self, x: Float[Tensor, "T B heads N d"], height: int) -> Maps:
        """The inverse of `_windows`."""
        x = rearrange(
            x, "t b (y x n) (h w) d -> t b (n d) (y h) (x w)", n=self.heads, h=self.window, y=height // self.window
        )
        return x.roll((self.shift, self.shift), (-2, -1)) if self.shift else x


def relative_places(window: int) -> Int[Tensor, "N N"]:
    """For two tokens of a window, the row of the bias table: (2 w - 1) (dy + w - 1) + dx + w - 1."""
    y, x = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    y, x = y.flatten(), x.flatten()
    down, right = (place[:, None] - place[None, :] + window - 1 for place in (y, x))
    return (2 * window - 1) * down + right


def strangers(grid: int, window: int, shift: int) -> Bool[Tensor, "windows N N"]:
    """Which tokens of a shifted window are not neighbours: the shift, which wraps around, brought them together."""
    bands = torch.zeros(grid, dtype=torch.long)
    if shift:
        bands[grid - window :], bands[grid - shift :] = 1, 2
    regions = 3 * bands[:, None] + bands[None, :]
    by_window = rearrange(regions, "(y h) (x w) -> (y x) (h w)", h=window, w=window)
    return by_window[:, :, None] != by_window[:, None, :]


class MLP(nn.Module):
    """C -> ratio C -> C, a normalisation after either layer if `mlp_norm`."""

    def __init__(self, config: MSTConfig, dim: int):
        super().__init__()
        wide = config.mlp_ratio * dim
        norms = (config.normalisation(n) if config.mlp_norm else None for n in (wide, dim))
        self.hidden, self.out = (
            SpikingLinear(config.conv(a, b), config.neuron(), norm)
            for (a, b), norm in zip(((dim, wide), (wide, dim)), norms, strict=True)
        )

    def forward(self, x: Maps, scale: float) -> Maps:
        return self.out(self.hidden(x, scale), self.hidden.scale)


class PatchMerging(SpikingLinear):
    """Four neighbours become one token of twice the channels: normalisation, linear layer, neurons."""

    def __init__(self, config: MSTConfig, dim: int):
        super().__init__(config.conv(4 * dim, 2 * dim, bias=False, real=True), config.neuron())
        self.before = config.normalisation(4 * dim)

    def forward(self, x: Maps) -> Maps:
        x = rearrange(x, "t b c (h p) (w q) -> t b (q p c) h w", p=2, q=2)
        return super().forward(self.before(x))


class Block(nn.Module):
    """`y = x + attn(act(norm(x))); z = norm(y); out = z + mlp(act(z))`: the second residual starts from z (code).

    The first block of a later stage merges patches before.
    """

    def __init__(self, config: MSTConfig, stage: int, number: int):
        super().__init__()
        dim, grid = config.width(stage), config.grid(stage)
        self.merge = PatchMerging(config, dim // 2) if stage and not number else None
        shift = config.window // 2 if number % 2 and grid > config.window else 0
        self.input = SpikingNorm(config.normalisation(dim), config.neuron())
        self.attn = WindowAttention(config, dim, config.heads[stage], grid, shift)
        self.norm, self.middle = config.normalisation(dim), Population(config.neuron())
        self.mlp = MLP(config, dim)

    def forward(self, x: Maps) -> Maps:
        if self.merge is not None:
            x = self.merge(x)
        x = x + self.attn(self.input(x), self.input.scale)
        x = self.norm(x)
        return x + self.mlp(self.middle(x), self.middle.scale)


class MST(nn.Module):
    """`model(x) -> logits per step [T, B, K]`: T = 1 of the QCFS network, `time_steps` of the spiking one.

    x: images `[B, C, H, W]`; with `frames`, events `[frames, B, 2, H, W]`, which all are there at every step.
    """

    frames_are_steps = False

    def __init__(self, config: MSTConfig):
        super().__init__()
        self.config = config
        if config.spiking:
            self.time_steps = config.time_steps
        size, stride = (config.image_size, config.patch) if config.fits else (None, config.image_size)
        self.intake = Intake(config.in_channels, size, stride, config.mean, config.std)
        channels = 3 if config.frames else config.in_channels
        self.reduce = Conv(2 * config.frames, channels, 1, real=True) if config.frames else None
        stem = Conv(channels, config.dim, config.patch, stride=config.patch, padding=0, real=True)
        self.stem = SpikingLinear(stem, config.neuron(), config.normalisation(config.dim))
        self.blocks = nn.ModuleList(
            Block(config, stage, number) for stage, depth in enumerate(config.depths) for number in range(depth)
        )
        self.norm = TokenNorm(config.width(len(config.depths) - 1))
        self.head = Head(config.width(len(config.depths) - 1), config.num_classes)

    def forward(self, x: Float[Tensor, "*TB C H W"]) -> Float[Tensor, "T B K"]:
        x = self.intake(x)
        if self.config.frames:
            x = self.reduce(self._channels(x))
        elif x.ndim == 5:
            raise ValueError("this network takes images [B, C, H, W], not event frames; choose a network for events.")
        steps = tuned(time_steps=self.time_steps)["time_steps"] if self.config.spiking else 1
        x = self.stem(x, steps=steps)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean((-2, -1)))

    def _channels(self, x: Tensor) -> Float[Tensor, "B C H W"]:
        """Frames of events as channels (sec. 4.2)."""
        if x.ndim != 5 or x.shape[0] != self.config.frames:
            raise ValueError(
                f"this network takes events as {self.config.frames} frames [T, B, 2, H, W], "
                f"not a tensor {list(x.shape)}."
            )
        return rearrange(x, "t b p h w -> b (t p) h w")
