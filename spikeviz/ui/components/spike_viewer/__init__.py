"""The spike viewer: one canvas that draws packed spikes. Layer, step, channel and side change in the browser."""

from __future__ import annotations

from spikeviz.ui.components.register import part, seq, view
from spikeviz.ui.kit import session
from spikeviz.views.viewer_data import ViewerData, looks_of, payload, view_of


def show(data: ViewerData, key: str) -> None:
    """Show the spikes of one setting or two; what a person then looks at is in the state before the page runs again."""
    looked_at = view_of(data, session.state().looks)
    part("spike_viewer")(key=key, data=payload(data, looked_at, seq(key)), on_view_change=lambda: _take(key, data))


def _take(key: str, data: ViewerData) -> None:
    for name, value in looks_of(view(key), data).items():
        session.set_look(name, value)
