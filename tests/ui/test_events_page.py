"""The page of events: a recording is played, cut and counted; what is brought appears, or one sentence says why not."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from support.networks import needs
from test_pages import charts, numbers, pictures, png, press, sound, status, upload

import spikeviz as sv
from spikeviz.data.events import EventRecording
from spikeviz.figures.events import Cloud, Frames, brightest, lit, picture
from spikeviz.figures.render_matplotlib import FORMATS, export
from spikeviz.paths import app_root
from spikeviz.ui import cuts, player, recordings

SDM = "sdmformer-fashion-dvs"
TRAINED = needs(SDM)
RNG = np.random.default_rng(0)


def events(n: int = 3_000, duration: int = 300_000, height: int = 34, width: int = 34) -> EventRecording:
    t = np.sort(RNG.integers(0, duration, n))
    x, y, p = (RNG.integers(0, high, n) for high in (width, height, 2))
    return EventRecording(t, x, y, p, height, width)


def npy(rows: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, rows)
    return stream.getvalue()


def rows(n: int = 2_000, side: int = 128) -> np.ndarray:
    """Columns t, x, y, p of a recording of a second."""
    t = np.sort(RNG.integers(0, 10**6, n))
    return np.stack([t, *RNG.integers(0, side, (2, n)), RNG.integers(0, 2, n)], axis=1)


def atis(n: int = 400) -> bytes:
    """N-MNIST's five bytes an event."""
    t = np.sort(RNG.integers(0, 300_000, n))
    x, y, p = RNG.integers(0, 34, n), RNG.integers(0, 34, n), RNG.integers(0, 2, n)
    return np.stack([x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255], axis=1).astype(np.uint8).tobytes()


def opened(**address: str) -> AppTest:
    app = AppTest.from_file(str(app_root() / "app.py"), default_timeout=120)
    app.run()
    app.switch_page("pages/events.py")
    app.query_params.clear()  # a browser's address names the page it shows
    for name, value in address.items():
        app.query_params[name] = value
    return sound(app.run())


def captions(app: AppTest) -> str:
    return " ".join(c.value for c in app.caption)


def strip(app: AppTest, title: str) -> str:
    return next(h.proto.body for h in app.get("html") if f'alt="{title}, ' in h.proto.body)


def rate(app: AppTest) -> dict:
    return next(c for c in charts(app) if c["layout"]["yaxis"]["title"]["text"] == "events per second")["data"][0]


# ---- values


def test_pictures_of_events_have_one_brightness_and_the_colours_of_the_theme():
    counts = RNG.poisson(0.3, (5, 2, 6, 7))
    frames = Frames("frames", counts, "abcde")
    assert frames.pixels().shape == (5, 6, 7, 3) and frames.events.tolist() == counts.sum((1, 2, 3)).tolist()
    np.testing.assert_allclose(picture(counts), np.moveaxis(lit(counts.sum(0), brightest(counts.sum(0))), -1, 0))
    one = np.zeros((1, 2, 1, 2))
    one[0, 0, 0, 0] = one[0, 1, 0, 1] = 9
    assert Frames("f", one, "a").pixels()[0, 0].tolist() == [[64, 153, 255], [255, 128, 26]]  # OFF blue, ON orange
    assert frames.table()[["OFF", "ON"]].to_numpy().sum() == counts.sum()
    assert not Frames("dark", np.zeros((1, 2, 3, 3)), "a").pixels().any()
    for bad in (counts[0], counts[:0], counts[:, :1]):
        with pytest.raises(ValueError, match="frames are"):
            Frames("f", bad, "abcde")
    with pytest.raises(ValueError, match="5 frames have 2 titles"):
        Frames("f", counts, "ab")


@pytest.mark.parametrize("kind", FORMATS)
def test_events_leave_as_files(kind):
    e = events(50)
    cloud = Cloud("$cloud", (e.t - e.t[0]) / 1000, e.x, e.y, e.p, e.height, e.width)
    for exhibit in (Frames("frames", RNG.poisson(0.3, (9, 2, 6, 7)), "abcdefghi"), cloud):
        content = export(exhibit, kind)
        assert content == export(exhibit, kind) or kind == "npz"
        assert len(content) > 200


