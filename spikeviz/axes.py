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
| TD | binary steps, t major, d minor: T * D of them |
| c, h, w | channels, height and width of what a layer makes, where they may differ from C, H, W |

`#B` marks that one sample may become a batch on the way: a row for each seed of a random edit.
Sequences are `[T, B, ...]` everywhere; weights, which know no time, see `[T*B, ...]`.
"""

from __future__ import annotations

MAPS = ("T", "B", "C", "H", "W")
SCORES = ("T", "B", "heads", "N", "N")
VECTOR = ("T", "B", "C")
