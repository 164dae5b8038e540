"""How many samples a second networks run, measured in turns: what else the machine does then strikes all of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from torch import Tensor, nn

from spikeviz.interventions import Intervention
from spikeviz.simulation import simulate

Network = tuple[nn.Module, Sequence[Intervention]]


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
        ratios = [a / b for a, b in zip(self.seconds[0], self.seconds[network], strict=True)]
        low, middle, high = quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
        return low, middle, high


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
