"""The terms of a page, explained where they stand and below."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from spikeviz.views.glossary import explained


def help_for(term: str) -> str | None:
    """What a question mark beside a title says."""
    return explained(term) if term else None


def terms(names: Sequence[str]) -> None:
    """The terms of a page, to be opened below it."""
    if names:
        with st.expander("Terms on this page"):
            st.markdown("\n".join(f"- {explained(name)}" for name in names))
