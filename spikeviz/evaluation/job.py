"""Long work: a worker thread with progress, remaining time and a way to cancel, whose result outlives who asked for it.

Two jobs work at a time in a process; the others wait.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from math import ceil
from pathlib import PurePath
from typing import Any, Literal

AT_A_TIME = 2  # jobs that work, in the process
KEPT = 4  # jobs that an owner keeps
GRACE = 30.0  # seconds for an owner to come back: after a network failure a browser does, after a reload it does not

State = Literal["waiting", "running", "done", "cancelled", "failed"]
Work = Callable[[], Iterator[tuple[int, Any]]]
_SLOTS = threading.BoundedSemaphore(AT_A_TIME)
_QUEUE: list[Job] = []  # who waits for a slot, the first in front
_LOG = logging.getLogger(__name__)


class Job:
    """Work in progress, and what came of it. Read by the page while the worker writes.

    Attributes:
        key: everything the result depends on, as text.
        title: what is computed, for a person.
        total: how many units there are.
        state: waiting (for others), running, done, cancelled or failed; the last three are final.
        error: why it failed, one sentence; else None.
        started: `time.monotonic()` when it began to work; None while it waits.
    """

    def __init__(self, key: str, title: str, total: int):
        if total < 1:
            raise ValueError(f"a job has at least 1 unit of work, not {total}.")
        self.key, self.title, self.total = key, title, total
        self.state: State = "waiting"
        self.error: str | None = None
        self.started: float | None = None
        self._progress: tuple[int, Any, float | None] = 0, None, None  # done, value, when: replaced as one
        self._ended: float | None = None
        self._over = threading.Event()
        self._lock = threading.Lock()

    @property
    def done(self) -> int:
        """How many units are done."""
        return self._progress[0]

    @property
    def latest(self) -> Any:
        """The value so far; None before the first. It stays when the job is cancelled or fails."""
        return self._progress[1]

    @property
    def over(self) -> bool:
        """Whether it is done, cancelled or failed."""
        return self._over.is_set()

    @property
    def seconds(self) -> float:
        """For how long it has worked; waiting does not count."""
        if self.started is None:
            return 0.0
        return (time.monotonic() if self._ended is None else self._ended) - self.started

    @property
    def remaining(self) -> float | None:
        """Estimated seconds to its end, as if all units took the same; None unless some are done and it runs."""
        done, _, seen = self._progress
        if self.state != "running" or not done or self.started is None or seen is None:
            return None
        whole = (seen - self.started) / done * self.total
        return max(0.0, whole - self.seconds)

    def cancel(self) -> None:
        """End it at once; the worker itself stops at its next yield, and what it yields is dropped."""
        self._end("cancelled")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is over, or for `timeout` seconds; whether it is."""
        return self._over.wait(timeout)

    def _begin(self) -> None:
        with self._lock:
            if not self.over:
                self.state, self.started = "running", time.monotonic()

    def _advance(self, done: int, value: Any) -> None:
        with self._lock:
            if not self.over:
                self._progress = done, value, time.monotonic()

    def _end(self, state: State, error: str | None = None) -> None:
        """The first end counts."""
        with self._lock:
            if not self.over:
                self.state, self.error, self._ended = state, error, time.monotonic()
                self._over.set()


