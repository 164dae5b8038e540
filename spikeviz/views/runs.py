"""Runs: networks, test sets and forward passes, each computed once for everybody in this process.

One pool holds the networks, one cache the recordings, each bounded by bytes. A network is shared between all sessions
and never written to; a recording is read-only. What is derived from a run (packed spikes, numbers, maps) is derived
lazily, once, and kept with it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from spikeviz.cache import MB, ByteCache
from spikeviz.views.experiment import Experiment
from spikeviz.views.layers import names

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.artifacts.packed_spikes import LayerSpikes, PackedSpikes
    from spikeviz.data.ingest import Input
    from spikeviz.recording import Recording

V = TypeVar("V")
NETWORKS, RUNS, DATA = ByteCache(512 * MB, grows=False), ByteCache(512 * MB), ByteCache(1024 * MB)
LIVE = 60.0  # ms of a forward pass up to which a slider answers while it is dragged
MADE = ("patches", "mask", "reconstruction")  # what an autoencoder answers beside its spikes


@dataclass(frozen=True, eq=False)
class Network:
    """A network that is shared between all sessions.

    Attributes:
        model: it.
        layers: that spike on a grid, in forward order.
        milliseconds: of one pass of one sample.
        parts: of the names of its layers, by module path (`spikeviz.views.layers.names`).
    """

    model: Any
    layers: tuple[str, ...]
    milliseconds: float

    @cached_property
    def parts(self) -> dict[str, tuple[str, ...]]:
        return names.parts(self.layers, self._tags)

    @cached_property
    def _tags(self) -> dict[str, names.Tag]:
        return names.tags_of(self.model)

    @property
    def names(self) -> dict[str, str]:
        """Of its layers in words, by module path."""
        return {layer: ", ".join(name) for layer, name in self.parts.items()}

    def words(self, layer: str) -> str:
        """The name of a layer, on a grid or not (scores); the module path itself of what is none."""
        if layer in self.parts or layer not in self._tags:
            return ", ".join(self.parts.get(layer, (layer,)))
        return ", ".join(names.parts_of(layer, self._tags[layer]))

    @property
    def fast(self) -> bool:
        """Whether a slider can answer while it is dragged."""
        return self.milliseconds <= LIVE


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the charts show of one recording: NSFR by step, rates of layers, operations of weighted products."""

    nsfr: Tensor
    rates: pd.DataFrame
    operations: pd.DataFrame


def network(card: CheckpointCard, variant: str = "") -> Network:
    """A checkpoint's network, on the best device there is.

    Args:
        card: of the checkpoint.
        variant: "" is the form that pages show: a QCFS network as the spiking one it becomes (T = 16, of a CNN 32),
            every other as it is stored. "qcfs": as it is stored. "ordinary": an autoencoder's with ordinary in place
            of sparse convolutions. "pruned 0.50": without the channels that are masked at that threshold.

    Raises:
        ValueError: for a variant there is none of, or a file that is not what its card says.
    """
    return NETWORKS.get((card.name, card.sha256, variant), lambda: _opened(card, variant))


def libraries() -> None:
    """Import what every forward pass needs: torch, most of all."""
    import spikeviz.artifacts.checkpoints
    import spikeviz.metrics  # noqa: F401


def imported() -> bool:
    """Whether `libraries` are there, to their last line."""
    found = sys.modules.get("spikeviz.metrics")
    return found is not None and not getattr(found.__spec__, "_initializing", False)


def is_open(card: CheckpointCard) -> bool:
    """Whether a network is in the pool, so that nobody has to wait for it."""
    return (card.name, card.sha256, "") in NETWORKS


def _opened(card: CheckpointCard, variant: str) -> Network:
    """One sample is too little work for two threads: under load they wait for each other. On the CPU one is fastest.

    The first pass of a process takes a second or two more than the others, so it is made here and not shown.
    """
    import torch

    import spikeviz as sv
    from spikeviz.interventions import QuantisationLevels
    from spikeviz.metrics.firing import spike_layers

    if variant:
        model = sv.load(card.name) if variant == "qcfs" else _changed(network(card).model, variant)
        return Network(model, spike_layers(model), network(card).milliseconds)
    from spikeviz.convert.to_spiking import SHOWN
    from spikeviz.runtime import reuse_memory

    torch.set_num_threads(1)
    reuse_memory()
    model = sv.load(card.name)
    if QuantisationLevels.possible(model):
        model = sv.to_spiking(model, SHOWN[model.family])
    passes = [sv.simulate(model, _blank(card)).milliseconds for _ in range(3)]
    return Network(model, spike_layers(model), min(passes))


def _changed(model: Any, variant: str) -> Any:
    import warnings

    from spikeviz.convert.prune import prune_channels
    from spikeviz.metrics import ordinary

    name, _, number = variant.partition(" ")
    if name == "ordinary":
        return ordinary(model)
    if name != "pruned":
        raise ValueError(f"a network has no variant {variant!r}.")
    with warnings.catch_warnings():  # where a whole site goes, the page says so itself
        warnings.simplefilter("ignore", UserWarning)
        return prune_channels(model, float(number))


