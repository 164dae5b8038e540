"""Integer firing: which networks it is about, what a moved D means, and how much they fire."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from spikeviz.interventions import SpikeLevels
from spikeviz.ui import cards, jobs, runs
from spikeviz.ui.experiment import Experiment, Networks, checkpoints, held

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.ui.lab import Lab, Run

DEPTHS = (1, 2, 3, 4, 6, 8, 12, 16)  # of a curve against D
SURVEY_IMAGES = 512


def config(card: CheckpointCard) -> Any:
    """Of the model a card is of; None for a model that is not known."""
    from spikeviz.models.registry import SPECS

    spec = SPECS.get(card.model)
    return getattr(spec, "config", None)


def fires_integers(card: CheckpointCard) -> bool:
    """Whether a network fires integers, and D acts on it."""
    return getattr(config(card), "neuron", "") == "integer"


NETWORKS = Networks(
    fires_integers,
    "fires binary spikes, so D does not act on it",
    "e-spikeformer-fashion-sfa4",
)


def siblings(card: CheckpointCard) -> dict[int, CheckpointCard]:
    """Networks that were trained like this one, at another D or the same, by D."""
    own, found = config(card), {}
    for other in checkpoints().values():
        form = config(other)
        if other.data == card.data and fires_integers(other) and replace(form, levels=own.levels) == own:
            found[form.levels] = other
    return dict(sorted(found.items()))


def vanilla(card: CheckpointCard) -> CheckpointCard | None:
    """The same architecture, trained with binary LIF neurons on the same data."""
    own = config(card)
    for other in checkpoints().values():
        form = config(other)
        binary = other.data == card.data and getattr(form, "neuron", "") == "lif"
        if binary and replace(form, neuron=own.neuron, levels=own.levels, time_steps=own.time_steps) == own:
            return other
    return None


def depth(run: Run) -> int:
    """D, as the run has it."""
    levels = [i.D for i in run.experiment.interventions if isinstance(i, SpikeLevels)]
    return levels[0] if levels else config(run.card).levels


def trained_at(now: Run) -> Experiment | None:
    """The network that was trained at the D of this run, as it was trained; None if that is this one, or none was."""
    other = siblings(now.card).get(depth(now))
    return None if other is None or other == now.card else Experiment(other.name, now.experiment.source)


def meanings(lab: Lab) -> None:
    """The two meanings of a moved D, by name."""
    own, wanted = config(lab.now.card).levels, depth(lab.now)
    there = siblings(lab.now.card)
    what_if = f"these weights, trained with D = {own}, clip at {wanted} and divide by {wanted}"
    trained = ", ".join(str(d) for d in there if d != own)
    if wanted == own and (held() or not trained):
        return
    if wanted == own:
        said = f"**D = {own} is what this network was trained with.** Move D: B is then these weights with another D "
        said += f"(what-if), A the network trained at that D ({trained})."
    elif held():
        said = f"**D = {wanted} is a what-if**: {what_if}. Release A to see the network that was trained at a D."
    elif wanted in there:
        said = f"**Two meanings of D = {wanted}.** B, what-if: {what_if}. A: {there[wanted].name}, trained at that D, "
        said += f"{lab.runs[0][1].said}."
    else:
        said = f"**D = {wanted} is a what-if**: {what_if}. No network here was trained at D = {wanted} (there are "
        said += f"D = {', '.join(map(str, there))})."
    st.caption(said)


def firing(lab: Lab) -> None:
    """NSFR of this image, spikes per neuron, and both over a test set beside the vanilla network."""
    from spikeviz.ui import spikes

    left, right = st.columns(2, gap="large")
    with left:
        spikes.nsfr(lab)
        st.caption(
            "Spikes per neuron, this image, all steps together: "
            + ", ".join(f"{name} **{float(run.numbers.nsfr.sum()):.3f}** ({run.said})" for name, run in lab.runs)
        )
        vanilla_against_sfa(lab)
    with right:
        spikes.rates(lab)


def vanilla_against_sfa(lab: Lab) -> None:
    """NSFR over a test set of this network and of the vanilla one (Fig. 9)."""
    run, other = lab.now, vanilla(lab.now.card)
    if other is None:
        st.caption(f"No vanilla network was trained on {run.card.data} to compare NSFR with (Fig. 9).")
        return
    from spikeviz.evaluation import survey

    opened = runs.network(other.name, other.sha256)
    batch, y = runs.some(run.card.data, SURVEY_IMAGES)

    def work():
        x = batch()
        pair = [
            survey(run.opened.model, x, y, run.experiment.interventions, run.experiment.seed),
            survey(opened.model, x, y),
        ]
        for mine, theirs in zip(*pair, strict=True):
            yield mine.images, (mine, theirs)

    key = f"fig 9 {run.card.sha256} {other.sha256} {run.experiment.but(source='')!r} {len(y)}"
    seconds = len(y) * (run.opened.milliseconds + opened.milliseconds) / 1000
    jobs.panel(
        key, f"Vanilla against SFA over {len(y):,} {run.samples}", len(y), work, partial(_fig_9, lab, other),
        label="Run both networks",
        note=f"This setting of {run.card.name}, and {other.name} as trained: about {seconds:.0f} s.",
    )  # fmt: skip


def _fig_9(lab: Lab, other: CheckpointCard, pair: tuple, job: jobs.Job) -> None:
    from spikeviz.figures.curves import nsfr_curve

    mine, theirs = pair
    sfa, plain = mine.nsfr.numpy(), theirs.nsfr.numpy()
    cards.figure(
        nsfr_curve(sfa, plain, (f"SFA, {lab.now.said}", f"vanilla, {len(plain)} x 1"),
                   title=f"NSFR, vanilla and SFA, {mine.images:,} {lab.now.samples}", x="binary step"),
        f"{verdict(sfa, plain)} The first {mine.images:,} {lab.now.samples} of {lab.now.card.data}: accuracy "
        f"{mine.accuracy:.3f} ± {mine.error:.3f} with SFA, {theirs.accuracy:.3f} ± {theirs.error:.3f} vanilla "
        f"({other.name}), {job.seconds:.0f} s. The paper, of its 10 M network on ImageNet: 0.39 and 0.96 spikes per "
        "neuron.",
        "E-SpikeFormer, sec. 5.3 and Fig. 9", page=f"{lab.page}_fig9",
        alt="NSFR by step, SFA: " + ", ".join(f"{v:.3f}" for v in sfa) + "; vanilla: "
        + ", ".join(f"{v:.3f}" for v in plain), files=job.over,
    )  # fmt: skip


def verdict(sfa: np.ndarray, plain: np.ndarray) -> str:
    """Whether these networks do what the paper reports, in words: SFA falls, vanilla does not, SFA fires less."""
    few, many = float(sfa.sum()), float(plain.sum())
    falls = len(sfa) > 1 and bool((np.diff(sfa) < 0).all())
    spread = (
        (float(plain[1:].max()) - float(plain[1:].min())) / max(float(plain[1:].mean()), 1e-12)
        if len(plain) > 2
        else 0.0
    )
    one = (
        f"SFA falls at every step, from {sfa[0]:.3f} to {sfa[-1]:.3f}" if falls
        else "one step has nothing to fall to" if len(sfa) == 1
        else f"SFA does not fall at every step ({', '.join(f'{v:.3f}' for v in sfa)})"
    )  # fmt: skip
    other = "falls as well" if len(plain) > 1 and bool((np.diff(plain) < 0).all()) else "does not fall"
    settled = f" (from its second step on within {spread:.0%} of its mean; at the first, membranes start empty)"
    fewer = "SFA fires fewer spikes per neuron" if few < many else "SFA does not fire fewer spikes per neuron here"
    return f"Ours: {one}; vanilla {other}{settled if len(plain) > 2 else ''}; {fewer}: {few:.3f} against {many:.3f}."
