"""How activations and membranes are distributed, in the QCFS network and in spikes (Fig. 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from spikeviz.artifacts.packed_spikes import mean_over
from spikeviz.views.captions.dynamics import with_mean
from spikeviz.views.random_masks.conversion import qcfs_run
from spikeviz.views.random_masks.networks import NOT_CONVERTED, converted, kind, norm, partner
from spikeviz.views.random_masks.settings import unmasked
from spikeviz.views.view import Figure, Item, Note, Row

if TYPE_CHECKING:
    from spikeviz.recording import Recording
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

SENT, CURRENT = (0.0, 1.0), (-2.0, 2.0)  # ends of the axes, in thresholds
NORMS = {"batch": "BatchNorm", "layer": "LayerNorm", "": "BatchNorm"}
FIG_3 = "Masked Spiking Transformer, sec. 3.3 and Fig. 3"


def distributions(scene: Scene) -> Iterator[Item]:
    """Activations and membranes of a layer, QCFS and spikes, with BatchNorm and with LayerNorm."""
    if not converted(scene.now.card):
        yield Note(f"{scene.now.card.name} {NOT_CONVERTED}: there are no activations of QCFS to set beside its spikes.")
        return
    run = unmasked(scene)
    card, other = run.card, partner(run.card)
    yield _pair(scene, run)
    if other is not None:
        yield _pair(scene, scene.run(run.experiment.but(checkpoint=other.name)))
    elif kind(card) == "MST":
        lacking = NORMS["layer" if norm(card) == "batch" else "batch"]
        yield Note(
            f"There is no network like {card.name} with {lacking} here, to set beside this one as the paper's Fig. 3 "
            "does: half of that figure is missing."
        )
    else:
        yield Note("The paper's Fig. 3 compares transformers with BatchNorm and with LayerNorm; this is a CNN.")


def _pair(scene: Scene, run: Run) -> Row:
    """Two histograms: what the layer sends, and what has gone into it."""
    layer, qcfs, spiking = scene.layer, qcfs_run(scene, run).recording, run.recording
    threshold = qcfs[f"{layer}.membrane"].threshold or 1.0
    sent = [(r[f"{layer}.spike"].flows.mean(0) / threshold).flatten().cpu().numpy() for r in (qcfs, spiking)]
    currents = [current(qcfs, layer), accumulated(spiking, layer)]
    name = f"{NORMS[norm(run.card)]} · {run.network.words(layer)}"
    left = _figure(
        run,
        f"Post-activation, {name}",
        "activation, in thresholds",
        sent,
        ("QCFS", with_mean("spikes", mean_over(len(spiking.logits_per_step)))),
        SENT,
        "What flows on",
    )
    right = _figure(
        run,
        f"Membrane, {name}",
        "current, in thresholds",
        currents,
        ("QCFS input", "accumulated membrane input / T"),
        CURRENT,
        "What goes into the activation, and the accumulated membrane input over T",
    )
    return Row([left], [right])


def _figure(
    run: Run,
    title: str,
    x: str,
    values: list[np.ndarray],
    names: tuple[str, str],
    ends: tuple[float, float],
    what: str,
) -> Figure:
    from spikeviz.artifacts.cards import accuracy_text
    from spikeviz.views.random_masks.charts import histogram, overlap

    card, shared = run.card, overlap(values[0], values[1], ends)
    return Figure(
        histogram(dict(zip(names, values, strict=True)), title, x, ends),
        f"{what}: {card.name}, trained for {card.training.get('epochs', '?')} epochs (QCFS accuracy "
        f"{accuracy_text(card.accuracy, card.samples)}), this input, {len(values[0]):,} neurons, "
        f"T = {len(run.recording.logits_per_step)}, without masks. The two outlines share {shared:.0%} of their area; "
        "values outside are counted at the ends.",
        FIG_3,
        f"{title}: the histograms of QCFS and spikes share {shared:.0%}",
        "QCFS",
    )


def current(qcfs: Recording, layer: str) -> np.ndarray:
    """What goes into a QCFS activation, in thresholds."""
    track = qcfs[f"{layer}.membrane"]
    return (track.values.mean(0) / (track.threshold or 1.0)).flatten().cpu().numpy()


def accumulated(spiking: Recording, layer: str) -> np.ndarray:
    """The accumulated membrane input of a layer over T, in thresholds, divided by T: `H[T] - 1/2 + S[1] + ... +
    S[T-1]`.

    Of neurons with soft reset whose membrane starts at 1/2 and is in units of the threshold, without masks.
    """
    potential, spikes = spiking[f"{layer}.membrane"].values, spiking[f"{layer}.spike"].values.float()
    gone_in = potential[-1] - 0.5 + spikes[:-1].sum(0)
    return (gone_in / len(potential)).flatten().cpu().numpy()