def _blank(card: CheckpointCard) -> Tensor:
    """A black input of a network, a batch of one."""
    import torch

    from spikeviz.data.catalog import as_batch, find_data
    from spikeviz.models.registry import find_spec

    spec, steps = find_spec(card.model), find_data(card.data).steps
    return as_batch(torch.zeros(1, *([steps] if steps else []), *spec.input))


class Computed:
    """A forward pass, and what is derived from it: each once, when it is first asked for.

    Args:
        simulate: makes the pass.
        derived: where that is kept: passes of one experiment share it, since they differ in what they keep alone.
        grown: is told when there is more of it than before.
    """

    def __init__(self, simulate: Callable[[], Recording], derived: dict[Hashable, Any], grown: Callable[[], None]):
        self._simulate: Callable[[], Recording] | None = simulate
        self._grown = grown
        self._recording: Recording | None = None
        self._derived = derived
        self._lock = threading.RLock()

    @property
    def recording(self) -> Recording:
        with self._lock:
            if self._recording is None:
                assert self._simulate is not None
                self._recording, self._simulate = self._simulate(), None
                self._grown()
            return self._recording

    def once(self, name: Hashable, make: Callable[[Recording], V]) -> V:
        """`make(recording)`, the first time; what it made, from then on."""
        with self._lock:
            if name not in self._derived:
                self._derived[name] = make(self.recording)
                self._grown()
            return self._derived[name]


class Passes:
    """The forward passes of one experiment, by what they keep."""

    def __init__(self) -> None:
        self._passes: list[tuple[frozenset[str], Computed]] = []
        self._derived: dict[Hashable, Any] = {}
        self._lock = threading.Lock()

    def get(self, keep: frozenset[str], make: Callable[[dict[Hashable, Any]], Computed]) -> Computed:
        """One that keeps all of `keep`, and perhaps more; made if there is none."""
        with self._lock:
            for kept, computed in self._passes:
                if keep <= kept:
                    return computed
            computed = make(self._derived)
            self._passes.append((keep, computed))
            return computed


def cached_simulate(experiment: Experiment, keep: str | Sequence[str], batch: Callable[[], Tensor]) -> Computed:
    """The forward pass of an experiment, computed once; `batch` makes its input, which `experiment.source` names.

    A pass that keeps more than `keep` asks for serves as well.
    """
    from spikeviz.artifacts.cards import find_card

    card, _ = find_card(experiment.checkpoint)
    wanted = frozenset((keep,) if isinstance(keep, str) else keep)
    key = (card.sha256, experiment)

    def simulate() -> Recording:
        import spikeviz as sv

        model = network(card, experiment.variant).model
        kept = tuple(sorted(wanted))
        return sv.simulate(model, batch(), experiment.interventions, kept, experiment.seed, to_cpu=True)

    return RUNS.get(key, Passes).get(wanted, lambda derived: Computed(simulate, derived, lambda: RUNS.reweigh(key)))


@dataclass(frozen=True, eq=False)
class Run:
    """One experiment on one input, as a page shows it.

    Attributes:
        experiment: what was computed.
        card: of its network.
        shown: its input.
        status_text: its settings, on one line.
        computed: the forward pass.
    """

    experiment: Experiment
    card: CheckpointCard
    shown: Input
    status_text: str
    computed: Computed

    @property
    def network(self) -> Network:
        return network(self.card, self.experiment.variant)

    @property
    def model(self) -> Any:
        return self.network.model

    @property
    def layers(self) -> tuple[str, ...]:
        return self.network.layers

    @property
    def batch(self) -> Tensor:
        return self.shown.batch

    @property
    def recording(self) -> Recording:
        return self.computed.recording

    def once(self, name: Hashable, make: Callable[[Recording], V]) -> V:
        """Something derived from the recording, computed once for everybody."""
        return self.computed.once(name, make)

    @property
    def samples(self) -> str:
        """What the samples of its test set are called."""
        from spikeviz.data.catalog import find_data

        return f"test {find_data(self.card.data).sample}s"

    @property
    def picture(self) -> np.ndarray:
        """Its input to look at, `[C, H, W]` in [0, 1]."""
        from spikeviz.figures.events import input_picture

        return input_picture(self.shown.pixels.numpy())

    @property
    def packed_layers(self) -> dict[str, LayerSpikes]:
        """All spikes of its layers, one bit each."""
        from spikeviz.artifacts.packed_spikes import pack_layers

        return self.once("packed layers", lambda recording: pack_layers(recording, self.layers))

    @cached_property
    def packed(self) -> PackedSpikes:
        """All spikes with the input and what a page says of the run, for the viewer."""
        from spikeviz.artifacts.packed_spikes import pack
        from spikeviz.data.catalog import find_data
        from spikeviz.views.inputs import foreign

        facts: dict[str, Any] = {"classes": find_data(self.card.data).classes, "label": self.shown.label}
        facts |= {"foreign": foreign(self.experiment, self.card)}
        facts |= {"notes": self.shown.notes, "status_text": self.status_text, "title": self.shown.title}
        return pack(self.recording, self.packed_layers, self.picture, **facts)

    @property
    def numbers(self) -> Numbers:
        """What the charts show."""
        from spikeviz import metrics

        model = self.model
        return self.once(
            "numbers",
            lambda r: Numbers(metrics.nsfr(r), metrics.firing_rates(r), metrics.operations(model, r)),
        )
