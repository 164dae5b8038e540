"""Masked Spiking Transformer (MST): a Swin trained with QCFS, which becomes a spiking network (paper, sec. 3; code).

As published, three things stay real-valued in the spiking network: the residual stream, the softmax of the attention
with its position bias, and the normalisation of what flows on the stream. The paper's Eq. 6 and 7 show none of them;
the variant `softmax=False` is their stricter form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from spikeviz.models.spec import ALPHA
from spikeviz.nn.intake import Intake
from spikeviz.nn.layers import Conv, Head, Norm, Population
from spikeviz.nn.neurons import Neuron
from spikeviz.nn.qcfs import QCFS, ConvertedIF
from spikeviz.nn.windows import SpikingLinear, WindowAttention
from spikeviz.probe import Blocks, Part, tagged, tuned
from spikeviz.unread import Scale

Maps = Float[Tensor, "T #B C H W"]


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
        return Conv(inputs, outputs, 1, bias=bias, real=real, levels=not self.spiking)


class TokenNorm(nn.LayerNorm):
    """Layer normalisation over the channels of every place."""

    def forward(self, x: Float[Tensor, "*#TB C H W"]) -> Float[Tensor, "*#TB C H W"]:
        return super().forward(x.movedim(-3, -1)).movedim(-1, -3)


class SpikingNorm(Population):
    """Normalisation, neurons."""

    def __init__(self, norm: nn.Module, neuron: Neuron):
        super().__init__(neuron)
        self.norm = norm

    def forward(self, x: Maps) -> Maps:
        norm = self.norm.fixed if isinstance(self.norm, Norm) else None
        return super().forward(self.norm(x) if norm is None else x, norm=norm)


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
        tagged(self.hidden, "MLP hidden")

    def forward(self, x: Maps, scale: Scale) -> Maps:
        return self.out(self.hidden(x, scale), self.hidden.scale)


class PatchMerging(SpikingLinear):
    """Four neighbours become one token of twice the channels: normalisation, linear layer, neurons."""

    def __init__(self, config: MSTConfig, dim: int):
        super().__init__(config.conv(4 * dim, 2 * dim, bias=False, real=True), config.neuron())
        self.before = config.normalisation(4 * dim)

    def forward(self, x: Maps) -> Float[Tensor, "T #B c h w"]:
        x = rearrange(x, "t b c (h p) (w q) -> t b (q p c) h w", p=2, q=2)
        return super().forward(self.before(x))


class Block(Part):
    """`y = x + attn(act(norm(x))); z = norm(y); out = z + mlp(act(z))`: the second residual starts from z (code).

    The first block of a later stage merges patches before.
    """

    def __init__(self, config: MSTConfig, stage: int, number: int):
        super().__init__()
        dim, grid = config.width(stage), config.grid(stage)
        self.merge = PatchMerging(config, dim // 2) if stage and not number else None
        shift = config.window // 2 if number % 2 and grid > config.window else 0
        self.input = SpikingNorm(config.normalisation(dim), config.neuron())
        self.attn = WindowAttention(
            dim,
            config.heads[stage],
            grid,
            config.window,
            shift,
            config.neuron,
            spiking=config.spiking,
            softmax=config.softmax,
        )
        self.norm, self.middle = config.normalisation(dim), Population(config.neuron())
        self.mlp = MLP(config, dim)

    def forward(self, x: Maps) -> Float[Tensor, "T #B c h w"]:
        if self.merge is not None:
            x = self.merge(x)
        x = x + self.attn(self.input(x), self.input.scale)
        norm = self.norm.fixed if isinstance(self.norm, Norm) else None
        x = self.norm(x) if norm is None else norm.over_own(x)
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
        self.paper_energy = ALPHA if config.spiking else None
        size, stride = (config.image_size, config.patch) if config.fits else (None, config.image_size)
        self.intake = Intake(config.in_channels, size, stride, config.mean, config.std)
        channels = 3 if config.frames else config.in_channels
        self.reduce = Conv(2 * config.frames, channels, 1, real=True) if config.frames else None
        stem = Conv(channels, config.dim, config.patch, stride=config.patch, padding=0, real=True)
        self.stem = SpikingLinear(stem, config.neuron(), config.normalisation(config.dim))
        self.blocks = Blocks(
            Block(config, stage, number) for stage, depth in enumerate(config.depths) for number in range(depth)
        )
        self.norm = TokenNorm(config.width(len(config.depths) - 1))
        self.head = Head(config.width(len(config.depths) - 1), config.num_classes)

    def forward(self, x: Float[Tensor, "*#TB C H W"]) -> Float[Tensor, "T B K"]:
        x = self.intake(x)
        if self.reduce is not None:
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
