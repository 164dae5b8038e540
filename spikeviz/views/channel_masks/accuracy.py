"""Accuracy against the threshold of channel masks: a precomputed curve, and the present point measured now."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import partial
from math import hypot
from typing import TYPE_CHECKING, Any

from spikeviz.artifacts.cards import accuracy_text, binomial_error
from spikeviz.views import data_sets
from spikeviz.views.captions.chance import with_chance
from spikeviz.views.channel_masks.baselines import baselines
from spikeviz.views.channel_masks.settings import threshold
from spikeviz.views.networks.words import whole_test_set
from spikeviz.views.view import Figure, Item, Note, Over, Progress, Study

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.evaluation import Survey
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

SAMPLES = 512
POINT = 0.01  # of accuracy
SOURCE = "after SDMFormer, sec. 4.4 (our setting)"
Curve = dict[str, Any]  # as `find_curve` gives it


def accuracy(scene: Scene) -> Iterator[Item]:
    """The whole curve, precomputed, the present point, measured now, and other ways to drop as many channels."""
    from spikeviz.evaluation import survey
    from spikeviz.evaluation.job import duration

    run = scene.now
    curve = yield from _curve(run.card)
    some = data_sets.some(run.card.data, SAMPLES)

    def work() -> Iterator[tuple[int, Survey]]:
        for so_far in survey(run.model, some.batch, some.labels, run.experiment.interventions, run.experiment.seed):
            yield so_far.images, so_far

    yield Study(
        f"accuracy {run.card.sha256} {run.experiment.but(source='')!r} {len(some)}",
        "This threshold, measured now",
        len(some),
        work,
        partial(_measured, run, curve),
        "Measure this threshold",
        f"{run.status_text}, the first {len(some):,} {run.samples}, at most "
        f"{duration(len(some) * run.network.milliseconds / 1000)}.",
        partial(_precomputed, run, curve),
        data=some.data,
    )
    yield from baselines(scene)


def _curve(card: CheckpointCard) -> Generator[Item, Any, Curve | None]:
    """The precomputed curve; a note says what makes it where there is none."""
    from spikeviz.artifacts.curves import find_curve

    try:
        found = find_curve(card.name)
    except ValueError as error:
        yield Note(str(error), "warning")
        return None
    if found is None or found.get("kind") != "thresholds":
        yield Note(f"No curve was computed yet of {card.name}: `spikeviz publish {card.name} --with curves` makes one.")
        return None
    return found


def _precomputed(run: Run, curve: Curve | None) -> Iterator[Item]:
    from spikeviz.views.channel_masks.charts import accuracy_curve

    if curve:
        yield Figure(
            with_chance(accuracy_curve(curve, threshold(run)), run.card.data),
            provenance(run, curve),
            SOURCE,
            _in_words(curve),
            over=_over(run, curve),
        )


def _measured(run: Run, curve: Curve | None, found: Survey, progress: Progress) -> Iterator[Item]:
    from spikeviz.views.channel_masks.charts import accuracy_curve

    own, words = threshold(run), f" {provenance(run, curve)}" if curve else ""
    reached = f"{found.accuracy:.3f} ± {found.error:.3f}"
    point = (found.accuracy, found.error, f"now, {found.images:,} {run.samples}")
    yield Figure(
        with_chance(accuracy_curve(curve, own, point), run.card.data),
        f"Measured now at {own:.2f} over the first {found.images:,} {run.samples}: {reached} "
        f"(standard error), {run.status_text}, {run.recording.device.upper()}, "
        f"{progress.seconds:.0f} s. {whole_test_set(run.card)}{words}",
        SOURCE,
        f"Accuracy at threshold {own:.2f}: {reached}. {_in_words(curve) if curve else ''}",
        over=Over(f"the first {found.images:,} {run.samples} of {run.card.data}{_and(run, curve)}"),
    )


def _over(run: Run, curve: Curve) -> Over:
    samples = f"all {curve['samples']:,} {run.samples} of {run.card.data}, seed {curve['seed']}, {curve['device']}"
    return Over(samples, settings="each point at its own threshold")


def _and(run: Run, curve: Curve | None) -> str:
    return f"; the curve: {_over(run, curve).samples}" if curve else ""


def provenance(run: Run, curve: Curve) -> str:
    """Where a curve is from, and what it says."""
    from spikeviz.data.catalog import find_data

    return (
        f"The curve: precomputed by `{curve['command']}` on all {curve['samples']:,} {run.samples} of "
        f"{find_data(curve['data']).title}, seed {curve['seed']}, {curve['device']}, with one standard error shaded. "
        f"{reach(curve)} {control(curve)} Weights unchanged: at other thresholds than 0.50 nothing was retrained."
    )


def reach(curve: Curve) -> str:
    """The last threshold before the measured accuracy is lower by more than a point, with both accuracies, in words."""
    from spikeviz.nn.channel_masks import TRAINED

    points = sorted(curve["points"], key=lambda point: point["threshold"])
    base = next((point for point in points if abs(point["threshold"] - TRAINED) < 1e-9), None)
    if base is None:
        return ""
    last = base
    for point in (point for point in points if point["threshold"] > TRAINED):
        if point["accuracy"] < base["accuracy"] - POINT:
            break
        last = point
    kept = last["channels"] - last["masked"]
    first, end = (accuracy_text(point["accuracy"], curve["samples"]) for point in (base, last))
    return (
        f"{last['threshold']:.2f} is the last threshold measured at no more than a point below 0.50; it keeps "
        f"{kept:,} of {last['channels']:,} channels ({end} against {first})."
    )


def control(curve: Curve) -> str:
    """What is left with every masked channel gone, and what all of these channels are worth, with its error."""
    from spikeviz.evaluation.paired_survey import SURE
    from spikeviz.nn.channel_masks import TRAINED
    from spikeviz.views.channel_masks.charts import all_gone

    last, samples = all_gone(curve), curve["samples"]
    base = next((p["accuracy"] for p in curve["points"] if abs(p["threshold"] - TRAINED) < 1e-9), None)
    if last is None or base is None:
        return ""
    worth, error = base - last, hypot(binomial_error(base, samples), binomial_error(last, samples))
    found = f"a difference of {worth:.3f} ± {error:.3f}" if abs(worth) > SURE * error else "no difference found"
    return (
        f"Control: with every masked channel gone it is {accuracy_text(last, samples)}, by what no mask touches; to "
        f"0.50 {found}."
    )


def _in_words(curve: Curve) -> str:
    return "Accuracy against the threshold: " + ", ".join(
        f"{point['threshold']:.2f} {accuracy_text(point['accuracy'], curve['samples'])}" for point in curve["points"]
    )
