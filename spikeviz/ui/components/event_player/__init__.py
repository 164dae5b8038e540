"""The event player: one canvas that draws packed events. Time, window and polarity change in the browser."""

from __future__ import annotations

from spikeviz.ui.components.register import part, seq, view
from spikeviz.ui.kit import session
from spikeviz.views.player_data import PlayerData, looks_of, payload, view_of


def show(data: PlayerData, key: str) -> None:
    """Show a recording; what a person then looks at is in the state before the page runs again."""
    looked_at = view_of(data.events, session.state().looks)
    part("event_player")(key=key, data=payload(data, looked_at, seq(key)), on_view_change=lambda: _take(key))


def _take(key: str) -> None:
    for name, value in looks_of(view(key)).items():
        session.set_look(name, value)
