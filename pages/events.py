"""Events: a recording of an event camera, played, cut into slices, and as the network sees it."""

from __future__ import annotations

import streamlit as st

from spikeviz.ui import cards
from spikeviz.ui.opening import open_lab

PAGE, TITLE = "events", "Events"

cards.heading(
    PAGE,
    TITLE,
    "An event camera takes no pictures: a pixel that sees its light change says so, at once, and is silent otherwise. "
    "Play a recording, cut it into slices, see what a network is shown.",
)


@st.fragment
def show() -> None:
    """Controls and results: what is moved runs this part again and nothing else."""
    from spikeviz.ui import controls, cuts, player, recordings

    own = [*player.parameters(PAGE), *cuts.parameters(PAGE)]
    lab = open_lab(PAGE, TITLE, networks=recordings.NETWORKS, more=own, knobs=controls.steps)
    events = recordings.behind(lab.now)
    with lab.view:
        recordings.recording(lab, events)
    recordings.frames(lab)
    cuts.choose(PAGE)
    recordings.slices(lab, events)
    left, right = st.columns(2, gap="large")
    with left:
        recordings.rate(lab, events)
    with right:
        recordings.cloud(lab, events)
    lab.close("event", "ON and OFF", "accumulation window", "frame", "slice", "event rate", "T", "confidence")


show()
