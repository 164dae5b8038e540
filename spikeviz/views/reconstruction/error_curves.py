"""How well an autoencoder guesses: its error against the ratio, where it is wrong, and how rich its tokens are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from spikeviz.views import data_sets
from spikeviz.views.reconstruction import ranks
from spikeviz.views.reconstruction.overview import borrows, result
from spikeviz.views.view import Figure, Item, Note, Over, Progress, Row, Study

if TYPE_CHECKING:
    from spikeviz.figures.chart import Maps
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

SAMPLES = 128
SEC, EQ_29 = "Spikformer V2, sec. 5.2.1 and 5.4.3", "E-SpikeFormer, Eq. 29 and Fig. 10 b"
Points = Sequence[Mapping[str, Any]]


def errors(scene: Scene) -> Iterator[Item]:
    """The error against the ratio, by the card and measured now; and this image, pixel by pixel."""
    if borrows(scene.now):
        yield Note(
            "Its pictures borrow mean and spread from the original, so an error would credit information the model "
            "was given."
        )
        yield from _ranks(scene.now)
        return
    yield Row(_against_ratio(scene.now), _this_image(scene.now))


def _this_image(run: Run) -> Iterator[Item]:
    yield from _where(run)
    yield from _ranks(run)


def _against_ratio(run: Run) -> Iterator[Item]:
    from spikeviz.evaluation.hidden_errors import BATCH, RATIOS
    from spikeviz.evaluation.job import duration

    count = min(SAMPLES, run.card.samples)
    seconds = len(RATIOS) * count * run.network.milliseconds / 1000
    yield from _by_card(run)
    yield Study(
        f"hidden errors {run.card.sha256} {_others(run)!r} {run.experiment.seed} {count}",
        "Measured now, at this setting",
        len(RATIOS) * -(-count // BATCH),
        partial(_work, run, count),
        partial(_measured, run),
        f"Measure {len(RATIOS)} ratios",
        f"The first {count:,} {run.samples}, patches at random, at most {duration(seconds)}.",
        data=run.card.data,
    )


def _by_card(run: Run) -> Iterator[Item]:
    """The curve that the card of the network holds."""
    from spikeviz.views.reconstruction.charts import error_against_ratio

    points, trained = run.card.measured.get("against_ratio", ()), run.model.config.ratio
    if not points:
        yield Note(f"The card of {run.card.name} holds no errors: `{run.card.command}` computes them.")
        return
    samples = f"the first {points[0]['samples']:,} {run.samples} of {run.card.data}, seed {points[0]['seed']}"
    yield Figure(
        error_against_ratio(points, (), trained),
        f"Means over {samples}, {run.card.device}; precomputed by `{run.card.command}`. {verdict(points, trained)}",
        SEC,
        _alt(points),
        "visible mean",
        over=Over(samples, settings="as trained, each point at its own ratio"),
    )


def _others(run: Run) -> tuple[Any, ...]:
    from spikeviz.interventions import HidePatches

    return run.experiment.without(HidePatches).interventions


def _work(run: Run, count: int) -> Iterator[tuple[int, list[dict[str, float]]]]:
    from spikeviz.evaluation.controls.norms import training_samples
    from spikeviz.evaluation.hidden_errors import errors_against_ratio

    images = data_sets.some(run.card.data, count).batch
    try:
        train = training_samples(run.card.data)
    except (FileNotFoundError, ValueError):
        train = None  # no training images here: the visible mean stands alone
    return errors_against_ratio(run.model, images, _others(run), run.experiment.seed, train=train)


def _measured(run: Run, points: list[dict[str, float]], progress: Progress) -> Iterator[Item]:
    from spikeviz.evaluation.hidden_errors import RATIOS
    from spikeviz.views.reconstruction.charts import error_against_ratio

    if not points:
        return
    trained = run.model.config.ratio
    each = ", ".join(f"{point['rank']:.1f} at {point['ratio']:g}" for point in points)
    yield Figure(
        error_against_ratio((), points, trained),
        f"{len(points)} of {len(RATIOS)} ratios, {points[0]['samples']:,} {run.samples}, seed {run.experiment.seed}, "
        f"{run.recording.device.upper()}, {progress.seconds:.0f} s. {verdict(points, trained)} Effective rank of the "
        f"visible tokens: {each}.",
        SEC,
        _alt(points),
        over=Over(f"the first {points[0]['samples']:,} {run.samples} of {run.card.data}, seed {run.experiment.seed}"),
    )


def verdict(points: Points, trained: float) -> str:
    """What a curve of errors says: factors, and where its points know their error, what that error allows to say."""
    best, worst = (choose(points, key=lambda point: point["relative"]) for choose in (min, max))
    own = next((f", ×{p['relative']:.2f} at the ratio of its training" for p in points if p["ratio"] == trained), "")
    text = (
        f"Its error is ×{best['relative']:.2f} of that of the visible mean at ratio {best['ratio']:g} (the least), "
        f"×{worst['relative']:.2f} at {worst['ratio']:g} (the most){own}."
    )
    known = [point for point in points if point.get("error") is not None and point["error"] == point["error"]]
    text = f"{text} {_compared(known)}" if known else text
    smooth = [point for point in points if point.get("smooth_error", float("nan")) == point.get("smooth_error")]
    return f"{text} {_against_smooth(smooth)}" if smooth else text


def _compared(points: Points) -> str:
    """At how many ratios the reconstruction is better than the visible mean, and at how many it is worse."""
    from spikeviz.evaluation.pairs import SURE

    text = _counted(points, "fill", "error")
    return f"{text[0].upper()}{text[1:]} ({SURE:g} standard errors over the images)."


def _against_smooth(points: Points) -> str:
    """The same of the smooth fill-in, with the factors and how wide its Gaussian is."""
    factors = ", ".join(f"×{p['over_smooth']:.2f} at {p['ratio']:g}" for p in points)
    widths = " to ".join(dict.fromkeys(f"{end(p['width'] for p in points):g}" for end in (min, max)))
    return (
        f"Against a smooth fill-in (visible pixels weighted by a Gaussian of {widths} pixels, for each ratio chosen on "
        f"training images): {_counted(points, 'smooth', 'smooth_error')}; {factors}."
    )


def _counted(points: Points, fill: str, error: str) -> str:
    from spikeviz.evaluation.paired_survey import SURE

    better = sum(point[fill] - point["mse"] > SURE * point[error] for point in points)
    worse = sum(point["mse"] - point[fill] > SURE * point[error] for point in points)
    none = len(points) - better - worse
    parts = [f"below it at {better} of {len(points)} ratios"] if better else []
    parts += [f"above it at {worse}"] if worse else []
    parts += [f"no difference found at {none}"] if none else []
    return ", ".join(parts)


def _alt(points: Points) -> str:
    return "Error over hidden pixels against mask ratio: " + ", ".join(
        f"{point['ratio']:g} {point['mse']:.4f}" for point in points
    )


def _where(run: Run) -> Iterator[Item]:
    from spikeviz.views.reconstruction.charts import patch_errors

    found = result(run)
    maps = patch_errors(found.image, found.mask, found.made)
    yield Figure(
        maps,
        "This image, visible and hidden patches apart; beyond 1 the colour is that of 1.",
        SEC,
        "; ".join(f"{title}: largest {part.max():.2f}" for title, part in zip(maps.titles, maps.maps, strict=True)),
        html=partial(_error_tiles, maps),
    )


def _error_tiles(maps: Maps) -> str:
    from spikeviz.figures.render_html import map_tiles, rate_bar, strip

    notes = [f"largest {values.max():.2f}" for values in maps.maps]
    return strip(map_tiles(maps, notes), 2, 96, 190) + rate_bar(maps.label)


def _ranks(run: Run) -> Iterator[Item]:
    found, shipped, dim = result(run), run.card.measured.get("effective_rank"), run.model.config.dim
    most, several = min(found.count - found.hidden, dim), ranks.ranks_of(run.card)
    here = f"**{found.rank:.1f}** of at most {most}" if found.rank is not None else "none, since nothing is visible"
    yield Note(f"**Effective rank** of the visible tokens, this image: {here}.", "text", "effective rank")
    if shipped:
        yield Note(
            f"Of the first {shipped['samples']:,} {run.samples} together, at ratio {shipped['ratio']:g}: "
            f"{shipped['rank']:.1f} of at most {dim} channels, precomputed by `{run.card.command}`. "
            f"{ranks.spread({run.card.name: several}) + ' ' if several else ''}The paper prints no numbers. *{EQ_29}*"
        )
