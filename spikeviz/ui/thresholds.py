"""Accuracy against the threshold of channel masks: a precomputed curve, and the present point measured now."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.artifacts.curves import find_curve
from spikeviz.data.catalog import find_data
from spikeviz.nn.channel_masks import TRAINED
from spikeviz.ui import cards, jobs, runs

if TYPE_CHECKING:
    from typing import Any

    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.evaluation import Survey
    from spikeviz.ui.lab import Lab

SAMPLES = 512
POINT = 0.01  # of accuracy
SOURCE = "SDMFormer, sec. 4.4 in kind"


def accuracy(lab: Lab) -> None:
    """Accuracy against the threshold: the whole curve, precomputed, and the present point, measured now."""
    from spikeviz.data.catalog import as_batch
    from spikeviz.evaluation import survey
    from spikeviz.figures.channel_masks import accuracy_curve

    run, curve = lab.now, _curve(lab.now.card)
    x, y = runs.test_set(run.card.data)
    total = min(SAMPLES, len(x))

    def work():
        samples, classes = as_batch(x[:total]), y[:total]
        for so_far in survey(run.opened.model, samples, classes, run.experiment.interventions, run.experiment.seed):
            yield so_far.images, so_far

    job = jobs.panel(
        f"accuracy {run.card.sha256} {run.experiment.but(source='')!r} {total}", "This threshold, measured now",
        total, work, partial(_draw_accuracy, lab, curve), label="Measure this threshold",
        note=f"{run.said}, the first {total:,} {run.samples}, about "
        f"{jobs.duration(total * run.opened.milliseconds / 1000)}.",
    )  # fmt: skip
    if curve and (job is None or job.latest is None):
        lab.figure(accuracy_curve(curve, run.threshold), _said(lab, curve), SOURCE, alt=_alt(curve))


def _curve(card: CheckpointCard) -> dict[str, Any] | None:
    """The precomputed curve; says on the page what makes it where there is none."""
    try:
        found = find_curve(card.name)
    except ValueError as error:
        st.warning(str(error))
        return None
    if found is None:
        st.caption(f"No curve of {card.name} was computed yet: `spikeviz curve {card.name}` does.")
    return found


def _draw_accuracy(lab: Lab, curve: dict[str, Any] | None, found: Survey, job: jobs.Job) -> None:
    from spikeviz.figures.channel_masks import accuracy_curve

    own, words = lab.now.threshold, _said(lab, curve) if curve else ""
    point = (found.accuracy, found.error, f"now, {found.images:,} {lab.now.samples}")
    cards.figure(
        accuracy_curve(curve, own, point),
        f"Measured now at {own:.2f} over the first {found.images:,} {lab.now.samples}: {found.accuracy:.3f} ± "
        f"{found.error:.3f} (standard error), {lab.now.said}, {lab.now.recording.device.upper()}, {job.seconds:.0f} s. "
        + words,
        SOURCE, page=f"{lab.page}_accuracy", files=job.over,
        alt=f"Accuracy at threshold {own:.2f}: {found.accuracy:.3f}. {_alt(curve) if curve else ''}",
    )  # fmt: skip


def _said(lab: Lab, curve: dict[str, Any]) -> str:
    """Where a curve is from, and what it says."""
    return (
        f"The curve: precomputed by `{curve['command']}` on all {curve['samples']:,} {lab.now.samples} of "
        f"{find_data(curve['data']).title}, seed {curve['seed']}, {curve['device']}, with one standard "
        f"error shaded. {reach(curve)} Weights unchanged: at other thresholds than 0.50 nothing was retrained."
    )


def reach(curve: dict[str, Any]) -> str:
    """How far up the threshold can go before accuracy falls by more than a point, in words."""
    points = sorted(curve["points"], key=lambda point: point["threshold"])
    base = next((point for point in points if abs(point["threshold"] - TRAINED) < 1e-9), None)
    if base is None:
        return ""
    above, last = [point for point in points if point["threshold"] > TRAINED], base
    for point in above:
        if point["accuracy"] < base["accuracy"] - POINT:
            break
        last = point
    kept = last["channels"] - last["masked"]
    return (
        f"From 0.50, where it is {base['accuracy']:.3f}, it falls by no more than a point up to "
        f"{last['threshold']:.2f}, which keeps {kept:,} of {last['channels']:,} channels."
    )


def _alt(curve: dict[str, Any]) -> str:
    return "Accuracy against the threshold: " + ", ".join(
        f"{point['threshold']:.2f} {point['accuracy']:.3f}" for point in curve["points"]
    )
