"""Turns at a device that one run at a time makes the most of: the threads of a process queue for it, first come first.

A run holds its turn for one forward pass, so that a slider that is moved waits for a pass of a long job, not for the
job.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar


class Turns:
    """Who uses a device: one at a time, in the order in which they came."""

    def __init__(self) -> None:
        self._queue: list[object] = []  # who uses it, in front, and who waits
        self._moved = threading.Condition()

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for a turn, and have it. Who waits hears how many are before him (`telling`), whenever that changes."""
        ticket, told = object(), None
        with self._moved:
            self._queue.append(ticket)
        try:
            while before := self._before(ticket, told):
                told = before
                _TELL.get()(before)
            if told:
                _TELL.get()(0)
            yield
        finally:
            with self._moved:
                self._queue.remove(ticket)
                self._moved.notify_all()

    def _before(self, ticket: object, told: int | None) -> int:
        """How many are before a ticket, as soon as they are not as many as it was told."""
        with self._moved:
            self._moved.wait_for(lambda: self._queue.index(ticket) != told)
            return self._queue.index(ticket)


_TURNS: defaultdict[str, Turns] = defaultdict(Turns)
_TELL: ContextVar[Callable[[int], object]] = ContextVar("spikeviz_turns", default=lambda before: None)


def turn(device: str) -> AbstractContextManager[None]:
    """A turn at a device, for the block; a CPU is shared by whoever comes."""
    return nullcontext() if device.startswith("cpu") else _TURNS[device].take()


@contextmanager
def telling(tell: Callable[[int], object]) -> Iterator[None]:
    """Within the block, `tell` hears how many runs are before one of this context that waits for a device, whenever it
    changes, and 0 when its turn has come."""
    token = _TELL.set(tell)
    try:
        yield
    finally:
        _TELL.reset(token)
