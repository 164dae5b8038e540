"""What a page says of its network: its name in words, its accuracy on the whole test set, and its card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.display import facts
from spikeviz.views.networks.words import full_name, result, whole_test_set

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard


def about(card: CheckpointCard, page: str) -> None:
    """The network in a line, and all of its card behind a button."""
    name = full_name(card)
    st.caption(f"{name}. {whole_test_set(card) if card.classifies else result(card).capitalize()}")
    with st.popover("About this network", type="tertiary", key=f"{page}_about"):
        st.html(f'<div style="overflow-wrap: anywhere; font-size: 0.85rem">{facts(name, card.facts)}</div>')
