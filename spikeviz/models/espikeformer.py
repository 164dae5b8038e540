"""E-SpikeFormer (paper, sec. 3.3): convolutions, then self-attention, on a real residual stream; integer spikes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spikeviz.axes import VECTOR
from spikeviz.models.spec import FIRST_AND_SOPS
from spikeviz.nn.attention import SDSA, Order
from spikeviz.nn.intake import Intake
from spikeviz.nn.integers import IntegerIF, Rounding
from spikeviz.nn.layers import Conv, FiringConv, Head, Population, RepConv, added, in_sequence, numbered
from spikeviz.nn.neurons import LIF, Neuron
from spikeviz.nn.stems import ConvStem, SepConv
from spikeviz.probe import Blocks, Part, tagged, tuned

Maps = Float[Tensor, "T #B C H W"]
STAGES = 3  # of convolutions


@dataclass(frozen=True)
class Layout:
    """What differs between the published files."""

    separable: bool  # SepConv in every block, as in Fig. 4
    v_ratio: int  # channels of V over C
    order: Order
    scale: float | None  # of the attention; None is 2 (C / heads)^-0.5
    rounding: Rounding
    bias: bool  # of the 3x3 convolutions in the convolution blocks
    rep: bool  # the attention's weights are RepConvs, its branches are scaled by a learned LayerScale
    rep_branch: bool  # a RepConv branch of its own before the attention
    two_heads: bool  # head(mean) and head_kd(spikes of the mean), averaged; the second learned from a teacher


LAYOUTS = {
    "base": Layout(True, 4, "(qk)v", None, "half-even", bias=False, rep=False, rep_branch=False, two_heads=False),
    "large-rep": Layout(False, 1, "q(kv)", 0.125, "half-up", bias=True, rep=True, rep_branch=True, two_heads=True),
    "large": Layout(False, 1, "q(kv)", 0.125, "half-up", bias=True, rep=True, rep_branch=False, two_heads=True),
}


@dataclass(frozen=True)
class ESpikeFormerConfig:
    """One E-SpikeFormer.

    layout: "base" (t, s, m, l, 52m), "large-rep" (83m) or "large" (173m), which are not the paper's Fig. 4.
    widths: channels after the first convolution, of the three downsamplings and of every further stage of attention:
    3 + len(depths) numbers, the published first one is half of the second. depths: attention blocks in each of these
    stages. neuron: "integer" (SFA), or "lif", the vanilla binary network, whose D is 1. levels: D. strides: of the
    first convolution and of the three downsamplings. conv_blocks: in each of the three stages of convolutions.
    events: the input is event counts, not an image. image_size None takes every size (published checkpoints). mean,
    std: what the training images are normalised by.
    """

    layout: str
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    num_classes: int
    in_channels: int
    image_size: int | None
    time_steps: int = 1
    neuron: Literal["integer", "lif"] = "integer"
    levels: int = 4
    heads: int = 8
    mlp_ratio: int = 4
    strides: tuple[int, ...] = (2, 2, 2, 2)
    conv_blocks: tuple[int, ...] = (1, 1, 2)
    events: bool = False
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout is one of {', '.join(LAYOUTS)}, not {self.layout!r}.")
        if self.neuron not in ("integer", "lif"):
            raise ValueError(f"neuron is 'integer' or 'lif', not {self.neuron!r}.")
        if self.neuron == "lif" and self.levels != 1:
            raise ValueError(f"a binary network (neuron 'lif') has levels (D) 1, not {self.levels}.")
        for name in ("num_classes", "in_channels", "time_steps", "heads", "mlp_ratio"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        lengths = {"widths": STAGES + len(self.depths), "strides": STAGES + 1, "conv_blocks": STAGES}
        for name, length in lengths.items():
            if len(getattr(self, name)) != length:
                raise ValueError(f"{name} must be {length} numbers, not {getattr(self, name)}.")
        for name in ("widths", "depths", "strides", "conv_blocks"):
            if not getattr(self, name) or min(getattr(self, name)) < 1:
                raise ValueError(f"{name} must be whole numbers from 1, not {getattr(self, name)}.")

    @property
    def depth(self) -> int:
        """Attention blocks in all."""
        return sum(self.depths)

    def make_neuron(self) -> Neuron:
        """One population's neurons."""
        return LIF() if self.neuron == "lif" else IntegerIF(self.levels, LAYOUTS[self.layout].rounding)


class MLP(nn.Module):
    """C -> ratio C -> C, neurons in front of either layer, both with bias (E-SpikeFormer, ChannelMLP)."""

    def __init__(self, dim: int, config: ESpikeFormerConfig):
        super().__init__()
        wide = config.mlp_ratio * dim
        self.input = FiringConv(config.make_neuron(), Conv(dim, wide, 1, bias=True))
        self.hidden = tagged(FiringConv(config.make_neuron(), Conv(wide, dim, 1, bias=True)), "MLP hidden")

    def forward(self, x: Maps) -> Maps:
        return in_sequence(x, self.input, self.hidden)


