"""The frame of a page: its heading, its status line, and a figure with what to notice and where it comes from."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from spikeviz.ui.experiment import arrive, take_notices
from spikeviz.ui.export import downloads
from spikeviz.ui.glossary import help_for
from spikeviz.ui.server.router import take_over

if TYPE_CHECKING:
    from spikeviz.artifacts.packed_spikes import Film
    from spikeviz.figures.chart import Exhibit
    from spikeviz.ui.controls import Setting

# Dense like an instrument; still pictures make room for the viewer once it has drawn; on a narrow screen the viewer
# comes before its controls.
STYLE = """<style>
.stMainBlockContainer { max-width: 1240px; padding-left: 1.6rem; padding-right: 1.6rem; }
.stMainBlockContainer [data-testid="stVerticalBlock"] { gap: 0.7rem; }
[data-testid="stCaptionContainer"] p { line-height: 1.4; }
[data-testid="stText"] { font-variant-numeric: tabular-nums; }
[data-testid="stExpander"] summary { padding: 0.35rem 0.7rem; }
[data-testid="stMain"]:has([data-drawn]) .st-key-viewer_still { display: none; }
@media (min-width: 641px) {
  [data-testid="stSidebar"] { max-width: 240px; }
}
@media (max-width: 640px) {
  .stMainBlockContainer { padding-left: 1rem; padding-right: 1rem; }
  [data-testid="stLayoutWrapper"]:has(> .st-key-viewer), .st-key-viewer { order: -1; }
}
</style>"""


def heading(page: str, title: str, sentence: str, source: str = "") -> None:
    """A page begins: drawn before anything heavy is imported."""
    if take_over():
        st.rerun()
    arrive(page)
    st.title(title, anchor=False)
    st.markdown(sentence + (f" <small>Paper: {source}.</small>" if source else ""), unsafe_allow_html=True)


def status(milliseconds: float, device: str, said: str) -> None:
    """What was computed, how fast and where, on one line."""
    st.text(f"{milliseconds:.0f} ms · {device.partition(':')[0].upper()} · {said}")


def recorded(film: Film) -> None:
    """Say of a shipped recording that it is one."""
    if "command" in film.facts:
        st.caption(f"Recorded by `{film.facts['command']}`, shipped. Any other picture runs the network now.")


def messages(error: str | None) -> None:
    """What the person has to know before the result."""
    if error:
        st.error(error)
    for sentence in take_notices():
        st.warning(sentence)


def not_retrained(moved: list[Setting]) -> None:
    """Say what a moved slider is not."""
    if moved:
        which = ", ".join(f"{s.name}={s.text(s.trained)}" for s in moved if s.learned)
        st.caption(f"{f'Trained with {which}. ' if which else ''}Weights unchanged: this is not a retrained model.")


def link(page: str, label: str) -> None:
    """To another page of the app; nothing where a page is run without it."""
    with suppress(StreamlitPageNotFoundError):
        st.page_link(page, label=label)


def figure(
    exhibit: Exhibit, notice: str, source: str = "", *, page: str, alt: str = "", html: str = "", term: str = "",
    files: bool = True,
) -> None:  # fmt: skip
    """A figure with its title, its exports and what to notice; `html` in place of the chart where it says more.

    `files=False` leaves the exports out, of a figure that still grows.
    """
    title(exhibit, page, term, files)
    if html:
        st.html(html)
    else:
        from spikeviz.figures.render_plotly import plotly_figure
        from spikeviz.figures.theme import CONFIG

        st.plotly_chart(plotly_figure(exhibit), config=CONFIG, key=f"{page} {exhibit.title}"[:99], alt=alt)
    st.caption(notice + (f" *{source}*" if source else ""))


def title(exhibit: Exhibit, page: str, term: str = "", files: bool = True) -> None:
    """The title of a figure, a word explained, and the figure as a file."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{exhibit.title}**", help=help_for(term) if term else None)
        if files:
            downloads(exhibit, page)
