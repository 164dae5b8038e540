"""A slider that answers while it is dragged, for what takes a few milliseconds to compute."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from spikeviz.ui.components.register import part, seq, view

MOVING = "moving"  # key of the slider that a hand has moved and not let go of yet


def slider(
    label: str,
    low: float,
    high: float,
    step: float,
    value: float,
    *,
    decimals: int,
    help: str,
    key: str,
    take: Callable[[float], None],
) -> None:
    """Show `value`, and hand every new one to `take` before the page runs again.

    Streamlit does not always call back where two values come within one run: what was not heard of is taken here.
    In the page it is an element of the role `group` with the slider's label, as Streamlit's own slider is.
    """
    if (late := hear(key, take)) is not None:
        value = late
    data = {"label": label, "low": low, "high": high, "step": step, "value": value, "seq": seq(key, "value")}
    data |= {"decimals": decimals, "help": help}
    part("live_slider")(key=key, data=data, on_value_change=lambda: hear(key, take))


def hear(key: str, take: Callable[[float], None]) -> float | None:
    """Hand on what the browser said last, once; what that was, or None if there is nothing new."""
    sent, number, heard = view(key, "value"), seq(key, "value"), f"{key} heard"
    if number in (0, st.session_state.get(heard)):
        st.session_state[heard] = number
        return None
    st.session_state[heard] = number
    value = sent.get("value")
    if not isinstance(value, int | float):
        return None
    st.session_state[MOVING] = "" if sent.get("settled", True) else key
    take(value)
    return value


def settled() -> bool:
    """Whether no slider is being dragged: only then the address is written, so that it keeps no trace of the way.

    A slider that is not on the page any more is not dragged.
    """
    key = st.session_state.get(MOVING, "")
    return not (key and key in st.session_state)
