"""Accuracy under interventions that draw at random, over several seeds, and the spikes that are left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from jaxtyping import Int
from torch import Tensor, nn

from spikeviz.evaluation.survey import batch_seed
from spikeviz.interventions import Intervention
from spikeviz.metrics.dropped import came, passed, power_that_passes, sent
from spikeviz.metrics.firing import SPIKES
from spikeviz.metrics.score_entropy import score_entropy
from spikeviz.metrics.spike_masking import Place, masking_places
from spikeviz.recording import Recording
from spikeviz.runtime import at_once, in_turn
from spikeviz.simulation import simulate


@dataclass(frozen=True)
class MaskedAccuracy:
    """A test set under interventions that draw at random, once for each seed.

    Attributes:
        accuracies: 0 to 1, one of each seed that was run, over the same samples.
        samples: how many test samples.
        power: alpha-watts of a sample under the first seed (`power_that_passes`).
        sent, kept: spikes per neuron and step that come to the masked places, and that go on from there to the
            products, but for scores that have no neurons and levels that convolutions read. Under the first seed; 0
            where nothing is masked.
        entropy, silent: of the rows of the scores as they are used, under the first seed (`ScoreEntropy`); None of a
            network without scores.
    """

    accuracies: tuple[float, ...]
    samples: int
    power: float
    sent: float = 0.0
    kept: float = 0.0
    entropy: float | None = None
    silent: float | None = None

    @property
    def mean(self) -> float:
        return fmean(self.accuracies)

    @property
    def deviation(self) -> float:
        """Standard deviation over the seeds, as the paper's Fig. 5 shows it; 0 of a single one."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else 0.0

    @property
    def passing(self) -> dict[str, float | None]:
        """What is known of the first seed, by name."""
        return {name: getattr(self, name) for name in ("power", "sent", "kept", "entropy", "silent")}

    @property
    def standard_error(self) -> float:
        """Of so few samples: sqrt(p (1 - p) / n) of the mean p."""
        return sqrt(self.mean * (1 - self.mean) / self.samples)


def masked_accuracy(
    model: nn.Module,
    x: Tensor,
    y: Int[Tensor, "N"],
    interventions: Sequence[Intervention],
    seeds: Sequence[int] = range(10),
    batch: int = 64,
) -> Iterator[MaskedAccuracy | None]:
    """Run a test set once for each seed; yield what is known after each, and None after every other batch.

    Args:
        model: from `build`, `load`, `to_spiking` or `from_official`; not written to.
        x: images `[N, C, H, W]` or event frames `[T, N, 2, H, W]`.
        y: the classes, `[N]`.
        interventions: applied left to right.
        seeds: of the masks; batch i of a seed is simulated with `batch_seed(seed, i)`.
        batch: how many samples run at a time.

    Raises:
        ValueError: for no seeds, samples or labels that do not belong to them.
    """
    axis = x.ndim - 4
    if not len(seeds) or x.shape[axis] != len(y) or not len(y):
        raise ValueError(f"{len(seeds)} seeds, {x.shape[axis]} samples and {len(y)} labels make no accuracy.")

    places = masking_places(model)
    masked = [p for p in places if any(rule.edits(p.name, p.kind) for rule in interventions)]
    scores = [p.name for p in places if p.site == "scores"]
    watched = (*SPIKES, *scores, *(track for p in masked for track in (came(p.name), p.name)))

    def run(unit: tuple[int, int]) -> tuple[int, dict[str, float]]:
        """How many of a batch are right under a seed, and what passes under the first."""
        seed, start = unit
        some, labels = x.narrow(axis, start, min(batch, len(y) - start)), y[start : start + batch]
        first = seed == seeds[0]
        recording = simulate(model, some, interventions, watched if first else "", batch_seed(seed, start // batch))
        right = int((recording.output.argmax(-1).cpu() == labels.cpu()).sum())
        return right, _passing(recording, places, masked, scores) if first else {}

    starts = range(0, len(y), batch)
    units = [(seed, start) for seed in seeds for start in starts]
    accuracies: list[float] = []
    right, spent = 0, defaultdict[str, float](float)
    for (_, start), (more, passing) in zip(units, in_turn(run, units, at_once(model)), strict=True):
        right += more
        for what, amount in passing.items():
            spent[what] += amount
        if start != starts[-1]:
            yield None
            continue
        accuracies.append(right / len(y))
        right = 0
        yield MaskedAccuracy(tuple(accuracies), len(y), spent["power"] / len(y), **_means(spent))


def _passing(
    recording: Recording, places: Sequence[Place], masked: Sequence[Place], scores: Sequence[str]
) -> dict[str, float]:
    """Sums over a batch, of which `_means` makes means."""
    samples = len(recording.output)
    found = defaultdict[str, float](float, power=power_that_passes(recording, places) * samples)
    for place in masked:
        track = recording.get(passed(place.name))
        if track is None or track.values.is_floating_point():
            continue
        found["sent"] += float(sent(recording, place.name).sum().double())
        found["kept"] += float(track.values.sum().double())
        found["neurons"] += track.values.numel()
    for name in scores:
        entropy, silent = score_entropy(recording[name])
        found["silent"] += silent * samples
        found["rows"] += samples
        found["entropy"] += (entropy or 0.0) * samples * (1 - silent)
    return found


def _means(spent: dict[str, float]) -> dict[str, Any]:
    rows, neurons = spent["rows"], spent["neurons"] or 1.0
    looking = rows - spent["silent"]
    return {
        "sent": spent["sent"] / neurons,
        "kept": spent["kept"] / neurons,
        "entropy": spent["entropy"] / looking if looking > 0 else None,
        "silent": spent["silent"] / rows if rows else None,
    }
