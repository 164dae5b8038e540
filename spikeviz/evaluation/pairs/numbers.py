"""A number of two networks on the same samples: its difference and its ratio, with their errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np
from jaxtyping import Float

from spikeviz.evaluation.pairs.value import SURE


def mean_and_error(values: Sequence[float] | Float[np.ndarray, "N"]) -> tuple[float, float | None]:
    """Mean over samples, and its standard error s / sqrt(n) from how they differ; None of a single sample."""
    numbers = np.asarray(values, dtype=float)
    error = float(numbers.std(ddof=1)) / sqrt(len(numbers)) if len(numbers) > 1 else None
    return float(numbers.mean()), error


@dataclass(frozen=True, eq=False)
class PairedNumbers:
    """A positive number of two networks on every one of the same samples, as the energy of an image.

    Attributes:
        first, second: of each sample.
        names: of the two, for the verdict.
    """

    first: Float[np.ndarray, "N"]
    second: Float[np.ndarray, "N"]
    names: tuple[str, str] = ("A", "B")

    def __post_init__(self) -> None:
        if len(self.first) != len(self.second) or not len(self.first):
            raise ValueError(f"{len(self.first)} and {len(self.second)} samples: not the same, or none.")

    @property
    def samples(self) -> int:
        return len(self.first)

    @property
    def difference(self) -> tuple[float, float | None]:
        """Mean of first minus second, and its standard error from the differences of the samples."""
        return mean_and_error(self.first - self.second)

    @property
    def ratio(self) -> tuple[float, float | None]:
        """Mean of the first over mean of the second, r, and its standard error: that of the mean of first - r second,
        over the second's mean (first order of a Taylor series). NaN where the second is nothing.
        """
        below = float(self.second.mean())
        if not below:
            return float("nan"), None
        found = float(self.first.mean()) / below
        _, error = mean_and_error(self.first - found * self.second)
        return found, None if error is None else error / below

    @property
    def differ(self) -> bool:
        """Whether the difference is outside two of its errors; of a single sample nothing is known."""
        apart, error = self.difference
        return error is not None and isfinite(apart) and abs(apart) > SURE * error

    def verdict(self, more: str, less: str, unit: str, size: float = 1.0, digits: int = 2) -> str:
        """As `A costs less than B: 7.93 against 8.71 µJ, -0.78 ± 0.05 (n = 64, paired)`, or that no difference was
        found.

        Args:
            more, less: what is said of the one with the larger and with the smaller number: `costs more than`.
            unit: of the numbers, each divided by `size`.
            digits: behind the point.
        """
        apart, error = self.difference
        numbers = f"{self.first.mean() / size:.{digits}f} against {self.second.mean() / size:.{digits}f} {unit}"
        if error is None:
            return f"{self.names[0]} and {self.names[1]}: {numbers} (a single sample, whose error is not known)"
        both = f"{numbers}, {apart / size:+.{digits}f} ± {error / size:.{digits}f} (n = {self.samples:,}, paired)"
        if not self.differ:
            return f"no difference found between {self.names[0]} and {self.names[1]}: {both}"
        return f"{self.names[0]} {more if apart > 0 else less} {self.names[1]}: {both}"
