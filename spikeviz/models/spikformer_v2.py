"""Spikformer V2 (paper, sec. 4): the encoder of Spikformer behind a spiking convolutional stem (SCS)."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from spikeviz.models.spec import SOPS_ALONE
from spikeviz.models.spikformer import LAYOUTS, Block, SpikformerConfig
from spikeviz.nn.attention import Attention
from spikeviz.nn.intake import Intake
from spikeviz.nn.layers import Head, numbered
from spikeviz.nn.stems import SCS, Residual
from spikeviz.probe import Blocks, tuned


@dataclass(frozen=True)
class SpikformerV2Config:
    """One Spikformer V2.

    stages: blocks of the stem, each halves the grid; four as published. residual: "add", or "iand" for spikes that are
    binary everywhere (Table 6). attention, real_v: what SSA is compared with. mean, std: what the training images are
    normalised by.
    """

    depth: int
    dim: int
    heads: int
    num_classes: int
    in_channels: int
    image_size: int | None
    time_steps: int
    mlp_ratio: int = 4
    stages: int = 4
    residual: Residual = "add"
    attention: Attention = "ssa"
    real_v: bool = False
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("depth", "dim", "heads", "num_classes", "in_channels", "time_steps", "mlp_ratio", "stages"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.residual not in ("add", "iand"):
            raise ValueError(f"residual is 'add' or 'iand', not {self.residual!r}.")

    @property
    def encoder(self) -> SpikformerConfig:
        """The blocks are those of Spikformer's ImageNet layout."""
        shared = ("depth", "dim", "heads", "num_classes", "in_channels", "image_size", "time_steps", "mlp_ratio")
        values = {name: getattr(self, name) for name in (*shared, "attention", "real_v")}
        return SpikformerConfig("imagenet", **values)


class Encoder(nn.Module):
    """Stem and blocks: an image to tokens of spikes on their grid, without a head."""

    def __init__(self, config: SpikformerV2Config):
        super().__init__()
        layout = LAYOUTS["imagenet"]
        real = config.in_channels != 2  # two channels are events, OFF and ON
        self.intake = Intake(config.in_channels, config.image_size, 2**config.stages, config.mean, config.std)
        self.stem = SCS(config.in_channels, config.dim, real, config.residual, config.stages)
        numbered(self.stem)
        self.blocks = Blocks(Block(config.encoder, layout, residual=config.residual) for _ in range(config.depth))

    def tokens(self, x: Float[Tensor, "*#TB C H W"], steps: int) -> Float[Tensor, "T B D h w"]:
        """`steps`: for how many an image is shown; event frames bring their own."""
        x = self.intake(x)
        x = self.stem(x, steps if x.ndim == 4 else None)
        for block in self.blocks:
            x = block(x)
        return x


class SpikformerV2(Encoder):
    """`model(x) -> logits per step [T, B, K]`.

    x: images `[B, C, H, W]`, which are shown for `time_steps` steps, or event frames `[T, B, 2, H, W]`.
    """

    paper_energy = SOPS_ALONE

    def __init__(self, config: SpikformerV2Config):
        super().__init__(config)
        self.config, self.time_steps = config, config.time_steps
        self.head = Head(config.dim, config.num_classes)

    def forward(self, x: Float[Tensor, "*#TB C H W"]) -> Float[Tensor, "T B K"]:
        steps = tuned(time_steps=self.time_steps)["time_steps"]
        return self.head(self.tokens(x, steps).mean((-2, -1)))
