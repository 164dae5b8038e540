"""What a model does with an image before its first weight."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from spikeviz.nn.layers import Maps, numbers, over_maps
from spikeviz.probe import Part


class Intake(Part):
    """Check, fit, normalise an image.

    Args:
        channels: of the image.
        size: the side the network was built for: an image of at least 3/4 of it is framed in black, any other is
            resized. None takes every size that `stride` divides, and leaves the values alone.
        stride: of the whole stem.
        mean, std: of the training images, a number for each channel.
    """

    def __init__(
        self,
        channels: int,
        size: int | None,
        stride: int,
        mean: tuple[float, ...] | None = None,
        std: tuple[float, ...] | None = None,
    ):
        super().__init__()
        if size is not None and (size < stride or size % stride):
            raise ValueError(f"image_size {size} is not a multiple of {stride}, the stride of this network's stem.")
        self.channels, self.size, self.stride = channels, size, stride
        self.mean, self.std = mean, std

    def forward(self, x: Maps) -> Float[Tensor, "*#TB C h w"]:
        self.check(x)
        x = over_maps(self.fit, x)
        if self.mean is not None and self.std is not None:
            shape = (self.channels, 1, 1)
            x = (x - numbers(self.mean, x).view(shape)) / numbers(self.std, x).view(shape)
        return x

    @property
    def events(self) -> bool:
        """Whether the input is events: two channels, OFF and ON."""
        return self.channels == 2

    def check(self, x: Tensor) -> None:
        """Raise a ValueError that says what was given and what is taken."""
        given = list(x.shape)
        if x.ndim not in (4, 5):
            raise ValueError(f"a model takes images [B, C, H, W] or events [T, B, C, H, W], not a tensor {given}.")
        if x.shape[-3] != self.channels:
            advice = ""
            if self.events:
                advice = " It sees events as frames [T, B, 2, H, W], OFF and ON; choose another network for images."
            elif x.ndim == 5 and x.shape[-3] == 2:
                advice = " These are events, and it sees images; choose a network for events."
            raise ValueError(
                f"this network takes {self.channels} channel(s), the input {given} has {x.shape[-3]}.{advice}"
            )
        if 0 in x.shape:
            raise ValueError(f"the input {given} is empty.")
        if self.size is None and (x.shape[-1] % self.stride or x.shape[-2] % self.stride):
            raise ValueError(f"height and width of the input {given} must be multiples of {self.stride}.")

    def fit(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C h w"]:
        """Frame or resize to the side the network was built for, if there is one."""
        height, width = x.shape[-2:]
        size = self.size
        if size is None or (height, width) == (size, size):
            return x
        if all(0.75 * size <= side <= size for side in (height, width)):
            top, left = (size - height) // 2, (size - width) // 2
            return F.pad(x, (left, size - width - left, top, size - height - top))
        return F.interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)
