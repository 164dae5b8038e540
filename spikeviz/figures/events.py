"""Events as pictures: ON orange, OFF blue, on black; what was counted more often is brighter.

`Frames` (pictures side by side) and `Cloud` (events in x, y and t) are figures, as those of `chart` are: values that
know their numbers. Plotting libraries are loaded where one is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int, Num, UInt8

from spikeviz.figures.theme import FONT_SIZE, GRID

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from matplotlib.figure import Figure

OFF, ON = (0.25, 0.6, 1.0), (1.0, 0.5, 0.1)  # blue and orange, which the colour-blind tell apart
FULL = 0.98  # of the pixels with events are below full brightness
COLUMNS = 8  # of pictures on paper


def picture(frames: Num[np.ndarray, "T 2 H W"]) -> Float[np.ndarray, "3 H W"]:
    """All frames of a recording, or some of them, as one picture in [0, 1]; channel 0 of a frame is OFF, 1 is ON."""
    counts = np.asarray(frames, dtype=np.float32).sum(0)
    return np.moveaxis(lit(counts, brightest(counts)), -1, 0)


def brightest(counts: Num[np.ndarray, "*any"]) -> float:
    """The count that is drawn at full brightness."""
    seen = counts[counts > 0]
    return max(float(np.quantile(seen, FULL)), 1.0) if seen.size else 1.0


def lit(counts: Num[np.ndarray, "*n 2 H W"], full: float) -> Float[np.ndarray, "*n H W 3"]:
    """Counts of OFF and ON as colours in [0, 1]; `full` and more are at full brightness."""
    share = np.sqrt(np.clip(counts / np.float32(full), 0, 1))  # a root, as all rates have: most pixels count little
    colours = np.array([OFF, ON], dtype=np.float32)
    return np.clip(np.einsum("...phw,pc->...hwc", share, colours), 0, 1)


def css(colour: tuple[float, float, float]) -> str:
    """A colour as `#ff801a`."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)


