"""The page of events as a value: a recording is played, cut and counted; what cannot be shown is one sentence."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from support.brought import disordered, npy, png, rows
from support.event_files import atis
from support.networks import needs
from support.scenes import FILES, items_of, scene_of, words_of
from support.shown import events

import spikeviz as sv
from spikeviz.data import event_sets
from spikeviz.data.events import EventRecording, by_count
from spikeviz.data.ingest import Input, read_upload
from spikeviz.figures.events import Cloud, Frames
from spikeviz.views import address, player_data, runs
from spikeviz.views.address import State
from spikeviz.views.events import PAGE, slicing
from spikeviz.views.events import figures as drawn
from spikeviz.views.experiment import Experiment
from spikeviz.views.host import page_figures, scene_at, view
from spikeviz.views.inputs import source_of
from spikeviz.views.scene import Scene, open_scene
from spikeviz.views.sharing.python import python
from spikeviz.views.view import Component, Figure, Markup, Note

SDM, DATA = "sdmformer-fashion-dvs", "fashion-dvs"

pytestmark = needs(SDM)


def figure(scene: Scene, title: str) -> Figure:
    (found,) = (each for each in page_figures(scene) if each.title.startswith(title))
    return found


def brought(content: bytes, name: str) -> Input:
    return read_upload(content, name, DATA, SDM, turn=True)


def scene_with(shown: Input, **looks: object) -> Scene:
    """A scene of something that was brought."""
    source = source_of(shown)
    scene, _, notices = open_scene(PAGE, State(Experiment(SDM, source), looks=looks), {source: shown})
    assert not notices
    return scene


# ---- slices


@pytest.mark.parametrize(("cut", "size"), [("number", 7), ("time", 20), ("time", 60_000), ("count", 130)])
def test_slices_hold_every_event_once(cut, size):
    e = events(3_000)
    slices, edges = slicing.sliced(e, cut, size)
    assert len(slices) == slicing.how_many(e, cut, size) == len(edges) - 1
    assert slices.sum() == len(e) and (np.diff(edges) > 0).all()
    each = slices.sum((1, 2, 3), dtype=int)
    t = (e.t - e.t[0]) / 1000
    inside = [((t >= start) & (t < stop)).sum() for start, stop in pairwise(edges)]
    if cut == "count":
        assert (each[:-1] == size).all()
    else:
        assert np.abs(each - inside).max() <= 1  # an event on the edge itself, rounded
    assert slicing.window(e, cut, size) >= 1


@pytest.mark.parametrize(
    ("edges", "names"),
    [
        ([0, 20, 40], ["0–20 ms", "20–40 ms"]),
        ([0, 0.5, 1], ["0.0–0.5 ms", "0.5–1.0 ms"]),
        ([0, 0.125, 1_000], ["0.000–0.125 ms", "0.125–1,000.000 ms"]),
    ],
)
def test_a_slice_is_called_by_its_time(edges, names):
    assert slicing.times(edges) == names


def test_a_large_sensor_is_drawn_coarser_and_keeps_its_events():
    small, k = drawn.coarse(events(3_000, height=720, width=1280))
    assert k == 8 and (small.height, small.width) == (90, 160) and len(small) == 3_000
    assert drawn.coarse(events(3_000))[1] == 1
    assert drawn._square(np.ones((90, 160, 3), np.uint8)).shape == (160, 160, 3)


def test_every_cut_keeps_its_own_number():
    known = slicing.parameters("events")
    state = State(Experiment(SDM))
    assert slicing.chosen(state) == ("number", 16) and address.write(known, state) == {}
    state, notices = address.read(known, state, {"events_cut": "time", "events_slice": "50"})
    assert not notices and slicing.chosen(state) == ("time", 50)
    assert address.write(known, state) == {"events_cut": "time", "events_slice": "50"}
    state = state.looking("cut", "count")
    assert slicing.chosen(state) == ("count", 500) and address.write(known, state) == {"events_cut": "count"}
    assert slicing.chosen(state.looking("cut", "time")) == ("time", 50)


# ---- figures


def test_the_page_shows_the_recording_and_the_frames_of_a_network():
    scene = scene_of(PAGE)
    x, _ = sv.load_data(DATA, "test", 1)
    e = event_sets.recording(DATA, "test", 0)
    np.testing.assert_array_equal(figure(scene, "Frames as").chart.counts, x[0].numpy())
    assert figure(scene, "Recording · test recording 0").chart.counts.sum() == len(e) == x.sum()
    words = words_of(PAGE.main(scene))
    assert (
        "**Simulated events**" in words and "Contrast threshold 0.37" in words and scene.now.status_text == "T=8 seed=0"
    )
    (component,) = (item for item in items_of(PAGE.main(scene)) if isinstance(item, Component))
    assert component.name == "event_player" and component.still().count("<img") == drawn.STILLS
    assert len(component.data.events) == len(e)
    (facts,) = (item.html for item in items_of(PAGE.main(scene)) if isinstance(item, Markup) and "sensor" in item.html)
    assert f"{len(e):,}" in facts and f"{e.p.mean():.0%}" in facts and "34 x 34" in facts
    assert f"{len(e) / e.duration * 1e6:,.0f}" in facts


def test_t_is_the_number_of_frames_it_is_shown():
    scene = scene_of(PAGE, events_T="5")
    x, _ = sv.load_data(DATA, "test", 1)
    shown = figure(scene, "Frames as")
    np.testing.assert_array_equal(shown.chart.counts, x[0, :5].numpy())
    assert "the last 3 are not shown to it" in shown.notice and shown.html().count("<img") == 5
    assert len(scene.now.recording.logits_per_step) == 5


@pytest.mark.parametrize(("cut", "size"), [("number", 16), ("time", 50), ("count", 500), ("count", 20)])
def test_slices_and_rate_are_those_of_the_recording(cut, size):
    scene = scene_of(PAGE, input="3", events_cut=cut, events_slice=str(size))
    e = event_sets.recording(DATA, "test", 3)
    slices, edges = slicing.sliced(e, cut, size)
    which = np.unique(np.linspace(0, len(slices) - 1, min(len(slices), drawn.DRAWN)).astype(int))
    shown = figure(scene, "Slices").chart
    np.testing.assert_array_equal(shown.counts, slices[which])
    names = slicing.times(edges)
    assert shown.titles == tuple(names[i] for i in which)
    (line,) = figure(scene, "Event rate").chart.series
    length = slicing.window(e, cut, size)
    np.testing.assert_allclose(line.y, e.rate(length))
    windows = e.windows(length) / 1000
    np.testing.assert_allclose(line.x, (windows[:-1] + windows[1:]) / 2)
    if cut == "count":
        np.testing.assert_array_equal(slices, by_count(e, size))
        assert size == 500 or len(slices) > drawn.DRAWN == len(shown.counts)


def test_a_rest_is_no_window_of_its_own():
    """A second window of 400 ms would hold one event in two microseconds."""
    t = np.append(np.arange(0, 400_000, 100), 400_001)
    shown = scene_with(
        brought(npy(np.stack([t, *np.zeros((3, len(t)), int)], axis=1)), "mine.npy"), cut="time", slice_time=400
    )
    (line,) = figure(shown, "Event rate").chart.series
    np.testing.assert_allclose(line.y, [4_001 / 0.400002])
    assert "the last of 400 ms, where the recording ends" in figure(shown, "Event rate").notice
    assert "a slice holds 4,000 to 4,000 events, the last, shorter, 1 in 0.002 ms" in figure(shown, "Slices").notice


RECORDED = [
    pytest.param(name, index, marks=needs(name), id=f"{name}-{index}")
    for name in (SDM, "sdmformer-nmnist", "e-spikeformer-fashion-dvs-d4")
    for index in (0, 3)
]


@pytest.mark.parametrize(("name", "index"), RECORDED)
@pytest.mark.parametrize(
    ("cut", "size"), [("number", 16), ("number", 7), ("time", 20), ("time", 33), ("time", 60_000), ("count", 333)]
)
def test_a_reader_finds_every_event_within_the_recording(name, index, cut, size):
    """The exported numbers: windows follow each other, end with the recording, and a rate is a count over a time."""
    scene = scene_of(PAGE, checkpoint=name, input=str(index), events_cut=cut, events_slice=str(size))
    e = drawn.recording_of(scene.now)
    table = pd.read_csv(io.BytesIO(figure(scene, "Event rate").export("csv")), comment="#")
    start, end, rate = table["from (ms)"], table["to (ms)"], table["events per second"]
    t = (e.t - e.t[0]) / 1000
    assert start[0] == 0 and (start[1:].values == end[:-1].values).all() and (end > start).all()
    assert t[-1] < end.iloc[-1] <= t[-1] + 0.001001
    counted = [((t >= a - 1e-9) & (t < b - 1e-9)).sum() for a, b in zip(start, end, strict=True)]
    assert table["events"].tolist() == counted and sum(counted) == len(e)
    np.testing.assert_allclose(rate, np.array(counted) / ((end - start) / 1000), rtol=1e-6)
    lengths = end - start
    assert len(table) == 1 or 0.5 <= lengths.iloc[-1] / lengths[0] < 1.5
    slices, edges = slicing.sliced(e, cut, size)
    assert edges[0] == 0 and edges[-1] == pytest.approx(end.iloc[-1]) and slices.sum() == len(e)


def test_the_player_does_not_leave_the_recording():
    for count, length in ((3_000, 300_000), (50, 7_777), (2_000, 2_000_000)):
        e = events(count, length)
        for window in player_data.windows(e):
            assert 0 < player_data.busiest(e, window) <= -(-e.duration // 1000)


def test_the_cloud_holds_every_event():
    e = event_sets.recording(DATA, "test", 2)
    points = figure(scene_of(PAGE, input="2"), "Events in x, y and t").chart
    assert isinstance(points, Cloud)
    np.testing.assert_allclose(points.t, (e.t - e.t[0]) / 1000)
    for shown, own in zip((points.x, points.y, points.p), (e.x, e.y, e.p), strict=True):
        np.testing.assert_array_equal(shown, own)


def test_two_settings_have_two_rates_and_two_predictions():
    scene = scene_of(PAGE, events_A="input:4,T:3", events_cut="time")
    a, b = figure(scene, "Event rate").chart.series
    assert (a.name, b.name) == ("A", "B")
    for line, index in ((a, 4), (b, 0)):
        np.testing.assert_allclose(line.y, event_sets.recording(DATA, "test", index).rate(20_000))
    words = words_of(PAGE.main(scene))
    assert "A: **" in words and "B: **" in words
    assert len(scene.compared.recording.logits_per_step) == 3


@needs("spikformer-fashion")
def test_images_have_no_rate():
    scene = scene_of(PAGE, events_A="checkpoint:spikformer-fashion,input:4")
    assert [line.name for line in figure(scene, "Event rate").chart.series] == [""]
    assert "A: **" in words_of(PAGE.main(scene))


def test_too_many_slices_are_a_sentence():
    scene = scene_of(PAGE, events_cut="count", events_slice="1")
    (note,) = (item for item in items_of(PAGE.body(scene)) if isinstance(item, Note) and item.level == "info")
    assert "more than the 1,000 that are counted here" in note.text
    assert [each.title for each in page_figures(scene)][1:] == [
        "Frames as the network sees them",
        "Event rate",
        "Events in x, y and t",
    ]
    assert len(figure(scene, "Event rate").chart.series[0].y) > 1


@pytest.mark.parametrize("name", [pytest.param(name, marks=needs(name)) for name in PAGE.networks.names()])
def test_every_network_for_events_has_every_figure(name):
    scene = scene_of(PAGE, checkpoint=name)
    figures = page_figures(scene)
    np.testing.assert_array_equal(figures[1].chart.counts, scene.now.shown.pixels.numpy())  # as trained it sees all
    assert [type(each.chart) for each in figures[:3]] == [Frames] * 3 and len(figures) == 5
    for each in figures:
        assert each.notice and each.term
        assert all(each.export(kind) for kind in FILES)


def test_a_notebook_has_the_same_figures():
    shown = view("events", SDM, 3, sv.interventions.TimeSteps(4), cut="time", slice_time=40)
    here = page_figures(scene_of(PAGE, input="3", events_T="4", events_cut="time", events_slice="40"))
    assert [each.title for each in shown] == [each.title for each in here]
    for one, other in zip(shown, here, strict=True):
        for name, values in other.chart.arrays().items():
            np.testing.assert_array_equal(one.chart.arrays()[name], values)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("events_cut", "fair", "there are number, time, count"),
        ("events_slice", "0", "Slices is a number from 1 to 1000"),
        ("events_slice", "x", "Slices is a number"),
        ("events_window", "7", "a window is 1, 2, 5"),
        ("events_show", "up", "there are both, on, off"),
        ("events_at", "-1", "a time in ms is a number"),
        ("events_T", "9", "T goes from 1 to 8"),
        ("checkpoint", "spikformer-fashion", "spikformer-fashion sees images and no events"),
        ("input", "10000", "a test recording is a number from 0 to 9999"),
    ],
)
def test_bad_addresses_are_one_sentence(name, value, why):
    scene, notices = scene_at(PAGE, {name: value})
    assert len(notices) == 1 and name in notices[0] and why in notices[0]
    assert scene.now.status_text == "T=8 seed=0" and scene.state.experiment == Experiment(SDM)
    assert slicing.chosen(scene.state) == ("number", 16)


# ---- what a person brings

DIGIT = atis(rows(400, 34))
BROUGHT = {"mine.npy": npy(rows()), "mine.bin": DIGIT, "two.npy": npy(rows(2)), "wide.npy": npy(rows(500, 1_000))}


@pytest.mark.parametrize("name", BROUGHT)
@pytest.mark.parametrize("cut", slicing.CUTS)
def test_a_recording_of_ones_own_is_shown(name, cut):
    shown = brought(BROUGHT[name], name)
    scene = scene_with(shown, cut=cut)
    words = words_of(PAGE.main(scene))
    assert "**Recorded events**: the file you brought." in words and "Simulated" not in words
    assert "8 frames of equal time" in words
    stills = figure(scene, "Recording · your recording")
    assert stills.chart.counts.sum() == len(shown.events)
    np.testing.assert_array_equal(figure(scene, "Frames as").chart.counts, shown.pixels.numpy())
    assert ("pixels of the sensor" in stills.notice) == (name == "wide.npy")
    assert "Slices" in [each.title for each in page_figures(scene)]


def test_a_picture_becomes_simulated_events():
    words = words_of(PAGE.main(scene_with(brought(png(size=(60, 60)), "mine.png"))))
    assert "**Simulated events**" in words and "no camera recorded them" in words
    assert "Your picture, simulated events: " in words


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        ("mine.npy", npy(rows())[:-37], "cut off"),
        ("mine.bin", DIGIT[:-2], "cut off"),
        ("mine.npy", npy(disordered(50)), "time stamps were not in order"),
    ],
)
def test_what_can_be_mended_is_a_note(name, content, note):
    assert note in words_of(PAGE.main(scene_with(brought(content, name))))


BAD = {
    "empty": ("mine.npy", b"", "The file is empty"),
    "no events": ("mine.npy", npy(rows(0)), "holds no events"),
    "header cut off": ("mine.npy", npy(rows())[:40], "damaged"),
    "no array": ("mine.npy", b"no recording", "does not begin as a .npy"),
    "backwards": ("mine.npy", npy(rows()[::-1].copy()), "Time runs backwards"),
    "one clock twice": ("mine.npy", npy(np.concatenate([rows() * [6, 1, 1, 1], rows()])), "Time runs back by"),
    "left of the sensor": ("mine.npy", npy(rows() - [0, 1, 0, 0]), "lie outside the sensor"),
    "beyond any sensor": ("mine.npy", npy(rows() * [1, 1_000, 1, 1]), "larger than any camera's"),
    "negative time": ("mine.npy", npy(rows() - [10**6, 0, 0, 0]), "damaged"),
    "fractions": ("mine.npy", npy(rows() + 0.5), "are fractions"),
    "not numbers": ("mine.npy", npy(rows() * np.nan), "not numbers"),
    "three columns": ("mine.npy", npy(rows()[:, :3]), "save it as one of them"),
    "half an event": ("mine.bin", b"123", "holds no events"),
    "too large": ("mine.bin", bytes(50 * 2**20 + 1), "larger than 50 MB"),
    "broken picture": ("mine.png", png()[:80], "cut off or damaged"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_recording_is_one_sentence(case):
    name, content, why = BAD[case]
    with pytest.raises(ValueError, match=why) as raised:
        brought(content, name)
    assert str(raised.value).strip().endswith(".") and "\n" not in str(raised.value).strip()


def test_more_events_than_the_player_plays_is_said(monkeypatch):
    monkeypatch.setattr(player_data, "SENT", 1_000)
    monkeypatch.setattr(player_data, "POINTS", 500)
    scene = scene_with(brought(npy(rows()), "mine.npy"))
    assert "The player has 1,000 of the 2,000 events, evenly thinned." in figure(scene, "Recording").notice
    points = figure(scene, "Events in x, y and t")
    assert points.notice.startswith("500, evenly thinned, of 2,000 events.") and len(points.chart.t) == 500


def test_a_recording_that_cannot_be_read_is_one_sentence_and_nothing_else(monkeypatch):
    def gone(*_: object) -> EventRecording:
        raise FileNotFoundError("fashion-dvs is not here.")

    scene = scene_of(PAGE, input="17")
    monkeypatch.setattr(event_sets, "recording", gone)
    monkeypatch.setattr(runs, "DATA", type(runs.DATA)(0))
    (note,) = items_of(PAGE.main(scene))
    assert note == Note("Test recording 17 cannot be read: fashion-dvs is not here.", "error")
    assert items_of(PAGE.body(scene)) == []
    with pytest.raises(ValueError, match="Test recording 17 cannot be read"):
        page_figures(scene)


def test_a_recording_is_read_once(monkeypatch):
    asked = []
    monkeypatch.setattr(event_sets, "recording", lambda *which: asked.append(which) or events(100))
    monkeypatch.setattr(runs, "DATA", type(runs.DATA)(2**30))
    for _ in range(2):
        page_figures(scene_of(PAGE, input="21"))
    assert asked == [(DATA, "test", 21)]


@pytest.mark.parametrize("own", [False, True])
def test_the_python_of_the_page_runs_as_it_is(tmp_path, monkeypatch, own):
    """For a test recording, and for one that was brought, whose frames the page hands out."""
    shown = brought(npy(rows()), "mine.npy")
    scene = scene_with(shown) if own else scene_of(PAGE, input="2", events_T="6")
    np.save(tmp_path / "input.npy", shown.pixels.numpy())
    monkeypatch.chdir(tmp_path)
    given: dict = {}
    exec(python(scene), given)
    assert len(given["recording"].logits_per_step) == (8 if own else 6) and given["x"].shape == (8, 1, 2, 34, 34)
    np.testing.assert_allclose(given["recording"].output[0], scene.now.recording.output[0], atol=1e-6)
