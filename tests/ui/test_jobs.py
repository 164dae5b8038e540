"""Long work: progress, Cancel, failure, few at a time, bounded, and nobody sees the work of another session."""

import functools
import gc
import threading
import time
from types import SimpleNamespace

import pytest
from streamlit.runtime.scriptrunner import RerunData
from streamlit.testing.v1 import AppTest, local_script_runner

from spikeviz.ui import jobs

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


def begin(gate: Gate, store: dict, key: str = "a", total: int = 5) -> jobs.Job:
    """A job that has a slot."""
    job = jobs.start(key, f"job {key}", total, functools.partial(gate.work, total), store)
    until(lambda: job.state == "running")
    return job


# --- a job ---


def test_progress_and_result(gates):
    gate, store = gates(), {}
    job = begin(gate, store)
    assert jobs.find("a", store) is job and jobs.find("b", store) is None
    assert (job.done, job.latest, job.remaining, job.over) == (0, None, None, False)
    gate.open(2)
    until(lambda: job.done == 2)
    assert job.latest == [0, 1] and job.remaining >= 0 and not job.wait(0.01)
    gate.open(3)
    assert job.wait(SOON)
    assert (job.state, job.done, job.total, job.latest, job.error) == ("done", 5, 5, [0, 1, 2, 3, 4], None)
    assert job.remaining is None and job.seconds > 0
    jobs.cancel("a", store)
    assert job.state == "done"


def test_the_worker_is_a_named_daemon(gates):
    store = {}
    begin(gates(), store)
    (worker,) = workers()
    assert worker.daemon and worker.name == "spikeviz: job a"


