"""A figure with its title, its exports, what to notice and where it comes from."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.ui.kit.glossary import help_for
from spikeviz.views.view import Figure

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

FORMATS = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "csv": "text/csv",
    "npz": "application/octet-stream",
}


def figure(shown: Figure, page: str) -> None:
    """Title, chart and words."""
    with title_row():
        title(shown, page)
    if shown.html is not None:
        st.html(shown.html())
    else:
        from spikeviz.figures.chart import Chart
        from spikeviz.figures.render_plotly import plotly_figure
        from spikeviz.figures.theme import CONFIG

        if not isinstance(shown.chart, Chart):
            raise TypeError(f"the figure {shown.title!r} is no chart: a view gives it its HTML.")
        key = f"{page} {shown.title}"[:99]
        st.plotly_chart(plotly_figure(shown.chart), config=CONFIG, key=key, alt=shown.alt)
    caption(shown)


def title_row() -> DeltaGenerator:
    """Where a title stands."""
    return st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute")


def title(shown: Figure, page: str) -> None:
    """The title of a figure, a word explained, and the figure as a file where it is known where it is from."""
    st.markdown(f"**{shown.title}**", help=help_for(shown.term))
    if shown.about is not None:
        _downloads(shown, f"{page}-{shown.name}")


def caption(shown: Figure) -> None:
    """What to notice, and the source."""
    text = shown.notice + (f" *{shown.source}*" if shown.source else "")
    if text:
        st.caption(text)


def _downloads(shown: Figure, name: str) -> None:
    """As PNG, SVG and PDF, its numbers as CSV and NPZ; each is made when it is asked for."""
    with st.popover("Export", key=f"{name}_export"):
        below = st.checkbox(
            "Caption on the figure",
            key=f"{name}_caption",
            help="Prints network, input and settings below the picture. Every file says them in its metadata.",
        )
        for kind, mime in FORMATS.items():
            st.download_button(
                kind.upper(),
                data=partial(shown.export, kind, below),
                file_name=shown.file(kind),
                mime=mime,
                on_click="ignore",
                key=f"{name}_{kind}",
                width="stretch",
            )
