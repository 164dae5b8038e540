"""Learned channel masks (SDMFormer, sec. 3.2). A reconstruction: the paper's equations are lost in the text we have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from spikeviz.probe import tuned


class Kept(NamedTuple):
    """The channels of a block that a pruned network still has, by their numbers in the whole one."""

    qk: tuple[int, ...]
    v: tuple[int, ...]
    hidden: tuple[int, ...]


SLOPE = 5.0  # of the sigmoid that a threshold is compared with: the values of m spread over 0 to 1
START = 0.3  # every m before training
TRAINED = 0.5  # the threshold that was trained with: m > 0


class ChannelMask(nn.Module):
    """A value m for each channel, which decides whether its spikes pass.

    Hard, in eval mode always: `s' = [sigmoid(5 m) > theta] s`. `MaskChannels` moves theta; 0.5 (m > 0) is the trained
    point, 0 keeps every channel. Soft, in train mode while `temperature` is a number: `s' = sigmoid(temperature m) s`.

    Args:
        channels: C.
        cost: weights that one channel costs, all that vanish with it.
        site: what is masked, in words.
        made_by: the layers whose spikes pass the mask, by their names beside it.
        read_by: the layer that reads its channels, and loses a column with each; "" where only products do.
    """

    def __init__(
        self,
        channels: int,
        cost: int,
        *,
        site: str = "",
        made_by: Sequence[str] = (),
        read_by: str = "",
    ):
        super().__init__()
        self.value = nn.Parameter(torch.full((channels,), START))
        self.cost = cost
        self.site, self.made_by, self.read_by = site, tuple(made_by), read_by
        self.temperature: float | None = None

    def forward(self, spikes: Float[Tensor, "T B C H W"]) -> Float[Tensor, "T B C H W"]:
        temperature = self.temperature if self.training else None
        gate = self.kept().to(spikes.dtype) if temperature is None else torch.sigmoid(temperature * self.value)
        return spikes * gate[:, None, None]

    @property
    def soft(self) -> bool:
        """Whether spikes pass in part."""
        return self.training and self.temperature is not None

    def strength(self) -> Float[Tensor, "C"]:
        """sigmoid(5 m), which a threshold is compared with."""
        return torch.sigmoid(SLOPE * self.value)

    def kept(self, threshold: float | None = None) -> Bool[Tensor, "C"]:
        """Which channels pass at `threshold`; None is what the active interventions say, else the trained one."""
        if threshold is None:
            threshold = tuned(mask_threshold=TRAINED)["mask_threshold"]
        return self.strength() > threshold

    def penalty(self) -> Float[Tensor, ""]:
        """Weights that are expected to stay: the sum of cost times gate."""
        return self.cost * torch.sigmoid((self.temperature or SLOPE) * self.value).sum()

    def extra_repr(self) -> str:
        return f"{len(self.value)} channels, {self.cost} weights each"


def find_masks(model: nn.Module) -> dict[str, ChannelMask]:
    """The channel masks of a model by module path, in forward order."""
    return {name: module for name, module in model.named_modules() if isinstance(module, ChannelMask)}


class Spread(nn.Module):
    """Kept channels among zeros, so that all heads have one width: a head loses other channels than its neighbour.

    Zeros add nothing to a product of spikes.

    Args:
        kept: numbers of the channels, of `dim`, in order; they are stored with the weights.
        dim, heads: of the whole network.
    """

    kept: Tensor
    places: Tensor

    def __init__(self, kept: Sequence[int], dim: int, heads: int):
        super().__init__()
        per = dim // heads
        heads_of = [channel // per for channel in kept]
        ranks = [heads_of[:place].count(head) for place, head in enumerate(heads_of)]
        width = max(ranks, default=0) + 1
        self.size = heads * width
        self.register_buffer("kept", torch.tensor(kept, dtype=torch.long))
        places = [head * width + rank for head, rank in zip(heads_of, ranks, strict=True)]
        self.register_buffer("places", torch.tensor(places, dtype=torch.long), persistent=False)

    def forward(self, x: Float[Tensor, "T B n h w"]) -> Float[Tensor, "T B size h w"]:
        wide = x.new_zeros(*x.shape[:2], self.size, *x.shape[3:])
        return wide.index_copy(2, self.places, x)

    def gather(self, x: Float[Tensor, "T B size h w"]) -> Float[Tensor, "T B n h w"]:
        """The kept channels alone."""
        return x.index_select(2, self.places)
