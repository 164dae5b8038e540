"""The page of events in the app: what is chosen reaches the figures and the address; what is brought appears, or one
sentence says why not."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from support.apptest import (
    asked,
    captions,
    charts,
    code,
    html,
    number_field,
    numbers,
    opened,
    pictures,
    pills,
    press,
    slide,
    sound,
    status,
    upload,
    words,
)
from support.brought import npy, png, rows
from support.networks import needs

from spikeviz.data.event_sets import recording
from spikeviz.views.events.figures import STILLS

PAGE, SDM = "events", "sdmformer-fashion-dvs"
TRAINED = needs(SDM)


def strip(app: AppTest, title: str) -> str:
    return next(body for body in html(app) if f'alt="{title}, ' in body)


def rate(app: AppTest) -> list[dict]:
    chart = next(c for c in charts(app) if c["layout"]["yaxis"]["title"]["text"] == "events per second")
    return chart["data"]


@TRAINED
def test_the_page_shows_a_recording_and_t_reaches_its_frames():
    app = opened(PAGE)
    assert not app.error and not app.warning and "T=8 seed=0" in status(app)
    assert strip(app, "Recording · test recording 0").count("<img") == STILLS
    slide(app, "T", 5)
    assert "T=5 seed=0" in status(app) and asked(app, "events_T") == "5"
    assert strip(app, "Frames as the network sees them").count("<img") == 5


@TRAINED
def test_how_it_is_cut_is_a_choice_and_stands_in_the_address():
    app = opened(PAGE)
    before = strip(app, "Slices")
    assert before.count("<img") == 16
    sound(pills(app, "Cut into").set_value("time").run())
    assert asked(app, "events_cut") == "time" and asked(app, "events_slice") is None
    by_time, curve = strip(app, "Slices"), numbers(rate(app)[0]["y"])
    assert by_time != before and "20–40 ms" in by_time
    np.testing.assert_allclose(curve, recording("fashion-dvs", "test", 0).rate(20_000))
    sound(number_field(app, "Slice (ms)").set_value(50).run())
    assert asked(app, "events_slice") == "50" and strip(app, "Slices") != by_time
    np.testing.assert_allclose(numbers(rate(app)[0]["y"]), recording("fashion-dvs", "test", 0).rate(50_000))
    again = opened(PAGE, events_cut="time", events_slice="50")
    assert strip(again, "Slices") == strip(app, "Slices")
    sound(pills(app, "Cut into").set_value("count").run())
    assert asked(app, "events_cut") == "count" and asked(app, "events_slice") is None
    sound(pills(app, "Cut into").set_value("time").run())
    assert asked(app, "events_slice") == "50"  # every cut keeps its own number


@TRAINED
def test_two_settings_have_two_rates():
    app = opened(PAGE, events_A="input:4", events_cut="time")
    assert [line["name"] for line in rate(app)] == ["A", "B"] and "A: test recording 4" in captions(app)


@TRAINED
@pytest.mark.parametrize(
    ("name", "value"), [("events_cut", "fair"), ("events_slice", "0"), ("events_window", "7"), ("events_T", "9")]
)
def test_bad_addresses_are_one_sentence(name, value):
    app = opened(PAGE, **{name: value})
    assert len(app.warning) == 1 and name in app.warning[0].value and not app.error
    assert "T=8 seed=0" in status(app) and asked(app, name) is None


@TRAINED
def test_too_many_slices_are_a_sentence():
    app = opened(PAGE, events_cut="count", events_slice="1")
    assert len(app.info) == 1 and "more than the 1,000 that are counted here" in app.info[0].value
    assert len(numbers(rate(app)[0]["y"])) > 1


@TRAINED
def test_a_recording_of_ones_own_appears():
    app = opened(PAGE)
    before = pictures(app)
    upload(app, npy(rows()), "mine.npy")
    assert not app.error and not app.warning and pictures(app) != before
    assert "**Recording · your recording**" in words(app) and "input.npy" in code(app)
    press(app, "›")
    assert not app.error and "**Recording · test recording" in words(app)


@TRAINED
@pytest.mark.parametrize(
    ("name", "content", "why"),
    [("mine.npy", npy(rows()[::-1].copy()), "Time runs backwards"), ("mine.png", png()[:80], "cut off or damaged")],
)
def test_a_bad_recording_is_one_sentence_and_the_page_goes_on(name, content, why):
    app = opened(PAGE)
    before = pictures(app)
    upload(app, content, name)
    assert len(app.error) == 1 and why in app.error[0].value and app.error[0].value.strip().endswith(".")
    assert pictures(app) == before and not app.warning
    press(app, "›")
    assert not app.error and pictures(app) != before


@TRAINED
def test_a_recording_that_cannot_be_read_is_one_sentence(monkeypatch):
    from spikeviz.data import event_sets

    def gone(*_: object) -> None:
        raise FileNotFoundError("fashion-dvs is not here.")

    app = opened(PAGE)
    monkeypatch.setattr(event_sets, "recording", gone)
    sound(number_field(app, "Test recording").set_value(31).run())
    assert [error.value for error in app.error] == ["Test recording 31 cannot be read: fashion-dvs is not here."]
    assert not pictures(app) and not charts(app)
    assert not any(group.label == "Cut into" for group in app.button_group)


def test_a_recording_for_a_network_of_images_is_one_sentence():
    app = opened("spike_maps")
    before = pictures(app)
    upload(app, npy(rows()), "mine.npy")
    assert len(app.error) == 1 and "spikformer-fashion sees images: choose a network for events." in app.error[0].value
    assert pictures(app) == before


@TRAINED
def test_a_preset_of_a_network_for_images_leaves_the_recording_behind():
    app = opened("spike_maps", checkpoint=SDM)
    upload(app, npy(rows()), "mine.npy")
    press(app, "Spike maps by step (Fig. 8)")
    assert len(app.warning) == 1 and "made for another network. This is test image 0" in app.warning[0].value
    assert "T=4 " in status(app)
