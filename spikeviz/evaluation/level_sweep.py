"""Accuracy, energy and spikes of networks at several D, setting by setting."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from jaxtyping import Int
from torch import Tensor, nn

from spikeviz.evaluation.pairs import mean_and_error
from spikeviz.evaluation.survey import Survey, survey
from spikeviz.interventions import Intervention
from spikeviz.metrics import OPERANDS, energy_by_step
from spikeviz.simulation import simulate

CORRECT = "correct"  # a column of vectors
BATCH = 64  # samples that run at a time; energy is measured on the first of these


@dataclass(frozen=True, eq=False)
class LevelPoint:
    """One setting of a sweep.

    Attributes:
        meaning: of D: "what-if" (these weights at another D), "trained" (a network trained at it), "vanilla" (binary).
        levels: D.
        network: its name.
        model: it; not written to.
        interventions: applied left to right.
    """

    meaning: str
    levels: int
    network: str
    model: nn.Module
    interventions: tuple[Intervention, ...] = ()

    @property
    def setting(self) -> tuple[nn.Module, tuple[Intervention, ...]]:
        """What is run: points of one setting are measured once."""
        return self.model, self.interventions


def units(points: Sequence[LevelPoint], samples: int, batch: int = BATCH) -> int:
    """Units of work of `level_sweep`: a batch of a setting."""
    return len({point.setting for point in points}) * ceil(samples / batch)


def level_sweep(
    points: Sequence[LevelPoint], x: Tensor, y: Int[Tensor, "N"], seed: int = 0, batch: int = BATCH
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Measure accuracy, energy and spikes of one setting after the other.

    Args:
        points: the settings, in the order in which they are measured.
        x: images `[N, C, H, W]` or event frames `[T, N, 2, H, W]`.
        y: the classes, `[N]`.
        seed: of random edits.
        batch: how many samples run at a time.

    Yields:
        After every unit of work (`units`): how many are done, and a row for each point that is finished: meaning, D,
        network, T, accuracy with its standard error, images, which of them were right (`CORRECT`, booleans, to compare
        in pairs), energy (µJ, mean of the first batch; its standard error over images, and that of each), spikes per
        neuron (all steps together).

    Raises:
        ValueError: for samples and labels that do not belong together.
    """
    table: list[dict[str, Any]] = []
    measured: dict[Hashable, dict[str, Any]] = {}
    done = 0
    for point in points:
        if point.setting not in measured:
            for last in survey(point.model, x, y, point.interventions, seed, batch):
                done += 1
                if last.images < last.total:
                    yield done, table
            measured[point.setting] = _row(point, last, x.split(batch, x.ndim - 4)[0], seed)
        name = {"meaning": point.meaning, "D": point.levels, "network": point.network}
        table = [*table, name | measured[point.setting]]
        yield done, table


def _row(point: LevelPoint, found: Survey, some: Tensor, seed: int) -> dict[str, Any]:
    """What a setting was measured to do; its energy on `some` samples."""
    recording = simulate(point.model, some, point.interventions, OPERANDS, seed)
    energies = energy_by_step(point.model, recording).sum(0).numpy() / 1e6
    energy, error = mean_and_error(energies)
    return {
        "T": len(recording.logits_per_step),
        "accuracy": found.accuracy,
        "standard error": found.error,
        "images": found.images,
        CORRECT: found.correct,
        "energy (µJ)": energy,
        "energy error (µJ)": error,
        "energies (µJ)": energies,
        "spikes per neuron": float(found.nsfr.sum()),
    }
