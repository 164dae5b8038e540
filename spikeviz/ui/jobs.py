"""Long work: a worker thread with progress, remaining time and Cancel, whose result outlives its page.

A job belongs to one session: it lies in that session's state, and no other session can find it. Its worker holds the
session only weakly, so that it stops when the session is gone. Two jobs work at a time in a process; the others wait.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator, MutableMapping
from contextlib import suppress
from math import ceil
from pathlib import PurePath
from typing import Any, Literal

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

KEY = "jobs"
AT_A_TIME = 2  # jobs that work, in the process
KEPT = 4  # jobs that a session keeps
POLL = 0.5  # seconds between two looks at a running job
GRACE = 30.0  # seconds for a browser to come back: after a network failure it does, after a reload it does not

State = Literal["waiting", "running", "done", "cancelled", "failed"]
Work = Callable[[], Iterator[tuple[int, Any]]]
_SLOTS = threading.BoundedSemaphore(AT_A_TIME)
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


class _Owner:
    """The jobs of one session. It lies in the session's state and dies with it; workers hold it weakly."""

    def __init__(self) -> None:
        context = get_script_run_ctx(suppress_warning=True)
        self.session = context.session_id if context else None
        self.jobs: dict[str, Job] = {}  # the oldest first


class _Watch:
    """A worker's view of its session."""

    def __init__(self, owner: _Owner):
        self._owner, self._session = weakref.ref(owner), owner.session
        self._absent: float | None = None

    def gone(self) -> bool:
        """Whether nobody will come for the result: Streamlit keeps a closed session's state for minutes or longer."""
        if self._owner() is None:
            return True
        if self._connected():
            self._absent = None
            return False
        if self._absent is None:
            self._absent = time.monotonic()
        return time.monotonic() - self._absent >= GRACE

    def _connected(self) -> bool:
        with suppress(RuntimeError):  # there is no server: in a test, or while the app ends
            return self._session is None or runtime.get_instance().is_active_session(self._session)
        return True


def start(key: str, title: str, total: int, work: Work, store: MutableMapping | None = None) -> Job:
    """Start a job in a thread of its own; one of that key that is not over yet is answered as it is.

    A session keeps `KEPT` jobs: the oldest that is over goes first; if none is, the oldest is cancelled and goes.

    Args:
        key: made from everything the result depends on.
        title: what is computed, for a person.
        total: how many units of work there are, at least 1.
        work: yields (units done, value so far). It is cancelled between two yields, so that these set how soon its slot
            is free. It runs in another thread: no `st` in it, and no value that is changed after it was yielded.
        store: holds the session's jobs; `st.session_state` if it is None.

    Raises:
        ValueError: if there is no work to do.
    """
    owner = _owner(store)
    job = owner.jobs.get(key)
    if job is not None and not job.over:
        return job
    job = Job(key, title, total)
    owner.jobs.pop(key, None)
    while len(owner.jobs) >= KEPT:
        oldest = next((j for j in owner.jobs.values() if j.over), next(iter(owner.jobs.values())))
        oldest.cancel()
        del owner.jobs[oldest.key]
    owner.jobs[key] = job
    threading.Thread(target=_run, args=(job, work, _Watch(owner)), name=f"spikeviz: {title}", daemon=True).start()
    return job


def find(key: str, store: MutableMapping | None = None) -> Job | None:
    """The session's job of that key, if it keeps one."""
    return _owner(store).jobs.get(key)


def cancel(key: str, store: MutableMapping | None = None) -> None:
    """Cancel the session's job of that key; nothing happens if there is none or it is over."""
    job = find(key, store)
    if job is not None:
        job.cancel()


def _owner(store: MutableMapping | None) -> _Owner:
    store = st.session_state if store is None else store
    if KEY not in store:
        store[KEY] = _Owner()
    return store[KEY]


def _run(job: Job, work: Work, watch: _Watch) -> None:
    """The worker: wait for a slot, work, give it back."""
    while not _SLOTS.acquire(timeout=0.1):
        if job.over or watch.gone():
            job.cancel()
            return
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


def panel(
    key: str,
    title: str,
    total: int,
    work: Work,
    draw: Callable[[Any, Job], None],
    label: str = "Run",
    note: str = "",
) -> Job | None:
    """A Run button; while the job works its progress and Cancel; and what it has found so far.

    A changed setting is another key: then Run is offered again, and the job that was running goes on unseen. Going back
    to the old setting, or to the page, finds it again. To be called in a page or in a fragment, once for each key.

    Args:
        key, title, total, work: as for `start`.
        draw: draws the value so far. It is called again while the job runs, in a fragment: no widgets in it.
        label: of the button.
        note: what it will do and how long that takes, roughly.

    Returns:
        The job of that key; None before it was run.
    """
    job = find(key)
    works = job is not None and not job.over
    if title:
        st.markdown(f"**{title}**")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        # Run stays in its place: the second click of a double click must not land on Cancel
        st.button(label, key=f"job_run {key}", on_click=start, args=(key, title, total, work), disabled=works)
        if works:
            # outside the polled part, which is drawn anew all the time; the click draws the panel without that part
            st.button("Cancel", key=f"job_cancel {key}", on_click=cancel, args=(key,))
        if note:
            st.caption(note)
    # a polled fragment may clear what stands beside it: it has a container to itself
    with st.container():
        if works:
            _poll(key, draw)
        elif job is not None:
            _verdict(job)
            _draw(job, draw)
    return job


@st.fragment(run_every=POLL)
def _poll(key: str, draw: Callable[[Any, Job], None]) -> None:
    """Always two elements: the bar, and a container with what there is so far."""
    job = find(key)
    if job is None or job.over:
        st.rerun()  # the whole page, once: its next run has no polled part, which ends the polling
    st.progress(min(1.0, job.done / job.total), text=progress(job))
    with st.container():
        _draw(job, draw)


def _draw(job: Job, draw: Callable[[Any, Job], None]) -> None:
    value = job.latest
    if value is not None:
        draw(value, job)


def _verdict(job: Job) -> None:
    if job.state == "failed":
        st.error(job.error)
    if job.state != "failed" or job.done:
        st.caption(progress(job))


def progress(job: Job) -> str:
    """How far a job is, in words: `384 of 1,024 · 12 s left`."""
    done, remaining = f"{job.done:,} of {job.total:,}", job.remaining
    if job.state == "waiting":
        return "Waiting for other computations to end"
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