@dataclass(frozen=True, eq=False)
class Frames:
    """Pictures of events side by side; what is at full brightness is one count for all of them.

    Attributes:
        counts: events of a frame, polarity (0 = OFF, 1 = ON), row and column.
        titles: one for each frame.
    """

    title: str
    counts: Num[np.ndarray, "n 2 H W"]
    titles: Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "titles", tuple(self.titles))
        if self.counts.ndim != 4 or self.counts.shape[1] != 2 or not self.counts.size:
            raise ValueError(f"frames are [n, 2, H, W] and not empty, not {list(self.counts.shape)}.")
        if len(self.titles) != len(self.counts):
            raise ValueError(f"{len(self.counts)} frames have {len(self.titles)} titles.")

    @property
    def events(self) -> Int[np.ndarray, "n"]:
        """How many events each frame counts."""
        return self.counts.sum((1, 2, 3), dtype=np.int64)

    def pixels(self) -> UInt8[np.ndarray, "n H W 3"]:
        """The frames in colours, on screen and on paper the same."""
        return (lit(self.counts, brightest(self.counts)) * 255).round().astype(np.uint8)

    def table(self) -> pd.DataFrame:
        """One row a pixel that counted something: frame (its title), row, column (both from 0), OFF, ON."""
        import pandas as pd

        off, on = self.counts[:, 0], self.counts[:, 1]
        number, row, column = np.nonzero(off + on.astype(np.int64))
        names = np.array(self.titles, dtype=str)[number]
        where = number, row, column
        return pd.DataFrame({"frame": names, "row": row, "column": column, "OFF": off[where], "ON": on[where]})

    def arrays(self) -> dict[str, np.ndarray]:
        """`counts` [n, 2, H, W] and `titles` [n]."""
        return {"counts": self.counts, "titles": np.array(self.titles, dtype=str)}

    def on_paper(self, width: float) -> Figure:
        """Rows of pictures, `width` inches wide."""
        from matplotlib.figure import Figure

        count, _, rows_high, columns_wide = self.counts.shape
        rows = -(-count // COLUMNS)
        columns = -(-count // rows)
        high = max(width / columns, width / COLUMNS / 2) * rows_high / columns_wide
        figure = Figure(figsize=(width, 0.35 + rows * (high + 0.2)), layout="constrained", facecolor="white")
        figure.suptitle(self.title, x=0.01, ha="left", fontsize=10)
        places = figure.subplots(rows, columns, squeeze=False).ravel()
        for place in places:
            place.set_axis_off()
        for place, pixels, title in zip(places, self.pixels(), self.titles, strict=False):
            place.imshow(pixels, interpolation="nearest")
            place.set_title(title, fontsize=7, pad=2)
        return figure


@dataclass(frozen=True, eq=False)
class Cloud:
    """Events as points in column, row and time.

    Attributes:
        t: milliseconds from the first event of the recording.
        p: True = ON, False = OFF.
        height, width: of the sensor.
    """

    title: str
    t: Float[np.ndarray, "n"]
    x: Int[np.ndarray, "n"]
    y: Int[np.ndarray, "n"]
    p: Bool[np.ndarray, "n"]
    height: int
    width: int

    @property
    def parts(self) -> tuple[tuple[str, str, Bool[np.ndarray, "n"]], ...]:
        """Name and colour of each polarity, and which events are of it."""
        return ("ON", css(ON), self.p), ("OFF", css(OFF), ~self.p)

    def table(self) -> pd.DataFrame:
        """One row an event: t (ms), x, y, p (1 = ON, 0 = OFF)."""
        import pandas as pd

        return pd.DataFrame({"t (ms)": self.t, "x": self.x, "y": self.y, "p": self.p.astype(np.uint8)})

    def arrays(self) -> dict[str, np.ndarray]:
        """`t` in milliseconds, `x`, `y`, `p`, and `sensor` (height, width)."""
        events = {"t": self.t, "x": self.x, "y": self.y, "p": self.p.astype(np.uint8)}
        return events | {"sensor": np.array([self.height, self.width])}

    def on_screen(self) -> go.Figure:
        """To be turned with the mouse: time runs to the right, rows downwards."""
        import plotly.graph_objects as go

        axes = {"x": ("time (ms)", None), "y": ("column x", (0, self.width)), "z": ("row y", (self.height, 0))}
        scene = {
            f"{axis}axis": {"title": {"text": text}, "range": ends, "gridcolor": GRID, "showbackground": False}
            for axis, (text, ends) in axes.items()
        }
        traces = [
            {
                "type": "scatter3d", "mode": "markers", "name": name, "x": self.t[which], "y": self.x[which],
                "z": self.y[which], "marker": {"size": 1.6, "color": colour, "opacity": 0.75},
                "hovertemplate": "t %{x:.1f} ms, column %{y}, row %{z}",
            }
            for name, colour, which in self.parts
        ]  # fmt: skip
        view = {"aspectmode": "manual", "aspectratio": {"x": 1.9, "y": 1, "z": 1}}
        view |= {"camera": {"eye": {"x": -0.9, "y": -1.9, "z": 0.7}}, "dragmode": "orbit"}
        layout = {
            "height": 380, "margin": {"l": 0, "r": 0, "t": 0, "b": 0}, "font": {"size": FONT_SIZE},
            "paper_bgcolor": "rgba(0,0,0,0)", "scene": scene | view,
            "legend": {"orientation": "h", "x": 0, "y": 1, "itemsizing": "constant"},
        }  # fmt: skip
        return go.Figure({"data": traces, "layout": layout})

    def on_paper(self, width: float) -> Figure:
        """Seen from the same side, `width` inches wide; the points are pixels, also in SVG and PDF."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width, 0.68 * width), layout="constrained", facecolor="white")
        figure.suptitle(self.title, x=0.01, ha="left", fontsize=10)
        axes = figure.add_subplot(projection="3d", box_aspect=(1.9, 1, 1))
        for name, colour, which in self.parts:
            places = self.t[which], self.x[which], self.y[which]
            axes.scatter(*places, s=1, color=colour, label=name, linewidths=0, rasterized=True)
        axes.set(xlabel="time (ms)", ylabel="column x", zlabel="row y", ylim=(0, self.width), zlim=(self.height, 0))
        axes.view_init(elev=20, azim=-115)
        axes.legend(loc="upper left", markerscale=5)
        return figure
