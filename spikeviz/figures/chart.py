"""Figures as values: what is drawn, in which units, and its numbers.

A page makes a `Chart` or `Maps` from numbers. `render_plotly` and `render_html` draw it in the browser,
`render_matplotlib` for print, and its numbers leave as a table or as arrays. No plotting library is loaded here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Num, UInt8

from spikeviz.figures.events import Cloud, Frames
from spikeviz.figures.pictures import Pictures
from spikeviz.figures.theme import ACCENT, HEIGHT, TICKS, Quantity, coloured, coloured_difference

if TYPE_CHECKING:
    import pandas as pd

# np.savez has parameters of the first two names, and `about` says where a figure is from: no array is called by them.
TAKEN = ("file", "allow_pickle", "about")


@dataclass(frozen=True, eq=False)
class Line:
    """A curve.

    Attributes:
        name: stands in the legend, where several series have a name.
        dash: dashed, as a curve that is held to compare with.
        points: a dot at every place.
        joined: False: the dots alone.
        marks: where a dot has the colour of a spike; the others are quiet. None: dots of the curve's colour.
        band: a shaded interval, (low, high) at every place.
        rings: the dots are large and open, and the curve lies below the others, whose dots are seen inside of them.
    """

    x: Num[np.ndarray, "n"] | Sequence[float]
    y: Num[np.ndarray, "n"] | Sequence[float]
    name: str = ""
    colour: str = ACCENT
    dash: bool = False
    points: bool = True
    joined: bool = True
    marks: Bool[np.ndarray, "n"] | None = None
    band: tuple[Num[np.ndarray, "n"], Num[np.ndarray, "n"]] | None = None
    rings: bool = False

    def __post_init__(self) -> None:
        _set(self, x=_numbers(self.x), y=_numbers(self.y))
        if self.marks is not None:
            _set(self, marks=np.asarray(self.marks, dtype=bool))
        if self.band is not None:
            low, high = self.band
            _set(self, band=(_numbers(low), _numbers(high)))
        marks = () if self.marks is None else (self.marks,)
        _same_length("a line", self.x, self.y, *marks, *(self.band or ()))


@dataclass(frozen=True, eq=False)
class Bars:
    """Horizontal bars, the first at the top; `chosen` stands out. They stand alone in their chart.

    `about` is what each says beside its name when it is pointed at.
    """

    names: Sequence[str]
    values: Num[np.ndarray, "n"] | Sequence[float]
    chosen: str | None = None
    about: Sequence[str] = ()

    def __post_init__(self) -> None:
        _set(self, names=tuple(self.names), values=_numbers(self.values), about=tuple(self.about))
        _same_length("bars", self.names, self.values, *((self.about,) if self.about else ()))
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"each bar needs a name of its own, {len(set(self.names))} of {len(self.names)} have one.")


@dataclass(frozen=True, eq=False)
class Ticks:
    """Short vertical ticks, one a spike; `names` is what each says when it is pointed at, `size` is in pixels."""

    x: Num[np.ndarray, "n"]
    y: Num[np.ndarray, "n"]
    names: Sequence[str] = ()
    size: float = 4
    name: str = ""

    def __post_init__(self) -> None:
        _set(self, x=_numbers(self.x), y=_numbers(self.y), names=tuple(self.names))
        _same_length("ticks", self.x, self.y, *((self.names,) if self.names else ()))


Series = Line | Bars | Ticks


@dataclass(frozen=True)
class Rule:
    """A dashed line in the colour of a spike, with its label: across at `value` of the y axis, upright at one of x."""

    value: float
    label: str
    upright: bool = False


@dataclass(frozen=True, eq=False)
class Chart:
    """Curves, bars or ticks on two axes.

    Attributes:
        x, y: what the axes show, with its unit. Both are column names of the table.
        steps: the x axis counts whole time steps t = 1 ... steps.
        y_range: (bottom, top), so (n, 0) counts downwards; None takes in all that is drawn.
        x_range: (left, right), in the same way.
        height: in pixels of the screen; on paper 100 of them are an inch.
        y_labels: numbers on the y axis.
        y_names: words at places of the y axis, in place of numbers.
        numbers: leaves instead of the series' own numbers, where it says more than they do.
    """

    title: str
    x: str
    y: str
    series: Sequence[Series]
    rules: Sequence[Rule] = ()
    steps: int | None = None
    y_range: tuple[float, float] | None = None
    height: int = HEIGHT
    y_labels: bool = True
    x_range: tuple[float, float] | None = None
    numbers: pd.DataFrame | None = None
    y_names: Mapping[float, str] | None = None

    def __post_init__(self) -> None:
        _set(self, series=tuple(self.series), rules=tuple(self.rules))
        if not self.series:
            raise ValueError(f"the chart {self.title!r} has no series.")
        if len(self.series) > 1 and any(isinstance(s, Bars) for s in self.series):
            raise ValueError(f"bars stand alone, the chart {self.title!r} has {len(self.series)} series.")
        if self.x == self.y:
            raise ValueError(f"both axes of the chart {self.title!r} are called {self.x!r}.")

    @property
    def step_ticks(self) -> Int[np.ndarray, "ticks"]:
        """The time steps that are written below the x axis, about eight."""
        steps = self.steps or 0
        return np.arange(1, steps + 1, max(1, round(steps / 8)))

    def beside(self, rule: Rule) -> Literal["left", "right"]:
        """On which side of an upright rule its label stands: where there is more room."""
        return "left" if self.x_range and rule.value > sum(self.x_range) / 2 else "right"

    @property
    def has_legend(self) -> bool:
        """Several series have a name."""
        return sum(bool(s.name) for s in self.series if not isinstance(s, Bars)) > 1

    def table(self) -> pd.DataFrame:
        """The numbers, one row a point.

        Columns: of lines and ticks x, y, and where there are several series or a named one `series`; of a line also
        `marked` (0 or 1), `low` and `high`, of ticks `name`, where it has them. Of bars y (or "layer") and x.
        """
        import pandas as pd

        if self.numbers is not None:
            return self.numbers
        tables = [pd.DataFrame(self._columns(number)) for number in range(len(self.series))]
        return pd.concat(tables, ignore_index=True)

    def _columns(self, number: int) -> dict[str, Any]:
        series = self.series[number]
        if isinstance(series, Bars):
            return {self.y or "layer": list(series.names), self.x: series.values}
        columns: dict[str, Any] = {self.x or "x": series.x, self.y or "y": series.y}
        if len(self.series) > 1 or series.name:
            columns["series"] = [series.name or str(number + 1)] * len(series.x)
        if isinstance(series, Ticks):
            return columns | ({"name": list(series.names)} if series.names else {})
        if series.marks is not None:
            columns["marked"] = series.marks.astype(np.uint8)
        if series.band is not None:
            columns["low"], columns["high"] = series.band
        return columns

    def arrays(self) -> dict[str, np.ndarray]:
        """The columns of the table for NPZ: keys of letters, digits and `_`, texts as fixed-width strings."""
        table, arrays = self.table(), dict[str, np.ndarray]()
        for position, column in enumerate(table.columns):
            values = table.iloc[:, position]
            plain = values.dtype.kind in "biuf" and isinstance(values.dtype, np.dtype)
            arrays[_key(str(column), arrays)] = values.to_numpy() if plain else _texts(values)
        return arrays


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps side by side, every pixel one place.

    Attributes:
        maps: firing rates 0 to 1, or differences of rates -1 to 1; beyond that the colour is that of the end.
        titles: one for each map.
        label: what the colour says.
        quantity: "rate" (viridis) or "difference" (purple below zero, orange above); it fixes the range.
        axes: of every map, where its columns and rows are no places: what goes across and from where to where, what
            goes up and from where to where.
    """

    title: str
    maps: Float[np.ndarray, "n H W"]
    titles: Sequence[str]
    label: str
    quantity: Quantity = "rate"
    axes: tuple[str, tuple[float, float], str, tuple[float, float]] | None = None

    def __post_init__(self) -> None:
        _set(self, maps=np.asarray(self.maps), titles=tuple(self.titles))
        if self.maps.ndim != 3 or not self.maps.size:
            raise ValueError(f"maps are [n, H, W] and not empty, not {list(self.maps.shape)}.")
        _same_length("maps and their titles", self.maps, self.titles)
        if self.quantity not in TICKS:
            raise ValueError(f"a map shows one of {', '.join(TICKS)}, not {self.quantity!r}.")

    def pixels(self) -> UInt8[np.ndarray, "n H W 3"]:
        """The maps in colours, on screen and on paper the same."""
        return (coloured if self.quantity == "rate" else coloured_difference)(self.maps)

    def table(self) -> pd.DataFrame:
        """One row a pixel: map (its title), row, column (both from 0), value."""
        import pandas as pd

        number, row, column = (index.ravel() for index in np.indices(self.maps.shape))
        names = np.array(self.titles, dtype=str)[number]
        return pd.DataFrame({"map": names, "row": row, "column": column, "value": self.maps.ravel()})

    def arrays(self) -> dict[str, np.ndarray]:
        """`maps` [n, H, W] and `titles` [n]."""
        return {"maps": self.maps, "titles": np.array(self.titles, dtype=str)}


