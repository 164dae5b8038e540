"""Long work on a page: Run, progress, Cancel, and polling while it works and no longer."""

import functools
from types import SimpleNamespace

import pytest
from streamlit.runtime.scriptrunner import RerunData
from streamlit.testing.v1 import AppTest, local_script_runner
from support.gates import SOON, Gate, until

from spikeviz.evaluation.job import Job
from spikeviz.ui.kit.job_panel import KEY

# --- the panel ---


def page(gate):
    """Two settings of a lab in a fragment, and another page."""
    import functools

    import streamlit as st

    from spikeviz.ui.kit.job_panel import panel
    from spikeviz.views.view import Study

    @st.fragment
    def lab():
        n = st.number_input("n", 1, 9, 5, key="n")

        def draw(study, job):
            st.text(f"{study.title}: {len(job.latest)} points")

        work = functools.partial(gate.work, n)
        note = "5 passes, about 2 s."
        panel(Study(f"curve n={n}", "A curve", n, work, lambda *_: (), "Compute", note), draw)
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


def job_of(app: AppTest, n: int = 5) -> Job:
    return app.session_state[KEY].jobs[f"curve n={n}"]


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
