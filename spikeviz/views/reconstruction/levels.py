"""What each D does to a reconstruction: these weights at every D, and networks that were trained at another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeviz.views.networks.siblings import alike, config_of
from spikeviz.views.reconstruction.overview import Result, result
from spikeviz.views.reconstruction.settings import hiding
from spikeviz.views.view import Figure, Item, Note, Row

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.figures.pictures import Pictures
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

DEPTHS = (1, 2, 3, 4, 6, 8, 16)
SEC = "E-SpikeFormer, sec. 3.2 and 5.3"


def siblings(card: CheckpointCard) -> dict[int, CheckpointCard]:
    """Autoencoders of the same form and data by the D they were trained with, this one among them; none of one whose
    neurons fire no integers."""
    from spikeviz.artifacts.cards import list_checkpoints

    own: Any = getattr(config_of(card), "encoder", None)
    if not hasattr(own, "levels"):
        return {}
    found = {own.levels: card}
    for other in list_checkpoints():
        form: Any = getattr(config_of(other), "encoder", None)
        if (other.data, other.task) == (card.data, card.task) and alike(own, form, "levels"):
            found.setdefault(form.levels, other)
    return dict(sorted(found.items()))


def levels(scene: Scene) -> Iterator[Item]:
    """Pictures and errors at every D, and those of the networks that were trained at one."""
    from spikeviz.interventions import SpikeLevels

    card = scene.now.card
    if not SpikeLevels.possible(scene.now.model):
        yield Note(
            f"{card.name} fires binary spikes, so D does not act on it: choose a network that fires integers, such as "
            "spike-mae-cifar."
        )
        return
    what_if = [(d, _at(scene, d)) for d in DEPTHS]
    trained = [(d, _trained(scene, other)) for d, other in siblings(card).items()]
    yield _pictures(scene.now, what_if, [(d, run) for d, run in trained if run.card.name != card.name])
    rows = [_row("what-if", d, run) for d, run in what_if] + [_row("trained", d, run) for d, run in trained]
    if all("MSE" in row for row in rows):
        yield Row(_errors(rows), _spikes(rows))


def _at(scene: Scene, d: int) -> Run:
    """These weights at another D; the rest of the setting stays."""
    from spikeviz.interventions import SpikeLevels

    now = scene.now
    setting = next(s for s in hiding(now.model, now.experiment) if s.kind is SpikeLevels)
    return scene.run(setting.put(now.experiment, d))


def _trained(scene: Scene, card: CheckpointCard) -> Run:
    """A network as it was trained, with the same hidden patches."""
    from spikeviz.interventions import SpikeLevels

    return scene.run(scene.now.experiment.but(checkpoint=card.name).without(SpikeLevels))


def _pictures(now: Run, what_if: Sequence[tuple[int, Run]], others: Sequence[tuple[int, Run]]) -> Figure:
    """Pasted reconstructions: of these weights at every D, then of other networks at their own."""
    from spikeviz.figures.pictures import Pictures

    own = now.model.config.encoder.levels
    names = [f"D = {d}" + (", as trained" if d == own else "") for d, _ in what_if]
    names += [f"{run.card.name}, D = {d}" for d, run in others]
    found = [result(run) for _, run in (*what_if, *others)]
    images = [one.pictures("").images[3] for one in found]
    shown = Pictures(f"Pasted reconstructions at every D · {now.shown.title}", np.stack(images), names)
    notes = [f"MSE {one.errors['MSE']:.4f}" if one.errors is not None else "" for one in found]
    there = ", ".join(f"{run.card.name} at D = {d}" for d, run in others)
    return Figure(
        shown,
        f"The same image and hidden patches. D = ... are these weights, trained with D = {own}: a what-if. "
        + (f"Trained at another D: {there}." if there else "No network here was trained at another D."),
        SEC,
        ", ".join(f"{name} {note}".strip() for name, note in zip(names, notes, strict=True)),
        "D",
        partial(_tiles, shown, notes),
    )


def _tiles(shown: Pictures, notes: Sequence[str]) -> str:
    from spikeviz.figures.render_html import strip
    from spikeviz.views.reconstruction.charts import picture_tiles

    return strip(picture_tiles(shown, notes), len(notes), 104, 130)


def _row(meaning: str, d: int, run: Run) -> dict[str, Any]:
    from spikeviz.interventions import TimeSteps

    found: Result = result(run)
    steps = next((rule.T for rule in run.experiment.of_kind(TimeSteps)), config_of(run.card).time_steps)
    errors = {} if found.errors is None else {"MSE": found.errors["MSE"], "PSNR": found.errors["PSNR"]}
    named = {"meaning": meaning, "D": d, "T": steps, "network": run.card.name}
    return {**named, **errors, "rank": found.rank, "spikes per neuron": float(run.numbers.nsfr.sum())}


def _errors(rows: Sequence[dict[str, Any]]) -> Iterator[Item]:
    from spikeviz.figures.cost import by_depth

    best = min((row for row in rows if row["meaning"] == "what-if"), key=lambda row: row["MSE"])
    yield Figure(
        by_depth(rows, "MSE"),
        f"Hidden pixels of this image alone. Of these weights the least error here is at D = {best['D']} "
        f"({best['MSE']:.4f}).",
        SEC,
        "MSE against D: " + ", ".join(f"{r['meaning']} {r['D']} {r['MSE']:.4f}" for r in rows),
    )


def _spikes(rows: Sequence[dict[str, Any]]) -> Iterator[Item]:
    from spikeviz.figures.cost import by_depth

    yield Figure(
        by_depth(rows, "spikes per neuron"),
        "NSFR summed over the binary steps, this image.",
        SEC,
        "Spikes per neuron against D: "
        + ", ".join(f"{r['meaning']} {r['D']} {r['spikes per neuron']:.2f}" for r in rows),
    )
