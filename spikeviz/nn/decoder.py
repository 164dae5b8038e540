"""The decoder of a masked autoencoder: a small ordinary transformer, real-valued, thrown away after pretraining.

Spikformer V2, sec. 4.2, and E-SpikeFormer, sec. 3.4: 4 layers, width 256, 4 heads, a shared mask token, sine-cosine
positions on all tokens (He et al., "Masked autoencoders are scalable vision learners", CVPR 2022).
"""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import gelu

from spikeviz.nn.layers import Product
from spikeviz.probe import Probe

WIDER = 4  # times the width: the hidden layer of an MLP, as published

Tokens = Float[Tensor, "#B N C"]


def positions(dim: int, height: int, width: int) -> Float[Tensor, "N C"]:
    """Sine and cosine of row and column in C / 4 frequencies each, from 1 to 1 / 10,000; tokens in raster order.

    Raises:
        ValueError: if dim is not a multiple of 4.
    """
    if dim % 4:
        raise ValueError(f"positions need a width that is a multiple of 4, not {dim}.")
    here = torch.empty(0).device  # the default one; on the meta device torch imports its compiler to compute nothing
    with torch.device("cpu"):
        rates = 10_000.0 ** -(torch.arange(dim // 4, dtype=torch.float64) / (dim // 4))
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        parts = [axis.flatten()[:, None] * rates for axis in (columns, rows)]
        found = torch.cat([part for angle in parts for part in (angle.sin(), angle.cos())], 1).float()
    return found.to(here)


class Dense(nn.Linear):
    """A linear layer of real tokens; its input is a probe (`.input`): operations are counted from it."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True):
        super().__init__(inputs, outputs, bias)
        self.input = Probe("feature", ("B", "N", "C"), counts=False, role="operand")

    def forward(self, x: Tokens) -> Float[Tensor, "#B N c"]:
        return super().forward(self.input(x))


class DecoderBlock(nn.Module):
    """`x += attention(norm(x)); x += mlp(norm(x))`; no bias in q, k, v, as published."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        if dim % heads:
            raise ValueError(f"the decoder's width {dim} is not divisible by {heads} heads.")
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.qkv, self.proj = Dense(dim, 3 * dim, bias=False), Dense(dim, dim)
        self.qk, self.av = Product(left=False, right=False), Product(left=False, right=False, softmax=True)
        self.fc1, self.fc2 = Dense(dim, WIDER * dim), Dense(WIDER * dim, dim)

    def forward(self, x: Tokens) -> Tokens:
        q, k, v = rearrange(
            self.qkv(self.norm1(x)), "b n (three heads d) -> three b heads n d", three=3, heads=self.heads
        )
        y = self.av((self.qk(q, k.mT) * q.shape[-1] ** -0.5).softmax(-1), v)
        x = x + self.proj(rearrange(y, "b heads n d -> b n (heads d)"))
        return x + self.fc2(gelu(self.fc1(self.norm2(x))))


class Decoder(nn.Module):
    """Tokens of visible patches to the pixels of all patches.

    Token i of the encoder stands at place i of the grid, in raster order; hidden places hold the mask token. (The
    published code of E-SpikeFormer puts its tokens elsewhere; this is what the papers say.)

    Args:
        inputs: channels of the encoder's tokens.
        outputs: numbers of a patch, C p^2.
        grid: tokens along height and width.
        dim, depth, heads: of the transformer.
    """

    places: Tensor

    def __init__(
        self, inputs: int, outputs: int, grid: tuple[int, int], dim: int = 256, depth: int = 4, heads: int = 4
    ):
        super().__init__()
        self.embed = Dense(inputs, dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        if not self.mask_token.is_meta:  # there torch would import its compiler to draw nothing
            nn.init.normal_(self.mask_token, std=0.02)
        self.register_buffer("places", positions(dim, *grid), persistent=False)
        self.blocks = nn.ModuleList(DecoderBlock(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.predict = Dense(dim, outputs)

    def place(self, tokens: Tokens, kept: Bool[Tensor, "#B N"]) -> Float[Tensor, "#B N c"]:
        """What the first block gets: tokens or the mask token, and positions."""
        return torch.where(kept[..., None], self.embed(tokens), self.mask_token) + self.places

    def forward(self, tokens: Tokens, kept: Bool[Tensor, "#B N"]) -> Float[Tensor, "#B N P"]:
        x = self.place(tokens, kept)
        for block in self.blocks:
            x = block(x)
        return self.predict(self.norm(x))


def patchify(x: Float[Tensor, "B C H W"], patch: int) -> Float[Tensor, "B N P"]:
    """Squares of `patch` pixels in raster order; a patch is its rows, columns, channels (P = p p C)."""
    return rearrange(x, "b c (h p) (w q) -> b (h w) (p q c)", p=patch, q=patch)


def unpatchify(patches: Float[Tensor, "B N P"], patch: int, height: int) -> Float[Tensor, "B C H W"]:
    """The inverse of `patchify`; `height` is in patches."""
    return rearrange(patches, "b (h w) (p q c) -> b c (h p) (w q)", h=height, p=patch, q=patch)
