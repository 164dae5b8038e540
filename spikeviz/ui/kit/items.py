"""Draws every item that a view yields: figures, components, options, studies, words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from spikeviz.ui import components
from spikeviz.ui.kit import session
from spikeviz.ui.kit.bind import bind
from spikeviz.ui.kit.figure import caption, figure, title, title_row
from spikeviz.ui.kit.glossary import help_for
from spikeviz.ui.kit.job_panel import panel, progress_of
from spikeviz.ui.server import sending
from spikeviz.views.data_sets import without_data
from spikeviz.views.sharing.provenance import Provenance
from spikeviz.views.view import (
    Component,
    Download,
    Figure,
    Item,
    Link,
    Markup,
    Metrics,
    Note,
    Option,
    Row,
    Study,
    drive,
)

if TYPE_CHECKING:
    from spikeviz.evaluation.job import Job

About = Callable[[], Provenance]  # where figures are from, worked out when the first of them needs it


def draw(items: Iterable[Item], page: str, about: About | None = None, first: bool = False) -> None:
    """Every item of a view, in its order; figures can be exported where it is known where they are from (`about`).

    `first`: the browser gets a component before what follows is made.
    """

    def handle(item: Item) -> Any:
        if isinstance(item, Option):
            return _option(item, page)
        if isinstance(item, Row):
            for column, part in zip(st.columns(item.widths, gap=item.gap), item.columns, strict=True):
                with column:
                    drive(part, handle)
        elif isinstance(item, Study):
            if lack := list(without_data(item)):
                drive([*lack, *item.idle()], handle)
                return None
            job = panel(item, lambda study, job: _studied(study, job, page, about))
            if job is None or job.latest is None:
                drive(item.idle(), handle)
        else:
            _item(item, page, about, first)
        return None

    drive(items, handle)


def _studied(study: Study, job: Job, page: str, about: About | None) -> None:
    """What a study has found so far; a figure that still grows is not exported."""
    draw(study.figures(job.latest, progress_of(job)), page, about().studied if about and job.over else None)


def _item(item: Item, page: str, about: About | None, first: bool) -> None:
    if isinstance(item, Figure):
        figure(about().on(item) if about else item, page)
    elif isinstance(item, Component):
        above = title_row() if item.figure else None
        components.show(item.name, item.data, f"{page}_{item.name}")
        if first:
            sending.let_go()
        shown = about().on(item.figure) if about and item.figure else item.figure
        if shown is not None and above is not None:
            with above:
                title(shown, page)
        if item.still is not None:
            with st.container(key=f"{item.name}_still"):
                st.html(item.still())
        if shown is not None:
            caption(shown)
    elif isinstance(item, Note):
        _note(item)
    elif isinstance(item, Markup):
        st.html(item.html)
    elif isinstance(item, Metrics):
        for column, (label, value, help) in zip(st.columns(len(item.numbers)), item.numbers, strict=True):
            column.metric(label, value, help=help)
    elif isinstance(item, Download):
        key = f"{page}_{item.file}"
        st.download_button(item.label, item.make, item.file, item.mime, key=key, on_click="ignore", help=item.help)
    elif isinstance(item, Link):
        with suppress(StreamlitPageNotFoundError):  # a page that runs without the app
            st.page_link(f"pages/{item.page}.py", label=item.label)
    else:
        raise TypeError(f"{type(item).__name__} is no item of a view.")


def _note(note: Note) -> None:
    if note.level in ("caption", "text"):
        shown = st.caption if note.level == "caption" else st.markdown
        shown(note.text, unsafe_allow_html=True, help=help_for(note.term))
    else:
        {"info": st.info, "warning": st.warning, "error": st.error}[note.level](note.text)


def _option(option: Option, page: str) -> Any:
    """The widget of a choice; its answer is in the state before the page runs again."""
    now = option.answer(session.state().looks)

    def take(new: Any) -> None:
        if new is None:  # a click on the button that is chosen already
            return
        if not option.choices:
            new = type(option.step)(min(max(new, option.low), option.high))
        session.set_look(option.name, option.store(new) if option.store else new)

    how = bind(f"{page} {option.name} {option.label}", now, take) | {"help": option.help or None}
    if option.form == "slider":
        st.slider(option.label, option.low, option.high, step=option.step, **how)
    elif option.form == "number":
        how |= {"width": option.width or "stretch"}
        st.number_input(option.label, option.low, option.high, step=option.step, **how)
    elif option.form == "buttons":
        st.segmented_control(option.label, list(option.choices), format_func=option.titles, **how)
    else:
        how |= {"width": option.width or "stretch"}
        st.selectbox(option.label, list(option.choices), format_func=option.titles, **how)
    return now
