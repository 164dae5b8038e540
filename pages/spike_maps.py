"""Spike maps: what a layer fires, step by step, and what that does to the prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.ui import cards, controls, experiment, inputs, runs

if TYPE_CHECKING:
    from spikeviz.cards import CheckpointCard

cards.heading(
    "Spike maps",
    "Every picture is a forward pass made now: change when neurons fire, see where they fire and what is recognised.",
    "E-SpikeFormer, sec. 5.3 and Fig. 8; the network is a Spikformer (Spikformer V2, sec. 3)",
)
PAGE = "maps"


@st.fragment
def lab() -> None:
    """Controls and results: a moved slider runs this part again and nothing else."""
    from spikeviz.ui import spikes

    panel, messages, status, viewer = st.container(), st.container(), st.container(), st.container(key="viewer")
    with panel:
        experiment.read_address(f"{PAGE} network", {"checkpoint": experiment.read_checkpoint})
        card, model = inputs.open_network(PAGE)
        settings = controls.dynamics(model)
        layers = runs.spike_layers(model)
        read_address(card, settings, layers)
        wide, narrow = st.columns([3, 1], gap="medium", vertical_alignment="bottom")
        with wide:
            buttons = inputs.choose_input(PAGE, card)
        with narrow:
            controls.seed(f"{PAGE}_layer", experiment.recall("layer", layers[0]))
            layer = experiment.remember("layer", st.selectbox("Layer", layers, key=f"{PAGE}_layer"))
        now = controls.sliders(PAGE, settings)
    moved = controls.changed(settings, now)
    buttons.button(
        "As trained", on_click=controls.reset, args=(PAGE, settings), disabled=not moved, key=f"{PAGE}_reset"
    )
    shown = inputs.picked(card)
    recording = runs.record(now, layer, card.sha256, model, shown.pixels)
    with messages:
        cards.messages(inputs.upload_error())
    with status, st.container(horizontal=True, vertical_alignment="center", key="status_row"):
        cards.status(recording, now, settings)
        cards.not_retrained(moved)
    with viewer:
        spikes.viewer(recording, layer, shown, card)
    numbers = runs.measure(now, card.sha256, model, recording)
    left, right = st.columns(2, gap="large")
    with left:
        spikes.nsfr(numbers)
        spikes.raster(recording, layer)
    with right:
        spikes.neuron(recording, layer, PAGE)
    left, right = st.columns(2, gap="large")
    with left:
        spikes.rates(numbers, layer)
    with right:
        spikes.operations(numbers)
    write_address(card, settings, now, layer)


def read_address(card: CheckpointCard, settings: list[controls.Setting], layers: list[str]) -> None:
    """`?input=12&maps_T=2&maps_layer=stem.stages.0`."""

    def read_layer(text: str) -> None:
        if text not in layers:
            raise ValueError(f"this network has no layer {text[:40]!r}.")
        experiment.remember("layer", text)

    if experiment.recall("layer") not in layers:
        experiment.remember("layer", layers[0])
    readers = {f"{PAGE}_{s.name}": s.read for s in settings} | {f"{PAGE}_layer": read_layer}
    experiment.read_address(PAGE, {"input": lambda text: inputs.read_number(text, card)} | readers)


def write_address(
    card: CheckpointCard, settings: list[controls.Setting], now: experiment.Experiment, layer: str
) -> None:
    """Everything that differs from a fresh page."""
    moved = {f"{PAGE}_{s.name}": s.text(s.value(now)) for s in settings if s.value(now) != s.trained}
    experiment.write_address({"checkpoint": card.name, "input": now.index, f"{PAGE}_layer": layer} | moved)


lab()
