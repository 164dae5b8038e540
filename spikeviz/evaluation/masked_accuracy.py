"""Accuracy under interventions that draw at random, over several seeds, and the spikes that are left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from jaxtyping import Int
from torch import Tensor, nn

from spikeviz.evaluation.survey import batch_seed
from spikeviz.interventions import Intervention
from spikeviz.metrics.firing import SPIKES, power
from spikeviz.runtime import at_once, in_turn
from spikeviz.simulation import simulate


@dataclass(frozen=True)
class MaskedAccuracy:
    """A test set under interventions that draw at random, once for each seed.

    Attributes:
        accuracies: 0 to 1, one of each seed that was run, over the same samples.
        power: alpha-watts of a sample under the first seed (`power`).
        samples: how many test samples.
    """

    accuracies: tuple[float, ...]
    power: float
    samples: int

    @property
    def mean(self) -> float:
        return fmean(self.accuracies)

    @property
    def deviation(self) -> float:
        """Standard deviation over the seeds, as the paper's Fig. 5 shows it; 0 of a single one."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else 0.0


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

    def run(unit: tuple[int, int]) -> tuple[int, float]:
        """How many of a batch are right under a seed, and the power of the first."""
        seed, start = unit
        some, labels = x.narrow(axis, start, min(batch, len(y) - start)), y[start : start + batch]
        first = seed == seeds[0]
        recording = simulate(model, some, interventions, SPIKES if first else "", batch_seed(seed, start // batch))
        right = int((recording.output.argmax(-1).cpu() == labels.cpu()).sum())
        return right, power(recording) * len(labels) if first else 0.0

    starts = range(0, len(y), batch)
    units = [(seed, start) for seed in seeds for start in starts]
    accuracies: list[float] = []
    right, spent = 0, 0.0
    for (_, start), (more, power_of_them) in zip(units, in_turn(run, units, at_once(model)), strict=True):
        right, spent = right + more, spent + power_of_them
        if start != starts[-1]:
            yield None
            continue
        accuracies.append(right / len(y))
        right = 0
        yield MaskedAccuracy(tuple(accuracies), spent / len(y), len(y))
