"""The errors of accuracies, and a comparison of two of them on the same samples as a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from spikeviz.artifacts.cards import binomial_error
from spikeviz.artifacts.gaps import SURE


def paired_error(only_first: int, only_second: int, samples: int) -> float:
    """Standard error of the difference (b - c) / n of two accuracies over the same samples, with the discordant counts
    b and c: sqrt(b + c - (b - c)^2 / n) / n."""
    return sqrt(max(only_first + only_second - (only_first - only_second) ** 2 / samples, 0.0)) / samples


@dataclass(frozen=True)
class Paired:
    """Two accuracies over the same samples (McNemar 1947).

    Attributes:
        samples: how many, n.
        both: how many both get right.
        only_first, only_second: how many one of them alone gets right: the discordant counts b and c. What both get
            right, or both wrong, says nothing of the difference.
        names: of the two, for the verdict.
    """

    samples: int
    both: int
    only_first: int
    only_second: int
    names: tuple[str, str] = ("A", "B")

    @property
    def first(self) -> float:
        """Accuracy of the first, 0 to 1."""
        return (self.both + self.only_first) / self.samples

    @property
    def second(self) -> float:
        """Accuracy of the second, 0 to 1."""
        return (self.both + self.only_second) / self.samples

    @property
    def errors(self) -> tuple[float, float]:
        """Binomial standard error of each, by itself."""
        return binomial_error(self.first, self.samples), binomial_error(self.second, self.samples)

    @property
    def difference(self) -> float:
        """First minus second, (b - c) / n."""
        return (self.only_first - self.only_second) / self.samples

    @property
    def error(self) -> float:
        """Standard error of the difference of pairs."""
        return paired_error(self.only_first, self.only_second, self.samples)

    @property
    def differ(self) -> bool:
        """Whether the difference is outside two of its errors, and would be with one sample less (continuity correction
        of McNemar's test, Edwards 1948: of a handful of discordant samples the error alone says too much)."""
        return abs(self.difference) - 1 / self.samples > SURE * self.error

    @property
    def verdict(self) -> str:
        """As `A is better by 0.012 ± 0.004 (n = 1,000, paired)`, or that no difference was found."""
        if not self.differ:
            return f"no difference found (n = {self.samples:,})"
        better = self.names[self.difference < 0]
        return f"{better} is better by {abs(self.difference):.3f} ± {self.error:.3f} (n = {self.samples:,}, paired)"


def paired(first: Sequence[bool] | Any, second: Sequence[bool] | Any, names: tuple[str, str] = ("A", "B")) -> Paired:
    """Compare two networks by which of the samples each got right: two boolean vectors [N], tensors or not.

    Raises:
        ValueError: for vectors of other lengths or values, or none at all.
    """
    one, other = np.asarray(first), np.asarray(second)
    if one.shape != other.shape or one.ndim != 1 or not len(one) or one.dtype != bool or other.dtype != bool:
        raise ValueError(
            f"two vectors [N] of right answers (booleans) are compared; got {one.dtype} {list(one.shape)} and "
            f"{other.dtype} {list(other.shape)}."
        )
    return Paired(len(one), int((one & other).sum()), int((one & ~other).sum()), int((~one & other).sum()), names)
