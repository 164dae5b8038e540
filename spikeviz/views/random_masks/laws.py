"""Each spike by itself against whole activations: what the law of the published training code changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from spikeviz.figures.theme import ACCENT, SECOND
from spikeviz.views import data_sets
from spikeviz.views.networks.words import whole_test_set
from spikeviz.views.random_masks.curves import with_first
from spikeviz.views.random_masks.settings import first_alone, masks_of, where
from spikeviz.views.view import Figure, Item, Over, Progress, Study

if TYPE_CHECKING:
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

RATIOS = (0.25, 0.5, 0.75, 0.9)
SOURCE = "Masked Spiking Transformer, sec. 3.4, and its published code"


def laws(scene: Scene) -> Iterator[Item]:
    """Of a QCFS network, whose levels stand for several spikes each."""
    from spikeviz.data.catalog import find_data
    from spikeviz.evaluation.job import duration
    from spikeviz.evaluation.mask_sweep import SAMPLES, SEEDS, compare_laws, law_units
    from spikeviz.interventions import MaskSpikes
    from spikeviz.views.runs import network

    run, at = scene.now, masks_of(scene.now)[0].at
    changed = ((ratio, with_first(scene, MaskSpikes(ratio, at=at))) for ratio in RATIOS)
    points = [(ratio, tuple(i for i in own if isinstance(i, MaskSpikes))) for ratio, own in changed]
    some, data = data_sets.some(run.card.data, SAMPLES), find_data(run.card.data).title
    passes = 2 * len(SEEDS) * len(RATIOS)
    seconds = len(some) * passes * run.network.milliseconds / 1000 / getattr(run.model, "time_steps", 1)

    def work() -> Iterator[tuple[int, list[dict[str, Any]]]]:
        yield from compare_laws(network(run.card, "qcfs").model, some.batch, some.labels, points)

    yield Study(
        f"laws {run.card.sha256} {points!r} {len(some)}",
        "Spike by spike against whole activations, measured now",
        law_units(points, len(some)),
        work,
        partial(_compared, run),
        f"Measure {len(RATIOS)} ratios",
        f"The QCFS network behind these spikes, {where(run)} masked by either law{first_alone(scene)}: the first "
        f"{len(some):,} {run.samples} of {data}, {len(SEEDS)} seeds, at most "
        f"{duration(seconds)}. With spikes an activation is one spike or none, and both laws are the same.",
        data=some.data,
    )


def _compared(run: Run, table: Sequence[Mapping[str, Any]], progress: Progress) -> Iterator[Item]:
    import numpy as np
    import pandas as pd

    from spikeviz.figures.chart import Chart, Line

    if not table:
        return
    ratios = [row["ratio"] for row in table]
    lines = []
    for law, colour in (("spikes", ACCENT), ("whole", SECOND)):
        means = np.array([row[law] for row in table])
        lines.append(Line(ratios, means, f"law {law}", colour))
    last = table[-1]
    samples = f"the first {last['samples']:,} {run.samples} of {run.card.data}, {last['seeds']} seeds"
    title = f"Accuracy by the law of the masks · {run.card.name}"
    yield Figure(
        Chart(title, "ratio", "accuracy", lines, x_range=(-0.02, 1.02), height=240, numbers=pd.DataFrame(table)),
        f"{run.card.name} as QCFS network, {where(run)} masked: {samples}, {run.recording.device.upper()}, "
        f"{progress.seconds:.0f} s. {'; '.join(map(verdict, table))}. An activation of n spikes has the same mean by "
        f"either law, and by the published code's up to n times the variance. {whole_test_set(run.card)}",
        SOURCE,
        "; ".join(f"ratio {r['ratio']:g}: spikes {r['spikes']:.3f}, whole {r['whole']:.3f}" for r in table),
        over=Over(f"{samples}, {run.recording.device.upper()}", settings=f"{where(run)} masked, both laws"),
    )


def verdict(row: Mapping[str, Any]) -> str:
    """Whether one law is better at a ratio: outside of two errors of the paired difference."""
    difference, error = row["difference"], row["error"]
    numbers = f"ratio {row['ratio']:g}: {difference:+.3f} ± {error:.3f}"
    if abs(difference) <= 2 * error:
        return f"{numbers}, no difference found (n = {row['samples']:,})"
    return f"{numbers}, better {'spike by spike' if difference > 0 else 'as a whole'}"
