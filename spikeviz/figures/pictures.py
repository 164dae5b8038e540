"""Images as they are, side by side: a figure that knows its numbers, as those of `chart` do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from spikeviz.figures.events import side_by_side

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Pictures:
    """Images side by side; what lies outside of [0, 1] is drawn as its nearer end and leaves as it is.

    Attributes:
        images: grey (C = 1) or colour (C = 3).
        titles: one for each image.
    """

    title: str
    images: Float[np.ndarray, "n C H W"]
    titles: Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "titles", tuple(self.titles))
        if self.images.ndim != 4 or self.images.shape[1] not in (1, 3) or not self.images.size:
            raise ValueError(f"pictures are [n, 1 or 3, H, W] and not empty, not {list(self.images.shape)}.")
        if len(self.titles) != len(self.images):
            raise ValueError(f"{len(self.images)} pictures have {len(self.titles)} titles.")

    def pixels(self) -> UInt8[np.ndarray, "n H W 3"]:
        """The images, on screen and on paper the same."""
        colour = np.broadcast_to(self.images, (len(self.images), 3, *self.images.shape[2:]))
        return (np.clip(colour, 0, 1).transpose(0, 2, 3, 1) * 255).round().astype(np.uint8)

    def table(self) -> pd.DataFrame:
        """One row a pixel: picture (its title), row, column (both from 0), and `value`, or red, green, blue."""
        import pandas as pd

        count, channels, height, width = self.images.shape
        number, row, column = (index.ravel() for index in np.indices((count, height, width)))
        names = ("value",) if channels == 1 else ("red", "green", "blue")
        values = {name: self.images[:, channel].ravel() for channel, name in enumerate(names)}
        return pd.DataFrame(
            {"picture": np.array(self.titles, dtype=str)[number], "row": row, "column": column} | values
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """`images` [n, C, H, W] and `titles` [n]."""
        return {"images": self.images, "titles": np.array(self.titles, dtype=str)}

    def on_paper(self, width: float) -> Figure:
        """Rows of images, `width` inches wide."""
        return side_by_side(self.title, self.pixels(), self.titles, width)
