"""Accuracy under random masks over test samples: curves that ship precomputed, and the same measured now."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from spikeviz.views import data_sets
from spikeviz.views.address import all_checkpoints
from spikeviz.views.captions.chance import with_chance
from spikeviz.views.networks.words import whole_test_set
from spikeviz.views.page import supports
from spikeviz.views.random_masks.passing import passing
from spikeviz.views.settings import complete
from spikeviz.views.view import Figure, Item, Note, Over, Progress, Study

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.evaluation.mask_sweep import Points
    from spikeviz.interventions import Intervention
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

# of a mean over seeds
ERRORS = "± the larger of the standard deviation over seeds and the binomial standard error of the samples"
Curves = dict[str, dict[str, Any]]  # by network, as `find_curve` gives them


def curves_of(wanted: Sequence[CheckpointCard]) -> Generator[Item, Any, Curves]:
    """Precomputed curves by network; notes say what is missing, and which command makes it."""
    from spikeviz.artifacts.curves import find_curve

    found, missing, others = {}, [], []
    for card in wanted:
        try:
            curve = find_curve(card.name)
        except ValueError as error:
            yield Note(str(error), "warning")
            continue
        if curve and curve.get("kind") == "ratios":
            found[card.name] = curve
        elif supports(card, "MaskChannels") or supports(card, "SpikeLevels"):
            others.append(card.name)
        else:
            missing.append(card.name)
    if others:
        yield Note(f"The curves that ship of {', '.join(others)} are of a threshold or D: measure the ratio below.")
    if missing:
        command = f"`spikeviz publish {missing[0]} --with curves` makes one"
        yield Note(f"No curve was computed yet of {', '.join(missing)}: {command}.")
    return found


def points_of(
    group: Sequence[CheckpointCard], curves: Curves, part: str, site: str | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Points of one part of the curves of some networks, by network; those without any left out."""
    found = {
        card.name: [
            {"samples": curves[card.name]["samples"]} | point
            for point in curves[card.name][part]
            if point.get("site") == site
        ]
        for card in group
        if card.name in curves
    }
    return {name: points for name, points in found.items() if points}


def precomputed(run: Run, names: Sequence[str], curves: Curves) -> str:
    """Where curves are from: commands, samples, seeds, T, device."""
    from spikeviz.data.catalog import find_data

    one = curves[names[0]]
    by_steps: dict[int, list[str]] = {}
    for name in names:
        by_steps.setdefault(curves[name]["T"], []).append(name)
    steps = ", ".join(f"{t} ({', '.join(own)})" if len(by_steps) > 1 else str(t) for t, own in by_steps.items())
    counts = sorted({curves[name]["samples"] for name in names})
    first = " or ".join(f"{n:,}" for n in counts)
    return (
        f"{made_by(names, curves)}: the first {first} {run.samples} of {find_data(one['data']).title}, "
        f"{one['seeds']} seeds ({ERRORS}), T = {steps}, {one['device']}. {_law(names, curves)} {on_all(names)}"
    )


def _law(names: Sequence[str], curves: Curves) -> str:
    """By which law masks dropped, where a curve does not say it of itself: it is of an older version, whose masks of
    convolutions also took from the shortcut beside them."""
    older = [name for name in names if "law" not in curves[name]]
    if not older:
        return "Each spike is dropped by itself."
    return f"Computed by an older version: {', '.join(older)}."


def shipped_over(run: Run, names: Sequence[str], curves: Curves, settings: str) -> Over:
    """What the files of a figure of precomputed curves say it is of."""
    from spikeviz.data.catalog import find_data

    one = curves[names[0]]
    samples = f"the first {one['samples']:,} {run.samples} of {find_data(one['data']).title}, {one['seeds']} seeds"
    return Over(f"{samples}, {one['device']}", tuple(names), settings)


def on_all(names: Sequence[str]) -> str:
    """What the networks of some curves answer on the whole test set."""
    cards = all_checkpoints()
    return whole_test_set(*(cards[name] for name in names))


