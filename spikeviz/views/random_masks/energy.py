"""Energy beside alpha-watts: of the QCFS network, of the spiking one it becomes at every T, and of that under masks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from spikeviz.views import data_sets
from spikeviz.views.energy.ways import SOURCE, three_ways
from spikeviz.views.networks.words import is_qcfs
from spikeviz.views.random_masks.settings import drops, unmasked, where
from spikeviz.views.view import Figure, Item, Note, Over, Progress, Row, Study

if TYPE_CHECKING:
    import numpy as np

    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

LONGEST = 32  # T to which energy is drawn
SAMPLES = 64
QCFS = "QCFS network"


def energies(scene: Scene) -> Iterator[Item]:
    """Energy in three ways beside alpha-watts, and energy against T beside that of the QCFS network."""
    yield Row(_ways(scene), _against_steps(scene))


def _ways(scene: Scene) -> Iterator[Item]:
    run = scene.now
    steps = len(run.recording.logits_per_step)
    named = {f"spiking, T = {steps}": unmasked(scene), **({f"masked, T = {steps}": run} if drops(run) else {})}
    if is_qcfs(run.card):
        named = {QCFS: _qcfs(scene), **named}
    yield three_ways(named, "Energy beside spikes, this input")
    yield Note("Alpha-watts are spikes over 1 ms: the paper's formula knows no other operation, and no joules.")


def _qcfs(scene: Scene) -> Run:
    """The QCFS network on the same input."""
    from spikeviz.metrics import OPERANDS

    return scene.run(scene.now.experiment.but(variant="qcfs", interventions=(), seed=0), OPERANDS)


def _against_steps(scene: Scene) -> Iterator[Item]:
    from spikeviz.evaluation.accuracy import energy_against_steps
    from spikeviz.evaluation.job import duration

    run = scene.now
    if not is_qcfs(run.card):
        return
    longest = {"without masks": _to_the_last_step(scene, unmasked(scene))}
    if drops(run):
        longest[f"masked: {where(run)}"] = _to_the_last_step(scene, run)
    everything = {QCFS: _qcfs(scene), **longest}
    some = data_sets.some(run.card.data, SAMPLES)
    settings = [(own.model, own.experiment.interventions) for own in everything.values()]

    def work() -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        for done, found in energy_against_steps(settings, some.batch, run.experiment.seed):
            yield done, dict(zip(everything, found, strict=True))

    steps = max(1, len(run.recording.logits_per_step))
    seconds = len(some) * len(longest) * run.network.milliseconds / 1000 * LONGEST / steps
    yield Study(
        f"energy against T {run.card.sha256} {run.experiment.but(source='')!r} {len(some)}",
        "Energy against T",
        len(some),
        work,
        partial(_measured, run),
        f"Run over {len(some)} {run.samples.removeprefix('test ')}",
        f"{len(everything)} networks to T = {LONGEST}, at most {duration(seconds)}.",
        idle=lambda: [_figure({name: _until_each_step(own) for name, own in everything.items()}, "This input", None)],
        data=some.data,
    )


def _to_the_last_step(scene: Scene, run: Run) -> Run:
    """The same for `LONGEST` steps, of which every shorter run is the beginning."""
    from spikeviz.interventions import TimeSteps
    from spikeviz.metrics import OPERANDS

    return scene.run(run.experiment.set(TimeSteps(LONGEST)), OPERANDS)


def _until_each_step(run: Run) -> np.ndarray:
    """Picojoule of its input until each step, `[1, T]`."""
    from spikeviz.metrics import energy_by_step

    model = run.model
    return run.once("energy until each step", lambda r: energy_by_step(model, r).cumsum(0).T.numpy())


def _measured(run: Run, found: Mapping[str, np.ndarray], progress: Progress) -> Iterator[Item]:
    over = f"the first {progress.done} {run.samples} of {run.card.data}"
    yield _figure(found, f"Mean of {over}, ± standard error", Over(over, settings=f"T from 1 to {LONGEST}"))


def _figure(found: Mapping[str, np.ndarray], over: str, of: Over | None) -> Figure:
    from spikeviz.evaluation.pairs import mean_and_error
    from spikeviz.figures.cost import against_steps

    across = float(found[QCFS][:, -1].mean())
    spiking = {name: energy for name, energy in found.items() if name != QCFS}
    curves = {}
    for name, energy in spiking.items():
        mean, error = zip(*(mean_and_error(column) for column in energy.T), strict=True)
        curves[name] = mean, [e or 0.0 for e in error]
    said = " ".join(verdict(name, energy, found[QCFS]) for name, energy in spiking.items())
    ends = [f"{name} {mean[0]:.3g} to {mean[-1]:.3g}" for name, (mean, _) in curves.items()]
    return Figure(
        against_steps(curves, across, QCFS, "Energy against T" + ("" if of else ", this input")),
        f"{over}, as we count. {said} Softmax, at every step and once in the QCFS network, is in no energy.",
        SOURCE,
        f"Energy in picojoule from T = 1 to {LONGEST}: {', '.join(ends)}; {QCFS} {across:.3g}",
        "QCFS",
        over=of,
    )


def verdict(name: str, spiking: np.ndarray, qcfs: np.ndarray) -> str:
    """Up to which T a spiking network `[N, T]` costs less than its QCFS network `[N, 1]`, and from which on more, by
    two errors of the differences of samples; of a single sample by the numbers, which says it."""
    from spikeviz.evaluation.pairs import PairedNumbers

    pairs = [PairedNumbers(energy, qcfs[:, -1], (name, QCFS)) for energy in spiking.T]
    alone = pairs[0].samples == 1
    less = [t for t, pair in enumerate(pairs, 1) if (alone or pair.differ) and pair.difference[0] < 0]
    more = [t for t, pair in enumerate(pairs, 1) if (alone or pair.differ) and pair.difference[0] > 0]
    said = []
    if less:
        ratio, error = pairs[less[-1] - 1].ratio
        said.append(f"less than the QCFS network up to T = {less[-1]} ({_times(ratio, error)})")
    if more:
        ratio, error = pairs[more[0] - 1].ratio
        said.append(f"more from T = {more[0]} on ({_times(ratio, error)})")
    between = len(pairs) - len(less) - len(more)
    if between:
        said.append(f"no difference found at {between} T")
    end = "" if alone else f" (n = {pairs[0].samples}, paired)"
    return f"{name[0].upper() + name[1:]}: {', '.join(said)}{end}."


def _times(ratio: float, error: float | None) -> str:
    return f"×{ratio:.2f}" + ("" if error is None else f" ± {error:.2f}")
