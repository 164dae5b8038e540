"""The frame of a page: its heading, its status line, and a figure with what to notice and where it comes from."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from spikeviz.ui.experiment import take_notices
from spikeviz.ui.router import take_over

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from spikeviz.recording import Recording
    from spikeviz.ui.controls import Setting
    from spikeviz.ui.experiment import Experiment

# Dense like an instrument; on a narrow screen the viewer comes before its controls.
STYLE = """<style>
.stMainBlockContainer { max-width: 1240px; padding-left: 1.6rem; padding-right: 1.6rem; }
.stMainBlockContainer [data-testid="stVerticalBlock"] { gap: 0.7rem; }
[data-testid="stCaptionContainer"] p { line-height: 1.4; }
[data-testid="stText"] { font-variant-numeric: tabular-nums; }
[data-testid="stExpander"] summary { padding: 0.35rem 0.7rem; }
@media (max-width: 640px) {
  .stMainBlockContainer { padding-left: 1rem; padding-right: 1rem; }
  [data-testid="stLayoutWrapper"]:has(> .st-key-viewer), .st-key-viewer { order: -1; }
}
</style>"""


def heading(title: str, sentence: str, source: str = "") -> None:
    """A page begins: drawn before anything heavy is imported."""
    if take_over():
        st.rerun()
    st.title(title, anchor=False)
    st.markdown(sentence + (f" <small>Paper: {source}.</small>" if source else ""), unsafe_allow_html=True)


def status(recording: Recording, experiment: Experiment, settings: list[Setting]) -> None:
    """What was computed, how fast and where, on one line."""
    values = " ".join(f"{s.name}={s.text(s.value(experiment))}" for s in settings)
    device = recording.device.partition(":")[0].upper()
    st.text(f"{recording.milliseconds:.0f} ms · {device} · {values} seed={experiment.seed}")


def messages(error: str | None) -> None:
    """What the person has to know before the result."""
    if error:
        st.error(error)
    for sentence in take_notices():
        st.warning(sentence)


def not_retrained(moved: list[Setting]) -> None:
    """Say what a moved slider is not."""
    if moved:
        which = ", ".join(f"{s.name}={s.text(s.trained)}" for s in moved)
        st.caption(f"Trained with {which}. Weights unchanged: this is not a retrained model.")


def link(page: str, label: str) -> None:
    """To another page of the app; nothing where a page is run without it."""
    with suppress(StreamlitPageNotFoundError):
        st.page_link(page, label=label)


def picture(html: str, title: str, notice: str, source: str = "") -> None:
    """A figure made of HTML."""
    _title(title)
    st.html(html)
    _caption(notice, source)


def chart(figure: go.Figure, title: str, notice: str, source: str = "", *, key: str, alt: str) -> None:
    """A plotly figure; its camera button saves SVG."""
    from spikeviz.figures.theme import CONFIG

    _title(title)
    st.plotly_chart(figure, config=CONFIG, key=key, alt=alt)
    _caption(notice, source)


def _title(title: str) -> None:
    if title:
        st.markdown(f"**{title}**")


def _caption(notice: str, source: str) -> None:
    st.caption(notice + (f" *{source}*" if source else ""))
