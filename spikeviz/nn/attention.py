"""Spiking self-attention."""

from __future__ import annotations

from typing import Literal

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from spikeviz.axes import SCORES
from spikeviz.nn.layers import Population, Product, SpikingConv
from spikeviz.nn.neurons import LIF
from spikeviz.probe import Probe

Order = Literal["(qk)v", "q(kv)"]
Maps = Float[Tensor, "T B C H W"]


class SSA(nn.Module):
    """Spiking self-attention without softmax (Spikformer V2, Eq. 11-13).

        SSA'(q, k, v) = LIF_0.5(scale * q k^T v),    SSA = LIF(BN(W SSA'))

    q, k, v are binary, so both orders of the product give the same bits and `scale`, a power of two, is exact wherever
    it stands. `order` is what the published code computes and what operations are counted by. In the order q(kv) the
    scores are formed only where somebody looks at or edits them.

    Args:
        dim: channels C.
        heads: must divide `dim`.
        scale: 0.125 or 0.25 in the published layouts.
        order: "(qk)v" costs N^2 C, "q(kv)" costs N C^2 / heads.
        qkv_bias: whether q, k, v have a bias.
    """

    def __init__(self, dim: int, heads: int, scale: float, order: Order, qkv_bias: bool):
        super().__init__()
        if heads < 1 or dim % heads:
            raise ValueError(f"dim {dim} is not divisible by heads {heads}.")
        self.heads, self.scale, self.order = heads, scale, order
        self.q, self.k, self.v = (SpikingConv(dim, dim, 1, LIF(), bias=qkv_bias) for _ in range(3))
        if order == "(qk)v":
            self.qk, self.av = Product(left=True, right=True), Product(left=False, right=True)
        else:
            self.kv, self.qa = Product(left=True, right=True), Product(left=True, right=False)
        self.scores = Probe("scores", SCORES)
        self.out = Population(LIF(threshold=0.5))
        self.proj = SpikingConv(dim, dim, 1, LIF(), bias=True)

    def forward(self, x: Maps) -> Maps:
        q, k, v = (self.split(layer(x)) for layer in (self.q, self.k, self.v))
        if self.order == "(qk)v":
            y = self.av(self.scores(self.qk(q, k.mT) * self.scale), v)
        elif self.scores.wanted:
            y = self.scores((q @ k.mT) * self.scale) @ v
            self.qa(q, self.kv(k.mT, v))  # the operations that are counted are those of the published order
        else:
            y = self.qa(q, self.kv(k.mT, v)) * self.scale
        return self.proj(self.out(self.join(y, x.shape[-2])))

    def split(self, x: Maps) -> Float[Tensor, "T B heads N d"]:
        return rearrange(x, "t b (heads d) h w -> t b heads (h w) d", heads=self.heads)

    def join(self, y: Float[Tensor, "T B heads N d"], height: int) -> Maps:
        return rearrange(y, "t b heads (h w) d -> t b (heads d) h w", h=height)
