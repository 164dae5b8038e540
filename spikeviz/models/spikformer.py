"""Spikformer V1 (Spikformer V2 paper, sec. 3): SPS, SSA, MLP, in its three published layouts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spikeviz.models.spec import SOPS_ALONE, PaperEnergy
from spikeviz.nn.attention import SSA, Attention, Order
from spikeviz.nn.channel_masks import ChannelMask, Kept
from spikeviz.nn.intake import Intake
from spikeviz.nn.layers import Conv, Head, SpikingConv, numbered
from spikeviz.nn.neurons import LIF
from spikeviz.nn.stems import LPE, SPS, Residual, joined
from spikeviz.probe import Blocks, Part, tagged, tuned

Maps = Float[Tensor, "T #B C H W"]


@dataclass(frozen=True)
class Layout:
    """What differs between the three published files."""

    pools: tuple[int, ...]  # stem stages that a max-pooling follows
    qkv_bias: bool  # linear layers with bias, or convolutions without
    scale: float
    order: Order
    real: bool  # whether the input is real (images) or counts (events)


LAYOUTS = {
    "cifar": Layout(pools=(3, 4), qkv_bias=True, scale=0.125, order="(qk)v", real=True),
    "dvs": Layout(pools=(1, 2, 3, 4), qkv_bias=False, scale=0.25, order="(qk)v", real=False),
    "imagenet": Layout(pools=(1, 2, 3, 4), qkv_bias=False, scale=0.125, order="q(kv)", real=True),
}


@dataclass(frozen=True)
class SpikformerConfig:
    """One Spikformer.

    layout: "cifar", "dvs" or "imagenet". image_size None takes every size (published checkpoints). mean, std: what the
    training images are normalised by. pools: instead of the layout's own (a demo size may shrink earlier). attention,
    real_v: what SSA is compared with (`spikeviz.nn.attention.SSA`).
    """

    layout: str
    depth: int
    dim: int
    heads: int
    num_classes: int
    in_channels: int
    image_size: int | None
    time_steps: int
    mlp_ratio: int = 4
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    pools: tuple[int, ...] | None = None
    attention: Attention = "ssa"
    real_v: bool = False

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout is one of {', '.join(LAYOUTS)}, not {self.layout!r}.")
        for name in ("depth", "dim", "heads", "num_classes", "in_channels", "time_steps", "mlp_ratio"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")


class MLP(nn.Module):
    """Two layers of neurons: D -> ratio * D -> D, both with bias (Spikformer V2, Eq. 5).

    masked, kept: the hidden layer has a learned channel mask, or only these channels (SDMFormer).
    """

    def __init__(self, dim: int, ratio: int, masked: bool = False, kept: tuple[int, ...] | None = None):
        super().__init__()
        wide = ratio * dim if kept is None else len(kept)
        self.hidden = tagged(SpikingConv(Conv(dim, wide, 1, bias=True), LIF()), "MLP hidden")
        self.out = SpikingConv(Conv(wide, dim, 1, bias=True), LIF())
        self.mask = ChannelMask(wide, 2 * dim, site="MLP", made_by=("hidden",), read_by="out") if masked else None
        if kept is not None:
            self.register_buffer("kept", torch.tensor(kept, dtype=torch.long))

    def forward(self, x: Maps) -> Maps:
        return self.out(self.hidden(x, mask=self.mask))


class Block(Part):
    """`x += SSA(x); x += MLP(x)`: sums of spikes, 0, 1, 2, ... (Spikformer V2, Eq. 4, 5); with IAND spikes."""

    def __init__(
        self,
        config: SpikformerConfig,
        layout: Layout,
        masked: bool = False,
        kept: Kept | None = None,
        residual: Residual = "add",
    ):
        super().__init__()
        self.residual: Residual = residual
        real = (config.attention, config.real_v)
        self.attn = SSA(config.dim, config.heads, layout.scale, layout.order, layout.qkv_bias, masked, kept, *real)
        self.mlp = MLP(config.dim, config.mlp_ratio, masked, kept and kept.hidden)

    def forward(self, x: Maps) -> Maps:
        x = joined(x, self.attn(x), self.residual)
        return joined(x, self.mlp(x), self.residual)


class Spikformer(nn.Module):
    """`model(x) -> logits per step [T, B, K]`.

    x: images `[B, C, H, W]`, which are shown for `time_steps` steps, or event frames `[T, B, 2, H, W]`, which bring
    their own T. The logits of the published models are the mean over T.

    lpe, masked, kept: what an SDMFormer has in addition (`spikeviz.models.sdmformer`).
    """

    paper_energy: PaperEnergy = SOPS_ALONE

    def __init__(
        self,
        config: SpikformerConfig,
        *,
        lpe: LPE | None = None,
        masked: bool = False,
        kept: tuple[Kept, ...] | None = None,
    ):
        super().__init__()
        layout = LAYOUTS[config.layout]
        pools = layout.pools if config.pools is None else config.pools
        self.config, self.time_steps = config, config.time_steps
        self.intake = Intake(config.in_channels, config.image_size, 2 ** len(pools), config.mean, config.std)
        self.stem = SPS(config.in_channels, config.dim, pools, layout.real, lpe)
        numbered(*self.stem.stages[1:], self.stem.rpe)
        blocks = kept or (None,) * config.depth
        self.blocks = Blocks(Block(config, layout, masked, channels) for channels in blocks)
        self.head = Head(config.dim, config.num_classes)

    def forward(self, x: Float[Tensor, "*#TB C H W"]) -> Float[Tensor, "T B K"]:
        x = self.intake(x)
        steps = tuned(time_steps=self.time_steps)["time_steps"] if x.ndim == 4 else None
        x = self.stem(x, steps)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((-2, -1)))
