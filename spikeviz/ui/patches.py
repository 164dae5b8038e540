"""The pictures of an autoencoder with a grid to click: `patches.js` draws; still pictures where it cannot run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.figures.render_html import data_uri
from spikeviz.ui import hidden
from spikeviz.ui.experiment import plain
from spikeviz.ui.live import part
from spikeviz.ui.viewer import HEAD_START

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spikeviz.figures.pictures import Pictures
    from spikeviz.ui.lab import Run

_SHEET = part("patches")
MASKED = 1  # which of the pictures gets the grid, over the original, so that a shown patch is there at once


def sheet(pictures: Pictures, notes: Sequence[str], run: Run, key: str) -> None:
    """Show the pictures of a run; which patches a person hides is in the experiment before the page runs again."""
    model, pixels = run.opened.model, pictures.pixels()
    shown = [pixels[0] if number == MASKED else picture for number, picture in enumerate(pixels)]
    kept = run.recording["patches"].values[0].flatten()
    last = st.session_state.get(key)
    seq = ((last and last.get("view")) or {}).get("seq", 0)
    data = {
        "seq": seq,
        "said": run.said,
        "side": model.config.grid,
        "hidden": (~kept).nonzero().flatten().tolist(),
        "pictures": [
            {"title": title, "note": note, "alt": f"{title}: {note}", "src": data_uri(image), "grid": number == MASKED}
            for number, (title, note, image) in enumerate(zip(pictures.titles, notes, shown, strict=True))
        ],
    }
    _SHEET(key=key, data=data, on_view_change=lambda: _take(run, key))
    if not plain():
        time.sleep(HEAD_START)


def _take(run: Run, key: str) -> None:
    """Keep what the browser says is hidden, as far as there are such patches."""
    view, model = st.session_state[key].get("view") or {}, run.opened.model
    wanted = view.get("hidden")
    if isinstance(wanted, list) and all(type(n) is int and 0 <= n < model.config.grid**2 for n in wanted):
        hidden.take(model, wanted)
