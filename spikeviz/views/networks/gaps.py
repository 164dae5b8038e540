"""What the attention of a network is worth, in one line: from its card, or measured now where the card does not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from spikeviz.display import plural
from spikeviz.views import data_sets
from spikeviz.views.networks.words import measured_as, whole_test_set
from spikeviz.views.view import Figure, Item, Note, Over, Progress, Study

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.artifacts.gaps import Part
    from spikeviz.evaluation import Gap
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

SAMPLES = 512
MEANING = (
    "Attention gap: accuracy lost when what every attention module adds is replaced by its mean over the data; content "
    "gap: when what q and k say to each other is."
)


def gaps(scene: Scene) -> Iterator[Item]:
    """Both gaps of the network of a page; nothing of one without attention."""
    from spikeviz.artifacts.gaps import measured_gaps

    run = scene.now
    if measured_gaps(run.card.measured):
        yield Note(gap_note(run.card))
    elif run.card.classifies and _has_attention(run):
        yield _measure(run)


def gap_note(card: CheckpointCard) -> str:
    """Both gaps of a card in one line, with their verdicts; "" where it holds none."""
    from spikeviz.artifacts.gaps import difference, measured_gaps, verdict

    found = measured_gaps(card.measured)
    if not found:
        return ""
    said = [f"{part} gap: {verdict(part, g['gap'], g['error'], g['samples'])}" for part, g in found.items()]
    again = {part: gap["reestimated"] for part, gap in found.items() if "reestimated" in gap}
    beside = "; ".join(f"{part} {difference(gap['gap'], gap['error'])}" for part, gap in again.items())
    beside = f" With BatchNorm re-estimated on both sides: {beside}." if beside else ""
    first = next(iter(found.values()))
    return (
        f"**What attention is worth here.** {_sentence('; '.join(said))}{beside} <small>{MEANING} Test samples, "
        f"{measured_as(card)}, {plural(first['steps'], 'step')}, ± standard error of the "
        f"pairs; `{first['command']}`, {first['device']}.</small>"
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _has_attention(run: Run) -> bool:
    from spikeviz.probe import find_probes

    return bool(find_probes(run.model, lambda probe: probe.role == "branch"))


def _measure(run: Run) -> Study:
    from spikeviz.evaluation import gap_survey
    from spikeviz.evaluation.job import duration

    some = data_sets.some(run.card.data, SAMPLES)

    def work() -> Iterator[tuple[int, Mapping[Part, Gap]]]:
        yield from gap_survey(run.model, some.batch, some.labels, run.experiment.interventions, run.experiment.seed)

    return Study(
        f"gaps {run.card.sha256} {run.experiment.but(source='')!r} {len(some)}",
        "What attention is worth here",
        2 * len(some),
        work,
        partial(_measured, run),
        "Measure both gaps",
        f"{MEANING} {run.status_text}, the first {len(some):,} {run.samples}, at most "
        f"{duration(3 * len(some) * run.network.milliseconds / 1000)}.",
        data=some.data,
    )


def _measured(run: Run, found: Mapping[Part, Gap], progress: Progress) -> Iterator[Item]:
    from spikeviz.figures.chart import Bars, Chart

    if not found:
        yield Note("The means are taken over the first pass; accuracy follows in the second.")
        return
    own = next(iter(found.values()))
    names = ["as it is", *(f"without {part}" for part in found)]
    values = [own.accuracy, *(gap.ablated for gap in found.values())]
    said = "; ".join(f"{part} gap: {gap.verdict}" for part, gap in found.items())
    yield Figure(
        Chart("Accuracy without attention", "accuracy", "", [Bars(names, values)], x_range=(0, 1), height=150),
        f"{_sentence(said)} The first {own.samples:,} {run.samples} of {run.card.data}, {run.status_text}, standard "
        f"error of the pairs, {progress.seconds:.0f} s. {whole_test_set(run.card)}",
        "mean ablation, a control of our own",
        "Accuracy " + ", ".join(f"{name} {value:.3f}" for name, value in zip(names, values, strict=True)),
        over=Over(f"the first {own.samples:,} {run.samples} of {run.card.data}"),
    )
