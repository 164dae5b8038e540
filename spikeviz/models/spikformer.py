"""Spikformer V1 (Spikformer V2 paper, sec. 3): SPS, SSA, MLP, in its three published layouts."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from spikeviz.nn.attention import SSA, Order
from spikeviz.nn.layers import Conv, Head, Intake, SpikingConv
from spikeviz.nn.neurons import LIF
from spikeviz.nn.stems import SPS
from spikeviz.probe import tuned

Maps = Float[Tensor, "T B C H W"]


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
    training images are normalised by. pools: instead of the layout's own (a demo size may shrink earlier).
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

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout is one of {', '.join(LAYOUTS)}, not {self.layout!r}.")
        for name in ("depth", "dim", "heads", "num_classes", "in_channels", "time_steps", "mlp_ratio"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")


class MLP(nn.Module):
    """Two layers of neurons: D -> ratio * D -> D, both with bias (Spikformer V2, Eq. 5)."""

    def __init__(self, dim: int, ratio: int):
        super().__init__()
        self.hidden = SpikingConv(Conv(dim, ratio * dim, 1, bias=True), LIF())
        self.out = SpikingConv(Conv(ratio * dim, dim, 1, bias=True), LIF())

    def forward(self, x: Maps) -> Maps:
        return self.out(self.hidden(x))


class Block(nn.Module):
    """`x += SSA(x); x += MLP(x)`: sums of spikes, 0, 1, 2, ... (Spikformer V2, Eq. 4, 5)."""

    def __init__(self, config: SpikformerConfig, layout: Layout):
        super().__init__()
        self.attn = SSA(config.dim, config.heads, layout.scale, layout.order, layout.qkv_bias)
        self.mlp = MLP(config.dim, config.mlp_ratio)

    def forward(self, x: Maps) -> Maps:
        x = x + self.attn(x)
        return x + self.mlp(x)


class Spikformer(nn.Module):
    """`model(x) -> logits per step [T, B, K]`.

    x: images `[B, C, H, W]`, which are shown for `time_steps` steps, or event frames `[T, B, 2, H, W]`, which bring
    their own T. The logits of the published models are the mean over T.
    """

    def __init__(self, config: SpikformerConfig):
        super().__init__()
        layout = LAYOUTS[config.layout]
        pools = layout.pools if config.pools is None else config.pools
        self.config, self.time_steps = config, config.time_steps
        self.intake = Intake(config.in_channels, config.image_size, 2 ** len(pools), config.mean, config.std)
        self.stem = SPS(config.in_channels, config.dim, pools, layout.real)
        self.blocks = nn.ModuleList(Block(config, layout) for _ in range(config.depth))
        self.head = Head(config.dim, config.num_classes)

    def forward(self, x: Float[Tensor, "*TB C H W"]) -> Float[Tensor, "T B K"]:
        x = self.intake(x)
        steps = tuned(time_steps=self.time_steps)["time_steps"] if x.ndim == 4 else None
        x = self.stem(x, steps)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((-2, -1)))
