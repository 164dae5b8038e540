"""Spiking self-attention: of binary spikes (SSA), with what SSA was compared with, and of integers (SDSA)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu

from spikeviz.axes import MAPS, SCORES
from spikeviz.nn.channel_masks import ChannelMask, Kept, Spread
from spikeviz.nn.layers import Conv, FiringConv, Norm, Population, Product, RepConv, SpikingConv
from spikeviz.nn.neurons import LIF, Neuron
from spikeviz.probe import Probe, tagged
from spikeviz.unread import Scale

Order = Literal["(qk)v", "q(kv)"]
Attention = Literal["ssa", "identity", "relu", "leaky-relu", "softmax"]
REAL: dict[str, Callable[[Tensor], Tensor]] = {  # what queries and keys go through where they are no spikes
    "identity": lambda x: x,
    "relu": relu,
    "leaky-relu": leaky_relu,
    "softmax": lambda x: x,
}
Maps = Float[Tensor, "T #B C H W"]
Values = Float[Tensor, "T #B c H W"]  # of as many channels as v has


class SpikeAttention(nn.Module):
    """`scale * q k^T v` of spikes, in either order, with the scores as a place one can look at and edit.

    `order` is what the published code computes and what operations are counted by. In the order q(kv) the scores are
    formed only where somebody looks at or edits them; looking changes no bit of what flows on.

    Args:
        dim: channels C of q and k.
        heads: must divide `dim`.
        scale: of the product.
        order: "(qk)v" costs N^2 C, "q(kv)" costs N C^2 / heads.
        spikes: whether q and k, and whether v, are spikes; real numbers are counted as such.
    """

    def __init__(self, dim: int, heads: int, scale: float, order: Order, spikes: tuple[bool, bool] = (True, True)):
        super().__init__()
        if heads < 1 or dim % heads:
            raise ValueError(f"dim {dim} is not divisible by heads {heads}.")
        self.heads, self.scale, self.order = heads, scale, order
        qk, v = spikes
        if order == "(qk)v":
            self.qk, self.av = Product(left=qk, right=qk), Product(left=False, right=v)
        else:
            self.kv, self.qa = Product(left=qk, right=v), Product(left=qk, right=False)
        self.match = Probe("feature", SCORES, counts=False, role="match")
        self.scores = Probe("scores", SCORES, site="scores", whole=qk)  # coincidences
        self.added = Probe("feature", MAPS, counts=False, role="branch")

    def weigh(self, scores: Float[Tensor, "T B heads N N"]) -> Float[Tensor, "T B heads N N"]:
        """What the scores become before they meet v."""
        return scores

    def attend(self, q: Maps, k: Maps, v: Values, scales: tuple[Scale, Scale, Scale] = (1.0, 1.0, 1.0)) -> Values:
        """`scales` are the values of one spike of q, k and v; the output has the channels of v."""
        height, one = q.shape[-2], self.scale * scales[0] * scales[1]  # what one coincidence is worth
        q, k, v = (rearrange(x, "t b (heads d) h w -> t b heads (h w) d", heads=self.heads) for x in (q, k, v))
        if self.order == "(qk)v":
            scores = self.match(self.qk(q, k.mT, scales[:2]))
            scores = self.weigh(scores * self.scale if torch.is_grad_enabled() else scores.mul_(self.scale))
            y = self.av(self.scores(scores, scale=one), v, (1.0, scales[2]))
        else:
            y = self.qa(q, self.kv(k.mT, v, scales[1:]), (scales[0], 1.0)) * self.scale
            if self.match.wanted or self.scores.wanted:
                product = q @ k.mT
                match = self.match(product)
                scores = match * self.scale
                edited = self.scores(scores, scale=one)
                y = y if match is product and edited is scores else edited @ v
        return rearrange(y, "t b heads (h w) d -> t b (heads d) h w", h=height)


class RealConv(nn.Module):
    """Convolution, normalisation, and no neurons: where the paper compares SSA with real-valued attention."""

    def __init__(self, conv: Conv, then: Callable[[Tensor], Tensor]):
        super().__init__()
        self.conv, self.norm, self.then = conv, Norm(conv.out_channels), then

    def forward(self, x: Maps, mask: nn.Module | None = None) -> Values:
        return self.then(self.norm(self.conv(x)))


class SSA(SpikeAttention):
    """Spiking self-attention (Spikformer V2, Eq. 11-13).

        SSA'(q, k, v) = LIF_0.5(scale * q k^T v),    SSA = LIF(BN(W SSA'))

    q, k, v are binary, so both orders of the product give the same bits and `scale`, a power of two, is exact wherever
    it stands.

    Args:
        dim, heads, order: of the attention.
        scale: 0.125 or 0.25 in the published layouts.
        qkv_bias: whether q, k, v have a bias.
        attention: how the attention map is made (Spikformer V2, Table 1): "ssa", or of real queries and keys: their
            product as it is, after ReLU or LeakyReLU of each, or with softmax as in Eq. 10. The map weighs spikes.
        real_v: whether v is real as well (Table 6, "w VSA V_F").
        masked: whether q and k share a learned channel mask and v has one (SDMFormer). A channel of v is one of the
            attention's output: without spikes there, neither fires.
        kept: of a pruned network, the channels it still has; else None.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        scale: float,
        order: Order,
        qkv_bias: bool,
        masked: bool = False,
        kept: Kept | None = None,
        attention: Attention = "ssa",
        real_v: bool = False,
    ):
        if attention not in ("ssa", *REAL):
            raise ValueError(f"attention is one of ssa, {', '.join(REAL)}, not {attention!r}.")
        soft, spiking = attention == "softmax", attention == "ssa"
        scale, order = ((dim / heads) ** -0.5 if soft else scale), ("(qk)v" if soft else order)
        super().__init__(dim, heads, scale, order, (spiking, not real_v))
        self.soft = soft
        if soft:
            self.av.softmax = True
        qk, v = (len(kept.qk), len(kept.v)) if kept else (dim, dim)

        def layer(channels: int, then: Callable[[Tensor], Tensor] | None) -> SpikingConv | RealConv:
            conv = Conv(dim, channels, 1, bias=qkv_bias)
            return SpikingConv(conv, LIF()) if then is None else RealConv(conv, then)

        self.q, self.k = (tagged(layer(qk, REAL.get(attention)), site) for site in ("q", "k"))
        self.v = tagged(layer(v, REAL["identity"] if real_v else None), "v")
        self.out = Population(LIF(threshold=0.5))
        self.proj = SpikingConv(Conv(v, dim, 1, bias=True), LIF())
        # a channel costs its weights in q and in k; one of v those that make it and those of proj that read it
        self.mask_qk = ChannelMask(dim, 2 * dim, site="Q/K", made_by=("q", "k")) if masked else None
        self.mask_v = ChannelMask(dim, 2 * dim, site="V", made_by=("v",), read_by="proj") if masked else None
        self.spread_qk = Spread(kept.qk, dim, heads) if kept else None
        self.spread_v = Spread(kept.v, dim, heads) if kept else None

    def weigh(self, scores: Float[Tensor, "T B heads N N"]) -> Float[Tensor, "T B heads N N"]:
        return scores.softmax(-1) if self.soft else scores

    def forward(self, x: Maps) -> Maps:
        q, k, v = self.q(x, mask=self.mask_qk), self.k(x, mask=self.mask_qk), self.v(x, mask=self.mask_v)
        if self.spread_qk is None or self.spread_v is None:
            return self.added(self.proj(self.out(self.attend(q, k, v))))
        y = self.attend(self.spread_qk(q), self.spread_qk(k), self.spread_v(v))
        return self.added(self.proj(self.out(self.spread_v.gather(y))))


