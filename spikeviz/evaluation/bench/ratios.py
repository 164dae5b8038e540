"""Ratios of works that take turns: other work of the machine then strikes all of them."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from statistics import median, quantiles
from typing import Any

import torch

Work = Callable[[], object]


@dataclass(frozen=True)
class Ratio:
    """How many times as long one work takes as another.

    Attributes:
        what, over: the two works.
        network, batch, threads: what was run, how many samples at a time, with how many of torch's threads.
        rounds: in which both took their turn, after one that is not counted.
        milliseconds: of `what`, median.
        median, low, high: of the ratios of the rounds; low and high are their quartiles.
        most: what it should be at most; None where nothing is promised.
    """

    what: str
    over: str
    network: str
    batch: int
    threads: int
    rounds: int
    milliseconds: float
    median: float
    low: float
    high: float
    most: float | None = None

    @property
    def as_data(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        aim = "" if self.most is None else f", at most {self.most:g}{'' if self.median <= self.most else ': MISSED'}"
        return (
            f"{self.network}, batch {self.batch}, {self.threads} threads: {self.what} over {self.over} "
            f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f}{aim}), {self.milliseconds:.0f} ms"
        )


def machine() -> dict[str, Any]:
    """What was measured on: versions and processor."""
    names = ("torch", "spikingjelly", "spikeviz")
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def in_turns(works: Sequence[Work], rounds: int) -> list[list[float]]:
    """Seconds of each work, one number a round; a first round is not counted."""
    seconds: list[list[float]] = [[] for _ in works]
    for number in range(rounds + 1):
        for own, work in zip(seconds, works, strict=True):
            start = time.perf_counter()
            work()
            if number:
                own.append(time.perf_counter() - start)
    return seconds


def ratio_of(
    what: str,
    over: str,
    network: str,
    batch: int,
    threads: int,
    rounds: int,
    own: Sequence[float],
    base: Sequence[float],
    most: float | None = None,
) -> Ratio:
    ratios = [a / b for a, b in zip(own, base, strict=True)]
    low, middle, high = quantiles(ratios, n=4, method="inclusive") if rounds > 1 else ratios * 3
    times = (median(own) * 1e3, middle, low, high)
    return Ratio(what, over, network, batch, threads, rounds, *times, most)


@contextmanager
def threads_of(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _processor() -> str:
    """What the system calls it."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
