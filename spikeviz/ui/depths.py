"""What each D does to a reconstruction: these weights at every D, and networks that were trained at another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from spikeviz.interventions import SpikeLevels
from spikeviz.ui import opening
from spikeviz.ui.experiment import checkpoints
from spikeviz.ui.hidden import hiding
from spikeviz.ui.reconstruction import borrows, result
from spikeviz.views.siblings import config_of as config

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.ui.lab import Lab, Run

DEPTHS = (1, 2, 3, 4, 6, 8, 16)
SEC = "E-SpikeFormer, sec. 3.2 and 5.3"


def siblings(card: CheckpointCard) -> dict[int, CheckpointCard]:
    """Autoencoders of the same form and data by the D they were trained with, this one among them; none of one whose
    neurons fire no integers."""
    own, found = config(card).encoder, {}
    if not hasattr(own, "levels"):
        return found
    for other in checkpoints().values():
        form = getattr(config(other), "encoder", None)
        if other.data == card.data and type(form) is type(own) and replace(form, levels=own.levels) == own:
            found[form.levels] = other
    return dict(sorted(found.items()))


def levels(lab: Lab) -> None:
    """Pictures and errors at every D, and those of the networks that were trained at one."""
    from spikeviz.figures.pictures import Pictures
    from spikeviz.figures.reconstruction import picture_tiles
    from spikeviz.figures.render_html import strip

    if not SpikeLevels.possible(lab.now.opened.model):
        st.caption(
            f"{lab.now.card.name} fires binary spikes, so that D does not act on it: choose a network that fires "
            "integers, such as spike-mae-cifar."
        )
        return
    own = lab.now.opened.model.config.encoder.levels
    there = siblings(lab.now.card)
    what_if = [(d, _at(lab, d)) for d in DEPTHS]
    trained = [(d, _trained(lab, card)) for d, card in there.items()]
    named = [*(f"D = {d}" + (", as trained" if d == own else "") for d, _ in what_if),
             *(f"{run.card.name}, D = {d}" for d, run in trained if d != own)]  # fmt: skip
    found = [result(run) for run in (*(run for _, run in what_if), *(run for d, run in trained if d != own))]
    images = [item.pictures("").images[3] for item in found]
    exhibit = Pictures(f"Pasted reconstructions at every D · {lab.now.shown.title}", np.stack(images), named)
    notes = [f"MSE {item.errors['MSE']:.4f}" if item.errors is not None else "" for item in found]
    others = ", ".join(f"{card.name} at D = {d}" for d, card in there.items() if d != own)
    lab.figure(
        exhibit,
        f"The same image and hidden patches. D = ... are these weights, trained with D = {own}: a what-if. "
        + (f"Trained at another D: {others}." if others else "No network here was trained at another D."),
        SEC, html=strip(picture_tiles(exhibit, notes), len(named), 104, 130), term="D",
    )  # fmt: skip
    rows = [_row("what-if", d, run) for d, run in what_if] + [_row("trained", d, run) for d, run in trained]
    if found[0].errors is not None and not borrows(lab.now):
        _chart(lab, rows)


def _at(lab: Lab, d: int) -> Run:
    """These weights at another D; the rest of the setting stays."""
    setting = next(s for s in hiding(lab.now.opened.model) if s.kind is SpikeLevels)
    return opening.run(setting.put(lab.now.experiment, d), lab.now.shown, lab.layer, hiding)


def _trained(lab: Lab, card: CheckpointCard) -> Run:
    """A network as it was trained, with the same hidden patches."""
    wanted = lab.now.experiment.but(checkpoint=card.name).set(SpikeLevels, None)
    return opening.run(wanted, lab.now.shown, lab.layer, hiding)


def _row(meaning: str, d: int, run: Run) -> dict[str, Any]:
    found = result(run)
    errors = {} if found.errors is None else {"MSE": found.errors["MSE"], "PSNR": found.errors["PSNR"]}
    named = {"meaning": meaning, "D": d, "T": config(run.card).time_steps, "network": run.card.name}
    return {**named, **errors, "rank": found.rank, "spikes per neuron": float(run.numbers.nsfr.sum())}


def _chart(lab: Lab, rows: list[dict[str, Any]]) -> None:
    from spikeviz.figures.cost import by_depth

    what_if = [row for row in rows if row["meaning"] == "what-if"]
    best = min(what_if, key=lambda row: row["MSE"])
    left, right = st.columns(2, gap="large")
    with left:
        lab.figure(
            by_depth(rows, "MSE"),
            f"Hidden pixels of this image alone. These weights do best here at D = {best['D']} ({best['MSE']:.4f}).",
            SEC, alt="MSE against D: " + ", ".join(f"{r['meaning']} {r['D']} {r['MSE']:.4f}" for r in rows),
        )  # fmt: skip
    with right:
        lab.figure(
            by_depth(rows, "spikes per neuron"), "NSFR summed over the binary steps, this image.", SEC,
            alt="Spikes per neuron against D: "
            + ", ".join(f"{r['meaning']} {r['D']} {r['spikes per neuron']:.2f}" for r in rows),
        )  # fmt: skip
