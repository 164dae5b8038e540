"""A slider that answers while it is dragged, for what takes a few milliseconds to compute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent
MOVING = "moving"  # whether the last thing that happened is a hand on a slider that has not let go yet


def part(name: str, style: str = "") -> Callable:
    """A component of this folder: `name`.html, .css and .js, in the page's own tree so that its style sheet sees it.

    `style`: the part whose style sheet it wears, if that is another one's.
    """
    files = (f"{name}.html", f"{style or name}.css", f"{name}.js")
    html, css, js = ((HERE / file).read_text(encoding="utf-8") for file in files)
    return st.components.v2.component(f"spikeviz_{name}", html=html, css=css, js=js, isolate_styles=False)


_SLIDER = part("live")


def slider(
    label: str, low: float, high: float, step: float, value: float, *, decimals: int, help: str, key: str,
    take: Callable[[float], None],
) -> None:  # fmt: skip
    """Show `value`, and hand every new one to `take` before the page runs again.

    In the page it is an element of the role `group` with the slider's label, as Streamlit's own slider is.
    """
    last = st.session_state.get(key)
    seq = ((last and last.get("value")) or {}).get("seq", 0)
    data = {"label": label, "low": low, "high": high, "step": step, "value": value, "seq": seq}
    _SLIDER(key=key, data=data | {"decimals": decimals, "help": help}, on_value_change=lambda: _taken(key, take))


def _taken(key: str, take: Callable[[float], None]) -> None:
    sent = st.session_state[key].get("value") or {}
    if isinstance(sent.get("value"), int | float):
        st.session_state[MOVING] = not sent.get("settled", True)
        take(sent["value"])


def settled() -> bool:
    """Whether no slider is being dragged: only then the address is written, so that it keeps no trace of the way."""
    return not st.session_state.pop(MOVING, False)
