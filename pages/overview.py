"""Overview: what spikeviz is, the papers it opens, and a first look inside a network."""

from __future__ import annotations

import streamlit as st

from spikeviz.ui import cards, opening, runs, spikes

PAGE = "overview"
PAPERS = """
- **Spikformer V2** (Zhou et al.): attention from spikes without softmax, a convolutional stem, masked pre-training
- **E-SpikeFormer** (Yao, Qiu et al.): train with integers, run with spikes; the firing rate curve and maps
- **Masked Spiking Transformer** (Wang, Fang et al.): drop spikes at random and keep the accuracy
- **SpikingDynamicMaskFormer**: learn which channels a spiking transformer can do without
"""

cards.heading(
    PAGE,
    "Look inside a spiking transformer",
    "A spiking network computes with events: a neuron is silent until its membrane reaches a threshold. Pick a "
    "picture and see every spike of the network; the other pages change how its neurons fire.",
)


@st.fragment
def first_look() -> None:
    """Input, prediction, and all spikes of the network as it was trained, whatever other pages set."""
    viewer, panel = st.columns([2.9, 1], gap="medium")
    with panel:
        film = opening.open_first(PAGE)
        spikes.prediction(film)
        cards.link("pages/spike_maps.py", "Spike maps: move T, threshold, tau →")
        cards.link("pages/integer_firing.py", "Integer firing: move D →")
    with viewer:
        cards.status(film.facts["milliseconds"], film.facts["device"], film.facts["said"])
        cards.recorded(film)
        spikes.tower(film)


first_look()
st.markdown("**The papers**" + PAPERS)
runs.warm_up()
