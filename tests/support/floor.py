"""The least that a moved slider costs on a machine: one live slider and one of Streamlit's, each of which sets one
text. `test_latency.py` serves it beside the app; it is no part of the app."""

import streamlit as st

from spikeviz.ui.components import live_slider


@st.fragment
def live() -> None:
    def take(value: float) -> None:
        st.session_state["live value"] = value

    now = st.session_state.setdefault("live value", 50)
    live_slider.slider("Live", 0, 100, 1, now, decimals=0, help="Sets a text", key="live", take=take)
    st.text(f"live is {st.session_state['live value']:g}")


@st.fragment
def plain() -> None:
    st.text(f"plain is {st.slider('Plain', 0, 100, 50)}")


live()
plain()
