"""Work that goes as far as a test lets it."""

import threading
import time

import pytest

SOON = 20.0  # seconds: what takes longer than this hangs


class Gate:
    """Work that goes as far as it is let: `open(2)` lets two units through."""

    def __init__(self):
        self.units = threading.Semaphore(0)
        self.stopped = threading.Event()

    def open(self, units: int = 1) -> None:
        self.units.release(units)

    def work(self, total: int = 5):
        try:
            for done in range(1, total + 1):
                self.units.acquire()
                yield done, list(range(done))
        finally:
            self.stopped.set()


@pytest.fixture
def gates():
    """Makes gates; at the end all work is let through, so that the next test finds both slots free."""
    made = []

    def make() -> Gate:
        made.append(Gate())
        return made[-1]

    yield make
    for gate in made:
        gate.open(1000)
    for thread in workers():
        thread.join(SOON)
    assert not workers()


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("spikeviz: ")]


def until(condition) -> None:
    """Wait for what another thread is about to do."""
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, "it never happened"
        threading.Event().wait(0.005)
