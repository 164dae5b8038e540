"""From an image or event frames to a grid of spike tokens."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from spikeviz.nn.in_place import in_place, kernels
from spikeviz.nn.layers import (
    Conv,
    FiringConv,
    Norm,
    PointwiseAfterDepthwise,
    SpikingConv,
    added,
    in_sequence,
    over_maps,
)
from spikeviz.nn.neurons import LIF, Neuron
from spikeviz.probe import Part

Maps = Float[Tensor, "T #B C H W"]
LPE = Literal["spiking", "real"]


class SpikingLPE(nn.Module):
    """SDMFormer's lighter position embedding (sec. 3.4): depthwise 3x3, BN, LIF, pointwise 1x1, BN, LIF; no bias.

    A reconstruction: into both weights go spikes. Of Spikformer-2-256 it saves 20.32 %, the paper's 20.3 %.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.depthwise = SpikingConv(Conv(dim, dim, 3, groups=dim, bias=False), LIF())
        self.pointwise = SpikingConv(Conv(dim, dim, 1, bias=False), LIF())

    def forward(self, x: Maps) -> Maps:
        return self.pointwise(self.depthwise(x))


def position_embedding(dim: int, lpe: LPE | None) -> nn.Module:
    """What makes spikes of the tokens that are added to them.

    Args:
        lpe: None: Spikformer's conv3x3, BN, LIF. "spiking": `SpikingLPE`. "real": the same without BN and LIF between
            its two convolutions, so that the second reads real values (20.34 %, which is printed as 20.3 % as well).
    """
    if lpe == "spiking":
        return SpikingLPE(dim)
    return SpikingConv(Conv(dim, dim, 3, bias=False) if lpe is None else PointwiseAfterDepthwise(dim), LIF())


