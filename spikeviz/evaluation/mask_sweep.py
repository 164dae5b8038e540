"""Accuracy under random masks at several settings, seed by seed and setting by setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import ceil, sqrt
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from spikeviz.evaluation.masked_accuracy import masked_accuracy
from spikeviz.evaluation.survey import batch_seed
from spikeviz.interventions import Intervention, MaskSpikes
from spikeviz.nn.thinning import LAWS
from spikeviz.simulation import simulate

SEEDS = range(10)
SAMPLES, BATCH = 48, 16  # of a point; how many of them run at a time

Points = Sequence[tuple[float, tuple[Intervention, ...]]]  # a place on the axis, and what is intervened there


def seeds(interventions: Sequence[Intervention]) -> range:
    """Of a point: one where nothing or everything is dropped, since all seeds agree."""
    drawn = any(isinstance(i, MaskSpikes) and 0 < i.ratio < 1 for i in interventions)
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
        `name`, mean, deviation (standard deviation over seeds) and standard error (of so few samples) of the accuracy,
        seeds, samples, and power, sent, kept, entropy, silent of `MaskedAccuracy`.

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
                        "standard error": found.standard_error,
                        "seeds": len(found.accuracies),
                        "samples": found.samples,
                        **found.passing,
                    }
                ]
            yield done, [*table, *row]
        table += row


def law_units(points: Points, samples: int, batch: int = BATCH) -> int:
    """Units of work of `compare_laws`: a batch under one seed and one law."""
    return len(LAWS) * units(points, samples, batch)


def compare_laws(
    model: nn.Module,
    x: Tensor,
    y: Int[Tensor, "N"],
    points: Points,
    batch: int = BATCH,
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Accuracy under masks that drop each spike by itself against masks that drop whole activations, in pairs.

    Args:
        model: a network whose activations stand for several spikes (QCFS levels, integers); not written to.
        x: images `[N, C, H, W]` or event frames `[T, N, 2, H, W]`.
        y: the classes, `[N]`.
        points: ratios, with the masks of each; the law is replaced.
        batch: how many samples run at a time.

    Yields:
        After every unit of work: how many are done, and a row for each ratio that is done: ratio, spikes, whole (mean
        accuracy over the seeds of each law), difference (spikes less whole), error (standard error of the mean over
        samples of a sample's difference, each of which is a mean over the seeds), seeds, samples.
    """
    axis, table, done = x.ndim - 4, list[dict[str, Any]](), 0
    starts = range(0, len(y), batch)
    for ratio, masks in points:
        seeds_of = seeds(masks)
        right = {law: torch.zeros(len(y)) for law in LAWS}
        for law, seed, start in product(LAWS, seeds_of, starts):
            some = x.narrow(axis, start, min(batch, len(y) - start))
            rules = [replace(mask, law=law) if isinstance(mask, MaskSpikes) else mask for mask in masks]
            best = simulate(model, some, rules, "", batch_seed(seed, start // batch)).output.argmax(-1).cpu()
            right[law][start : start + batch] += (best == y[start : start + batch].cpu()) / len(seeds_of)
            done += 1
            if (law, seed, start) != (LAWS[-1], seeds_of[-1], starts[-1]):
                yield done, list(table)
        by_sample = right["spikes"] - right["whole"]
        error = float(by_sample.std()) / sqrt(len(y)) if len(y) > 1 else 0.0
        means = {law: float(each.mean()) for law, each in right.items()}
        table.append(
            {"ratio": ratio}
            | means
            | {"difference": float(by_sample.mean()), "error": error, "seeds": len(seeds_of), "samples": len(y)}
        )
        yield done, list(table)
