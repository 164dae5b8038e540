"""From QCFS to spikes: what conversion costs layer by layer, and accuracy against T."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import TYPE_CHECKING, Any

from spikeviz.artifacts.packed_spikes import mean_over
from spikeviz.views.captions.chance import with_chance
from spikeviz.views.captions.dynamics import with_mean
from spikeviz.views.random_masks.curves import Curves, curves_of, in_words, made_by, measured_now, on_all, points_of
from spikeviz.views.random_masks.networks import (
    NETWORKS,
    NOT_CONVERTED,
    converted,
    family,
    masks_trained_under,
    tuned_under,
)
from spikeviz.views.random_masks.settings import drops, unmasked, where
from spikeviz.views.view import Figure, Item, Note, Over, Row

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

STEPS = (1, 2, 4, 8, 16, 32)
FIG_1 = "after Masked Spiking Transformer, Fig. 1, our setting"


def conversion(scene: Scene) -> Iterator[Item]:
    """Error of every layer at this T, without masks and with them; accuracy against T."""
    if not converted(scene.now.card):
        yield Note(
            f"{scene.now.card.name} {NOT_CONVERTED}: there is no conversion error, and no T that a conversion is given."
        )
        return
    yield Row(_errors(scene), _against_steps(scene))


def qcfs_run(scene: Scene, run: Run) -> Run:
    """The QCFS network behind a run on the same input: its activations, and what goes into them."""
    from spikeviz.metrics import SPIKES

    return scene.run(run.experiment.but(variant="qcfs", interventions=(), seed=0), (*SPIKES, "*.membrane"))


def _errors(scene: Scene) -> Iterator[Item]:
    from spikeviz.metrics import conversion_error
    from spikeviz.views.random_masks.charts import conversion_bars

    run, qcfs = scene.now, qcfs_run(scene, scene.now)
    table = conversion_error(qcfs.recording, unmasked(scene).recording)
    means = f"mean {100 * table['relative'].mean():.1f} %"
    if drops(run):
        table["with masks"] = conversion_error(qcfs.recording, run.recording)["relative"]
        means += f", with masks at {where(run)} {100 * table['with masks'].mean():.1f} % (in the exported numbers)"
    steps = len(run.recording.logits_per_step)
    worst = table.loc[table["relative"].fillna(0).idxmax()]
    yield Figure(
        conversion_bars(table, scene.layer, run.network.words),
        f"This input, T = {steps}, without masks: {with_mean('what a layer sends', mean_over(steps))}, against its "
        f"QCFS activation; {means}. Largest in "
        f"{run.network.words(worst['layer'].removesuffix('.spike'))}, {worst['relative']:.1%}. "
        f"With a constant input it would be exact at T = L = {qcfs.model.config.levels}; behind the first layer the "
        "input of a neuron varies with t.",
        "Masked Spiking Transformer, Eq. 4 and 5; Bu et al., ICLR 2022",
        "Relative conversion error: " + ", ".join(f"{r.layer} {r.relative:.2f}" for r in table.itertuples()),
        "ANN-to-SNN conversion",
    )


def _with_error(point: dict[str, Any]) -> dict[str, Any]:
    """A point of accuracy against T as charts of accuracy take it, with the standard error of its samples."""
    mean = point["accuracy"]
    return point | {"mean": mean, "standard error": sqrt(mean * (1 - mean) / point["samples"])}


def _beside_ratios(card: CheckpointCard, curves: Curves) -> str:
    """The point that this curve shares with that against the ratio: its T, and no mask or the one that the network was
    fine-tuned under. Their samples differ; whether they agree within two errors is computed."""
    curve, rules = curves.get(card.name), masks_trained_under(card)
    ratio = rules[0].ratio if rules else 0.0
    if curve is None or len(rules) > 1:
        return ""
    here = next((p for p in curve["steps"] if p["T"] == curve["T"]), None)
    there = next((p for p in curve["points"] if p["ratio"] == ratio), None)
    if here is None or there is None:
        return ""
    measured = ((here["accuracy"], here["samples"]), (there["mean"], curve["samples"]))
    error = sqrt(sum(p * (1 - p) / n for p, n in measured))
    apart = here["accuracy"] - there["mean"]
    agree = "they agree within two errors" if abs(apart) <= 2 * error else "its samples are easier or harder than all"
    return (
        f"The curve against the ratio has {there['mean']:.3f} of {card.name} at ratio {ratio:g} and T = {curve['T']}, "
        f"over its first {curve['samples']:,} samples, and this one {here['accuracy']:.3f} over all: {apart:+.3f} ± "
        f"{error:.3f}, {agree}. "
    )


def _against_steps(scene: Scene) -> Iterator[Item]:
    from spikeviz.artifacts.cards import accuracy_text
    from spikeviz.data.catalog import find_data
    from spikeviz.figures.chart import Rule
    from spikeviz.interventions import TimeSteps
    from spikeviz.views.random_masks.charts import accuracy_chart

    run = scene.now
    group = family(run.card, NETWORKS.names())
    curves, base = (yield from curves_of(group)), group[0]
    steps = points_of(group, curves, "steps")
    own = {name: [_with_error(point) for point in points] for name, points in steps.items()}
    if own:
        one = curves[next(iter(own))]
        students = [card for card in group if card.name in own and masks_trained_under(card)]
        fine = "".join(f"; {card.name} under {tuned_under(card)}" for card in students)
        whole = accuracy_text(base.accuracy, base.samples)
        rules = [Rule(base.accuracy, f"QCFS {whole}")] if base.accuracy is not None else []
        dashed = f"; dashed: {base.name} as QCFS network, by its card" if rules else ""
        samples = f"{one['steps'][0]['samples']:,} {run.samples} of {find_data(one['data']).title}, {one['device']}"
        largest = max(point["standard error"] for points in own.values() for point in points)
        alone = [card.name for card in group if card.name in own and card not in students]
        yield Figure(
            with_chance(accuracy_chart("Accuracy against T", "T", own, rules=rules), one["data"]),
            f"{', '.join(alone)} without masks{fine}{dashed}. {made_by(list(own), curves)}: {samples}; the standard "
            f"error of a point is at most {largest:.3f}. {_beside_ratios(run.card, curves)}{on_all(list(own))}",
            FIG_1,
            in_words(own, "T"),
            over=Over(samples, tuple(own), "each network at several T, a fine-tuned one under its masks"),
        )
    others = tuple(i for i in run.experiment.interventions if not isinstance(i, TimeSteps))
    points = [(float(t), (*others, TimeSteps(t))) for t in STEPS]
    what = f"{where(run)} masked" if drops(run) else "without masks"
    yield from measured_now(scene, "T", points, "Accuracy against T, measured now", FIG_1, what)
