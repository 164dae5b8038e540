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

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

OFF, ON = (0.25, 0.6, 1.0), (1.0, 0.5, 0.1)  # blue and orange, which the colour-blind tell apart
FULL = 0.98  # of the pixels with events are below full brightness
COLUMNS = 8  # of pictures on paper
YAW, PITCH = -0.45, 0.3  # radians, from where a cloud is seen at first
LENGTH, REACH = 1.9, 2.5  # of the time axis and of the whole picture, in sides of the sensor


def picture(frames: Num[np.ndarray, "T 2 H W"]) -> Float[np.ndarray, "3 H W"]:
    """All frames of a recording, or some of them, as one picture in [0, 1]; channel 0 of a frame is OFF, 1 is ON."""
    counts = np.asarray(frames, dtype=np.float32).sum(0)
    return np.moveaxis(lit(counts, brightest(counts)), -1, 0)


def input_picture(pixels: Num[np.ndarray, "C H W"] | Num[np.ndarray, "T 2 H W"]) -> Float[np.ndarray, "C H W"]:
    """An input of a network to look at, in [0, 1]: an image as it is, event frames as one picture."""
    values = np.asarray(pixels)
    return picture(values) if values.ndim == 4 else values


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
        full = f"{brightest(self.counts):,.3g}"
        note = f"ON orange, OFF blue; brightest from {full} events a pixel on, fixed for all frames, square-root scale"
        return side_by_side(self.title, self.pixels(), self.titles, width, note)


def side_by_side(
    title: str, pictures: UInt8[np.ndarray, "n H W 3"], titles: Sequence[str], width: float, note: str = ""
) -> Figure:
    """Rows of pictures on paper, `width` inches wide, with a note below."""
    from matplotlib.figure import Figure

    count, rows_high, columns_wide, _ = pictures.shape
    rows = -(-count // COLUMNS)
    columns = -(-count // rows)
    high = max(width / columns, width / COLUMNS / 2) * rows_high / columns_wide
    foot = 0.25 if note else 0.0
    figure = Figure(figsize=(width, 0.35 + foot + rows * (high + 0.2)), layout="constrained", facecolor="white")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    if note:
        figure.supxlabel(note, x=0.01, ha="left", fontsize=8)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for place in places:
        place.set_axis_off()
    for place, pixels, name in zip(places, pictures, titles, strict=False):
        place.imshow(pixels, interpolation="nearest")
        place.set_title(name, fontsize=7, pad=2)
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

    def pixels(self, width: int = 600, height: int = 380) -> UInt8[np.ndarray, "height width 3"]:
        """As `event_cloud.js` draws it before it is turned: time to the right, columns into the depth, rows down."""
        t = self.t / max(float(self.t.max(initial=0)), 1e-9) - 0.5
        x, y = (self.x + 0.5) / self.width - 0.5, (self.y + 0.5) / self.height - 0.5
        (cos, sin), (flat, steep) = ((np.cos(angle), np.sin(angle)) for angle in (YAW, PITCH))
        right, depth = LENGTH * t * cos + x * sin, x * cos - LENGTH * t * sin
        down = y * flat - depth * steep
        scale = min(width, height * 1.6) / REACH
        columns, rows = (np.rint(centre + scale * part) for centre, part in ((width / 2, right), (height / 2, down)))
        picture = np.zeros((height, width, 3), np.uint8)
        colours = (np.array([OFF, ON])[self.p.astype(int)] * 255).round().astype(np.uint8)
        for row in (0, 1):
            for column in (0, 1):
                places = (rows + row).clip(0, height - 1), (columns + column).clip(0, width - 1)
                picture[tuple(place.astype(int) for place in places)] = colours
        return picture

    def on_paper(self, width: float) -> Figure:
        """Seen from about the same side, `width` inches wide; the points are pixels, also in SVG and PDF."""
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
