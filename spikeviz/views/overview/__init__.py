"""Overview: what spikeviz is, the papers it opens, and a first look inside a network."""

from __future__ import annotations

from collections.abc import Iterator

from spikeviz.views import spikes
from spikeviz.views.page import Page, find_page
from spikeviz.views.scene import Scene
from spikeviz.views.settings import dynamics
from spikeviz.views.view import Item, Link, Note

PAPERS = """**The papers**
- **Spikformer V2** (Zhou et al.): attention from spikes without softmax, a convolutional stem, masked pre-training
- **E-SpikeFormer** (Yao, Qiu et al.): train with integers, run with spikes; the firing rate curve and maps
- **Masked Spiking Transformer** (Wang, Fang et al.): drop spikes at random and keep the accuracy
- **SpikingDynamicMaskFormer**: learn which channels a spiking transformer can do without
"""
NEXT = {
    "spike_maps": "T, threshold, tau",
    "channel_masks": "which channels can go",
    "random_masks": "which spikes can go",
    "integer_firing": "D spikes of an integer",
    "reconstruction": "hidden patches",
    "events": "what an event camera sends",
}  # the other pages, and what is moved or seen on each


def everything(scene: Scene) -> Iterator[Item]:
    """All spikes of the network as it was trained, whatever other pages set."""
    shipped = "command" in scene.packed.facts
    if shipped:
        made = scene.packed.facts["command"]
        yield Note(f"Recorded by `{made}`, shipped. Any other picture runs the network now.")
    yield from spikes.tower(scene.packed, None if shipped else scene.now)


def words(scene: Scene) -> Iterator[Item]:
    """What the input is taken for, and where to go on."""
    yield from spikes.prediction(scene.packed)
    for file, what in NEXT.items():
        yield Link(file, f"{find_page(file).title}: {what} →")


def papers() -> Iterator[Item]:
    """What the four papers are about."""
    yield Note(PAPERS, "text")


PAGE = Page(
    key="overview",
    file="overview",
    title="Look inside a spiking transformer",
    question="A spiking network computes with events: a neuron is silent until its membrane reaches a threshold. Pick "
    "a picture and see every spike of the network; the other pages change how its neurons fire.",
    main=everything,
    body=words,
    settings=dynamics,
    first=None,
    after=papers,
)
