"""What a page says of its network: its name in words, its accuracy on the whole test set, and its card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.display import facts
from spikeviz.views.networks.words import full_name, is_qcfs, measured_as, result, whole_test_set

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard


def about(card: CheckpointCard, page: str) -> None:
    """The network in a line, and all of its card behind a button."""
    name = full_name(card)
    accuracy = "accuracy " if card.classifies else ""
    how = f"{measured_as(card)}, " if is_qcfs(card) else ""  # what is else than the page runs is said
    st.caption(f"{name}: {accuracy}{result(card)} ({how}{card.samples:,}; {card.protocol_text})")
    with st.popover("About this network", type="tertiary", key=f"{page}_about"):
        if card.classifies:
            st.caption(whole_test_set(card))
        st.html(f'<div class="network-card">{facts(name, card.facts)}</div>')
