"""Hands a component to Streamlit, and reads what the browser said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

ROOM = Path(__file__).parent


@cache
def part(name: str) -> Callable[..., Any]:
    """The component of the folder `name`, in the page's own tree so that its style sheet sees the page.

    Its script and its style sheet stand behind those that all components share.
    """
    html, css, js = (source(name, kind) for kind in ("html", "css", "js"))
    return st.components.v2.component(f"spikeviz_{name}", html=html, css=css, js=js, isolate_styles=False)


def source(name: str, kind: str) -> str:
    """What the browser gets of a component: its `html`, `css` or `js`.

    Streamlit takes a script as one text, so nothing is imported from file to file: what several components share comes
    first, then what the component has beside its own script, in the order of names.
    """
    own = ROOM / name / f"{name}.{kind}"
    files = [own]
    if kind != "html":
        files = [ROOM / f"shared.{kind}", *sorted(set(own.parent.glob(f"*.{kind}")) - {own}), own]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def answer(key: str, name: str) -> Any:
    """What the browser said last under `name`; None before it has said a thing."""
    state = st.session_state.get(key)
    return state.get(name) if state else None


def view(key: str, name: str = "view") -> Mapping[str, Any]:
    """An answer that has parts; one that has none is empty."""
    found = answer(key, name)
    return found if isinstance(found, Mapping) else {}


def seq(key: str, name: str = "view") -> int:
    """The number of the last answer: the browser counts them, and knows by it what an older one was answered with."""
    found = view(key, name).get("seq")
    return found if isinstance(found, int) else 0
