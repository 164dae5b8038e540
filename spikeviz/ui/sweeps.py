"""Accuracy under random masks measured now: a curve over test samples that fills in seed by seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import ceil
from typing import TYPE_CHECKING

from spikeviz.interventions import MaskSpikes, TimeSteps
from spikeviz.ui import cards, jobs, runs
from spikeviz.ui.random_masks import SEEDS

if TYPE_CHECKING:
    from torch import nn

    from spikeviz.interventions import Intervention
    from spikeviz.ui.lab import Lab, Run

SAMPLES, BATCH = 48, 16  # of a point; how many of them run at a time

Points = Sequence[tuple[float, tuple["Intervention", ...]]]


def with_rule(run: Run, mask: MaskSpikes) -> tuple[Intervention, ...]:
    """What a run intervenes, with another mask; the mask first, as the page runs it."""
    return (mask, *(i for i in run.experiment.interventions if not isinstance(i, MaskSpikes)))


def seeds(interventions: Sequence[Intervention]) -> range:
    """Of a point: one where nothing is drawn, since all seeds agree."""
    drawn = any(isinstance(i, MaskSpikes) and i.ratio > 0 for i in interventions)
    return SEEDS if drawn else SEEDS[:1]


def live(lab: Lab, x: str, points: Points, title: str, source: str, what: str) -> None:
    """Run to measure a curve now: it fills in point by point, and can be cancelled."""
    from spikeviz.data.catalog import find_data

    run = lab.now
    samples = runs.test_set(run.card.data)
    count = min(SAMPLES, len(samples[0]))
    total = sum(len(seeds(settings)) for _, settings in points) * ceil(count / BATCH)
    steps = run.opened.model.time_steps
    seconds = sum(
        count * len(seeds(own)) * run.opened.milliseconds / 1000
        * next((i.T for i in own if isinstance(i, TimeSteps)), steps) / steps
        for _, own in points
    )  # fmt: skip
    jobs.panel(
        f"masks {x} {run.card.sha256} {points!r} {count}", title, total,
        partial(work, run.opened.model, samples, x, points), partial(_draw, lab, x, title, source, what),
        label=f"Measure {len(points)} points",
        note=f"{what[0].upper()}{what[1:]}: the first {count:,} {run.samples} of {find_data(run.card.data).title}, "
        f"{len(SEEDS)} seeds, about {jobs.duration(seconds)}.",
    )  # fmt: skip


def work(model: nn.Module, samples: tuple, x: str, points: Points) -> Iterator[tuple[int, list[dict]]]:
    """A unit of work is a batch under one seed of a point."""
    from spikeviz.data.catalog import as_batch
    from spikeviz.evaluation import masked_accuracy

    (pictures, y), table, done = (part[:SAMPLES] for part in samples), [], 0
    x_all = as_batch(pictures)
    for place, settings in points:
        row: list[dict] = []
        for found in masked_accuracy(model, x_all, y, settings, seeds(settings), BATCH):
            done += 1
            if found:
                row = [{x: place, "mean": found.mean, "deviation": found.deviation, "seeds": len(found.accuracies),
                        "power": found.power, "samples": found.samples}]  # fmt: skip
            yield done, [*table, *row]
        table += row


def _draw(lab: Lab, x: str, title: str, source: str, what: str, table: list[dict], job: jobs.Job) -> None:
    if not table:
        return
    from spikeviz.figures.spike_masking import accuracy_chart

    last = table[-1]
    cards.figure(
        accuracy_chart(title, x, {}, table, x_range=(-0.02, 1.02) if x == "ratio" else None),
        f"{lab.now.card.name}, {what}: {len(table)} of the points, the last {last['mean']:.3f} ± "
        f"{last['deviation']:.3f} at {x} {last[x]:g} ({last['seeds']} seeds, {last['samples']} {lab.now.samples}, "
        f"{lab.now.recording.device.upper()}, {job.seconds:.0f} s). Of so few samples the standard "
        f"error is up to {0.5 / last['samples'] ** 0.5:.0%}.",
        source, page=f"{lab.page}_live", alt=said({lab.now.card.name: table}, x), files=job.over,
    )  # fmt: skip


def said(points: Mapping[str, Sequence[Mapping]], x: str) -> str:
    """Curves in words."""
    return f"Accuracy against {x}: " + "; ".join(
        f"{name} " + ", ".join(f"{p[x]:g} {p.get('mean', p.get('accuracy')):.3f}" for p in own)
        for name, own in points.items()
    )
