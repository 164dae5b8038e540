"""A drawing as the input of a network: paper and pen."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.data.image_decode import GREYED
from spikeviz.data.ingest import Input, read_upload
from spikeviz.ui.components.register import answer, part
from spikeviz.ui.kit import session
from spikeviz.views.inputs import data_of

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard

START = "data:image/png;base64,"


def show(card: CheckpointCard, key: str) -> None:
    """Paper and pen behind a button."""
    with st.popover("Draw", help="Draw a picture for the network"):
        pad(card, key)


def pad(card: CheckpointCard, key: str) -> None:
    """Paper and pen."""
    if session.plain():
        st.caption("Drawing needs this page's own script: bring a picture by Upload instead.")
        return
    data = data_of(card)
    paper = {"size": data.size, "channels": data.channels}
    part("sketch_pad")(key=key, data=paper, on_picture_change=lambda: _take(key, card))
    st.caption(f"{data.size} x {data.size} pixels, light on black. Arrows move the pen, with Shift they draw.")


def _take(key: str, card: CheckpointCard) -> None:
    """Make a drawing the session's input; what is none is one sentence, and the input stays as it was."""
    sent = answer(key, "picture")
    if not isinstance(sent, str):
        return
    try:
        session.bring(drawing(sent, card))
    except ValueError as error:
        session.refuse(str(error))


def drawing(sent: str, card: CheckpointCard) -> Input:
    """A drawing as a network takes it.

    Args:
        sent: a PNG as a data URL.

    Raises:
        ValueError: if it is none.
    """
    try:
        content = base64.b64decode(sent.removeprefix(START), validate=True)
    except binascii.Error:
        raise ValueError("The drawing did not arrive whole: draw it again.") from None
    drawn = read_upload(content, "drawing.png", card.data, card.name, turn=False)
    notes = tuple(note for note in drawn.notes if note != GREYED)  # the pad has no colours
    return replace(drawn, title="your drawing", notes=notes, wide=None)
