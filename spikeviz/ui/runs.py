"""Networks, test images and results, each computed once: every cache is bounded and keyed by frozen values.

The network is shared between all sessions and never written to; a recording is read-only.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.paths import assets
from spikeviz.ui.experiment import Experiment

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor, nn

    from spikeviz.artifacts.packed_spikes import Film
    from spikeviz.data.catalog import Samples
    from spikeviz.recording import Recording

WARM = "spikeviz warms up"
DRAWN = 2.0  # s after which a browser has drawn the start page
LIVE = 60.0  # ms of a forward pass up to which a slider answers while it is dragged
MADE = ("patches", "mask", "reconstruction")  # what an autoencoder says beside its spikes


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the charts show of one recording."""

    nsfr: Tensor
    rates: pd.DataFrame
    operations: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Opened:
    """A network that is shared between all sessions, its layers that spike on a grid, and how long one pass takes.

    `qcfs` is the network that a converted one was made of, None of all others.
    """

    model: nn.Module
    layers: tuple[str, ...]
    milliseconds: float
    qcfs: nn.Module | None = None

    @property
    def fast(self) -> bool:
        """Whether a slider can answer while it is dragged."""
        return self.milliseconds <= LIVE


@st.cache_resource(max_entries=8, show_spinner="Loading the network ...")
def network(name: str, sha256: str) -> Opened:
    """A checkpoint, on the best device there is; a QCFS network as the spiking one it becomes at T = 16 (a CNN: 32).

    `sha256` renews the entry where the file was trained anew.

    One image is too little work for two threads: under load they wait for each other. On the CPU one is fastest.
    The first pass of a process takes a second or two more than the others, so it is made here and not shown.
    """
    import torch

    import spikeviz as sv
    from spikeviz.artifacts.cards import find_card
    from spikeviz.convert.to_spiking import SHOWN
    from spikeviz.data.catalog import as_batch, find_data
    from spikeviz.metrics.firing import spike_layers
    from spikeviz.models.registry import find_spec
    from spikeviz.nn.qcfs import QCFS
    from spikeviz.runtime import reuse_memory

    torch.set_num_threads(1)
    reuse_memory()
    loaded, card = sv.load(name), find_card(name)[0]
    qcfs = any(isinstance(module, QCFS) for module in loaded.modules())
    model = sv.to_spiking(loaded, SHOWN[loaded.family]) if qcfs else loaded
    spec, steps = find_spec(card.model), find_data(card.data).steps
    blank = as_batch(torch.zeros(1, *([steps] if steps else []), *spec.input))
    passes = [sv.simulate(model, blank).milliseconds for _ in range(3)]
    return Opened(model, spike_layers(model), min(passes), loaded if qcfs else None)


@st.cache_resource(max_entries=4, show_spinner="Reading the test set ...")
def test_set(data: str) -> tuple[Samples, Tensor]:
    """The whole test split of a data set; read-only, since it is shared."""
    from spikeviz.data.catalog import open_data

    return open_data(data, "test")


def some(data: str, count: int) -> tuple[Callable[[], Tensor], Tensor]:
    """The first samples of a test set: what makes them the batch of a model, which takes a while of events, and their
    classes."""
    from spikeviz.data.catalog import as_batch

    samples, labels = test_set(data)
    return lambda: as_batch(samples[:count]), labels[:count]


def record(experiment: Experiment, layer: str, sha256: str, model: nn.Module, batch: Tensor) -> Recording:
    """A forward pass of one input, with all spikes and operands, and the membranes of one layer and of what is masked
    at random: they tell which spikes were dropped. Of an autoencoder also what was hidden, and what it made of it."""
    from spikeviz.interventions import MaskSpikes
    from spikeviz.metrics import OPERANDS, SPIKES
    from spikeviz.metrics.dropped import membrane

    masked = [membrane(place) for i in experiment.interventions if isinstance(i, MaskSpikes) for place in i.at]
    keep = (*SPIKES, *OPERANDS, *MADE, f"{layer}.membrane", *masked)
    return _record(repr(experiment), sha256, keep, experiment, model, batch)


@st.cache_resource(max_entries=24, show_spinner=False)
def _record(
    key: str, sha256: str, keep: tuple[str, ...], _experiment: Experiment, _model: nn.Module, _batch: Tensor
) -> Recording:
    import spikeviz as sv

    return sv.simulate(_model, _batch, _experiment.interventions, keep=keep, seed=_experiment.seed)


def measure(experiment: Experiment, sha256: str, model: nn.Module, recording: Recording) -> Numbers:
    """The numbers of a recording that `record` made."""
    return _measure(repr(experiment), sha256, model, recording)


@st.cache_resource(max_entries=64, show_spinner=False)
def _measure(key: str, sha256: str, _model: nn.Module, _recording: Recording) -> Numbers:
    from spikeviz import metrics

    return Numbers(metrics.nsfr(_recording), metrics.firing_rates(_recording), metrics.operations(_model, _recording))


@st.cache_resource(max_entries=4, show_spinner=False)
def shipped(name: str, sha256: str) -> Film | None:
    """The recording that ships with a checkpoint, of the network as trained on test image 0; None if there is none."""
    from spikeviz.artifacts.packed_spikes import Film

    path = assets() / "recordings" / f"{name}.npz"
    film = Film.read(path) if path.exists() else None
    return film if film and film.facts.get("sha256") == sha256 else None


def warm_up() -> None:
    """Import in the background what the first forward pass needs, once in a process, when the page has been drawn."""

    def load() -> None:
        import spikeviz.artifacts.checkpoints
        import spikeviz.metrics  # noqa: F401

    if "torch" not in sys.modules and not any(thread.name == WARM for thread in threading.enumerate()):
        timer = threading.Timer(DRAWN, load)
        timer.name, timer.daemon = WARM, True
        timer.start()
