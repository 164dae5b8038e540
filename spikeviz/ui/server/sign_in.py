"""Signing in where it is configured: through Streamlit's OpenID Connect, `[auth]` in `.streamlit/secrets.toml`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import streamlit as st
from streamlit.errors import StreamlitAPIException

UNREADABLE = "The file .streamlit/secrets.toml cannot be read, so nobody can sign in: correct it, or take it away."
MISSING = "Signing in is configured and needs the package Authlib: run `pip install 'Authlib>=1.3.2'` and start again."


def is_configured() -> bool:
    """Whether the secrets have `[auth]`.

    Raises:
        ValueError: if there are secrets that cannot be read: nobody knows then who may use the app.
    """
    if st.secrets.load_if_toml_exists():
        return "auth" in st.secrets
    if any(Path(path).exists() for path in st.get_option("secrets.files")):
        raise ValueError(UNREADABLE)
    return False


def require() -> bool:
    """Where signing in is configured, end the run of the app for who has not; answers whether it is."""
    try:
        if not is_configured():
            return False
    except ValueError as error:
        _refuse(str(error))
    if find_spec("authlib") is None:
        _refuse(MISSING)
    if st.user.is_logged_in:
        st.sidebar.button("Sign out", on_click=st.logout, help=f"Signed in as {st.user.get('email') or 'a guest'}")
        return True
    st.title("spikeviz", anchor=False)
    st.markdown("Whoever runs this app asks you to sign in.")
    if st.button("Sign in", type="primary"):
        try:
            st.login()
        except StreamlitAPIException as error:
            st.error(f"Signing in is not configured as Streamlit needs it: {error}")
    st.stop()


def _refuse(sentence: str) -> NoReturn:
    st.error(sentence)
    st.stop()
