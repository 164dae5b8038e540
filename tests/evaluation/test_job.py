"""Long work: progress, Cancel, failure, few at a time, bounded, and nobody sees the work of another session."""

import functools
import gc
import threading
import time
from types import SimpleNamespace

import pytest
from support.gates import SOON, Gate, until, workers

from spikeviz.evaluation import job as job_module
from spikeviz.evaluation.job import Jobs


def begin(gate: Gate, store: Jobs, key: str = "a", total: int = 5) -> job_module.Job:
    """A job that has a slot."""
    job = store.start(key, f"job {key}", total, functools.partial(gate.work, total))
    until(lambda: job.state == "running")
    return job


# --- a job ---


def test_progress_and_result(gates):
    gate, store = gates(), Jobs()
    job = begin(gate, store)
    assert store.find("a") is job and store.find("b") is None
    assert (job.done, job.latest, job.remaining, job.over) == (0, None, None, False)
    gate.open(2)
    until(lambda: job.done == 2)
    assert job.latest == [0, 1] and job.remaining >= 0 and not job.wait(0.01)
    gate.open(3)
    assert job.wait(SOON)
    assert (job.state, job.done, job.total, job.latest, job.error) == ("done", 5, 5, [0, 1, 2, 3, 4], None)
    assert job.remaining is None and job.seconds > 0
    store.cancel("a")
    assert job.state == "done"


def test_the_worker_is_a_named_daemon(gates):
    store = Jobs()
    begin(gates(), store)
    (worker,) = workers()
    assert worker.daemon and worker.name == "spikeviz: job a"


