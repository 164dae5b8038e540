"""From QCFS to spikes: what conversion costs layer by layer, and how activations and membranes are distributed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from spikeviz.ui import opening, ratios, sites
from spikeviz.ui.experiment import Experiment, checkpoints
from spikeviz.ui.random_masks import at_ratio, kind, rule

if TYPE_CHECKING:
    from torch import Tensor, nn

    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.recording import Recording
    from spikeviz.ui.lab import Lab, Run

SENT, CURRENT = (0.0, 1.0), (-2.0, 2.0)  # in thresholds
NORMS = {"batch": "BatchNorm", "layer": "LayerNorm"}
FIG_3 = "Masked Spiking Transformer, sec. 3.3 and Fig. 3"


def conversion(lab: Lab) -> None:
    """Error of every layer at this T, without masks and with them, and accuracy against T."""
    left, right = st.columns(2, gap="large")
    with left:
        _errors(lab)
    with right:
        ratios.against_steps(lab)


def _errors(lab: Lab) -> None:
    from spikeviz.figures.spike_masking import conversion_bars
    from spikeviz.metrics import conversion_error

    run, own = lab.now, rule(lab.now).ratio
    qcfs = recorded(run)
    table = conversion_error(qcfs, at_ratio(lab, 0.0).recording)
    said = f"mean {100 * table['relative'].mean():.1f} %"
    if own:
        table["with masks"] = conversion_error(qcfs, run.recording)["relative"]
        said += f", with masks of ratio {own:.2f} {100 * table['with masks'].mean():.1f} % (in the exported numbers)"
    levels = run.opened.qcfs.config.levels
    worst = table.loc[table["relative"].fillna(0).idxmax()]
    steps = len(run.recording.logits_per_step)
    lab.figure(
        conversion_bars(table, lab.layer),
        f"This input, T = {steps}, without masks: what a layer sends, mean over t, against its QCFS activation; "
        f"{said}. Largest in {worst['layer'].removesuffix('.spike')}, {100 * worst['relative']:.1f} %. With a constant "
        f"input it would be exact at T = L = {levels}; behind the first layer spikes come and go.",
        "Masked Spiking Transformer, Eq. 4 and 5; Bu et al., ICLR 2022", term="ANN-to-SNN conversion",
        alt="Relative conversion error: " + ", ".join(f"{r.layer} {r.relative:.2f}" for r in table.itertuples()),
    )  # fmt: skip


def recorded(run: Run) -> Recording:
    """The QCFS network on the input of a run: its activations and what goes into them."""
    return _qcfs(f"{run.experiment.checkpoint} {run.experiment.source}", run.card.sha256, run.opened.qcfs,
                 run.shown.batch)  # fmt: skip


@st.cache_resource(max_entries=8, show_spinner=False)
def _qcfs(key: str, sha256: str, _model: nn.Module, _batch: Tensor) -> Recording:
    import spikeviz as sv
    from spikeviz.metrics import SPIKES

    return sv.simulate(_model, _batch, keep=(*SPIKES, "*.membrane"))


def distributions(lab: Lab) -> None:
    """Activations and membranes of a layer, QCFS and spikes, with BatchNorm and with LayerNorm."""
    card, other = lab.now.card, partner(lab.now.card)
    unmasked = at_ratio(lab, 0.0)
    _pair(lab, unmasked, NORMS.get(norm(card), "BatchNorm"))
    if other is not None:
        wanted = Experiment(other.name, lab.now.experiment.source, interventions=unmasked.experiment.interventions)
        _pair(lab, opening.run(wanted, lab.now.shown, lab.layer, sites.masking), NORMS[norm(other)])
    elif kind(card) == "MST":
        lacking = "LayerNorm" if norm(card) == "batch" else "BatchNorm"
        st.caption(
            f"There is no network like {card.name} with {lacking} here, to set beside this one as the paper's Fig. 3 "
            "does: half of that figure is missing."
        )
    else:
        st.caption("The paper's Fig. 3 compares transformers with BatchNorm and with LayerNorm; this is a CNN.")


def norm(card: CheckpointCard) -> str | None:
    """Of an MST `batch` or `layer`; None of a CNN."""
    from spikeviz.models.registry import find_spec

    return getattr(find_spec(card.model).config, "norm", None)


def partner(card: CheckpointCard) -> CheckpointCard | None:
    """The network that differs in its normalisation alone."""
    from spikeviz.models.registry import SPECS

    if norm(card) is None:
        return None
    own = replace(SPECS[card.model].config, norm="layer" if norm(card) == "batch" else "batch")
    alike = [o for o in checkpoints().values() if o.data == card.data and o.model in SPECS]
    alike = [o for o in alike if getattr(SPECS[o.model], "config", None) == own]
    return min(alike, key=lambda o: o.name != o.model, default=None)  # a student only if its teacher is not here


def _pair(lab: Lab, run: Run, name: str) -> None:
    """Two histograms: what the layer sends, and what had gone into it."""
    from spikeviz.figures.spike_masking import histogram, overlap

    qcfs, spiking = recorded(run), run.recording
    threshold = qcfs[f"{lab.layer}.membrane"].threshold
    sent = [(r[f"{lab.layer}.spike"].flows.mean(0) / threshold).flatten().cpu().numpy() for r in (qcfs, spiking)]
    currents = [current(qcfs, lab.layer), cumulative(spiking, lab.layer)]
    steps = len(spiking.logits_per_step)
    for column, title, x, values, names, ends, words in zip(
        st.columns(2, gap="large"),
        (f"Post-activation, {name} · {lab.layer}", f"Membrane, {name} · {lab.layer}"),
        ("activation, in thresholds", "current, in thresholds"),
        (sent, currents),
        (("QCFS", "spikes, mean over t"), ("QCFS, what goes in", "cumulative membrane over T")),
        (SENT, CURRENT),
        ("What flows on", "What goes into the activation, and all that has gone into a membrane"),
        strict=True,
    ):
        shared = overlap(*values, ends)
        with column:
            lab.figure(
                histogram(dict(zip(names, values, strict=True)), title, x, ends),
                f"{words}: {run.card.name}, trained for {run.card.training.get('epochs', '?')} epochs (QCFS "
                f"{run.card.accuracy:.3f}), this input, {len(values[0]):,} neurons, T = {steps}, without masks. The "
                f"two outlines share {shared:.0%} of their area; what lies outside is counted at the ends.",
                FIG_3, term="QCFS", alt=f"{title}: the histograms of QCFS and spikes share {shared:.0%}",
            )  # fmt: skip


def current(qcfs: Recording, layer: str) -> np.ndarray:
    """What goes into a QCFS activation, in thresholds."""
    track = qcfs[f"{layer}.membrane"]
    return (track.values.mean(0) / track.threshold).flatten().cpu().numpy()


def cumulative(spiking: Recording, layer: str) -> np.ndarray:
    """All that has gone into the membranes of a layer over T, in thresholds: `H[T] - 1/2 + S[1] + ... + S[T-1]`.

    Of neurons with soft reset whose membrane starts at 1/2 and is in units of the threshold, without masks.
    """
    potential, spikes = spiking[f"{layer}.membrane"].values, spiking[f"{layer}.spike"].values.float()
    gone_in = potential[-1] - 0.5 + spikes[:-1].sum(0)
    return (gone_in / len(potential)).flatten().cpu().numpy()
