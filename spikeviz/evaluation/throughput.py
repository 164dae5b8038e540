"""How many samples a second networks run, measured in turns: what else the machine does then strikes all of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import comb
from statistics import median, quantiles

from torch import Tensor, nn

from spikeviz.interventions import Intervention
from spikeviz.simulation import simulate

Network = tuple[nn.Module, Sequence[Intervention]]
LEVEL = 0.95  # of the interval of a median


@dataclass(frozen=True)
class Throughput:
    """Rounds in which every network ran the same batch once.

    Attributes:
        batch: samples of it.
        seconds: of each network, one number a round.
    """

    batch: int
    seconds: tuple[tuple[float, ...], ...]

    @property
    def rounds(self) -> int:
        return len(self.seconds[0])

    def rate(self, network: int) -> float:
        """Samples a second, the median over the rounds."""
        return self.batch / median(self.seconds[network])

    def speedup(self, network: int) -> tuple[float, float, float]:
        """How many times as fast as the first network: first quartile, median, third quartile of the rounds' ratios."""
        ratios = self._ratios(network)
        low, middle, high = quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
        return low, middle, high

    def interval(self, network: int) -> tuple[float, float] | None:
        """Where the true median of the rounds' ratios lies, at a level of 95 %; None of less than six rounds.

        The ends are rounds themselves: as many lie outside as a fair coin would leave there (the interval of a sign
        test), so nothing is assumed about how times are spread.
        """
        ratios = sorted(self._ratios(network))
        rounds, outside, tail = len(ratios), 0, 0.0
        while 2 * (tail := tail + comb(rounds, outside) / 2**rounds) <= 1 - LEVEL:
            outside += 1
        return (ratios[outside - 1], ratios[rounds - outside]) if outside else None

    def _ratios(self, network: int) -> list[float]:
        return [a / b for a, b in zip(self.seconds[0], self.seconds[network], strict=True)]


def speed_text(middle: float, interval: Sequence[float] | None) -> str:
    """A ratio of speeds in words, to follow what it is of: `1.29 times as fast (...)`, or that there is no difference.

    Args:
        middle: median of the rounds' ratios.
        interval: where it may lie as well; None where too few rounds were run to know.
    """
    if interval is None:
        return f"no difference measurable so far (median {middle:.2f} times, too few rounds for an interval)"
    low, high = interval
    range_text = f"95 % interval of the median {low:.2f} to {high:.2f}"
    if low <= 1 <= high:
        return f"no difference measurable ({range_text} times)"
    return f"{middle:.2f} times as fast ({range_text})"


def throughput(networks: Sequence[Network], x: Tensor, rounds: int = 9) -> Iterator[Throughput]:
    """Run the networks in turns on one batch, and yield what is known after every round.

    It says how fast this machine is at this moment, with the threads torch has now. A first round is not counted.

    Args:
        networks: pairs of a model and its interventions.
        x: images `[B, C, H, W]` or event frames `[T, B, 2, H, W]`.
        rounds: 1 or more.

    Raises:
        ValueError: for no network or less than a round.
    """
    if not networks or rounds < 1:
        raise ValueError(f"a throughput needs a network and a round, not {len(networks)} and {rounds}.")
    seconds: list[list[float]] = [[] for _ in networks]
    for number in range(rounds + 1):
        for own, (model, interventions) in zip(seconds, networks, strict=True):
            start = time.perf_counter()
            simulate(model, x, interventions, keep="")
            if number:
                own.append(time.perf_counter() - start)
        if number:
            yield Throughput(x.shape[x.ndim - 4], tuple(tuple(own) for own in seconds))
