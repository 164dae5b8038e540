"""Every page on an emulated GPU: what it shows is what it shows on a CPU, and a moved slider waits a few times."""

from __future__ import annotations

import re

import pytest
from streamlit.testing.v1 import AppTest
from support.apptest import charts, opened, pictures, sound, status
from support.emulated_cuda import Emulation, emulated_cuda
from support.networks import pages

from spikeviz.cache import MB, ByteCache
from spikeviz.views import runs

MOST_WAITS = 10  # of a slider move


@pytest.fixture
def fresh(monkeypatch):
    """Networks and runs of this device only."""

    def empty() -> None:
        for name in ("NETWORKS", "RUNS"):
            monkeypatch.setattr(runs, name, ByteCache(512 * MB))

    empty()
    return empty


def move(app: AppTest, number: int) -> AppTest:
    """A slider of the page to a third of its range, or a step from there."""
    slider = app.slider[number]
    steps = round((slider.max - slider.min) / slider.step)
    third = slider.min + slider.step * (steps // 3)
    return sound(slider.set_value(third if slider.value != third else third + slider.step).run())


def said(app: AppTest) -> str:
    """The status line, but for the time and the device."""
    return re.sub(r"^.*?· (CPU|CUDA) · ", "", status(app))


def moves(page: str, gpu: Emulation | None) -> list[tuple[object, ...]]:
    """What a page shows when it is opened, and after each of its sliders was moved."""
    app, seen = opened(page), []
    for number in range(-1, len(app.slider)):
        if number >= 0:
            before = sum(gpu.waits.values()) if gpu else 0
            app = move(app, number)
            if gpu:
                waits = sum(gpu.waits.values()) - before
                assert waits <= MOST_WAITS, (page, app.slider[number].label, waits, gpu.waits)
        seen.append((said(app), charts(app), pictures(app)))
    return seen


def every_page() -> list:
    """Those of the largest networks are slow tests."""
    large = ("channel_masks", "random_masks")
    slow = pytest.mark.slow
    return [pytest.param(*p.values, marks=[*p.marks, *([slow] if p.values[0] in large else [])]) for p in pages()]


@pytest.mark.parametrize("page", every_page())
def test_a_page_shows_what_it_shows_on_a_cpu_and_a_slider_waits_a_few_times(page, fresh):
    here = moves(page, None)
    fresh()
    with emulated_cuda() as gpu:
        there = moves(page, gpu)
        if len(there) > 1:
            assert gpu.waits and " · CUDA · " in status(opened(page))
    fresh()
    assert len(here) == len(there)
    for one, other in zip(here, there, strict=True):
        assert one == other


def waiting() -> None:
    """A page whose run hears that others are before it, and perhaps that its turn has come."""
    import streamlit as st

    from spikeviz.turns import _TELL
    from spikeviz.ui.server.turns import in_turn

    @in_turn
    def draw() -> None:
        for before in st.session_state["heard"]:
            _TELL.get()(before)
        st.text("drawn")

    draw()


@pytest.mark.parametrize(("heard", "said"), [([], []), ([2], ["2 runs are before this one."]), ([2, 1, 0], [])])
def test_a_page_says_how_many_runs_are_before_its_own(heard, said):
    app = AppTest.from_function(waiting)
    app.session_state["heard"] = heard
    sound(app.run())
    assert [caption.value for caption in app.caption] == [f"Queued for the GPU: {words}" for words in said]
    assert [text.value for text in app.text] == ["drawn"]
