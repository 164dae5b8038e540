"""The samples of a split, as `catalog.open_data` answers them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Integer

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of a split, converted where they are looked at: `samples[3]`, `samples[:64]` are float32 tensors.

    Frames of events stay in the file of the cache until then: all of them at once would be large.
    """

    pixels: Integer[np.ndarray, "N *sample"] = field(repr=False)
    full: float

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, which: int | slice) -> Float32[Tensor, "..."]:
        import torch  # here, so that a page can name classes before it is loaded

        return torch.from_numpy(np.asarray(self.pixels[which]).astype(np.float32)).div_(self.full)
