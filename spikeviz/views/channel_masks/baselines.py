"""Do the learned masks find the channels that matter? As many channels dropped in other ways, measured now."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from spikeviz.display import plural
from spikeviz.views import data_sets
from spikeviz.views.channel_masks.settings import threshold
from spikeviz.views.networks.words import whole_test_set
from spikeviz.views.view import Figure, Item, Note, Over, Progress, Study

if TYPE_CHECKING:
    from spikeviz.evaluation.controls.pruning import PruningControl
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

SAMPLES = 512
MEANING = (
    "As many channels of every site as the masks drop are dropped at random (10 draws), or those whose weights are "
    "smallest; no weight is trained, BatchNorm statistics are estimated again on 256 training samples in all."
)


def baselines(scene: Scene) -> Iterator[Item]:
    """Learned masks beside channels dropped at random, by smallest weights, and all of them (threshold 1)."""
    from spikeviz.evaluation.controls import pruning_survey
    from spikeviz.evaluation.controls.norms import training_samples
    from spikeviz.evaluation.controls.pruning import networks
    from spikeviz.evaluation.job import duration
    from spikeviz.metrics import mask_rates

    run, own = scene.now, threshold(scene.now)
    if not mask_rates(run.model, own)["masked"].sum():
        yield Note(f"At threshold {own:.2f} no channel is dropped: there is nothing to drop in another way.")
        return
    some, seed = data_sets.some(run.card.data, SAMPLES), run.experiment.seed

    def work() -> Iterator[tuple[int, PruningControl]]:
        train = training_samples(run.card.data)
        rules = run.experiment.interventions
        yield from pruning_survey(run.model, some.batch, some.labels, train, own, rules, seed)

    total = networks() * len(some)
    yield Study(
        f"pruning control {run.card.sha256} {run.experiment.but(source='')!r} {len(some)}",
        "Other ways to drop as many channels",
        total,
        work,
        partial(_found, run),
        "Compare with other ways",
        f"{MEANING} {run.status_text}, {networks()} networks over the first {len(some):,} {run.samples}, at most "
        f"{duration(1.5 * total * run.network.milliseconds / 1000)}.",
        data=some.data,
    )


def _found(run: Run, found: PruningControl, progress: Progress) -> Iterator[Item]:
    from spikeviz.evaluation.controls.pruning import LEARNED
    from spikeviz.views.channel_masks.baseline_charts import pruning_chart, pruning_table

    if LEARNED not in found.right:
        yield Note("The network with its learned masks comes first.")
        return
    samples = len(found.right[LEARNED])
    yield Figure(
        pruning_chart(found),
        f"{verdicts(found)} {plural(sum(found.dropped.values()), 'channel')} dropped; the first {samples:,} "
        f"{run.samples} of {run.card.data}, {run.status_text}, {run.recording.device.upper()}, "
        f"{progress.seconds:.0f} s. These weights were trained with the learned masks and with no other. "
        f"{whole_test_set(run.card)}",
        "a control of our own; smallest weights after Li et al., ICLR 2017",
        verdicts(found),
        "channel mask",
        lambda: pruning_table(found),
        Over(f"the first {samples:,} {run.samples} of {run.card.data}"),
    )


def verdicts(found: PruningControl) -> str:
    """What is better than what, outside two errors; of the networks that are finished."""
    from spikeviz.evaluation.controls.pruning import NONE, SMALLEST

    said = []
    if found.draws:
        said.append(_verdict(f"{plural(len(found.draws), 'random draw')} (mean)", *found.against_random))
    said += [
        _verdict(words, *found.against(name))
        for name, words in ((SMALLEST, "smallest weights dropped"), (NONE, "every masked channel gone (threshold 1)"))
        if name in found.right
    ]
    return f"Learned masks against {'; '.join(said)}." if said else ""


def _verdict(words: str, difference: float, error: float) -> str:
    from spikeviz.artifacts.gaps import SURE, points

    if abs(difference) <= SURE * error:
        return f"{words}: no difference found ({points(difference, error)})"
    return f"{words}: {'better' if difference > 0 else 'worse'} ({points(difference, error)})"
