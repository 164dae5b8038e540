"""The address of a page and the session's state, each after the other."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from spikeviz.ui.kit import session
from spikeviz.views import address
from spikeviz.views.address import Parameter

SEEN = "address_seen"
NEW = "address_new"


def arrive(page: str) -> None:
    """Note the address in a run of the whole page: after a first visit, a link, the back button.

    A run of a part of a page is not asked: the browser may send it with an address that is one step behind. What an
    address leaves out gets its default, unless one comes from another page: then it stays as it was. An empty address
    is that of a page that was chosen in the sidebar, and wants nothing.
    """
    query, (last, seen) = st.query_params.to_dict(), st.session_state.get(SEEN, ("", {}))
    if (last, seen) != (page, query):
        st.session_state[SEEN] = (page, query)
        st.session_state[NEW] = (page, query, set(), last in ("", page))


def pending(page: str) -> dict[str, str]:
    """The new address, as far as it was not read yet; empty if there is none."""
    where, query, _, _ = st.session_state.get(NEW, ("", {}, set(), True))
    return query if where == page and query.keys() - {"plain"} else {}


def read(page: str, parameters: Sequence[Parameter]) -> None:
    """Take a new address over, once; what does not work is a notice."""
    query = pending(page)
    if not query:
        return
    _, _, done, complete = st.session_state[NEW]
    for parameter in parameters:
        if parameter.name in done:
            continue  # by a run of the page that was stopped half way
        done.add(parameter.name)
        state, notices = address.read([parameter], session.state(), query, complete)
        session.store(state)
        session.notice(*notices)


def write(page: str, parameters: Sequence[Parameter]) -> None:
    """Put the state into the address; the back button then leads to the state before."""
    st.session_state.pop(NEW, None)
    wanted = address.write(parameters, session.state())
    if st.query_params.get("plain") == "1":
        wanted["plain"] = "1"
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)
    st.session_state[SEEN] = (page, wanted)
