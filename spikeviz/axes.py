"""The axes of every tensor in spikeviz, by their letters.

| letter | axis |
|---|---|
| T | time steps |
| D | binary steps that one integer spike stands for (t major, d minor) |
| B | samples of a batch |
| C | channels |
| H, W | height and width of a feature map |
| N | tokens, in raster order: n = h * W + w |
| heads | attention heads |
| d | channels of one head, C = heads * d |
| K | classes |

Sequences are `[T, B, ...]` everywhere; weights, which know no time, see `[T*B, ...]`.
"""

from __future__ import annotations

from einops import rearrange
from jaxtyping import Float
from torch import Tensor

MAPS = ("T", "B", "C", "H", "W")
IMAGE = ("B", "C", "H", "W")
TOKENS = ("T", "B", "N", "C")
SCORES = ("T", "B", "heads", "N", "N")
VECTOR = ("T", "B", "C")


def fold_time(x: Float[Tensor, "T B *rest"]) -> Float[Tensor, "T*B *rest"]:
    """`[T, B, ...]` -> `[T*B, ...]`, so that a layer without time treats every step as a sample."""
    return x.flatten(0, 1)


def unfold_time(x: Float[Tensor, "T*B *rest"], steps: int) -> Float[Tensor, "T B *rest"]:
    """The inverse of `fold_time`; `steps` is T."""
    return x.unflatten(0, (steps, -1))


def as_tokens(x: Float[Tensor, "T B C H W"]) -> Float[Tensor, "T B N C"]:
    """A feature map as tokens in raster order."""
    return rearrange(x, "t b c h w -> t b (h w) c")
