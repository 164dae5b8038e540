"""The pictures of an autoencoder with a grid to click: pressed is hidden."""

from __future__ import annotations

from spikeviz.ui.components.register import part, seq, view
from spikeviz.ui.kit import session
from spikeviz.views.viewer_data import PatchData, hidden_of, patch_payload


def show(data: PatchData, key: str) -> None:
    """Show pictures; which patches a person hides is in the experiment before the page runs again."""
    part("patch_grid")(key=key, data=patch_payload(data, seq(key)), on_view_change=lambda: _take(key, data))


def _take(key: str, data: PatchData) -> None:
    hidden = hidden_of(view(key), data.grid)
    if hidden is not None:
        session.change(lambda experiment: data.changed(experiment, hidden))
