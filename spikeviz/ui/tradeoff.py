"""Accuracy, energy and spikes against D, and what training cost."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from spikeviz.interventions import SpikeLevels
from spikeviz.ui import cards, jobs, runs
from spikeviz.ui.integers import DEPTHS, SURVEY_IMAGES, config, siblings, vanilla

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.ui.lab import Lab

ENERGY_IMAGES = 64


def cost(lab: Lab) -> None:
    """Accuracy, energy and spikes against D, of both meanings; and what training cost."""
    left, right = st.columns(2, gap="large")
    with left:
        _sweep(lab)
    with right:
        _training(lab)


def _sweep(lab: Lab) -> None:
    run = lab.now
    there, plain, seed = siblings(run.card), vanilla(run.card), run.experiment.seed
    others = tuple(i for i in run.experiment.interventions if not isinstance(i, SpikeLevels))
    points = [("what-if", d, run.card, (*others, SpikeLevels(d))) for d in DEPTHS]
    points += [("trained", d, card, others) for d, card in there.items()]
    points += [("vanilla", 1, plain, ())] if plain else []
    batch, y = runs.some(run.card.data, SURVEY_IMAGES)
    opened = {card.name: runs.network(card.name, card.sha256) for _, _, card, _ in points}

    def work():
        x, table = batch(), []
        for number, (kind, d, card, interventions) in enumerate(points):
            found = yield from _point(opened[card.name].model, x, y, interventions, seed, number, table)
            table = [*table, {"meaning": kind, "D": d, "network": card.name, **found}]
            yield number + 1, table

    key = f"sweep {[(k, d, c.sha256, i) for k, d, c, i in points]!r} {seed} {len(y)}"
    seconds = len(y) * sum(opened[c.name].milliseconds for _, _, c, _ in points) / 1000
    jobs.panel(
        key, "Accuracy and energy against D", len(points), work, partial(_draw_sweep, lab, len(y)), label="Run all D",
        note=f"{len(points)} settings over {len(y):,} {run.samples} each, about {jobs.duration(seconds)}.",
    )  # fmt: skip


def _point(model, x, y, interventions, seed, number, table):
    """One setting; yields after every batch, so that it can be cancelled."""
    import spikeviz as sv
    from spikeviz.evaluation import survey
    from spikeviz.metrics import OPERANDS, operations

    for last in survey(model, x, y, interventions, seed):  # noqa: B007
        yield number, table
    recording = sv.simulate(model, x.split(ENERGY_IMAGES, x.ndim - 4)[0], interventions, OPERANDS, seed)
    energy = float(operations(model, recording)["picojoule"].sum())
    return {
        "T": len(recording.logits_per_step), "accuracy": last.accuracy, "standard error": last.error,
        "images": last.images,
        "energy (uJ)": energy / 1e6, "spikes per neuron": float(last.nsfr.sum()),
    }  # fmt: skip


def _draw_sweep(lab: Lab, images: int, table: list[dict], job: jobs.Job) -> None:
    if not table:
        return
    from spikeviz.figures.cost import by_depth

    own = config(lab.now.card).levels
    what_if = [row for row in table if row["meaning"] == "what-if"]
    here = next((row for row in what_if if row["D"] == own), None)
    best = max(what_if, key=lambda row: row["accuracy"])
    for column, digits, words, source in (
        ("accuracy", 3, f"The first {images:,} {lab.now.samples} of {lab.now.card.data}, seed "
         f"{lab.now.experiment.seed}, "
         f"{lab.now.recording.device.upper()}. The what-if curve belongs to one set of weights, trained at D = {own}; "
         f"its best point so far is D = {best['D']}. Every other point was trained at its D.",
         "E-SpikeFormer, Table 5 in kind"),
        ("energy (uJ)", 2, f"Mean of {ENERGY_IMAGES} images: 4.6 pJ a MAC, 0.9 pJ a SOP (45 nm, Horowitz 2014), "
         "estimated from operation counts; no hardware was measured.", "E-SpikeFormer, sec. 5.1 in kind"),
        ("spikes per neuron", 2, "NSFR summed over the steps, same images as above.", "E-SpikeFormer, sec. 5.3"),
    ):  # fmt: skip
        said = f" Here: {here[column]:.{digits}f} at D = {own}." if here else ""
        cards.figure(
            by_depth(table, column), words + said, source, page=f"{lab.page}_sweep",
            alt=f"{column} against D: "
            + ", ".join(f"{r['meaning']} {r['T']} x {r['D']} {r[column]:.{digits}f}" for r in table),
            files=job.over,
        )  # fmt: skip


def _training(lab: Lab) -> None:
    from spikeviz.data.catalog import find_data
    from spikeviz.figures.cost import training_chart, training_table

    there = siblings(lab.now.card)
    plain = vanilla(lab.now.card)
    rows = [_trained(card, f"1 x {d}") for d, card in there.items()]
    rows += [_trained(plain, f"{config(plain).time_steps} x 1, vanilla")] if plain else []
    device = lab.now.card.training.get("device", "")
    words = f"{find_data(lab.now.card.data).title}. As the training loop recorded it, {device}, same recipe and seed."
    by_setting = {row["T x D"]: row for row in rows}
    first, last = by_setting.get("1 x 4"), rows[-1] if plain else None
    if first and last:
        gain = (first["accuracy"] - last["accuracy"]) * 100
        times = last["CPU seconds per epoch"] / max(first["CPU seconds per epoch"], 1e-9)
        words += (
            f" An epoch of vanilla 4 x 1 took {times:.1f} times the CPU seconds of "
            f"one of SFA 1 x 4, whose accuracy is {abs(gain):.2f} points {'above' if gain > 0 else 'below'} it."
        )
    lab.figure(
        training_chart(rows),
        words + " CPU seconds count all threads; memory is the peak of the whole process, data included.",
        "E-SpikeFormer, Fig. 7 in kind",
        html=training_table(rows),
    )


def _trained(card: CheckpointCard, setting: str) -> dict[str, Any]:
    training = card.training
    epochs = max(1, training.get("epochs", 1))
    return {
        "network": card.name, "T x D": setting, "accuracy": card.accuracy, "samples": card.samples,
        "seconds": training.get("seconds", 0.0), "CPU seconds per epoch": training.get("cpu_seconds", 0.0) / epochs,
        "peak MB": training.get("peak_mb", 0), "epochs": epochs, "seed": card.seed,
    }  # fmt: skip
