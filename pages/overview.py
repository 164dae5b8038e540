"""Overview: what spikeviz is, the papers it opens, and a first look inside a network."""

from __future__ import annotations

import streamlit as st

from spikeviz.ui import cards, experiment, inputs, runs

cards.heading(
    "Look inside a spiking transformer",
    "A spiking network computes with events: a neuron is silent until its membrane reaches a threshold. Pick a "
    "picture: every spike below is from a forward pass made now; the other pages change how the neurons fire.",
)
PAGE = "overview"
PAPERS = """
- **Spikformer V2** (Zhou et al.): attention from spikes without softmax, a convolutional stem, masked pre-training
- **E-SpikeFormer** (Yao, Qiu et al.): train with integers, run with spikes; the firing rate curve and maps
- **Masked Spiking Transformer** (Wang, Fang et al.): drop spikes at random and keep the accuracy
- **SpikingDynamicMaskFormer**: learn which channels a spiking transformer can do without
"""


@st.fragment
def first_look() -> None:
    """Input, prediction, and all spikes of the network."""
    from spikeviz.ui import controls, spikes

    experiment.read_address(f"{PAGE} network", {"checkpoint": experiment.read_checkpoint})
    viewer, panel = st.columns([2.9, 1], gap="medium")
    with panel:
        card, model = inputs.open_network(PAGE)
        experiment.read_address(PAGE, {"input": lambda text: inputs.read_number(text, card)})
        inputs.choose_input(PAGE, card)
        shown = inputs.picked(card)
        now = experiment.current().but(interventions=())  # as it was trained, whatever other pages set
        layers = runs.spike_layers(model)
        recording = runs.record(now, layers[0], card.sha256, model, shown.pixels)
        cards.messages(inputs.upload_error())
        spikes.prediction(recording, shown, card)
        cards.link("pages/spike_maps.py", "Spike maps: move T, threshold, tau →")
    with viewer:
        cards.status(recording, now, controls.dynamics(model))
        spikes.tower(recording, layers, shown)
    experiment.write_address({"checkpoint": card.name, "input": now.index})


first_look()
st.markdown("**The papers**" + PAPERS)