def made_by(names: Sequence[str], curves: Curves) -> str:
    """The command behind some curves."""
    others = ", and so for the others" if len(names) > 1 else ""
    return f"Precomputed by `{curves[names[0]]['command']}`{others}"


def in_words(points: Mapping[str, Sequence[Mapping[str, Any]]], x: str) -> str:
    """Curves for who cannot see them."""
    from spikeviz.views.random_masks.charts import drawn_error

    return f"Accuracy against {x}: " + "; ".join(
        f"{name} " + ", ".join(f"{point[x]:g} {point['mean']:.3f} ± {drawn_error(point):.3f}" for point in own)
        for name, own in points.items()
    )


def with_first(scene: Scene, mask: Intervention) -> tuple[Intervention, ...]:
    """What the run of a scene intervenes, with another first mask, in the order in which the page applies it."""
    return complete(scene.settings, scene.now.experiment.set(mask)).interventions


def measured_now(scene: Scene, x: str, points: Points, title: str, source: str, what: str) -> Iterator[Item]:
    """A curve over the first test samples that is measured when it is asked for, point by point.

    Args:
        scene: whose network is run.
        x: what is on the axis.
        points: of the curve.
        title: of the work.
        source: in the literature.
        what: is intervened, in words.
    """
    from spikeviz.data.catalog import find_data
    from spikeviz.evaluation.job import duration
    from spikeviz.evaluation.mask_sweep import SAMPLES, SEEDS, mask_sweep, seeds, units
    from spikeviz.interventions import TimeSteps

    run = scene.now
    some = data_sets.some(run.card.data, SAMPLES)
    steps = run.model.time_steps
    passes = sum(
        len(seeds(own)) * next((i.T for i in own if isinstance(i, TimeSteps)), steps) / steps for _, own in points
    )
    seconds = len(some) * passes * run.network.milliseconds / 1000

    def work() -> Iterator[tuple[int, list[dict[str, Any]]]]:
        yield from mask_sweep(run.model, some.batch, some.labels, x, points)

    yield Study(
        f"masks {x} {run.card.sha256} {points!r} {len(some)}",
        title,
        units(points, len(some)),
        work,
        partial(_measured, run, x, f"{title} · {run.card.name}", source, what),
        f"Measure {len(points)} points",
        f"{what[0].upper()}{what[1:]}: the first {len(some):,} {run.samples} of {find_data(run.card.data).title}, "
        f"{len(SEEDS)} seeds, at most {duration(seconds)}.",
        data=some.data,
    )


def _measured(
    run: Run, x: str, title: str, source: str, what: str, table: Sequence[Mapping[str, Any]], progress: Progress
) -> Iterator[Item]:
    from spikeviz.views.random_masks.charts import accuracy_chart, drawn_error

    if not table:
        return
    last = table[-1]
    samples = f"the first {last['samples']:,} {run.samples} of {run.card.data}, {last['seeds']} seeds"
    settings = what if x == "T" else f"{what}; {run.status_text}"
    chart = accuracy_chart(title, x, {}, table, x_range=(-0.02, 1.02) if x == "ratio" else None)
    over = Over(f"{samples}, {run.recording.device.upper()}", settings=settings)
    yield Figure(
        with_chance(chart, run.card.data),
        f"{run.card.name}, {what}: {len(table)} of the points, the last {last['mean']:.3f} ± {drawn_error(last):.3f} "
        f"at {x} {last[x]:g} ({ERRORS}; {last['seeds']} seeds, {last['samples']} {run.samples}, "
        f"{run.recording.device.upper()}, {progress.seconds:.0f} s). {whole_test_set(run.card)}",
        source,
        in_words({run.card.name: table}, x),
        over=over,
    )
    if x == "ratio":
        of = f"{run.card.name}, {what}, the first {last['samples']:,} {run.samples}"
        yield from passing("measured now", table, of, source, over)
