"""The address of a page and the session's state, each after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import streamlit as st

from spikeviz.ui.kit import session
from spikeviz.views import address
from spikeviz.views.address import Parameter

SEEN = "address_seen"
NEW = "address_new"
AGAIN = "address_again"
UNKNOWN = ""  # among the names that were read: what has no name was named


def arrive(page: str) -> None:
    """Note the address in a run of the whole page: after a first visit, a link, the back button.

    A run of a part of a page is not asked: the browser may send it with an address that is one step behind. An empty
    address is that of a page that was chosen in the sidebar, and wants nothing: the page is as it was left; so does one
    that a page before has written. What any other leaves out gets its default.
    """
    query, (last, seen) = st.query_params.to_dict(), st.session_state.get(SEEN, ("", {}))
    if not st.session_state.pop(AGAIN, False) and query != seen:
        st.session_state[NEW] = (page, query, set())
    if (last, seen) != (page, query):
        st.session_state[SEEN] = (page, query)


def again() -> NoReturn:
    """Run the whole page again, by itself: the address that the browser sent last says nothing new."""
    st.session_state[AGAIN] = True
    st.rerun()


def pending(page: str) -> dict[str, str]:
    """The new address, as far as it was not read yet; empty if there is none."""
    where, query, _ = st.session_state.get(NEW, ("", {}, set()))
    return query if where == page and query.keys() - {"plain"} else {}


def read(page: str, parameters: Sequence[Parameter]) -> None:
    """Take a new address over, once; what does not work is a notice."""
    query = pending(page)
    if not query:
        return
    _, _, done = st.session_state[NEW]
    for parameter in parameters:
        if parameter.name in done:
            continue  # by a run of the page that was stopped half way
        done.add(parameter.name)
        state, notices = address.read([parameter], session.state(), query)
        session.store(state)
        session.notice(*notices)


def name_unknown(page: str, parameters: Sequence[Parameter]) -> None:
    """Say once what a new address asks for that no parameter reads."""
    if not (query := pending(page)):
        return
    _, _, done = st.session_state[NEW]
    if UNKNOWN not in done:
        done.add(UNKNOWN)
        session.notice(*address.unknown(parameters, query))


def write(page: str, parameters: Sequence[Parameter]) -> None:
    """Put the state into the address; the back button then leads to the state before.

    What a run knows of the address is what the browser had when it asked for it: one that was written a moment ago may
    be on its way. So it is also compared with what was written last.
    """
    st.session_state.pop(NEW, None)
    wanted = address.write(parameters, session.state())
    if st.query_params.get("plain") == "1":
        wanted["plain"] = "1"
    if st.query_params.to_dict() != wanted or st.session_state.get(SEEN) != (page, wanted):
        st.query_params.from_dict(wanted)
    st.session_state[SEEN] = (page, wanted)
