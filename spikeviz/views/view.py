"""What a view yields.

A `View` is a function of a scene (`spikeviz.views.scene`) that yields items in the order in which they are read. It
draws nothing: the app makes widgets of them, the command line files, a notebook pictures. Where a person chooses, the
view asks (`answer = yield Option(...)`), and its host answers: with a widget's value, an address's, or the default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from spikeviz.figures.chart import FigureValue
    from spikeviz.views.scene import Scene
    from spikeviz.views.sharing.provenance import Provenance

Item = Any  # one of the classes below
View = Callable[["Scene"], Iterator[Item]]


@dataclass(frozen=True)
class Over:
    """What a figure is of that does not show the one input of its page: its files say this instead.

    Attributes:
        samples: which, how many, and where it was measured, in words.
        networks: names of the checkpoints; () for that of the page.
        settings: in words; "" for those of the page.
    """

    samples: str
    networks: tuple[str, ...] = ()
    settings: str = ""


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure with its words.

    Attributes:
        chart: what is drawn (`spikeviz.figures`).
        notice: what is plotted and what to notice.
        source: of the quantity or the figure, in the literature.
        alt: the figure in words, for who cannot see it.
        term: of the glossary, explained beside the title.
        html: makes what a screen shows in place of the chart, where that says more (tiles, a table).
        over: what it is of, if that is not the input of its page.
        about: where it is from, which its files say; its host adds it.
    """

    chart: FigureValue
    notice: str = ""
    source: str = ""
    alt: str = ""
    term: str = ""
    html: Callable[[], str] | None = None
    over: Over | None = None
    about: Provenance | None = None

    @property
    def title(self) -> str:
        return self.chart.title

    @property
    def caption(self) -> str:
        """What stands below it."""
        return self.notice + (f" ({self.source})" if self.source else "")

    @property
    def name(self) -> str:
        """For a file: letters, digits and dashes."""
        return slug(self.title)

    def file(self, kind: str, number: int | None = None) -> str:
        """What a file of it is called: made of page, figure, network, input and settings where they are known."""
        name = self.name if number is None else f"{number:02d}-{self.name}"
        return self.about.file(name, kind) if self.about else f"{name}.{kind}"

    def export(self, kind: str, caption: bool = False) -> bytes:
        """The figure as png, svg or pdf, its numbers as csv or npz; every file says where it is from, if that is known.

        Args:
            caption: whether network, input and settings are printed below a picture as well.

        Raises:
            ValueError: for another kind.
        """
        from spikeviz.figures.render_matplotlib import export
        from spikeviz.views.sharing.columns import columns_in_words

        if self.about is None:
            return export(self.chart, kind)
        facts, below = self.about.facts | {"caption": self.caption}, self.about.caption if caption else {}
        if kind in ("csv", "npz") and (words := columns_in_words(self.chart.table().columns)):
            facts |= {"columns": words}
        return export(self.chart, kind, facts, below)

    def _repr_html_(self) -> str:
        from html import escape

        from spikeviz.figures.report import inline_svg

        drawn = self.html() if self.html else inline_svg(self.export("svg").decode(), f"{self.name}-{id(self)}-")
        return f"<div><b>{escape(self.title)}</b>{drawn}<p>{escape(self.caption)}</p></div>"

    def _repr_png_(self) -> bytes:
        return self.export("png")

    def __repr__(self) -> str:
        return f"Figure({self.title!r})"


@dataclass(frozen=True)
class Note:
    """Words between the figures; `text` is Markdown, `term` of the glossary is explained beside it."""

    text: str
    level: Literal["caption", "text", "info", "warning", "error"] = "caption"
    term: str = ""


@dataclass(frozen=True)
class Markup:
    """Something that only a screen shows, as HTML made by `spikeviz.figures`."""

    html: str


@dataclass(frozen=True)
class Metrics:
    """A few numbers in large type: label, number, help."""

    numbers: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, eq=False)
class Download:
    """A file that is made when it is asked for."""

    label: str
    make: Callable[[], bytes]
    file: str
    mime: str
    help: str = ""


@dataclass(frozen=True)
class Link:
    """To another page, by the name of its file."""

    page: str
    label: str