def test_remaining_time_counts_down_between_units(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(jobs, "time", SimpleNamespace(monotonic=lambda: clock.now))
    job = jobs.Job("a", "", 100)
    clock.now = 130.0  # waiting does not count
    assert job.seconds == 0 and jobs.progress(job) == "Waiting for other computations to end"
    job._begin()
    assert jobs.progress(job) == "0 of 100"
    clock.now = 140.0
    job._advance(25, "x")
    # 25 units in 10 s: 100 take 40 s; after 10 s 30 are left, 2 s later 28, and never less than 0
    assert job.remaining == 30.0
    clock.now = 142.0
    assert (job.seconds, job.remaining) == (12.0, 28.0)
    assert jobs.progress(job) == "25 of 100 · 28 s left"
    clock.now = 999.0
    assert job.remaining == 0.0 and jobs.progress(job) == "25 of 100 · 1 s left"
    clock.now = 172.0
    job.cancel()
    clock.now = 500.0
    assert job.seconds == 42.0 and jobs.progress(job) == "Cancelled after 25 of 100"


def test_durations_are_short():
    seconds = (0.2, 12, 89.1, 91, 3600, 4800.5)
    assert [jobs.duration(s) for s in seconds] == ["1 s", "12 s", "90 s", "2 min", "1 h 0 min", "1 h 21 min"]


def test_no_work_is_no_job():
    with pytest.raises(ValueError, match="at least 1 unit of work, not 0"):
        jobs.start("a", "", 0, lambda: iter(()), {})


# --- cancel ---


def test_cancel_is_at_once_and_keeps_what_there_is(gates):
    gate, store = gates(), {}
    job = begin(gate, store)
    gate.open(2)
    until(lambda: job.done == 2)
    clicked = time.monotonic()
    jobs.cancel("a", store)  # in the middle of a unit
    assert job.wait(1.0) and time.monotonic() - clicked < 1
    assert (job.state, job.done, job.latest) == ("cancelled", 2, [0, 1])
    assert not gate.stopped.is_set()
    gate.open(1)
    assert gate.stopped.wait(SOON)  # at its next yield, whose value is dropped
    assert (job.state, job.done, job.latest) == ("cancelled", 2, [0, 1])


def test_a_third_job_waits_for_one_of_two(gates):
    first, second, third, store, other = gates(), gates(), gates(), {}, {}
    running = [begin(first, store, "a"), begin(second, store, "b")]
    waiting = jobs.start("c", "job c", 5, third.work, other)  # of another session
    assert not waiting.wait(0.3) and waiting.state == "waiting"
    assert (waiting.seconds, waiting.remaining, waiting.started) == (0.0, None, None)
    assert [job.state for job in running] == ["running", "running"]
    first.open(5)
    until(lambda: waiting.state == "running")
    assert running[0].state == "done"


def test_cancel_while_waiting(gates):
    store, called = {}, threading.Event()
    begin(gates(), store, "a")
    begin(gates(), store, "b")
    job = jobs.start("c", "job c", 5, lambda: called.set() or iter(()), store)
    (thread,) = [t for t in workers() if t.name == "spikeviz: job c"]
    clicked = time.monotonic()
    jobs.cancel("c", store)
    assert job.over and job.state == "cancelled"
    thread.join(1.0)
    assert not thread.is_alive() and time.monotonic() - clicked < 1
    assert not called.is_set()


def test_a_slot_is_free_again_whatever_happened(gates):
    def fails():
        yield 1, "x"
        raise ValueError("no.")

    store = {}
    for round_ in range(4):
        assert jobs.start(f"f{round_}", "", 2, fails, store).wait(SOON)
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

    store = {}  # were it dropped, the session would be gone
    job = jobs.start("a", "the curve", 3, work, store)
    assert job.wait(SOON)
    assert (job.state, job.error, job.done, job.latest) == ("failed", said, 1, "so far")
    assert jobs.progress(job) == "Stopped after 1 of 3"
    (entry,) = [r for r in caplog.records if r.name == "spikeviz.ui.jobs"]
    assert "the curve failed after 1 of 3" in entry.getMessage() and entry.exc_info[1] is error


def test_work_that_cannot_begin_fails_too():
    def work():
        raise ValueError("no such data.")

    store = {}
    job = jobs.start("a", "", 3, work, store)
    assert job.wait(SOON) and job.state == "failed" and job.error == "no such data."


# --- the store ---


def test_a_key_that_is_not_over_is_not_started_twice(gates):
    gate, store = gates(), {}
    job = begin(gate, store)
    assert jobs.start("a", "again", 5, gate.work, store) is job and len(workers()) == 1
    gate.open(5)
    assert job.wait(SOON)
    again = begin(gate, store)
    assert again is not job and again.done == 0 and jobs.find("a", store) is again


def test_a_session_keeps_four_jobs_and_the_oldest_that_is_over_goes_first(gates):
    gate, store = gates(), {}
    running = begin(gate, store, "running")
    for key in "abc":
        assert jobs.start(key, "", 1, lambda: iter([(1, "x")]), store).wait(SOON)
    jobs.start("d", "", 1, lambda: iter([(1, "x")]), store).wait(SOON)
    assert [key for key in ("running", *"abcd") if jobs.find(key, store)] == ["running", "b", "c", "d"]
    assert not running.over


def test_if_none_is_over_the_oldest_is_cancelled(gates):
    store = {}
    kept = [jobs.start(key, "", 5, gates().work, store) for key in "abcde"]
    assert [job.state == "cancelled" for job in kept] == [True, False, False, False, False]
    assert [jobs.find(key, store) for key in "abcde"] == [None, *kept[1:]]


def test_another_session_has_other_jobs(gates):
    mine, yours = {}, {}
    job = begin(gates(), mine)
    assert jobs.find("a", yours) is None
    jobs.cancel("a", yours)
    assert job.state == "running"


# --- a session that disappears ---


def test_the_worker_stops_when_its_session_is_gone(gates):
    gate, store = gates(), {}
    job = begin(gate, store)
    begin(gates(), other := {}, "b")
    waiting = jobs.start("c", "", 5, gates().work, store)
    store.clear()
    gc.collect()
    assert waiting.wait(SOON) and waiting.state == "cancelled"
    gate.open(1)
    assert gate.stopped.wait(SOON) and job.wait(SOON)
    assert (job.state, job.done) == ("cancelled", 1)
    assert jobs.find("b", other).state == "running"


@pytest.mark.parametrize(("grace", "ends"), [(0.0, "cancelled"), (1000.0, "done")])
def test_the_worker_stops_when_the_browser_does_not_come_back(gates, monkeypatch, grace, ends):
    """Streamlit keeps the state of a closed tab: it can be the next visitor who makes it let go."""
    connected = {"me"}
    server = SimpleNamespace(is_active_session=lambda session: session in connected)
    monkeypatch.setattr(jobs, "runtime", SimpleNamespace(get_instance=lambda: server))
    monkeypatch.setattr(jobs, "GRACE", grace)
    gate, store = gates(), {}
    jobs.find("a", store)
    store[jobs.KEY].session = "me"
    job = begin(gate, store)
    gate.open(2)
    until(lambda: job.done == 2)
    connected.clear()
    gate.open(3)
    assert job.wait(SOON) and job.state == ends and (job.done == 5) == (ends == "done")


# --- the panel ---


def page(gate):
    """Two settings of a lab in a fragment, and another page."""
    import functools

    import streamlit as st

    from spikeviz.ui import jobs

    @st.fragment
    def lab():
        n = st.number_input("n", 1, 9, 5, key="n")

        def draw(value, job):
            st.text(f"{job.title}: {len(value)} points")

        work = functools.partial(gate.work, n)
        jobs.panel(f"curve n={n}", "A curve", n, work, draw, "Compute", "5 passes, about 2 s.")
        st.text("below")

    if st.toggle("elsewhere"):
        st.text("another page")
    else:
        lab()
    st.text("bottom")


def open_page(gate: Gate) -> AppTest:
    return sound(AppTest.from_function(page, kwargs={"gate": gate}, default_timeout=60).run())


def sound(app: AppTest) -> AppTest:
    assert not app.exception, [e.value for e in app.exception]
    return app


def texts(app: AppTest) -> list[str]:
    return [text.value for text in app.text]


def captions(app: AppTest) -> list[str]:
    return [caption.value for caption in app.caption]


def bars(app: AppTest) -> list[str]:
    return [bar.proto.text for bar in app.get("progress")]


def button(app: AppTest, label: str):
    return next(b for b in app.button if b.label == label)


def job_of(app: AppTest, n: int = 5) -> jobs.Job:
    return app.session_state[jobs.KEY].jobs[f"curve n={n}"]


def test_a_panel_runs_fills_in_and_ends(gates):
    gate = gates()
    app = open_page(gate)
    assert [b.label for b in app.button] == ["Compute"] and not bars(app)
    assert captions(app) == ["5 passes, about 2 s."] and texts(app) == ["below", "bottom"]
    sound(button(app, "Compute").click().run())
    assert button(app, "Compute").disabled and not button(app, "Cancel").disabled and len(bars(app)) == 1
    gate.open(2)
    until(lambda: job_of(app).done == 2)
    sound(app.run())
    assert bars(app)[0].startswith("2 of 5 · ") and bars(app)[0].endswith(" s left")
    assert texts(app) == ["A curve: 2 points", "below", "bottom"]
    gate.open(3)
    assert job_of(app).wait(SOON)
    sound(app.run())
    assert [b.label for b in app.button] == ["Compute"] and not button(app, "Compute").disabled
    assert not bars(app) and texts(app) == ["A curve: 5 points", "below", "bottom"]
    assert captions(app)[1].startswith("5 of 5 · took ")


def test_cancel_on_the_page_keeps_what_there_is_and_says_so(gates):
    gate = gates()
    app = sound(button(open_page(gate), "Compute").click().run())
    gate.open(2)
    until(lambda: job_of(app).done == 2)
    sound(app.run())
    sound(button(app, "Cancel").click().run())
    assert captions(app)[1] == "Cancelled after 2 of 5" and not bars(app)
    assert texts(app) == ["A curve: 2 points", "below", "bottom"] and [b.label for b in app.button] == ["Compute"]
    gate.open(1)
    assert gate.stopped.wait(SOON)
    sound(button(app, "Compute").click().run())
    assert job_of(app).done == 0 and len(bars(app)) == 1 and texts(app) == ["below", "bottom"]


def test_another_setting_is_another_job(gates):
    gate = gates()
    app = sound(button(open_page(gate), "Compute").click().run())
    gate.open(5)
    assert job_of(app).wait(SOON)
    sound(app.number_input(key="n").set_value(3).run())
    assert [b.label for b in app.button] == ["Compute"] and texts(app) == ["below", "bottom"]
    sound(app.number_input(key="n").set_value(5).run())
    assert texts(app) == ["A curve: 5 points", "below", "bottom"]


def test_a_job_goes_on_while_its_page_is_left(gates):
    gate = gates()
    app = sound(button(open_page(gate), "Compute").click().run())
    sound(app.toggle[0].set_value(True).run())
    assert texts(app) == ["another page", "bottom"]
    gate.open(5)
    assert job_of(app).wait(SOON)
    sound(app.run())
    sound(app.toggle[0].set_value(False).run())
    assert texts(app) == ["A curve: 5 points", "below", "bottom"]


def test_two_sessions_do_not_see_each_other(gates):
    gate = gates()
    mine, yours = open_page(gate), open_page(gate)
    sound(button(mine, "Compute").click().run())
    gate.open(2)
    until(lambda: job_of(mine).done == 2)
    assert "A curve: 2 points" in texts(sound(mine.run()))
    sound(yours.run())
    assert [b.label for b in yours.button] == ["Compute"] and texts(yours) == ["below", "bottom"]
    sound(button(yours, "Compute").click().run())
    assert job_of(yours) is not job_of(mine)
    sound(button(yours, "Cancel").click().run())
    assert (job_of(yours).state, job_of(mine).state) == ("cancelled", "running")


def test_a_failed_job_is_one_sentence_on_the_page():
    def work(total):
        raise ValueError("these images are too small.")

    app = sound(button(open_page(SimpleNamespace(work=work)), "Compute").click().run())
    assert job_of(app).wait(SOON)
    sound(app.run())
    assert [e.value for e in app.error] == ["these images are too small."]
    assert not bars(app) and [b.label for b in app.button] == ["Compute"] and len(captions(app)) == 1


# --- polling: AppTest has no timer and always runs whole pages, so its runner is given what a browser would send ---


@pytest.fixture
def sent(monkeypatch):
    """The messages of the last run to the browser."""
    messages = []

    def forward_msgs(runner, original=local_script_runner.LocalScriptRunner.forward_msgs):
        messages[:] = original(runner)
        return original(runner)

    monkeypatch.setattr(local_script_runner.LocalScriptRunner, "forward_msgs", forward_msgs)
    return messages


def run_fragment(app: AppTest, fragment: str, auto: bool) -> AppTest:
    data = functools.partial(RerunData, fragment_id=fragment, is_auto_rerun=auto)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_script_runner, "RerunData", data)
        return sound(app.run())


