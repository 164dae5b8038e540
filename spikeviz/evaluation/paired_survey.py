"""Two networks over the same samples, batch by batch: how much each fires, and by how much they differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from spikeviz.evaluation.pairs import SURE, Paired, Setting, paired
from spikeviz.evaluation.survey import Survey, survey


@dataclass(frozen=True, eq=False)
class PairedSurvey:
    """What is known of two networks after some samples.

    Attributes:
        first, second: totals of each.
        rates: NSFR of each batch by step, of the first and of the second network.
        weights: share of each batch in the samples so far.
    """

    first: Survey
    second: Survey
    rates: tuple[Float[Tensor, "batches TD"], Float[Tensor, "batches SE"]]
    weights: Float[Tensor, "batches"]

    @property
    def difference(self) -> tuple[float, float | None]:
        """Spikes per neuron of the first network minus those of the second, all steps together, and its standard error:
        of the differences of batches, since both networks see the same samples. None of a single batch."""
        first, second = self.rates
        mean, error = self._mean((first.sum(1) - second.sum(1))[:, None])
        return float(mean[0]), None if error is None else float(error[0])

    @property
    def accuracy(self) -> Paired:
        """Their accuracies, over the same samples."""
        return paired(self.first.correct, self.second.correct)

    def falls(self, which: int) -> bool | None:
        """Whether a network (0 or 1) fires less at every step than at the one before, by more than `SURE` standard
        errors; None of a single batch, whose error is not known."""
        mean, error = self._mean(-self.rates[which].diff(dim=1))
        return None if error is None else bool((mean > SURE * error).all())

    def _mean(self, values: Float[Tensor, "batches n"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"] | None]:
        """Mean over samples, and its standard error from how batches differ."""
        share = self.weights[:, None]
        mean = (share * values).sum(0)
        if len(values) < 2:
            return mean, None
        return mean, ((share * (values - mean) ** 2).sum(0) / (len(values) - 1)).sqrt()


def paired_survey(
    first: Setting, second: Setting, x: Tensor, y: Int[Tensor, "N"], batch: int = 64
) -> Iterator[PairedSurvey]:
    """Run two networks over the same test set and yield what is known after every batch.

    Args:
        first, second: a model, its interventions and its seed, each.
        x: images `[N, C, H, W]` or event frames `[T, N, 2, H, W]`.
        y: the classes, `[N]`.
        batch: how many samples run at a time.

    Raises:
        ValueError: at the first batch, for what `survey` does not take.
    """
    surveys = [survey(model, x, y, interventions, seed, batch) for model, interventions, seed in (first, second)]
    rates: tuple[list[Tensor], list[Tensor]] = ([], [])
    sizes: list[int] = []
    before: tuple[Survey, ...] = ()
    for one, other in zip(*surveys, strict=True):
        both = (one, other)
        for own, so_far, then in zip(rates, both, before or (None, None), strict=True):
            own.append(_last_batch(so_far, then))
        sizes.append(both[0].images - (before[0].images if before else 0))
        before = both
        weights = torch.tensor(sizes, dtype=torch.float64) / sum(sizes)
        yield PairedSurvey(one, other, (torch.stack(rates[0]), torch.stack(rates[1])), weights)


def _last_batch(now: Survey, then: Survey | None) -> Float[Tensor, "TD"]:
    """NSFR of what came between two running totals."""
    if then is None:
        return now.nsfr
    return (now.nsfr * now.images - then.nsfr * then.images) / (now.images - then.images)
