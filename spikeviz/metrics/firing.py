"""What fires, when and where.

Integer spikes (scale 1/D) are counted as the D binary steps they stand for (E-SpikeFormer, sec. 3.2): a count C is a
spike at the steps d = 1 .. C, so that T steps of integers are T * D binary steps, t major, d minor. Binary: D = 1.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from spikeviz.axes import MAPS
from spikeviz.nn.integers import expand
from spikeviz.probe import find_probes
from spikeviz.recording import Recording, Track

SPIKES = ("*.spike",)  # what `nsfr`, `firing_rates`, `spike_maps` and `raster` need to be kept
PIECE = 1 << 18  # bytes that are counted D times while they are in a processor's cache
MEMBRANES = ("*.membrane", "*.spike")  # what `membrane_trace` needs


def nsfr(recording: Recording) -> Float[Tensor, "TD"]:
    """Network spike firing rate: at each step, the spikes of all neurons over the number of all neurons.

    Mean over the batch. Every neuron counts the same, so that a wide layer weighs more than a narrow one: this is no
    mean over layers (E-SpikeFormer, sec. 5.3).

    Returns:
        float64, spikes per neuron and step, each from 0 to 1.

    Raises:
        ValueError: if no spikes were kept, or layers ran for different numbers of steps.

    Warns:
        UserWarning: of a QCFS network, whose activations are no spikes: it is the share of them above 0.
    """
    tracks = _spike_tracks(recording)
    _warn_of_activations(recording, "NSFR", "the share of activations above 0")
    lengths = {name: len(_with_time(track)) * track.levels for name, track in tracks.items()}
    for (first, a), (second, b) in pairwise(lengths.items()):
        if a != b:
            raise ValueError(f"{first} has {a} steps and {second} has {b}: there is no rate of the network per step.")
    alike: dict[tuple[int, int], list[Tensor]] = {}  # by D: off the CPU, what is counted alike is counted at once
    for number, track in enumerate(tracks.values()):
        values = _with_time(track).flatten(1)
        alike.setdefault((track.levels, number if values.device.type == "cpu" else 0), []).append(values)
    spikes = (_spikes_at(torch.cat(v, 1) if len(v) > 1 else v[0], levels) for (levels, _), v in alike.items())
    counts = sum(spikes, torch.zeros((), dtype=torch.int64))
    return counts.double() / sum(neurons(track) for track in tracks.values())


def firing_rates(recording: Recording) -> pd.DataFrame:
    """Spikes per neuron of each layer at each step, mean over neurons and the batch.

    Returns:
        layer (the track's name, `blocks.0.attn.q.spike`), step (from 0), rate (0 to 1); in forward order.

    Raises:
        ValueError: if no spikes were kept.
    """
    rows = []
    for name, track in _spike_tracks(recording).items():
        rates = spike_counts(track).double() / neurons(track)
        rows += [(name, step, rate) for step, rate in enumerate(rates.tolist())]
    return pd.DataFrame(rows, columns=["layer", "step", "rate"])


def spike_maps(track: Track, sample: int = 0) -> Float[Tensor, "TD H W"]:
    """Spike maps of one sample: at each step, the share of channels that fire at each place (E-SpikeFormer, Fig. 8).

    Args:
        track: spikes with the axes T B C H W.
        sample: of the batch.

    Raises:
        ValueError: if the track has no spikes on a grid, or there is no such sample.
    """
    if track.kind != "spike" or track.axes != MAPS:
        raise ValueError(f"a spike map needs spikes with the axes {' '.join(MAPS)}, not {track}.")
    return _binary(_one(track, sample), track.levels).float().mean(1).cpu()


def binary_steps(track: Track, sample: int = 0) -> Bool[Tensor, "TD *neurons"]:
    """Whether each neuron of one sample fires at each binary step.

    Raises:
        ValueError: if the track holds no spikes, or there is no such sample.
    """
    if track.kind != "spike":
        raise ValueError(f"binary steps need spikes, not {track}.")
    return _binary(_one(track, sample), track.levels).cpu()


@dataclass(frozen=True, eq=False)
class Raster:
    """Spikes of some neurons of a layer, one entry a spike, by time.

    Attributes:
        steps: of each spike, from 0.
        rows: of each spike, its neuron's place in `neurons`.
        neurons: the neurons that are shown, flat indices into one sample of the layer, ascending.
        total: how many neurons the layer has.
        length: how many steps were run.
    """

    steps: Int[Tensor, "spikes"]
    rows: Int[Tensor, "spikes"]
    neurons: Int[Tensor, "neurons"]
    total: int
    length: int


def raster(track: Track, sample: int = 0, limit: int = 200) -> Raster:
    """The spikes of at most `limit` neurons, spread evenly over the layer.

    Raises:
        ValueError: if the track holds no spikes, there is no such sample, or limit is below 1.
    """
    if track.kind != "spike":
        raise ValueError(f"a raster needs spikes, not {track}.")
    if limit < 1:
        raise ValueError(f"limit must be at least 1 neuron, not {limit}.")
    fired = _binary(_one(track, sample), track.levels).flatten(1).cpu()
    total = fired.shape[1]
    shown = min(limit, total)
    neurons = torch.arange(shown) * total // shown
    steps, rows = fired[:, neurons].nonzero(as_tuple=True)
    return Raster(steps, rows, neurons, total, fired.shape[0])


@dataclass(frozen=True, eq=False)
class MembraneTrace:
    """One neuron over time.

    Attributes:
        potential: before reset, in the units of the threshold.
        spikes: what flowed on: 0 or 1, or an integer; after any edit, so that a masked spike is 0.
        threshold: the potential at which it fires; None if the neuron has none.
        neuron: its indices in one sample of the layer.
    """

    potential: Float[Tensor, "T"]
    spikes: Float[Tensor, "T"]
    threshold: float | None
    neuron: tuple[int, ...]


def membrane_trace(recording: Recording, layer: str, neuron: int | Sequence[int], sample: int = 0) -> MembraneTrace:
    """The membrane potential of one neuron.

    Args:
        recording: that kept `MEMBRANES`.
        layer: module path of the neurons (`blocks.0.attn.q`), without `.spike`.
        neuron: flat index into one sample of the layer, or an index for each axis (C, H, W).
        sample: of the batch.

    Raises:
        ValueError: if the layer's membrane or spikes were not kept, or there is no such neuron or sample.
    """
    tracks = []
    for ending in ("membrane", "spike"):
        if f"{layer}.{ending}" not in recording:
            raise ValueError(f'this recording has no {layer}.{ending}; keep it with keep={MEMBRANES} or keep="*".')
        tracks.append(recording[f"{layer}.{ending}"])
    potential, spikes = (_one(track, sample) for track in tracks)
    shape = tuple(potential.shape[1:])
    place = tuple(neuron) if isinstance(neuron, Iterable) else _unravel(int(neuron), shape)
    if len(place) != len(shape) or not all(0 <= i < n for i, n in zip(place, shape, strict=True)):
        raise ValueError(
            f"{layer} has neurons of shape {list(shape)}, {prod(shape)} of them; there is no neuron {neuron}."
        )
    at: tuple[Any, ...] = (slice(None), *place)
    return MembraneTrace(potential[at].cpu(), spikes[at].float().cpu(), tracks[0].threshold, place)


def spike_layers(model: nn.Module) -> tuple[str, ...]:
    """The layers that spike on a grid, by module path, in forward order; their tracks are `<layer>.spike`."""
    places = find_probes(model, lambda probe: probe.kind == "spike" and probe.axes == MAPS)
    return tuple(name.removesuffix(".spike") for name in places)


def power(recording: Recording) -> float:
    """Alpha-watts of a sample: its spikes over 1 ms, where a spike costs alpha joules (Masked Spiking Transformer,
    Eq. 10). Alpha is not known and the time is that of one step whatever T: only ratios mean something.

    Raises:
        ValueError: if no spikes were kept.

    Warns:
        UserWarning: of a QCFS network, whose activations are no spikes.
    """
    _warn_of_activations(recording, "power", "a count of activations above 0")
    total = sum(int(spike_counts(track).sum()) for track in _spike_tracks(recording).values())
    return total / recording.output.shape[0] / 1e-3


def spikes_of_images(recording: Recording) -> dict[str, Int[Tensor, "B"]]:
    """Spikes of each image, all steps together, of every track of spikes by name; a count of an integer is as many.

    Raises:
        ValueError: if no spikes were kept.
    """
    found = {}
    for name, track in _spike_tracks(recording).items():
        values = _with_time(track)
        whole = values if track.levels > 1 else values != 0
        found[name] = whole.sum((0, *range(2, whole.ndim))).cpu()
    return found


def spike_counts(track: Track) -> Int[Tensor, "TD"]:
    """Spikes of the whole batch at each binary step."""
    return _spikes_at(_with_time(track), track.levels)


def _with_time(track: Track) -> Tensor:
    return track.values if "T" in track.axes else track.values[None]


def _spikes_at(values: Tensor, levels: int) -> Int[Tensor, "TD"]:
    """How many values `[T, ...]` are at least d, for d = 1 .. D at each step: a spike at d is a count of d or more."""
    if levels == 1 and values.device.type != "cpu":  # one count a step: many times faster than a sum over booleans
        return torch.stack([step.count_nonzero() for step in values]).cpu()
    found = np.zeros((len(values), levels), dtype=np.int64)
    for t, step in enumerate(values.flatten(1).cpu()):
        for piece in step.split(PIECE):
            array = piece.numpy()  # which compares and counts bytes four times faster than torch
            for d in range(1, levels + 1):
                count = np.count_nonzero(array >= d if levels > 1 else array != 0)
                if count == 0:  # few neurons fire all they may: most of a large D ends here
                    break
                found[t, d - 1] += count
    return torch.from_numpy(found).flatten()


def _binary(values: Tensor, levels: int) -> Bool[Tensor, "TD *neurons"]:
    return expand(values, levels) != 0 if levels > 1 else values != 0


def neurons(track: Track) -> int:
    """How many neurons a track has, of the whole batch."""
    return prod(n for axis, n in zip(track.axes, track.values.shape, strict=True) if axis != "T")


def _warn_of_activations(recording: Recording, what: str, instead: str) -> None:
    """A sentence where what was recorded as spikes are the levels of QCFS: one step, in which more than one is fired
    though a step stands for one binary step. The first layer tells."""
    first = next((track for track in recording.of_kind("spike").values()), None)
    if first is not None and first.levels == 1 and len(_with_time(first)) == 1 and bool((first.values > 1).any()):
        warnings.warn(
            f"{recording.model} sends activations, not spikes, so its {what} is {instead}; "
            "sv.to_spiking(model, T) makes it spike.",
            stacklevel=3,
        )


def _one(track: Track, sample: int) -> Tensor:
    values = _with_time(track)
    if not 0 <= sample < values.shape[1]:
        raise ValueError(f"there is no sample {sample}: this recording has {values.shape[1]}, from 0.")
    return values[:, sample]


def _unravel(index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    if not 0 <= index < prod(shape):
        return ()
    return tuple(int(i) for i in torch.unravel_index(torch.tensor(index), shape))


def _spike_tracks(recording: Recording) -> dict[str, Track]:
    tracks = recording.of_kind("spike")
    if not tracks:
        raise ValueError(f'this recording kept no spikes; simulate with keep={SPIKES} or keep="*".')
    return tracks
