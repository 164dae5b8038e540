"""What all figures share: colours that hold in light and dark, sizes, and the colour scales of maps."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

ACCENT = "#2389C9"
SPIKE = "#D55E00"  # vermilion of Okabe and Ito's palette: spikes and thresholds
SECOND = "#009E73"  # bluish green of the same
QUIET = "#8894A0"
GRID = "rgba(136, 148, 160, 0.25)"  # QUIET, a quarter of it
FONT_SIZE = 12
HEIGHT = 230

# What st.plotly_chart gets: no logo, no zoom on the wheel, and a camera that saves SVG without any other program.
CONFIG = {
    "displaylogo": False,
    "scrollZoom": False,
    "toImageButtonOptions": {"format": "svg", "filename": "spikeviz"},
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
}

# Written out, so that a map is drawn before a plotting library is loaded. Straight lines lead from stop to stop.
# Viridis of Smith and van der Walt (matplotlib, 2015), the ten stops of plotly.colors.sequential.Viridis.
VIRIDIS = (
    (68, 1, 84), (72, 40, 120), (62, 73, 137), (49, 104, 142), (38, 130, 142),
    (31, 158, 137), (53, 183, 121), (110, 206, 88), (181, 222, 43), (253, 231, 37),
)  # fmt: skip
# PuOr with 11 classes of Brewer and Harrower (colorbrewer2.org), turned round: purple below zero, orange above.
PURPLE_ORANGE = (
    (45, 0, 75), (84, 39, 136), (128, 115, 172), (178, 171, 210), (216, 218, 235), (247, 247, 247),
    (254, 224, 182), (253, 184, 99), (224, 130, 20), (179, 88, 6), (127, 59, 8),
)  # fmt: skip

Quantity = Literal["rate", "difference"]
TICKS: dict[Quantity, tuple[str, ...]] = {
    "rate": ("0", "0.06", "0.25", "0.56", "1"),
    "difference": ("−1", "−0.25", "0", "+0.25", "+1"),
}
ROOT = "fixed range, square-root scale"  # what every colour bar says


def scale_ticks(quantity: Quantity) -> dict[str, float]:
    """What stands below a colour bar, and where: the share of its length at which the colour of that value is."""
    values = {text: float(text.replace("−", "-")) for text in TICKS[quantity]}
    if quantity == "rate":
        return {text: value**0.5 for text, value in values.items()}
    return {text: (float(np.sign(value)) * abs(value) ** 0.5 + 1) / 2 for text, value in values.items()}


@lru_cache(maxsize=1)
def rate_colours() -> UInt8[np.ndarray, "256 3"]:
    """Viridis, the scale of every firing rate: entry 0 is rate 0, entry 255 is rate 1, entry 255 sqrt(r) is rate r."""
    return _table(VIRIDIS)


@lru_cache(maxsize=1)
def difference_colours() -> UInt8[np.ndarray, "256 3"]:
    """Purple, white, orange, the scale of every difference of rates: entry 0 is -1, entry 255 is +1.

    A difference d has entry 255 (sign(d) sqrt|d| + 1) / 2; zero is entry 128.
    """
    return _table(PURPLE_ORANGE)


def _table(stops: tuple[tuple[int, int, int], ...]) -> UInt8[np.ndarray, "256 3"]:
    places, known = np.linspace(0, len(stops) - 1, 256), np.arange(len(stops))
    table = np.stack([np.interp(places, known, channel) for channel in np.array(stops, dtype=float).T], axis=1)
    table = table.round().astype(np.uint8)
    table.flags.writeable = False  # shared by all figures
    return table


def coloured(rates: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape 3"]:
    """Rates 0 to 1 as colours. The range is that of the quantity and never that of the picture.

    The scale is the square root: most rates are below 0.2, and on a straight scale they would all be one colour.
    """
    share = np.sqrt(np.clip(np.asarray(rates, dtype=np.float32), 0, 1))
    return rate_colours()[(share * 255).round().astype(np.uint8)]


def coloured_difference(differences: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape 3"]:
    """Differences of rates, -1 to 1, as colours: zero is white, what became more is orange, what became less purple.

    The root keeps its sign: sign(d) sqrt|d|, for the reason that `coloured` has.
    """
    change = np.clip(np.asarray(differences, dtype=np.float32), -1, 1)
    share = (np.sign(change) * np.sqrt(np.abs(change)) + 1) / 2
    return difference_colours()[(share * 255).round().astype(np.uint8)]