@dataclass(frozen=True, eq=False)
class Row:
    """Columns side by side, each of items or a generator of them; `widths` are their shares."""

    columns: Sequence[Iterable[Item]]
    widths: Sequence[float] = ()
    gap: Literal["small", "medium", "large"] = "large"

    def __init__(
        self,
        *columns: Iterable[Item],
        widths: Sequence[float] = (),
        gap: Literal["small", "medium", "large"] = "large",
    ):
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "widths", tuple(widths) or (1.0,) * len(columns))
        object.__setattr__(self, "gap", gap)


@dataclass(frozen=True, eq=False)
class Component:
    """A viewer or a player, that a browser draws.

    Attributes:
        name: of a folder in `spikeviz/ui/components`.
        data: what that component's `show` takes.
        figure: stands above and below it: title, exports, caption; None of one that shows no figure, such as a pad.
        still: makes the same as still pictures, as HTML: until it has drawn, and where it cannot; None for none.
        others: figures that it can show as well, for the report and the command line.
    """

    name: str
    data: Any
    figure: Figure | None
    still: Callable[[], str] | None = None
    others: Sequence[Figure] = ()


@dataclass(frozen=True, eq=False)
class Option:
    """A choice that a view asks for.

    Attributes:
        name: under which the answer is kept (`State.looks`).
        label: of the widget.
        default: the answer until one is given.
        choices: to choose from; without any a whole or real number from `low` to `high` in steps of `step`.
        form: of the widget.
        titles: what a choice is called.
        help: of the widget.
        store: what is kept of an answer, if not the answer itself; then `default` is the present one.
        width: of the widget, in pixels; None takes what there is.
    """

    name: str
    label: str
    default: Any
    choices: Sequence[Any] = ()
    low: float = 0
    high: float = 0
    step: float = 1
    form: Literal["list", "buttons", "number", "slider"] = "list"
    titles: Callable[[Any], str] = str
    help: str = ""
    store: Callable[[Any], Any] | None = None
    width: int | None = None

    def answer(self, looks: Mapping[str, Any]) -> Any:
        """The present answer: what is kept, if it still is a choice, else the default."""
        if self.store is not None:
            return self.default
        kept = looks.get(self.name)
        return kept if self.takes(kept) else self.default

    def takes(self, answer: Any) -> bool:
        """Whether this is an answer: one of the choices, or a number of the range, whole where the steps are."""
        if self.choices:
            return answer in self.choices
        kind = Integral if isinstance(self.step, int) else Real
        return isinstance(answer, kind) and not isinstance(answer, bool) and self.low <= float(answer) <= self.high

    @property
    def answers(self) -> str:
        """What it takes, in words."""
        if self.choices:
            return ", ".join(map(str, self.choices))
        return f"{'whole ' if isinstance(self.step, int) else ''}numbers from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Progress:
    """How far a study is: units done and in all, seconds it has worked, whether it is over."""

    done: int
    total: int
    seconds: float
    over: bool


@dataclass(frozen=True, eq=False)
class Study:
    """Work over data: run by a button in the app, by `--studies` on the command line.

    Attributes:
        key: everything the result depends on, as text.
        title: above it; "" for none.
        total: units of work.
        work: yields (units done, value so far). It runs in another thread.
        figures: items of a value so far; no options in them.
        label: of the button.
        note: what it will do and how long that takes, roughly.
        idle: items while there is no value yet.
        data: name of the data set whose test samples it reads; "" for none. Where they are not here, a sentence stands
            in its place (`spikeviz.views.data_sets.without_data`).
    """

    key: str
    title: str
    total: int
    work: Callable[[], Iterator[tuple[int, Any]]]
    figures: Callable[[Any, Progress], Iterable[Item]]
    label: str = "Run"
    note: str = ""
    idle: Callable[[], Iterable[Item]] = tuple
    data: str = ""


def drive(items: Iterable[Item], handle: Callable[[Item], Any]) -> None:
    """Give every item to `handle`, and its answer back to the view that yielded it."""
    if not isinstance(items, Generator):
        for item in items:
            handle(item)
        return
    answer = None
    while True:
        try:
            item = items.send(answer)
        except StopIteration:
            return
        answer = handle(item)


def slug(text: str) -> str:
    """Letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]