def test_remaining_time_counts_down_between_units(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(job_module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    job = job_module.Job("a", "", 100)
    clock.now = 130.0  # waiting does not count
    assert job.seconds == 0 and job_module.progress(job) == "Queued"
    job._begin()
    assert job_module.progress(job) == "0 of 100"
    clock.now = 140.0
    job._advance(25, "x")
    # 25 units in 10 s: 100 take 40 s; after 10 s 30 are left, 2 s later 28, and never less than 0
    assert job.remaining == 30.0
    clock.now = 142.0
    assert (job.seconds, job.remaining) == (12.0, 28.0)
    assert job_module.progress(job) == "25 of 100 · 28 s left"
    clock.now = 999.0
    assert job.remaining == 0.0 and job_module.progress(job) == "25 of 100 · 1 s left"
    clock.now = 172.0
    job.cancel()
    clock.now = 500.0
    assert job.seconds == 42.0 and job_module.progress(job) == "Cancelled after 25 of 100"


def test_durations_are_short():
    seconds = (0.2, 12, 89.1, 91, 3600, 4800.5)
    assert [job_module.duration(s) for s in seconds] == ["1 s", "12 s", "90 s", "2 min", "1 h 0 min", "1 h 21 min"]


def test_no_work_is_no_job():
    with pytest.raises(ValueError, match="at least 1 unit of work, not 0"):
        Jobs().start("a", "", 0, lambda: iter(()))


# --- cancel ---


def test_cancel_is_at_once_and_keeps_what_there_is(gates):
    gate, store = gates(), Jobs()
    job = begin(gate, store)
    gate.open(2)
    until(lambda: job.done == 2)
    clicked = time.monotonic()
    store.cancel("a")  # in the middle of a unit
    assert job.wait(1.0) and time.monotonic() - clicked < 1
    assert (job.state, job.done, job.latest) == ("cancelled", 2, [0, 1])
    assert not gate.stopped.is_set()
    gate.open(1)
    assert gate.stopped.wait(SOON)  # at its next yield, whose value is dropped
    assert (job.state, job.done, job.latest) == ("cancelled", 2, [0, 1])


def test_a_third_job_waits_for_one_of_two(gates):
    first, second, third, store, other = gates(), gates(), gates(), Jobs(), Jobs()
    running = [begin(first, store, "a"), begin(second, store, "b")]
    waiting = other.start("c", "job c", 5, third.work)  # of another session
    assert not waiting.wait(0.3) and waiting.state == "waiting"
    assert (waiting.seconds, waiting.remaining, waiting.started) == (0.0, None, None)
    assert [job.state for job in running] == ["running", "running"]
    assert job_module.progress(waiting) == "Queued (1st of 1)"
    first.open(5)
    until(lambda: waiting.state == "running")
    assert running[0].state == "done"


def test_cancel_while_waiting(gates):
    store, called = Jobs(), threading.Event()
    begin(gates(), store, "a")
    begin(gates(), store, "b")
    job = store.start("c", "job c", 5, lambda: called.set() or iter(()))
    (thread,) = [t for t in workers() if t.name == "spikeviz: job c"]
    clicked = time.monotonic()
    store.cancel("c")
    assert job.over and job.state == "cancelled"
    thread.join(1.0)
    assert not thread.is_alive() and time.monotonic() - clicked < 1
    assert not called.is_set()


def test_a_slot_is_free_again_whatever_happened(gates):
    def fails():
        yield 1, "x"
        raise ValueError("no.")

    store = Jobs()
    for round_ in range(4):
        assert store.start(f"f{round_}", "", 2, fails).wait(SOON)
        cancelled = gates()
        begin(cancelled, store, f"c{round_}").cancel()
        cancelled.open(9)
        assert cancelled.stopped.wait(SOON)
    begin(gates(), store, "a")
    begin(gates(), store, "b")


# --- failure ---


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("ratio must be from 0 to 1, not 2."), "ratio must be from 0 to 1, not 2."),
        (RuntimeError("CUDA out of memory\nTried to allocate 9 GiB"), "CUDA out of memory."),
        (FileNotFoundError(2, "No such file or directory", "folder/x.npz"), "There is no file x.npz."),
        (FileNotFoundError("run `spikeviz train` first"), "run `spikeviz train` first."),
        (MemoryError(), "There is not enough memory for this."),
        (KeyError("blocks.0"), "This did not work (KeyError); the log of the app says where."),
        (ValueError(), "This did not work (ValueError); the log of the app says where."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_failure_is_one_sentence_and_a_log_entry(error, said, caplog):
    def work():
        yield 1, "so far"
        raise error

    store = Jobs()  # were it dropped, the session would be gone
    job = store.start("a", "the curve", 3, work)
    assert job.wait(SOON)
    assert (job.state, job.error, job.done, job.latest) == ("failed", said, 1, "so far")
    assert job_module.progress(job) == "Stopped after 1 of 3"
    (entry,) = [r for r in caplog.records if r.name == "spikeviz.evaluation.job"]
    assert "the curve failed after 1 of 3" in entry.getMessage() and entry.exc_info[1] is error


def test_work_that_cannot_begin_fails_too():
    def work():
        raise ValueError("no such data.")

    store = Jobs()
    job = store.start("a", "", 3, work)
    assert job.wait(SOON) and job.state == "failed" and job.error == "no such data."


# --- the store ---


def test_a_key_that_is_not_over_is_not_started_twice(gates):
    gate, store = gates(), Jobs()
    job = begin(gate, store)
    assert store.start("a", "again", 5, gate.work) is job and len(workers()) == 1
    gate.open(5)
    assert job.wait(SOON)
    again = begin(gate, store)
    assert again is not job and again.done == 0 and store.find("a") is again


def test_a_session_keeps_four_jobs_and_the_oldest_that_is_over_goes_first(gates):
    gate, store = gates(), Jobs()
    running = begin(gate, store, "running")
    for key in "abc":
        assert store.start(key, "", 1, lambda: iter([(1, "x")])).wait(SOON)
    store.start("d", "", 1, lambda: iter([(1, "x")])).wait(SOON)
    assert [key for key in ("running", *"abcd") if store.find(key)] == ["running", "b", "c", "d"]
    assert not running.over


def test_if_none_is_over_the_oldest_is_cancelled(gates):
    store = Jobs()
    kept = [store.start(key, "", 5, gates().work) for key in "abcde"]
    assert [job.state == "cancelled" for job in kept] == [True, False, False, False, False]
    assert [store.find(key) for key in "abcde"] == [None, *kept[1:]]


def test_another_session_has_other_jobs(gates):
    mine, yours = Jobs(), Jobs()
    job = begin(gates(), mine)
    assert yours.find("a") is None
    yours.cancel("a")
    assert job.state == "running"


# --- a session that disappears ---


def test_the_worker_stops_when_its_session_is_gone(gates):
    gate, store = gates(), Jobs()
    job = begin(gate, store)
    begin(gates(), other := Jobs(), "b")
    waiting = store.start("c", "", 5, gates().work)
    del store
    gc.collect()
    assert waiting.wait(SOON) and waiting.state == "cancelled"
    gate.open(1)
    assert gate.stopped.wait(SOON) and job.wait(SOON)
    assert (job.state, job.done) == ("cancelled", 1)
    assert other.find("b").state == "running"


@pytest.mark.parametrize(("grace", "ends"), [(0.0, "cancelled"), (1000.0, "done")])
def test_the_worker_stops_when_the_browser_does_not_come_back(gates, monkeypatch, grace, ends):
    """Streamlit keeps the state of a closed tab: it can be the next visitor who makes it let go."""
    connected = {"me"}
    monkeypatch.setattr(job_module, "GRACE", grace)
    gate, store = gates(), Jobs(lambda: "me" in connected)
    job = begin(gate, store)
    gate.open(2)
    until(lambda: job.done == 2)
    connected.clear()
    gate.open(3)
    assert job.wait(SOON) and job.state == ends and (job.done == 5) == (ends == "done")
