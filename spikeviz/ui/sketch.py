"""A drawing as the input of a network: `sketch.js` is the paper and the pen."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.data.ingest import read_upload
from spikeviz.ui import inputs
from spikeviz.ui.experiment import plain
from spikeviz.ui.live import part

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard

START = "data:image/png;base64,"
_PAD = part("sketch")


def draw(page: str, card: CheckpointCard) -> None:
    """Paper and pen behind a button."""
    from spikeviz.data.catalog import find_data

    data, key = find_data(card.data), f"{page}_sketch"
    with st.popover("Draw", help="Draw a picture for the network"):
        if plain():
            st.caption("Drawing needs this page's own script: bring a picture by Upload instead.")
            return
        _PAD(key=key, data={"size": data.size, "channels": data.channels}, on_picture_change=lambda: _take(key, card))
        st.caption(f"{data.size} x {data.size} pixels, light on black. Arrows move the pen, with Shift they draw.")


def _take(key: str, card: CheckpointCard) -> None:
    sent = st.session_state[key].get("picture")
    if isinstance(sent, str):
        take(sent, card)


def take(sent: str, card: CheckpointCard) -> None:
    """Make a drawing the session's input; what is none is one sentence, and the input stays as it was."""
    try:
        content = base64.b64decode(sent.removeprefix(START), validate=True)
        drawing = read_upload(content, "drawing.png", card.data, card.name, turn=False)
        inputs.bring(replace(drawing, title="your drawing", wide=None))
    except binascii.Error:
        st.session_state["upload_error"] = "The drawing did not arrive whole: draw it again."
    except ValueError as error:
        st.session_state["upload_error"] = str(error)
