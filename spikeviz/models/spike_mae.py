"""Masked autoencoders of spiking encoders: Spikformer V2 (sec. 4.2) and E-SpikeFormer (sec. 3.4).

Hidden patches are left out of every convolution and normalisation of the encoder (`spikeviz.nn.sparse`), so that
nothing of them reaches the tokens; a small ordinary transformer guesses them. Attention without softmax adds nothing
for tokens that are silent, so that an encoder on the whole grid computes what one on the visible tokens alone does.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from math import prod
from typing import Literal, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from spikeviz.models.espikeformer import ESpikeFormer, ESpikeFormerConfig
from spikeviz.models.spikformer_v2 import Encoder, SpikformerV2Config
from spikeviz.nn.decoder import Decoder, patchify, unpatchify
from spikeviz.nn.intake import Intake
from spikeviz.nn.layers import Norm, allow_sparse, numbers
from spikeviz.nn.sparse import spread, visible
from spikeviz.probe import Probe, tuned

EPSILON = 1e-6  # of the spread of a patch


@dataclass(frozen=True)
class MAEConfig:
    """One autoencoder.

    encoder: of Spikformer V2 or E-SpikeFormer, with the image's size and statistics. decoder_dim, decoder_depth,
    decoder_heads: of the transformer. ratio: of hidden patches in pretraining. target: "pixels", normalised by the data
    set's statistics, or "patches", each by its own mean and spread, as in both papers. sparse: False runs ordinary
    convolutions on the masked image, which leak.
    """

    encoder: SpikformerV2Config | ESpikeFormerConfig
    decoder_dim: int = 256
    decoder_depth: int = 4
    decoder_heads: int = 4
    ratio: float = 0.75
    target: Literal["pixels", "patches"] = "pixels"
    sparse: bool = True

    def __post_init__(self) -> None:
        if self.target not in ("pixels", "patches"):
            raise ValueError(f"target is 'pixels' or 'patches', not {self.target!r}.")
        if not 0 < self.ratio < 1:
            raise ValueError(f"ratio lies between 0 and 1, not at {self.ratio}.")
        if self.encoder.image_size is None or self.encoder.image_size % self.patch:
            raise ValueError(f"image_size {self.encoder.image_size} is not a multiple of the patch, {self.patch}.")

    @property
    def patch(self) -> int:
        """Pixels along a side of a patch: the stride of the encoder."""
        return 2**self.encoder.stages if isinstance(self.encoder, SpikformerV2Config) else prod(self.encoder.strides)

    @property
    def grid(self) -> int:
        """Patches along a side."""
        return self.image_size // self.patch

    @property
    def dim(self) -> int:
        """Channels of a token."""
        return self.encoder.dim if isinstance(self.encoder, SpikformerV2Config) else self.encoder.widths[-1]

    @property
    def in_channels(self) -> int:
        return self.encoder.in_channels

    @property
    def image_size(self) -> int:
        return cast(int, self.encoder.image_size)  # an encoder without one is refused above

    @property
    def time_steps(self) -> int:
        return self.encoder.time_steps

    @property
    def depth(self) -> int:
        return self.encoder.depth


class SpikeMAE(nn.Module):
    """`model(x) -> reconstruction [1, B, C, H, W]`, on the grid of x and in the image's own units.

    x: images `[B, C, H, W]`. What is hidden is decided at the place `patches` (`HidePatches`); nothing is, unless
    somebody does. The tracks `mask` (True = kept) and `reconstruction` are on the grid of x.
    """

    def __init__(self, config: MAEConfig):
        super().__init__()
        self.config, self.time_steps = config, config.time_steps
        if isinstance(config.encoder, SpikformerV2Config):
            self.encoder: Encoder | ESpikeFormer = allow_sparse(Encoder(config.encoder))
            self.norm = None
        else:
            self.encoder = allow_sparse(ESpikeFormer(config.encoder, classifies=False))
            self.norm = allow_sparse(Norm(config.dim))
        size = config.patch**2 * config.in_channels
        shape = (config.decoder_dim, config.decoder_depth, config.decoder_heads)
        self.decoder = Decoder(config.dim, size, (config.grid, config.grid), *shape)
        self.patches = Probe("mask", ("B", "1", "h", "w"))
        self.mask = Probe("mask", ("B", "1", "H", "W"))
        self.reconstruction = Probe("feature", ("B", "C", "H", "W"))

    @property
    def intake(self) -> Intake:
        return self.encoder.intake

    def forward(self, x: Float[Tensor, "#B C H W"]) -> Float[Tensor, "1 #B C H W"]:
        if x.ndim != 4:
            raise ValueError(f"an autoencoder takes images [B, C, H, W], not a tensor {list(x.shape)}.")
        side = self.config.grid
        kept = self.patches(torch.ones(len(x), 1, side, side, dtype=torch.bool, device=x.device))
        self.mask(self._onto(spread(kept, *2 * (self.config.image_size,)), x))
        pixels = unpatchify(self.in_units(self.predict(x, kept), x), self.config.patch, side)
        return self.reconstruction(self._onto(pixels, x))[None]

    def tokens(self, x: Float[Tensor, "#B C H W"], kept: Bool[Tensor, "#B 1 h w"]) -> Float[Tensor, "#B N D"]:
        """What the encoder says of the visible patches, mean over T, raster order; zero of the hidden ones."""
        steps = tuned(time_steps=self.time_steps)["time_steps"]
        if not self.config.sparse:
            x = self._hidden(x, kept)
        with visible(kept) if self.config.sparse else nullcontext():
            tokens = self.encoder.tokens(x, steps)
            tokens = tokens if self.norm is None else self.norm(tokens)
        return (tokens.mean(0) * kept).flatten(2).mT

    def predict(self, x: Float[Tensor, "#B C H W"], kept: Bool[Tensor, "#B 1 h w"]) -> Float[Tensor, "#B N P"]:
        """Every patch, in the units of the target."""
        return self.decoder(self.tokens(x, kept), kept.flatten(1))

    def target(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B N P"]:
        """What every patch should be."""
        patches = patchify(self.intake(x), self.config.patch)
        if self.config.target == "pixels":
            return patches
        mean, variance = patches.mean(-1, keepdim=True), patches.var(-1, keepdim=True)
        return (patches - mean) / (variance + EPSILON).sqrt()

    def loss(self, x: Float[Tensor, "B C H W"], kept: Bool[Tensor, "B 1 h w"]) -> Float[Tensor, ""]:
        """Mean squared error over the hidden patches alone (E-SpikeFormer, Eq. 14); 0 if none is hidden."""
        hidden = ~kept.flatten(1)
        error = (self.predict(x, kept) - self.target(x)).square().mean(-1)
        return (error * hidden).sum() / hidden.sum().clamp_min(1)

    def in_units(self, patches: Float[Tensor, "#B N P"], x: Float[Tensor, "#B C H W"]) -> Float[Tensor, "#B N P"]:
        """Predicted patches in the image's own units.

        With the target "patches" every patch borrows mean and spread from the original, hidden ones too: such a picture
        shows structure, and says nothing about how well a hidden patch was guessed.
        """
        if self.config.target == "patches":
            original = patchify(self.intake(x), self.config.patch)
            variance = original.var(-1, keepdim=True)
            patches = patches * (variance + EPSILON).sqrt() + original.mean(-1, keepdim=True)
        if self.intake.mean is None or self.intake.std is None:
            return patches
        mean, std = (
            numbers(value, patches).repeat(self.config.patch**2) for value in (self.intake.mean, self.intake.std)
        )
        return patches * std + mean

    def _hidden(self, x: Float[Tensor, "#B C H W"], kept: Bool[Tensor, "#B 1 h w"]) -> Float[Tensor, "#B C H W"]:
        """The image with hidden patches at the mean of the data, which is 0 to the first convolution."""
        mask = self._onto(spread(kept, *2 * (self.config.image_size,)), x)
        mean = 0.0 if self.intake.mean is None else numbers(self.intake.mean, x).view(-1, 1, 1)
        return torch.where(mask, x, mean)

    def _onto(self, maps: Tensor, x: Tensor) -> Tensor:
        """From the network's grid to that of x: what `Intake.fit` did, undone."""
        height, width = x.shape[-2:]
        size = self.config.image_size
        if all(0.75 * size <= side <= size for side in (height, width)):
            top, left = (size - height) // 2, (size - width) // 2
            return maps[..., top : top + height, left : left + width]
        if maps.dtype == torch.bool:
            return interpolate(maps.float(), (height, width)) > 0.5
        return interpolate(maps, (height, width), mode="bilinear", antialias=True, align_corners=False)
