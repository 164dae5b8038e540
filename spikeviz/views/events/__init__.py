"""Events: a recording of an event camera, played, cut into slices, and as the network sees it."""

from __future__ import annotations

from collections.abc import Sequence

from spikeviz.views import player_data
from spikeviz.views.address import Parameter
from spikeviz.views.events import slicing
from spikeviz.views.events.figures import everything, player, sees_events
from spikeviz.views.page import Networks, Page
from spikeviz.views.settings import steps


def parameters(key: str) -> Sequence[Parameter]:
    """What the player shows, and how the recording is cut."""
    return [*player_data.parameters(key), *slicing.parameters(key)]


PAGE = Page(
    key="events",
    file="events",
    title="Events",
    question="An event camera takes no pictures: a pixel reports when its brightness changes and is otherwise silent. "
    "Play a recording, cut it into slices, see what a network is shown.",
    networks=Networks(sees_events, "sees images and no events", "sdmformer-fashion-dvs"),
    main=player,
    body=everything,
    settings=steps,
    parameters=parameters,
    terms=("event", "ON and OFF", "accumulation window", "frame", "slice", "event rate", "T", "confidence"),
)