def test_a_cloud_keeps_its_events():
    e = events(50)
    cloud = Cloud("cloud", e.t / 1000, e.x, e.y, e.p, e.height, e.width)
    assert cloud.table().to_numpy().tolist() == [list(map(float, row)) for row in zip(e.t / 1000, e.x, e.y, e.p)]  # noqa: B905
    assert cloud.arrays()["sensor"].tolist() == [34, 34]
    pixels = cloud.pixels(300, 200)
    assert pixels.shape == (200, 300, 3) and 50 < pixels.any(-1).sum() <= 4 * 50


@pytest.mark.parametrize("length", [300_000, 3_000, 2**35])
def test_what_the_player_reads_is_the_recording(length):
    e = events(500, length)
    content = player.payload(e, {"at": 3}, 7, "said")
    size = int.from_bytes(content[:4], "little")
    head, body = json.loads(content[4 : 4 + size]), content[4 + size :]
    assert head["seq"] == 7 and head["events"] == 500 and len(body) == 500 * 9
    t = np.frombuffer(body[:2000], "<u4").astype(np.int64) * head["tick"]
    assert np.abs(t - (e.t - e.t[0])).max() < head["tick"] <= length // 2**32 + 1
    columns = [
        np.frombuffer(body[a:b], kind) for a, b, kind in ((2000, 3000, "<u2"), (3000, 4000, "<u2"), (4000, 4500, "u1"))
    ]
    assert all((sent == own).all() for sent, own in zip(columns, (e.x, e.y, e.p), strict=True))
    assert player.windows(e)[-1] == player.WHOLE and all(w * 1000 < length for w in player.windows(e)[:-1])
    assert player.first_window(e) in player.windows(e)


def test_the_player_gets_no_more_than_it_can_play(monkeypatch):
    monkeypatch.setattr(player, "SENT", 100)
    e = events(1_000)
    which = player.thinned(e, 100)
    assert len(which) == 100 and which[0] == 0 and which[-1] == 999 and np.ptp(np.diff(which)) <= 1
    assert player.thinned(e, 2_000).tolist() == list(range(1_000))
    size = int.from_bytes(player.payload(e, {}, 0, "")[:4], "little")
    assert len(player.payload(e, {}, 0, "")) == 4 + size + 900


def test_the_player_starts_where_most_happens():
    t = np.concatenate([np.arange(0, 300_000, 3_000), np.arange(100_000, 110_000, 100)])
    e = EventRecording(np.sort(t), *np.zeros((3, len(t)), int), 1, 1)
    assert player.first_window(e) == 20 and player.busiest(e, 20) == 120 and player.busiest(e, 10) == 110
    assert player.busiest(e, player.WHOLE) == 297
    alone = EventRecording(*np.zeros((4, 1), int), 1, 1)
    assert player.windows(alone) == (0,) and player.first_window(alone) == 0 and player.busiest(alone, 0) == 0
    hours = EventRecording(np.array([0, 10**11]), *np.zeros((3, 2), int), 1, 1)
    assert player.busiest(hours, 1) > 0


@pytest.mark.parametrize(("cut", "size"), [("number", 7), ("time", 20), ("time", 60_000), ("count", 130)])
def test_slices_hold_every_event_once(cut, size):
    e = events()
    slices, edges = cuts.sliced(e, cut, size)
    assert len(slices) == cuts.how_many(e, cut, size) == len(edges) - 1
    assert slices.sum() == len(e) and (np.diff(edges) > 0).all()
    held = slices.sum((1, 2, 3), dtype=int)
    t = (e.t - e.t[0]) / 1000
    inside = [((t >= a) & (t < b)).sum() for a, b in zip(edges[:-1], edges[1:], strict=True)]  # noqa: RUF007
    if cut == "count":
        assert (held[:-1] == size).all()
    else:
        assert np.abs(held - inside).max() <= 1  # an event on the edge itself, rounded
    assert cuts.window(e, cut, size) >= 1


