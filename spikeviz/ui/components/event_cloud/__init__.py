"""The event cloud: events in x, y and t, turned in the browser alone.

It needs no WebGL: where that runs on the processor, as without a graphics card, 15,000 points take it a hundred times
as long.
"""

from __future__ import annotations

from spikeviz.figures.events import Cloud
from spikeviz.ui.components.register import part
from spikeviz.views.player_data import cloud_payload


def show(cloud: Cloud, key: str) -> None:
    """Show events, to be turned."""
    part("event_cloud")(key=key, data=cloud_payload(cloud))
