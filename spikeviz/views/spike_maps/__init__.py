"""Spike maps: what a layer fires, step by step, and what that does to the prediction."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from spikeviz.views import spikes
from spikeviz.views.layers.viewer import spike_viewer
from spikeviz.views.networks.gaps import gaps
from spikeviz.views.page import Page, Preset
from spikeviz.views.scene import Scene, Side
from spikeviz.views.settings import dynamics
from spikeviz.views.view import Item, Row

NETWORK = {"checkpoint": "spikformer-fashion"}  # which the presets speak of


def body(scene: Scene) -> Generator[Item, Any, None]:
    """Curves and raster at the left; one neuron, a survey and the costs at the right."""
    side = yield from spikes.charted(scene)
    yield Row(_curves(scene, side), _neuron(scene, side))
    yield from gaps(scene)


def _curves(scene: Scene, side: Side) -> Iterator[Item]:
    yield from spikes.nsfr(scene)
    yield from spikes.raster(side)
    yield from spikes.rates(side)


def _neuron(scene: Scene, side: Side) -> Iterator[Item]:
    yield from spikes.neuron(side)
    yield from spikes.survey(scene)
    yield from spikes.operations(side)


PAGE = Page(
    key="maps",
    file="spike_maps",
    title="Spike maps",
    question="Every picture is a forward pass made now: change when neurons fire, see where they fire and what is "
    "recognised.",
    paper="E-SpikeFormer, Fig. 8",
    main=spike_viewer,
    body=body,
    settings=dynamics,
    clicked="its membrane",
    presets=(
        Preset(
            "fig8",
            "Spike maps by step (Fig. 8)",
            "E-SpikeFormer, Fig. 8",
            "Same quantity, same place: the mean over channels at each step and over all steps, in the last layer of "
            "the last block. Another network, other pictures: a Spikformer on small images, the paper's has 10 M "
            "parameters and sees ImageNet.",
            {**NETWORK, "maps_T": "4", "maps_layer": "blocks.1.mlp.out"},
        ),
        Preset(
            "fig9",
            "Firing rate by step (Fig. 9)",
            "E-SpikeFormer, Fig. 9, vanilla curve",
            "Same quantity: NSFR of binary neurons at each step. Run it over the test images below. Another network: a "
            "Spikformer, the paper's is a larger E-SpikeFormer with binary neurons.",
            {**NETWORK, "maps_T": "4"},
        ),
        Preset(
            "one-step",
            "One step against four",
            "Spikformer V2, sec. 5.2.1",
            "A is the network as trained, B the same weights at T = 1. Another network: a Spikformer, the first "
            "version. The paper fine-tunes for another T; nothing is retrained here.",
            {**NETWORK, "maps_T": "1", "maps_A": "T:4", "maps_side": "diff"},
        ),
    ),
    terms=(
        "spike",
        "spike map",
        "NSFR",
        "firing rate",
        "membrane",
        "LIF",
        "tau",
        "T",
        "SOP",
        "MAC",
        "confidence",
    ),
)
