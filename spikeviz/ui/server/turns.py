"""Says on a page how many runs are before its own, where one at a time uses the device."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from spikeviz.turns import telling

P = ParamSpec("P")
R = TypeVar("R")


def in_turn(draw: Callable[P, R]) -> Callable[P, R]:
    """What draws a page; nothing is added to it unless a run has to wait."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        place: Any = None

        def tell(before: int) -> None:
            nonlocal place
            place = place or st.empty()
            if before:
                place.caption(words(before))
            else:
                place.empty()

        with telling(tell):
            return draw(*args, **kwargs)

    return drawn


def words(before: int) -> str:
    """Who waits for what."""
    return f"Queued for the GPU: {before} runs are before this one." if before > 1 else "Queued for the GPU: next."
