"""What all figures share: colours that hold in light and dark, sizes, and the colour scale of a firing rate."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, UInt8
from plotly.colors import hex_to_rgb, sequential

ACCENT = "#2389C9"
SPIKE = "#D55E00"  # vermilion of Okabe and Ito's palette: spikes and thresholds
SECOND = "#009E73"  # bluish green of the same
QUIET = "#8894A0"
GRID = "rgba(136, 148, 160, 0.25)"
FONT_SIZE = 12
HEIGHT = 230

# What st.plotly_chart gets: no logo, no zoom on the wheel, and a camera that saves SVG without any other program.
CONFIG = {
    "displaylogo": False,
    "scrollZoom": False,
    "toImageButtonOptions": {"format": "svg", "filename": "spikeviz"},
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
}


@lru_cache(maxsize=1)
def rate_colours() -> UInt8[np.ndarray, "256 3"]:
    """Viridis, the scale of every firing rate: entry 0 is rate 0, entry 255 is rate 1."""
    stops = np.array([hex_to_rgb(colour) for colour in sequential.Viridis], dtype=float)
    places = np.linspace(0, len(stops) - 1, 256)
    channels = [np.interp(places, np.arange(len(stops)), stops[:, c]) for c in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def coloured(rates: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape 3"]:
    """Rates 0 to 1 as colours. The range is that of the quantity and never that of the picture.

    The scale is the square root: most rates are below 0.2, and on a straight scale they would all be one colour.
    """
    share = np.sqrt(np.clip(np.asarray(rates, dtype=np.float32), 0, 1))
    return rate_colours()[(share * 255).round().astype(np.uint8)]


def plain(figure: go.Figure, x: str, y: str, height: int = HEIGHT) -> go.Figure:
    """The frame of every chart: axis titles, one grid, small margins, no background of its own."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        font={"size": FONT_SIZE},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        showlegend=False,
        hovermode="closest",
        bargap=0.25,
        dragmode=False,
    )
    figure.update_xaxes(title={"text": x, "standoff": 6}, gridcolor=GRID, zeroline=False, automargin=True)
    figure.update_yaxes(title={"text": y, "standoff": 6}, gridcolor=GRID, zeroline=False, automargin=True)
    return figure


def steps_axis(figure: go.Figure, steps: int) -> go.Figure:
    """An x axis of whole time steps t = 1 ... T."""
    every = max(1, round(steps / 8))
    figure.update_xaxes(range=[0.5, steps + 0.5], tick0=1, dtick=every, tickformat="d")
    return figure
