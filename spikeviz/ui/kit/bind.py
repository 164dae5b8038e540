"""Widgets that show a value of the session and hand changes to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

WIDGET = "widget"


def bind(name: str, value: Any, take: Callable[[Any], None]) -> dict[str, Any]:
    """Arguments of a Streamlit widget that shows `value`, and hands to `take` what a person sets.

    A value that changed on this side gets a widget of its own: the browser sends what all its widgets hold with every
    click, and what it had not heard of yet would look like a person's choice of the old value. And a widget is given
    its value once only: what a person has set since then would be taken back.
    """
    version, last = st.session_state.get(f"{WIDGET} {name}", (0, value))
    version += last != value
    st.session_state[f"{WIDGET} {name}"] = version, value
    key = f"{name} {version}" if version else name
    if key not in st.session_state:
        st.session_state[key] = value
    return {"key": key, "on_change": _taken, "args": (name, take)}


def _taken(name: str, take: Callable[[Any], None]) -> None:
    """Hand on what a person set; Streamlit may call although nothing was."""
    version, last = st.session_state[f"{WIDGET} {name}"]
    value = st.session_state[f"{name} {version}" if version else name]
    if value != last:
        st.session_state[f"{WIDGET} {name}"] = version, value
        take(value)