class SPS(Part):
    """Spiking patch splitting (Spikformer V2, sec. 3.2, Eq. 7) and relative position embedding (Eq. 2, 3).

    Four stages of conv3x3, BN, LIF with D/8, D/4, D/2, D channels; where `pools` says so a 3x3 max-pooling of stride 2
    follows **after** the LIF. The position embedding, conv3x3-BN-LIF of the tokens, is added to them: values 0, 1, 2.

    Args:
        in_channels: of the input.
        dim: D, a multiple of 8.
        pools: the stages, 1 to 4, that a max-pooling follows.
        real: whether the input is real (an image) and not counts (events).
        lpe: the form of SDMFormer's LPE in place of the position embedding's 3x3 convolution; None keeps that.
    """

    def __init__(self, in_channels: int, dim: int, pools: tuple[int, ...], real: bool, lpe: LPE | None = None):
        super().__init__()
        if dim % 8:
            raise ValueError(f"dim {dim} is not divisible by 8, as the stem's first stage has dim / 8 channels.")
        widths = (in_channels, dim // 8, dim // 4, dim // 2, dim)
        self.pools = pools
        self.stages = nn.ModuleList(
            SpikingConv(Conv(c_in, c_out, 3, bias=False, real=real and stage == 0), LIF())
            for stage, (c_in, c_out) in enumerate(pairwise(widths))
        )
        self.rpe = position_embedding(dim, lpe)

    def forward(self, x: Float[Tensor, "*#TB C H W"], steps: int | None) -> Float[Tensor, "T B D h w"]:
        for number, stage in enumerate(self.stages, start=1):
            x = stage(x, steps if number == 1 else None)  # T begins at the first membrane
            if number in self.pools:
                x = over_maps(halved, x)
        return added(x, self.rpe(x))


def halved(x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C h w"]:
    """The largest of 3 x 3 neighbours, in steps of 2."""
    return kernels().halve(x) if in_place(x) else max_pool2d(x, 3, stride=2, padding=1)


Residual = Literal["add", "iand"]


def joined(
    shortcut: Float[Tensor, "*#maps"], branch: Float[Tensor, "*#maps"], residual: Residual
) -> Float[Tensor, "*#maps"]:
    """`shortcut + branch`, or SEW ResNet's IAND, `shortcut and not branch`, always binary (Spikformer V2, Table 6)."""
    return added(shortcut, branch) if residual == "add" else shortcut * (1 - branch)


class SCSStage(nn.Module):
    """A block of the SCS: conv2x2 of stride 2 halves the grid, then `x += conv3x3(4C -> C)(conv3x3(C -> 4C)(x))`."""

    def __init__(self, c_in: int, c_out: int, real: bool, residual: Residual):
        super().__init__()
        self.residual: Residual = residual
        self.down = SpikingConv(Conv(c_in, c_out, 2, stride=2, padding=0, bias=False, real=real), LIF())
        self.expand = SpikingConv(Conv(c_out, 4 * c_out, 3, bias=False), LIF())
        self.reduce = SpikingConv(Conv(4 * c_out, c_out, 3, bias=False), LIF())

    def forward(self, x: Float[Tensor, "*#TB C H W"], steps: int | None = None) -> Float[Tensor, "T #B c h w"]:
        x = self.down(x, steps)
        return joined(x, self.reduce(self.expand(x)), self.residual)


class SCS(Part):
    """Spiking convolutional stem (Spikformer V2, sec. 4.1, Fig. 5 b): four blocks of D/8, D/4, D/2, D channels.

    No max-pooling and no position embedding. Conv, BN, LIF in every layer, no bias; the order within a block is not
    printed, it reproduces the printed sizes.

    Args:
        in_channels: of the input.
        dim: D, a multiple of 2 to the number of blocks - 1.
        real: whether the input is real (an image) and not counts (events).
        residual: of the two 3x3 convolutions.
        stages: blocks; each halves the grid (four as published).
    """

    def __init__(self, in_channels: int, dim: int, real: bool, residual: Residual = "add", stages: int = 4):
        super().__init__()
        if dim % 2 ** (stages - 1):
            raise ValueError(f"dim {dim} is not divisible by {2 ** (stages - 1)}: each block has half of the next's.")
        widths = (in_channels, *(dim // 2**n for n in reversed(range(stages))))
        self.stages = nn.ModuleList(
            SCSStage(c_in, c_out, real and stage == 0, residual) for stage, (c_in, c_out) in enumerate(pairwise(widths))
        )

    def forward(self, x: Float[Tensor, "*#TB C H W"], steps: int | None) -> Float[Tensor, "T B D h w"]:
        for number, stage in enumerate(self.stages):
            x = stage(x, steps if number == 0 else None)
        return x


class SepConv(nn.Module):
    """Separable convolution of spikes (E-SpikeFormer, Eq. 10): C -> 2C pointwise, depthwise, 2C -> C pointwise.

    There are neurons in front of each of the three, so that no kernel grows when normalisation is folded in.
    """

    def __init__(self, dim: int, kernel: int, neuron: Callable[[], Neuron]):
        super().__init__()
        wide = 2 * dim
        self.expand = FiringConv(neuron(), Conv(dim, wide, 1, bias=False))
        self.depth = FiringConv(neuron(), Conv(wide, wide, kernel, groups=wide, bias=False))
        self.reduce = FiringConv(neuron(), Conv(wide, dim, 1, bias=False))

    def forward(self, x: Maps) -> Maps:
        return in_sequence(x, self.expand, self.depth, self.reduce)


class ConvBlock(nn.Module):
    """`x += SepConv(x); x += ChannelConv(x)` on a real residual stream (E-SpikeFormer, Eq. 8, 9, 11).

    ChannelConv: C -> 4C -> C, two 3x3 convolutions with neurons in front of each.

    Args:
        dim: channels C.
        separable: whether there is a SepConv, of kernel 7 (base sizes; the published large sizes have none).
        bias: whether the two 3x3 convolutions have a bias (large sizes).
        neuron: makes one population's neurons.
    """

    def __init__(self, dim: int, separable: bool, bias: bool, neuron: Callable[[], Neuron]):
        super().__init__()
        self.sep = SepConv(dim, 7, neuron) if separable else None
        self.expand = FiringConv(neuron(), Conv(dim, 4 * dim, 3, bias=bias))
        self.reduce = FiringConv(neuron(), Conv(4 * dim, dim, 3, bias=bias))

    def forward(self, x: Maps) -> Maps:
        if self.sep is not None:
            x = added(x, self.sep(x))
        return added(x, in_sequence(x, self.expand, self.reduce))


class ConvStage(nn.Module):
    """Blocks, then neurons, conv 3x3, normalisation to the next width."""

    def __init__(self, blocks: list[ConvBlock], down: FiringConv):
        super().__init__()
        self.blocks, self.down = nn.Sequential(*blocks), down

    def forward(self, x: Maps) -> Float[Tensor, "T #B c h w"]:
        return self.down(self.blocks(x))


class ConvStem(Part):
    """The convolutional half of E-SpikeFormer (sec. 3.3, Fig. 4): an image to currents on the grid of the tokens.

    conv 7x7 and normalisation of the image itself; then stages of `ConvBlock`s.

    Args:
        in_channels: of the input.
        widths: after the first convolution and after each stage.
        strides: of the first convolution and of the one behind each stage.
        blocks: `ConvBlock`s in each stage.
        real: whether the input is real (an image) and not counts (events).
        separable, bias: of the blocks.
        neuron: makes one population's neurons.
    """

    def __init__(
        self,
        in_channels: int,
        widths: tuple[int, ...],
        strides: tuple[int, ...],
        blocks: tuple[int, ...],
        *,
        real: bool,
        separable: bool,
        bias: bool,
        neuron: Callable[[], Neuron],
    ):
        super().__init__()
        self.conv = Conv(in_channels, widths[0], 7, stride=strides[0], real=real)
        self.norm = Norm(widths[0])
        self.stages = nn.Sequential(
            *(
                ConvStage(
                    [ConvBlock(dim, separable, bias, neuron) for _ in range(number)],
                    FiringConv(neuron(), Conv(dim, wider, 3, stride=stride, bias=True)),
                )
                for (dim, wider), stride, number in zip(pairwise(widths), strides[1:], blocks, strict=True)
            )
        )

    def forward(self, x: Float[Tensor, "*#TB C H W"], steps: int | None) -> Float[Tensor, "T #B c h w"]:
        """`steps`: for how many an image is shown; its first current is the same at every step, computed once."""
        x = self.norm(self.conv(x))
        if steps is not None:
            x = x.expand(steps, *x.shape)
        return self.stages(x)