def test_a_large_sensor_is_drawn_coarser_and_keeps_its_events():
    e = events(height=720, width=1280)
    small, k = recordings.coarse(e)
    assert k == 8 and (small.height, small.width) == (90, 160) and len(small) == len(e)
    assert recordings.coarse(events())[1] == 1
    assert recordings._square(np.ones((90, 160, 3), np.uint8)).shape == (160, 160, 3)


# ---- the page


@TRAINED
def test_the_page_shows_the_recording_and_the_frames_of_a_network():
    app = opened()
    x, _ = sv.load_data("fashion-dvs", "test", 1)
    assert not app.error and not app.warning and "T=8 seed=0" in status(app)
    assert "**Simulated events**" in captions(app) and "Contrast threshold 0.37" in captions(app)
    frames = strip(app, "Frames as the network sees them")
    assert [f"{int(frame.sum()):,} events<" in frames for frame in x[0]] == [True] * 8
    assert strip(app, "Recording · test recording 0").count("<img") == recordings.STILLS
    sound(next(s for s in app.slider if s.label == "T").set_value(5).run())
    assert strip(app, "Frames as the network sees them").count("<img") == 5
    assert "The last 3 are not shown to it: T = 5." in captions(app)


@TRAINED
def test_how_it_is_cut_is_a_choice_and_stands_in_the_address():
    app = opened()
    before = strip(app, "Slices")
    assert before.count("<img") == 16
    sound(app.segmented_control(key="events_cut").set_value("time").run())
    assert "events_cut=time" in next(c.value for c in app.code if c.value.startswith("http"))
    by_time, curve = strip(app, "Slices"), rate(app)
    assert by_time != before and "20–40 ms" in by_time and "Windows of 20 ms" in captions(app)
    sound(next(n for n in app.number_input if n.label == "Slice (ms)").set_value(50).run())
    assert strip(app, "Slices") != by_time and len(numbers(rate(app)["y"])) < len(numbers(curve["y"]))
    assert "Windows of 50 ms" in captions(app)
    again = opened(events_cut="time", events_slice="50")
    assert strip(again, "Slices") == strip(app, "Slices")


@TRAINED
def test_the_rate_is_that_of_the_recording():
    from spikeviz.data.event_sets import recording

    app = opened(events_cut="time", events_slice="30", input="3")
    np.testing.assert_allclose(numbers(rate(app)["y"]), recording("fashion-dvs", "test", 3).rate(30_000))


@TRAINED
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
    ],
)
def test_bad_addresses_are_one_sentence(name, value, why):
    app = opened(**{name: value})
    assert len(app.warning) == 1 and name in app.warning[0].value and why in app.warning[0].value
    assert "T=8 seed=0" in status(app) and not app.error


@TRAINED
def test_too_many_slices_are_a_sentence():
    app = opened(events_cut="count", events_slice="1")
    assert len(app.info) == 1 and "more than the 1,000 that are counted here" in app.info[0].value
    assert len(numbers(rate(app)["y"])) > 1


BROUGHT = {"mine.npy": npy(rows()), "mine.bin": atis(), "two.npy": npy(rows(2)), "wide.npy": npy(rows(500, 1_000))}


@TRAINED
@pytest.mark.parametrize("name", BROUGHT)
def test_a_recording_of_ones_own_appears(name):
    app = opened()
    before = pictures(app)
    upload(app, BROUGHT[name], name)
    assert not app.error and not app.warning and pictures(app) != before
    assert any(m.value == "**Recording · your recording**" for m in app.markdown)
    assert "**Recorded events**: the file you brought." in captions(app) and "Simulated" not in captions(app)
    assert "8 frames of equal time" in captions(app)
    press(app, "›")
    assert "**Simulated events**" in captions(app)


@TRAINED
def test_a_picture_becomes_simulated_events():
    app = opened()
    upload(app, png(size=(60, 60)))
    assert not app.error and any("your picture, simulated events" in m.value for m in app.markdown)
    assert "**Simulated events**" in captions(app) and "no camera recorded them" in captions(app)


