"""Accuracy under random masks at several settings, seed by seed and setting by setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

from jaxtyping import Int
from torch import Tensor, nn

from spikeviz.evaluation.masked_accuracy import masked_accuracy
from spikeviz.interventions import Intervention, MaskSpikes

SEEDS = range(10)
SAMPLES, BATCH = 48, 16  # of a point; how many of them run at a time

Points = Sequence[tuple[float, tuple[Intervention, ...]]]  # a place on the axis, and what is intervened there


def seeds(interventions: Sequence[Intervention]) -> range:
    """Of a point: one where nothing is drawn, since all seeds agree."""
    drawn = any(isinstance(i, MaskSpikes) and i.ratio > 0 for i in interventions)
    return SEEDS if drawn else SEEDS[:1]


def units(points: Points, samples: int, batch: int = BATCH) -> int:
    """Units of work of `mask_sweep`: a batch under one seed of a point."""
    return sum(len(seeds(settings)) for _, settings in points) * ceil(samples / batch)


def mask_sweep(
    model: nn.Module, x: Tensor, y: Int[Tensor, "N"], name: str, points: Points, batch: int = BATCH
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Measure a curve point by point, over all seeds of each.

    Args:
        model: that is run; not written to.
        x: images `[N, C, H, W]` or event frames `[T, N, 2, H, W]`.
        y: the classes, `[N]`.
        name: of what is on the axis, a column of the table.
        points: of the curve, in the order in which they are measured.
        batch: how many samples run at a time.

    Yields:
        After every unit of work (`units`): how many are done, and a row for each point of which there is a seed:
        `name`, mean and deviation (standard deviation over seeds) of the accuracy, seeds, power (alpha-watts of a
        sample under the first seed), samples.

    Raises:
        ValueError: for samples and labels that do not belong together.
    """
    table: list[dict[str, Any]] = []
    done = 0
    for place, settings in points:
        row: list[dict[str, Any]] = []
        for found in masked_accuracy(model, x, y, settings, seeds(settings), batch):
            done += 1
            if found:
                row = [
                    {
                        name: place,
                        "mean": found.mean,
                        "deviation": found.deviation,
                        "seeds": len(found.accuracies),
                        "power": found.power,
                        "samples": found.samples,
                    }
                ]
            yield done, [*table, *row]
        table += row
