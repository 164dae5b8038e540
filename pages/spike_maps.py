"""Spike maps: what a layer fires, step by step, and what that does to the prediction."""

from __future__ import annotations

import streamlit as st

from spikeviz.ui import cards
from spikeviz.ui.opening import open_lab
from spikeviz.ui.presets import Preset

PAGE, TITLE = "maps", "Spike maps"
NETWORK = {"checkpoint": "spikformer-fashion"}  # which the presets speak of
FIGURES = (
    Preset(
        "Spike maps by step (Fig. 8)",
        "E-SpikeFormer, Fig. 8",
        "Same quantity: the mean over channels at each step and over all steps. Another network, other pictures: a "
        "Spikformer on small images.",
        {**NETWORK, "maps_T": "4", "maps_layer": "blocks.0.attn.proj"},
    ),
    Preset(
        "Firing rate by step (Fig. 9)",
        "E-SpikeFormer, Fig. 9, vanilla curve",
        "Same quantity: NSFR of binary neurons at each step. Run it over the test images below; the paper's network is "
        "larger.",
        {**NETWORK, "maps_T": "4"},
    ),
    Preset(
        "One step against four",
        "Spikformer V2, sec. 5.2.1",
        "A is the network as trained, B the same weights at T = 1. The paper fine-tunes for another T; nothing is "
        "retrained here.",
        {**NETWORK, "maps_T": "1", "maps_A": "T:4", "maps_side": "diff"},
    ),
)

cards.heading(
    PAGE,
    TITLE,
    "Every picture is a forward pass made now: change when neurons fire, see where they fire and what is recognised.",
    "E-SpikeFormer, Fig. 8",
)


@st.fragment
def show() -> None:
    """Controls and results: a moved slider runs this part again and nothing else."""
    lab = open_lab(PAGE, TITLE, FIGURES)
    from spikeviz.ui import spikes

    with lab.view:
        spikes.spike_viewer(lab)
    left, right = st.columns(2, gap="large")
    with left:
        spikes.nsfr(lab)
        spikes.raster(lab)
        spikes.rates(lab)
    with right:
        spikes.neuron(lab)
        spikes.survey(lab)
        spikes.operations(lab)
    lab.close("spike", "spike map", "NSFR", "firing rate", "membrane", "LIF", "tau", "T", "SOP", "MAC", "confidence")


show()