class Jobs:
    """The jobs of one owner, such as a session of the app: no other can find them, and they stop when it is gone.

    Args:
        present: whether there still is somebody who will come for a result. Workers hold the owner only weakly.
    """

    def __init__(self, present: Callable[[], bool] = lambda: True):
        self.present = present
        self.jobs: dict[str, Job] = {}  # the oldest first

    def start(self, key: str, title: str, total: int, work: Work) -> Job:
        """Start a job in a thread of its own; one of that key that is not over yet is answered as it is.

        `KEPT` jobs are kept: the oldest that is over goes first; if none is, the oldest is cancelled and goes.

        Args:
            key: made from everything the result depends on.
            title: what is computed, for a person.
            total: how many units of work there are, at least 1.
            work: yields (units done, value so far). It is cancelled between two yields, so that these set how soon its
                slot is free. It runs in another thread: no widgets in it, and no value that is changed after it was
                yielded.

        Raises:
            ValueError: if there is no work to do.
        """
        job = self.jobs.get(key)
        if job is not None and not job.over:
            return job
        job = Job(key, title, total)
        self.jobs.pop(key, None)
        while len(self.jobs) >= KEPT:
            oldest = next((j for j in self.jobs.values() if j.over), next(iter(self.jobs.values())))
            oldest.cancel()
            del self.jobs[oldest.key]
        self.jobs[key] = job
        _QUEUE.append(job)
        watch = _Watch(self)
        threading.Thread(target=_run, args=(job, work, watch), name=f"spikeviz: {title}", daemon=True).start()
        return job

    def find(self, key: str) -> Job | None:
        """The job of that key, if it is kept."""
        return self.jobs.get(key)

    def cancel(self, key: str) -> None:
        """Cancel the job of that key; nothing happens if there is none or it is over."""
        job = self.find(key)
        if job is not None:
            job.cancel()


class _Watch:
    """A worker's view of who owns its job."""

    def __init__(self, owner: Jobs):
        self._owner, self._present = weakref.ref(owner), owner.present
        self._absent: float | None = None

    def gone(self) -> bool:
        """Whether nobody will come for the result."""
        if self._owner() is None:
            return True
        if self._present():
            self._absent = None
            return False
        if self._absent is None:
            self._absent = time.monotonic()
        return time.monotonic() - self._absent >= GRACE


def _run(job: Job, work: Work, watch: _Watch) -> None:
    """The worker: wait for a slot, work, give it back."""
    while not _SLOTS.acquire(timeout=0.1):
        if job.over or watch.gone():
            job.cancel()
            _QUEUE.remove(job)
            return
    _QUEUE.remove(job)
    try:
        _work(job, work, watch)
    finally:
        _SLOTS.release()


def _work(job: Job, work: Work, watch: _Watch) -> None:
    job._begin()
    steps: Iterator[tuple[int, Any]] = iter(())
    try:
        if job.over:
            return
        steps = work()
        for done, value in steps:
            job._advance(done, value)
            if job.over or watch.gone():
                break
        else:
            job._end("done")
    except Exception as error:
        _LOG.exception("%s failed after %d of %d", job.title, job.done, job.total)
        job._end("failed", sentence(error))
    finally:
        job.cancel()  # unless it has ended already
        if isinstance(steps, Generator):
            steps.close()


def sentence(error: Exception) -> str:
    """What went wrong, for a person: the message of an error that is meant to be read, else where to read more."""
    if isinstance(error, MemoryError):
        return "There is not enough memory for this."
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return f"There is no file {PurePath(str(error.filename)).name}."
    text = str(error).strip().partition("\n")[0][:300]
    if not isinstance(error, (ValueError, FileNotFoundError, RuntimeError)) or not text:
        return f"This did not work ({type(error).__name__}); the log of the app says where."
    return text if text.endswith((".", "!", "?")) else f"{text}."


def progress(job: Job) -> str:
    """How far a job is, in words: `384 of 1,024 · 12 s left`."""
    done, remaining = f"{job.done:,} of {job.total:,}", job.remaining
    if job.state == "waiting":
        queue = list(_QUEUE)  # it may move while it is looked at
        return f"Queued ({ordinal(queue.index(job) + 1)} of {len(queue)})" if job in queue else "Queued"
    if job.state == "running":
        return done if remaining is None else f"{done} · {duration(remaining)} left"
    if job.state == "done":
        return f"{done} · took {duration(job.seconds)}"
    return f"{'Cancelled' if job.state == 'cancelled' else 'Stopped'} after {done}"


def duration(seconds: float) -> str:
    """Rounded up, and never nothing: `12 s`, `3 min`, `1 h 20 min`."""
    if seconds <= 90:
        return f"{max(1, ceil(seconds))} s"
    hours, minutes = divmod(ceil(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `4th`."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