def timers(sent: list) -> list[str]:
    """The fragments that the browser is to run again and again; those of before end with a run of the whole page."""
    return [m.auto_rerun.fragment_id for m in sent if m.WhichOneof("type") == "auto_rerun"]


def stopped(sent: list) -> list[str]:
    return [fragment for m in sent for fragment in m.stop_auto_rerun.fragment_ids]


def test_only_a_running_job_is_polled_and_its_end_draws_the_page_once(gates, sent):
    gate = gates()
    app = open_page(gate)
    assert not timers(sent)
    sound(button(app, "Compute").click().run())
    (polled,) = timers(sent)
    gate.open(2)
    until(lambda: job_of(app).done == 2)
    run_fragment(app, polled, auto=True)
    assert texts(app) == ["A curve: 2 points"] and bars(app)[0].startswith("2 of 5")  # and nothing beside it
    assert not app.button and not timers(sent) and not stopped(sent)
    gate.open(3)
    assert job_of(app).wait(SOON)
    run_fragment(app, polled, auto=True)
    assert texts(app) == ["A curve: 5 points", "below", "bottom"] and not bars(app)
    assert not timers(sent)


def test_cancel_within_a_fragment_ends_the_polling(gates, sent):
    gate = gates()
    app = sound(button(open_page(gate), "Compute").click().run())
    until(lambda: job_of(app).state == "running")
    (polled,) = timers(sent)
    (lab,) = {m.delta.fragment_id for m in sent if m.delta.new_element.HasField("button")}
    assert lab and lab != polled
    button(app, "Cancel").click()
    run_fragment(app, lab, auto=False)
    assert texts(app) == ["below"]  # the fragment alone, not the page
    assert captions(app)[1] == "Cancelled after 0 of 5"
    assert stopped(sent) == [polled] and not timers(sent)
