"""From an image or event frames to a grid of spike tokens."""

from __future__ import annotations

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from spikeviz.nn.layers import SpikingConv, over_maps
from spikeviz.nn.neurons import LIF


class SPS(nn.Module):
    """Spiking patch splitting (Spikformer V2, sec. 3.2, Eq. 7) and relative position embedding (Eq. 2, 3).

    Four stages of conv3x3, BN, LIF with D/8, D/4, D/2, D channels; where `pools` says so a 3x3 max-pooling of stride 2
    follows **after** the LIF. The position embedding, conv3x3-BN-LIF of the tokens, is added to them: values 0, 1, 2.

    Args:
        in_channels: of the input.
        dim: D, a multiple of 8.
        pools: the stages, 1 to 4, that a max-pooling follows.
        real: whether the input is real (an image) and not counts (events).
    """

    def __init__(self, in_channels: int, dim: int, pools: tuple[int, ...], real: bool):
        super().__init__()
        if dim % 8:
            raise ValueError(f"dim {dim} is not divisible by 8, as the stem's first stage has dim / 8 channels.")
        widths = (in_channels, dim // 8, dim // 4, dim // 2, dim)
        self.pools = pools
        self.stages = nn.ModuleList(
            SpikingConv(c_in, c_out, 3, LIF(), real=real and stage == 0)
            for stage, (c_in, c_out) in enumerate(pairwise(widths))
        )
        self.rpe = SpikingConv(dim, dim, 3, LIF())

    def forward(self, x: Float[Tensor, "*TB C H W"], steps: int | None) -> Float[Tensor, "T B D h w"]:
        for number, stage in enumerate(self.stages, start=1):
            x = stage(x, steps if number == 1 else None)  # T begins at the first membrane
            if number in self.pools:
                x = over_maps(lambda maps: max_pool2d(maps, 3, stride=2, padding=1), x)
        return x + self.rpe(x)