def disordered(every: int) -> np.ndarray:
    """Every so many events come before the one that they follow."""
    moved = rows()
    at = np.arange(every, len(moved), every)
    moved[[*at, *(at - 1)]] = moved[[*(at - 1), *at]]
    return moved


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
}  # fmt: skip


@TRAINED
@pytest.mark.parametrize("case", BAD)
def test_a_bad_recording_is_one_sentence_and_the_page_goes_on(case):
    name, content, why = BAD[case]
    app = opened()
    before = pictures(app)
    upload(app, content, name)
    assert len(app.error) == 1 and why in app.error[0].value and app.error[0].value.strip().endswith(".")
    assert pictures(app) == before and not app.warning
    press(app, "›")
    assert not app.error and pictures(app) != before


@TRAINED
@pytest.mark.parametrize(
    ("name", "content", "note"),
    [("mine.npy", npy(rows())[:-37], "cut off"), ("mine.bin", atis()[:-2], "cut off"),
     ("mine.npy", npy(disordered(50)), "time stamps were not in order")],
)  # fmt: skip
def test_what_can_be_mended_is_a_note(name, content, note):
    app = opened()
    upload(app, content, name)
    assert not app.error and note in captions(app)


@TRAINED
def test_more_events_than_the_player_plays_is_said(monkeypatch):
    monkeypatch.setattr(player, "SENT", 1_000)
    monkeypatch.setattr(player, "POINTS", 500)
    app = opened()
    upload(app, npy(rows()), "mine.npy")
    assert "The player has 1,000 of the 2,000 events, evenly thinned." in captions(app)
    assert "500, evenly thinned, of 2,000 events." in captions(app)


def test_a_recording_for_a_network_of_images_is_one_sentence():
    app = AppTest.from_file(str(app_root() / "app.py"), default_timeout=120)
    app.run()
    sound(app.switch_page("pages/spike_maps.py").run())
    before = pictures(app)
    upload(app, npy(rows()), "mine.npy")
    assert len(app.error) == 1 and "spikformer-fashion sees images: choose a network for events." in app.error[0].value
    assert pictures(app) == before


@TRAINED
def test_a_preset_of_a_network_for_images_leaves_the_recording_behind():
    app = AppTest.from_file(str(app_root() / "app.py"), default_timeout=120)
    app.run()
    sound(app.switch_page("pages/spike_maps.py").run())
    sound(app.selectbox(key="maps_checkpoint").set_value(SDM).run())
    upload(app, npy(rows()), "mine.npy")
    press(app, "Spike maps by step (Fig. 8)")
    assert len(app.warning) == 1 and "made for another network: this is test image 0" in app.warning[0].value
    assert "T=4 " in status(app)


@TRAINED
def test_the_python_of_the_page_runs_as_it_is(tmp_path, monkeypatch):
    """For a test recording, and for one that was brought, whose frames the page hands out."""
    app = opened(input="2", events_T="6")
    given: dict = {}
    exec(next(c.value for c in app.code if c.language == "python"), given)
    assert len(given["recording"].logits_per_step) == 6 and given["x"].shape == (8, 1, 2, 34, 34)
    upload(app, npy(rows()), "mine.npy")
    lines = next(c.value for c in app.code if c.language == "python")
    shown = next(iter(app.session_state["pictures"].values()))
    np.save(tmp_path / "input.npy", shown.pixels.numpy())
    monkeypatch.chdir(tmp_path)
    exec(lines, given)
    best = int(given["confidence"].argmax())
    assert any(f"{float(given['confidence'][best]):.0%}" in m.value for m in app.markdown)


@TRAINED
def test_two_settings_have_two_rates():
    app = opened(events_A="input:4", events_cut="time")
    lines = next(c for c in charts(app) if c["layout"]["yaxis"]["title"]["text"] == "events per second")["data"]
    assert [line["name"] for line in lines] == ["A", "B"] and "A: test recording 4" in captions(app)
