"""What is measured into the card of a checkpoint once it is made: how often every layer fires, what a sample costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import Any, cast

from torch import nn
from tqdm import tqdm

from spikeviz.artifacts.cards import find_card
from spikeviz.artifacts.checkpoints import load
from spikeviz.convert.to_spiking import SHOWN, to_spiking
from spikeviz.data.catalog import as_batch, open_data
from spikeviz.evaluation.accuracy import measure, measure_energy
from spikeviz.evaluation.reconstruction import RATIO, quality
from spikeviz.interventions import HidePatches, Intervention
from spikeviz.metrics import SPIKES
from spikeviz.metrics.firing import neurons, spike_counts
from spikeviz.models.spike_mae import SpikeMAE
from spikeviz.nn.qcfs import QCFS
from spikeviz.paths import assets, is_installed
from spikeviz.runtime import describe
from spikeviz.simulation import simulate

AT_ONCE = 512  # samples x steps of a pass: more is no faster, and takes memory
MOST = 64  # samples of a pass
SAMPLES, CONVERTED = 1000, 250  # of what a card holds; a converted network takes many times as long a sample


@dataclass(frozen=True)
class Firing:
    """What was counted over a test set.

    Attributes:
        samples: how many were run.
        right: for how many the largest logit (mean over T) was the right one; 0 of an autoencoder.
        steps: binary steps of a sample, T x D.
        layers: firing rate of each layer, by module path: spikes per neuron and binary step, 0 to 1.
        spikes: spikes per neuron of the whole network, all steps together.
    """

    samples: int
    right: int
    steps: int
    layers: Mapping[str, float]
    spikes: float

    @property
    def accuracy(self) -> float:
        """Share of the samples that were recognised, 0 to 1."""
        return self.right / self.samples

    @property
    def error(self) -> float:
        """Standard error of the accuracy p over n samples, sqrt(p (1 - p) / n)."""
        return sqrt(self.accuracy * (1 - self.accuracy) / self.samples)


def count_firing(
    model: nn.Module,
    data: str,
    interventions: Sequence[Intervention] = (),
    limit: int | None = None,
    title: str = "firing",
    progress: bool = True,
    advance: Callable[[int], object] | None = None,
) -> Firing:
    """Count the spikes of every layer over the test split of `data`, or over its first `limit` samples.

    `advance` is told how many more were run, by who shows a bar of several such loops; then there is none of this one.
    A random edit draws anew for each batch, by a seed that is the number of the batch's first sample.
    """
    x, y = open_data(data, "test", limit)
    batch = max(1, min(MOST, AT_ONCE // int(getattr(model, "time_steps", 1))))
    spikes: dict[str, int] = {}
    places: dict[str, int] = {}
    steps, right = 1, 0
    for start in tqdm(range(0, len(x), batch), title, disable=not progress or advance is not None, mininterval=2.0):
        recording = simulate(model, as_batch(x[start : start + batch]), interventions, SPIKES, seed=start)
        for name, track in recording.of_kind("spike").items():
            counts = spike_counts(track)
            spikes[name] = spikes.get(name, 0) + int(counts.sum())
            places[name] = places.get(name, 0) + neurons(track) * len(counts)
            steps = max(steps, len(counts))
        if recording.output.ndim == 2:
            right += int((recording.output.argmax(-1).cpu() == y[start : start + batch]).sum())
        if advance is not None:
            advance(len(recording.output))
    rates = {name.removesuffix(".spike"): spikes[name] / places[name] for name in spikes}
    return Firing(len(x), right, steps, rates, steps * sum(spikes.values()) / max(sum(places.values()), 1))


def own_card(name: str) -> Path:
    """The file of a checkpoint's card, to write to.

    Raises:
        ValueError: for an unknown name, or a card that lies in an installed package, which is not written to.
    """
    _, weights = find_card(name)
    if weights.parent.parent == assets() and is_installed():
        raise ValueError(f"the card of {name} lies in an installed package, which is not written to: use a checkout.")
    return weights.with_suffix(".json")


def write_costs(name: str, device: str = "auto") -> Path:
    """Measure parameters, operations, energy and speed of a checkpoint into its card (`evaluation.accuracy.measure`).

    As when it is published: of an autoencoder with 75 % of the patches hidden. Raises as `own_card`.
    """
    path, (card, _) = own_card(name), find_card(name)
    found = measure(load(name, device), card.data, () if card.classifies else (HidePatches(RATIO),))
    card, _ = find_card(name)  # it may have been written to in the meantime
    replace(card, measured=card.measured | found).write(path)
    return path


def write_errors(name: str, device: str = "auto") -> Path:
    """Measure the errors of an autoencoder again (`spikeviz.evaluation.reconstruction.quality`) into its card.

    Raises:
        ValueError: for a network that classifies; as `own_card`.
    """
    path, (card, _) = own_card(name), find_card(name)
    if card.classifies:
        raise ValueError(f"{name} names classes and reconstructs nothing: there are no errors of hidden patches.")
    found = quality(cast(SpikeMAE, load(name, device)), card.data)
    card, _ = find_card(name)  # it may have been written to in the meantime
    replace(card, measured=card.measured | found).write(path)
    return path


def write_energy(name: str, device: str = "auto") -> Path:
    """Count operations and energy of a checkpoint in three ways into its card, `measured["energy"]`; nothing is timed.

    As when it is published: of an autoencoder with 75 % of the patches hidden. Raises as `own_card`.
    """
    path, (card, _) = own_card(name), find_card(name)
    model = load(name, device)
    found = measure_energy(model, card.data, () if card.classifies else (HidePatches(RATIO),))
    found |= {"command": f"spikeviz publish {name} --with energy", "device": describe(next(model.parameters()).device)}
    card, _ = find_card(name)  # it may have been written to in the meantime
    first = {name: card.measured[name] for name in ("parameters", "operations") if name in card.measured}
    replace(card, measured=first | {"energy": found} | card.measured | {"energy": found}).write(path)
    return path


def write_firing(name: str, device: str = "auto", progress: bool = True) -> Path:
    """Count the firing of a checkpoint over its first test samples and write it into its card, `measured["firing"]`.

    As pages show the network: a QCFS network as the spiking one it becomes, an autoencoder with 75 % of the patches
    hidden, any other as it was trained.

    Raises as `own_card`.
    """
    path, (card, _) = own_card(name), find_card(name)
    model, samples = load(name, device), SAMPLES
    if any(isinstance(module, QCFS) for module in model.modules()):
        model, samples = to_spiking(model, SHOWN[str(model.family)]), CONVERTED
    rules = () if card.classifies else (HidePatches(RATIO),)
    found = count_firing(model, card.data, rules, samples, name, progress)
    measured: dict[str, Any] = {
        "samples": found.samples,
        "steps": found.steps,
        "spikes_per_neuron": round(found.spikes, 6),
        "layers": {layer: round(rate, 6) for layer, rate in found.layers.items()},
        "command": f"spikeviz publish {name} --with firing",
        "device": describe(next(model.parameters()).device),
    }
    card, _ = find_card(name)  # it may have been written to in the meantime
    replace(card, measured=card.measured | {"firing": measured}).write(path)
    return path
