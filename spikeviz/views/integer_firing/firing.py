"""What a moved D means, and how much these networks fire."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from spikeviz.views import data_sets, runs, spikes
from spikeviz.views.integer_firing.networks import depth, siblings_by_depth, trained_depth, vanilla
from spikeviz.views.layers.viewer import spike_viewer
from spikeviz.views.networks.gaps import gaps
from spikeviz.views.networks.words import whole_test_set
from spikeviz.views.view import Figure, Item, Note, Over, Progress, Row, Study

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.evaluation.paired_survey import PairedSurvey
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

SURVEY_IMAGES = 512


def main(scene: Scene) -> Iterator[Item]:
    """The two meanings of a moved D, and the spikes."""
    if text := meanings(scene):
        yield Note(text)
    yield from spike_viewer(scene)


def meanings(scene: Scene) -> str:
    """The two meanings of a moved D, by name; "" where there is nothing to tell apart."""
    own, wanted = trained_depth(scene.now.card), depth(scene.now)
    held, there = scene.state.compared is not None, siblings_by_depth(scene.now.card)
    what_if = f"these weights, trained with D = {own}, clip at {wanted} and divide by {wanted}"
    trained = ", ".join(str(d) for d in there if d != own)
    if wanted == own and (held or not trained):
        return ""
    if wanted == own:
        return (
            f"**D = {own} is what this network was trained with.** Move D: B is then these weights with another D "
            f"(what-if), A the network trained at that D ({trained})."
        )
    if held:
        return f"**D = {wanted} is a what-if**: {what_if}. Release A to see the network that was trained at a D."
    if wanted in there and scene.compared:
        return (
            f"**Two meanings of D = {wanted}.** B, what-if: {what_if}. A: {there[wanted].name}, trained at that D, "
            f"{scene.compared.status_text}."
        )
    return (
        f"**D = {wanted} is a what-if**: {what_if}. No network here was trained at D = {wanted} (there are D = "
        f"{', '.join(map(str, there))})."
    )


def firing(scene: Scene) -> Generator[Item, Any, None]:
    """NSFR of this input, spikes per neuron, and both over a test set beside the vanilla network."""
    side = yield from spikes.charted(scene)
    yield Row(_over_time(scene), spikes.rates(side))
    yield from gaps(scene)


def _over_time(scene: Scene) -> Iterator[Item]:
    yield from spikes.nsfr(scene)
    each = [
        f"{f'{name} ' if len(scene.runs) > 1 else ''}**{float(run.numbers.nsfr.sum()):.3f}** ({run.status_text})"
        for name, run in scene.runs
    ]
    yield Note(f"Spikes per neuron, this input, all steps together: {', '.join(each)}")
    yield from vanilla_against_sfa(scene)


def vanilla_against_sfa(scene: Scene) -> Iterator[Item]:
    """NSFR over a test set of this network and of the vanilla one (Fig. 9)."""
    from spikeviz.evaluation.job import duration
    from spikeviz.evaluation.paired_survey import paired_survey

    run, other = scene.now, vanilla(scene.now.card)
    if other is None:
        yield Note(f"No vanilla network was trained on {run.card.data} to compare NSFR with (Fig. 9).")
        return
    plain = runs.network(other)
    some = data_sets.some(run.card.data, SURVEY_IMAGES)

    def work() -> Iterator[tuple[int, PairedSurvey]]:
        mine = (run.model, run.experiment.interventions, run.experiment.seed)
        for pair in paired_survey(mine, (plain.model, (), 0), some.batch, some.labels):
            yield pair.first.images, pair

    seconds = len(some) * (run.network.milliseconds + plain.milliseconds) / 1000
    yield Study(
        f"fig 9 {run.card.sha256} {other.sha256} {run.experiment.but(source='')!r} {len(some)}",
        f"Vanilla against SFA over {len(some):,} {run.samples}",
        len(some),
        work,
        partial(_fig_9, run, other),
        "Run both networks",
        f"This setting of {run.card.name}, and {other.name} as trained: at most {duration(seconds)}.",
        data=some.data,
    )


def _fig_9(run: Run, other: CheckpointCard, pair: PairedSurvey, progress: Progress) -> Iterator[Item]:
    from spikeviz.figures.spikes import nsfr_curve

    mine, theirs = pair.first, pair.second
    both = replace(pair.accuracy, names=("SFA", "vanilla"))
    sfa, plain = mine.nsfr.numpy(), theirs.nsfr.numpy()
    yield Figure(
        nsfr_curve(
            sfa,
            plain,
            (f"SFA, {run.status_text}", f"vanilla, {len(plain)} x 1"),
            title=f"NSFR, vanilla and SFA, {mine.images:,} {run.samples}",
            x="binary step",
        ),
        f"{verdict(pair)} The first {mine.images:,} {run.samples} of {run.card.data}: accuracy {mine.accuracy:.3f} ± "
        f"{mine.error:.3f} with SFA, {theirs.accuracy:.3f} ± {theirs.error:.3f} vanilla ({other.name}), one training "
        f"each: {both.verdict}; {progress.seconds:.0f} s. {whole_test_set(run.card, other)} The paper, of its 10 M "
        "network on ImageNet: 0.39 and 0.96 spikes per neuron.",
        "E-SpikeFormer, sec. 5.3 and Fig. 9",
        "NSFR by step, SFA: "
        + ", ".join(f"{v:.3f}" for v in sfa)
        + "; vanilla: "
        + ", ".join(f"{v:.3f}" for v in plain),
        over=Over(
            f"the first {mine.images:,} {run.samples} of {run.card.data}",
            (run.card.name, other.name),
            f"{run.status_text} against {other.name} as trained",
        ),
    )


def verdict(pair: PairedSurvey) -> str:
    """Whether these networks do what the paper reports, in words: SFA falls, vanilla does not, SFA fires less."""
    return (
        f"Ours: SFA {_course(pair, 0)}; vanilla {_course(pair, 1)}{_settled(pair)}; {_fewer(pair)} (± standard error)."
    )


def _course(pair: PairedSurvey, which: int) -> str:
    """Whether one of the two networks falls at every step."""
    nsfr = (pair.first, pair.second)[which].nsfr.numpy()
    if len(nsfr) == 1:
        return "has one step, which cannot fall"
    falls = pair.falls(which)
    if falls is None:
        return f"goes from {nsfr[0]:.3f} to {nsfr[-1]:.3f}"
    if falls:
        return f"falls at every step, from {nsfr[0]:.3f} to {nsfr[-1]:.3f}"
    return f"does not fall at every step ({', '.join(f'{v:.3f}' for v in nsfr)})"


def _settled(pair: PairedSurvey) -> str:
    """By how much the vanilla network changes once its membranes are no longer empty."""
    later = pair.second.nsfr.numpy()[1:]
    if len(later) < 2:
        return ""
    spread = (float(later.max()) - float(later.min())) / max(float(later.mean()), 1e-12)
    return f", from its second step on within {spread:.0%} of its mean (at the first, membranes start empty)"


def _fewer(pair: PairedSurvey) -> str:
    """Which of the two fires fewer spikes."""
    from spikeviz.evaluation.pairs import SURE

    few, many = float(pair.first.nsfr.sum()), float(pair.second.nsfr.sum())
    apart, error = pair.difference
    both = f"{few:.3f} against {many:.3f} spikes per neuron"
    if error is None:
        return both
    both += f", {apart:+.3f} ± {error:.3f}"
    if abs(apart) <= SURE * error:
        return f"no difference found: {both}"
    return f"SFA fires {'fewer' if apart < 0 else 'more'}: {both}"