class SDSA(SpikeAttention):
    """Spike-driven self-attention on a real residual stream (E-SpikeFormer, sec. 3.3, E-SDSA).

        S = SN(U),  Q, K, V = SN(BN(W S)),  out = BN(W SN(scale * Q K^T V))

    In the base sizes W is a 1x1 convolution, V has 4 C channels, and scale is 2 (C / heads)^-0.5: the 2 stands in the
    code and not in the paper. In the large sizes W is a `RepConv` of 1.5 C, V has C channels, and scale is 0.125.

    Args:
        dim: channels C of the stream.
        heads, scale, order: of the attention.
        neuron: makes one population's neurons.
        v_ratio: channels of V over C.
        rep: whether every W is a `RepConv`.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        scale: float,
        order: Order,
        neuron: Callable[[], Neuron],
        *,
        v_ratio: int = 1,
        rep: bool = False,
    ):
        super().__init__(dim, heads, scale, order)

        def weights(c_in: int, c_out: int) -> Conv | RepConv:
            return RepConv(c_in, c_in * 3 // 2, c_out) if rep else Conv(c_in, c_out, 1, bias=False)

        self.input = Population(neuron())
        self.q, self.k = (tagged(SpikingConv(weights(dim, dim), neuron()), site) for site in ("q", "k"))
        self.v = tagged(SpikingConv(weights(dim, v_ratio * dim), neuron()), "v")
        self.out = FiringConv(neuron(), weights(v_ratio * dim, dim))

    def forward(self, x: Maps) -> Maps:
        spikes, scale = self.input(x), self.input.scale
        q, k, v = (layer(spikes, scale=scale) for layer in (self.q, self.k, self.v))
        return self.added(self.out(self.attend(q, k, v, (self.q.scale, self.k.scale, self.v.scale))))