FigureValue = Chart | Maps | Frames | Cloud | Pictures


def accuracy_range(series: Sequence[Series], rules: Sequence[Rule] = ()) -> tuple[float, float]:
    """An axis of accuracies: all points, their whole errors and what lines across mark, with some room; 0 to 1 would
    flatten the curves and hide their errors. It goes beyond 0 and 1 only where an error does."""
    lines = [line for line in series if isinstance(line, Line)]
    values = [np.asarray(part, float) for line in lines for part in (line.y, *(line.band or ()))]
    values.append(np.array([rule.value for rule in rules if not rule.upright], float))
    every = np.concatenate(values)
    every = every[np.isfinite(every)]
    if not every.size:
        return 0.0, 1.0
    low, high = float(every.min()), float(every.max())
    room = max(0.08 * (high - low), 0.01)
    return min(low, max(0.0, low - room)), max(high, min(1.0, high + room))


def _set(value: object, **fields: object) -> None:
    """The one place where a frozen field is written: at its making."""
    for name, content in fields.items():
        object.__setattr__(value, name, content)


def _numbers(values: Sequence | np.ndarray) -> Num[np.ndarray, "n"]:
    """As numpy; bool and float16 widened, which a browser would get as text and a CSV as words."""
    values = np.asarray(values)
    return values.astype({"bool": np.uint8, "float16": np.float32}.get(values.dtype.name, values.dtype), copy=False)


def _same_length(what: str, *columns: Sequence | np.ndarray) -> None:
    if len({len(column) for column in columns}) > 1:
        raise ValueError(f"{what} of {', '.join(str(len(column)) for column in columns)} entries: not one length.")


def _texts(values: pd.Series) -> np.ndarray:
    """Strings of one width, which numpy reads back without pickle; what is missing is empty."""
    return np.array(["" if missing else str(v) for v, missing in zip(values, values.isna(), strict=True)], dtype=str)


def _key(name: str, taken: dict[str, np.ndarray]) -> str:
    """`membrane H[t]` becomes `membrane_H_t`; a key that is taken gets a number."""
    key = re.sub(r"[^0-9A-Za-z]+", "_", name).strip("_") or "column"
    others = [*taken, *TAKEN]
    return key if key not in others else next(k for n in range(2, 1000) if (k := f"{key}_{n}") not in others)
