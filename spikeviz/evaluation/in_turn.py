"""Batches of a test set over the cores of a machine, each batch in one thread, and their results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch
from torch import nn

A = TypeVar("A")
R = TypeVar("R")
MOST = 4  # batches at a time: each holds all feature maps of a network


def at_once(model: nn.Module) -> int:
    """How many batches of a model run at a time: as many as there are cores for, where torch leaves them free.

    In the app torch has one thread, since one sample is too little work for two; a batch is not, but two batches side
    by side wait for each other less than two threads do at every layer. Elsewhere torch takes all cores by itself.
    """
    if next(model.parameters()).device.type != "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST, cores // torch.get_num_threads()))


def in_turn(work: Callable[[A], R], items: Iterable[A], together: int) -> Iterator[R]:
    """`work` of each item, in their order, up to `together` of them at a time.

    Who stops listening, or an error, ends it: what has not begun is left undone, and what has is waited for.
    """
    if together < 2:
        yield from map(work, items)
        return
    rest, waiting = iter(items), deque[Future[R]]()
    with ThreadPoolExecutor(together, "spikeviz batch") as pool:
        try:
            waiting.extend(pool.submit(work, item) for item in islice(rest, together))
            while waiting:
                found = waiting.popleft().result()
                waiting.extend(pool.submit(work, item) for item in islice(rest, 1))
                yield found
        finally:
            for future in waiting:
                future.cancel()