class RepBranch(Population):
    """`RepConv(SN(x))`."""

    def __init__(self, dim: int, neuron: Neuron):
        super().__init__(neuron)
        self.conv = RepConv(dim, dim, dim)

    def forward(self, x: Maps) -> Maps:
        return self.conv(super().forward(x), self.scale)


class LayerScale(nn.Module):
    """A learned factor for each channel. It starts at 1e-6, as CaiT's does: the paper gives no value."""

    def __init__(self, dim: int):
        super().__init__()
        self.factor = nn.Parameter(torch.full((dim,), 1e-6))

    def forward(self, x: Maps) -> Maps:
        return x * self.factor[:, None, None]


class Block(Part):
    """`x += local(x); x += attn(x); x += mlp(x)` (E-SpikeFormer, sec. 3.3).

    local is a SepConv of kernel 3 (base), a RepConv (83m) or missing (173m); the large sizes scale the other two. The
    first block of a later stage widens what comes in from `narrow` to `dim` channels: neurons, conv 3x3, normalisation.
    """

    def __init__(self, dim: int, config: ESpikeFormerConfig, narrow: int | None = None):
        super().__init__()
        layout = LAYOUTS[config.layout]
        self.widen = FiringConv(config.make_neuron(), Conv(narrow, dim, 3, bias=True)) if narrow else None
        local = SepConv(dim, 3, config.make_neuron) if layout.separable else None
        self.local = RepBranch(dim, config.make_neuron()) if layout.rep_branch else local
        scale = 2 * (dim / config.heads) ** -0.5 if layout.scale is None else layout.scale
        neuron, order = config.make_neuron, layout.order
        self.attn = SDSA(dim, config.heads, scale, order, neuron, v_ratio=layout.v_ratio, rep=layout.rep)
        self.mlp = MLP(dim, config)
        self.scale_attn, self.scale_mlp = (LayerScale(dim) if layout.rep else nn.Identity() for _ in range(2))

    def forward(self, x: Maps) -> Float[Tensor, "T #B c H W"]:
        if self.widen is not None:
            x = self.widen(x)
        if self.local is not None:
            x = added(x, self.local(x))
        x = added(x, self.scale_attn(self.attn(x)))
        return added(x, self.scale_mlp(self.mlp(x)))


class ESpikeFormer(nn.Module):
    """`model(x) -> logits per step [T, B, K]`.

    x: images `[B, C, H, W]`, which are shown for `time_steps` steps (T = 1 where neurons fire integers: their D binary
    steps come out of one), or event frames `[T, B, 2, H, W]`, which bring their own T.

    classifies: False leaves out the heads and the neurons in front of them (an encoder).
    """

    paper_energy = FIRST_AND_SOPS

    def __init__(self, config: ESpikeFormerConfig, *, classifies: bool = True):
        super().__init__()
        layout, widths, neuron = LAYOUTS[config.layout], config.widths, config.make_neuron
        self.config, self.time_steps = config, config.time_steps
        self.intake = Intake(config.in_channels, config.image_size, prod(config.strides), config.mean, config.std)
        self.stem = ConvStem(
            config.in_channels,
            widths[: STAGES + 1],
            config.strides,
            config.conv_blocks,
            real=not config.events,
            separable=layout.separable,
            bias=layout.bias,
            neuron=neuron,
        )
        dims = widths[STAGES:]
        self.blocks = Blocks(
            Block(dim, config, narrow if number == 0 else None)
            for narrow, dim, depth in zip((None, *dims), dims, config.depths, strict=False)
            for number in range(depth)
        )
        blocks = [block for block in self.blocks if isinstance(block, Block)]
        numbered(self.stem.stages, *(part for block in blocks for part in (block.widen, block.local)))
        if not classifies:
            return
        self.readout = Population(neuron(), VECTOR)
        self.head = Head(dims[-1], config.num_classes, spikes=not layout.two_heads)
        self.head_kd = Head(dims[-1], config.num_classes, spikes=True) if layout.two_heads else None

    def forward(self, x: Float[Tensor, "*#TB C H W"]) -> Float[Tensor, "T B K"]:
        return torch.stack(self.logits(x)).mean(0)

    def tokens(self, x: Float[Tensor, "*#TB C H W"], steps: int) -> Float[Tensor, "T B c h w"]:
        """Currents on the grid of the tokens. `steps`: for how many an image is shown; event frames bring their own."""
        x = self.intake(x)
        x = self.stem(x, steps if x.ndim == 4 else None)
        for block in self.blocks:
            x = block(x)
        return x

    def logits(self, x: Float[Tensor, "*#TB C H W"]) -> tuple[Float[Tensor, "T B K"], ...]:
        """Of each head."""
        steps = tuned(time_steps=self.time_steps)["time_steps"]
        mean = self.tokens(x, steps).mean((-2, -1))
        spikes = self.readout(mean)
        if self.head_kd is None:
            return (self.head(spikes, self.readout.scale),)
        return self.head(mean), self.head_kd(spikes, self.readout.scale)
