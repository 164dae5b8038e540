"""Work over data as a page shows it: a Run button, progress and Cancel, and what was found so far."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from spikeviz.ui.kit import url
from spikeviz.views.view import Progress, Study

if TYPE_CHECKING:
    from spikeviz.evaluation.job import Job, Jobs

KEY = "jobs"
POLL = 0.5  # seconds between two looks at a running job

Draw = Callable[[Study, "Job"], None]


def jobs() -> Jobs:
    """Those of this session. They lie in its state and die with it."""
    from spikeviz.evaluation.job import Jobs  # with torch, which a page is drawn without at first

    if KEY not in st.session_state:
        context = get_script_run_ctx(suppress_warning=True)
        session = context.session_id if context else None

        def present() -> bool:
            """Streamlit keeps a closed session's state for minutes or longer: ask whether it is connected."""
            with suppress(RuntimeError):  # there is no server: in a test, or while the app ends
                return session is None or runtime.get_instance().is_active_session(session)
            return True

        st.session_state[KEY] = Jobs(present)
    return st.session_state[KEY]


def progress_of(job: Job) -> Progress:
    """As a study is told it."""
    return Progress(job.done, job.total, job.seconds, job.over)


def panel(study: Study, draw: Draw) -> Job | None:
    """A Run button; while the job works its progress and Cancel; and what it has found so far.

    A changed setting is another key: then Run is offered again, and the job that was running goes on unseen. Going back
    to the old setting, or to the page, finds it again. `draw` is called again and again while the job runs, in a
    fragment: no widgets in it.
    """
    own, key = jobs(), study.key
    job = own.find(key)
    works = job is not None and not job.over
    if study.title:
        st.markdown(f"**{study.title}**")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        # Run stays in its place: the second click of a double click must not land on Cancel
        what = (key, study.title, study.total, study.work)
        st.button(study.label, key=f"job_run {key}", on_click=_start, args=(own, *what), disabled=works)
        if works:
            # outside the polled part, which is drawn anew all the time; the click draws the panel without that part
            st.button("Cancel", key=f"job_cancel {key}", on_click=own.cancel, args=(key,))
        if study.note:
            st.caption(study.note)
    # a polled fragment may clear what stands beside it: it has a container to itself
    with st.container():
        if works:
            _poll(study, draw)
        elif job is not None:
            _verdict(job)
            _draw(study, job, draw)
    return job


def _start(own: Jobs, *what: Any) -> None:
    own.start(*what)


@st.fragment(run_every=POLL)
def _poll(study: Study, draw: Draw) -> None:
    """Always two elements: the bar, and a container with what there is so far."""
    from spikeviz.evaluation.job import progress

    job = jobs().find(study.key)
    if job is None or job.over:
        url.again()  # once: its next run has no polled part, which ends the polling
    st.progress(min(1.0, job.done / job.total), text=progress(job))
    with st.container():
        _draw(study, job, draw)


def _draw(study: Study, job: Job, draw: Draw) -> None:
    if job.latest is not None:
        draw(study, job)


def _verdict(job: Job) -> None:
    from spikeviz.evaluation.job import progress

    if job.state == "failed":
        st.error(job.error)
    if job.state != "failed" or job.done:
        st.caption(progress(job))
