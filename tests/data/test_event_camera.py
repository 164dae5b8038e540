"""The event camera: counts that a hand can check, and statistics that N-MNIST can."""

import ast
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.event_camera import fashion, where

from spikeviz.data import event_camera as dvs
from spikeviz.data.event_camera import Camera, events_of, frames_of

IDEAL = Camera(mismatch=0, noise_hz=0, refractory_us=0)


def same(a, b):
    return all(np.array_equal(left, right) for left, right in zip(a, b, strict=True))


def by_pixel(e):
    """Times and polarities [n] of every pixel, as {(y, x): (t, p)}."""
    sent = {}
    for t, x, y, p in zip(e.t.tolist(), e.x.tolist(), e.y.tolist(), e.p.tolist(), strict=True):
        times, polarities = sent.setdefault((y, x), ([], []))
        times.append(t)
        polarities.append(p)
    return sent


# --- by hand ---


def test_one_edge_sends_what_the_hand_computes():
    # Columns 5-9 of a 10 x 10 picture are white. The picture slides 4 pixels to the right in moves 1 and 2 and back in
    # move 3. Sensor column c sees picture column c - 3 - shift: c - 1 at the start, c - 5 at the turn. So columns 6-9
    # are white and go black, columns 11-14 are black and go white, the others stay as they are. Black is ln .1, white
    # ln 1.1: ln 11 = 2.398, floor(2.398 / .5) = 4 events, and the same 4 back, for the reference has moved by 4 * .5.
    picture = np.zeros((1, 10, 10), np.float32)
    picture[:, :, 5:] = 1
    camera = replace(IDEAL, contrast=0.5, dark=0.1, sweep_x=4, sweep_y=0, background=0)
    (e,) = events_of(picture, camera)
    sent = by_pixel(e)
    assert set(sent) == {(y, x) for y in range(3, 13) for x in (6, 7, 8, 9, 11, 12, 13, 14)}
    turn = 2 * camera.saccade_us
    for (_, x), (t, p) in sent.items():
        assert p == ([0] * 4 + [1] * 4 if x < 10 else [1] * 4 + [0] * 4)
        assert t[3] <= turn <= t[4]
    # the edge meets one column after the other
    firsts = [sent[5, x][0][0] for x in (6, 7, 8, 9)]
    assert firsts == sorted(firsts) and len(set(firsts)) == 4


@pytest.mark.parametrize("contrast", [0.07, 0.3, 0.7, 2.3, 2.5])
def test_number_of_events_is_the_floor_of_the_change(contrast):
    picture = np.zeros((1, 10, 10), np.float32)
    picture[:, :, 5:] = 1
    (e,) = events_of(picture, replace(IDEAL, contrast=contrast, sweep_x=4, sweep_y=0, background=0))
    assert len(e.t) == 10 * 8 * 2 * math.floor(math.log(11) / contrast)  # 2.5 > ln 11: none


def test_times_by_hand():
    # A white pixel slides onto the black pixel to its right: after a way of w < 1 pixels the light there is w. The
    # first ON comes where w + dark = dark * exp(contrast): w = .1 * (e^.5 - 1) = .06487, of the 2 pixels of move 1,
    # so s = .03244 of the move, and 10 tau^3 - 15 tau^4 + 6 tau^5 = .03244 gives the time.
    picture = np.zeros((1, 9, 9), np.float32)
    picture[:, 4, 4] = 1
    camera = replace(IDEAL, contrast=0.5, sweep_x=4, sweep_y=0, background=0)
    (e,) = events_of(picture, camera)
    t, p = by_pixel(e)[3 + 4, 3 + 4 - 1]  # sees column 5 at the start
    tau = t[0] / camera.saccade_us
    assert p[0] == 1 and 10 * tau**3 - 15 * tau**4 + 6 * tau**5 == pytest.approx(0.03244, abs=2e-5)


def reference(picture, camera, thresholds):
    """The model of one picture written out: pixel by pixel, place by place, in double precision; no noise."""
    rows, columns = picture.shape
    height, width = rows + 2 * camera.margin, columns + 2 * camera.margin
    places = camera.places()

    def light(y, x):
        top, left = math.floor(y), math.floor(x)
        total = 0.0
        for row, part in ((top, 1 - (y - top)), (top + 1, y - top)):
            for column, share in ((left, 1 - (x - left)), (left + 1, x - left)):
                inside = 0 <= row < rows and 0 <= column < columns
                total += part * share * (picture[row, column] if inside else camera.background)
        return total + camera.dark

    sent = []
    for y in range(height):
        for x in range(width):
            seen = [light(y - camera.margin - dy, x - camera.margin - dx) for dy, dx in camera.shift_at(places)]
            level, last = math.log(seen[0]), -math.inf
            for k in range(1, len(seen)):
                while True:
                    up = math.log(seen[k]) > level
                    threshold = thresholds[int(up), y, x]
                    if abs(math.log(seen[k]) - level) < threshold * (1 - 1e-9):
                        break
                    level += threshold if up else -threshold
                    part = (math.exp(level) - seen[k - 1]) / (seen[k] - seen[k - 1])
                    place = places[k - 1] + min(part, 1) * (places[k] - places[k - 1])
                    t = min(int(camera.time_at(np.array([place]))[0]), camera.duration_us - 1)
                    if t - last >= camera.refractory_us:
                        sent.append((t, y, x, int(up)))
                        last = t
    return sorted(sent)


@pytest.mark.parametrize(
    "camera",
    [
        replace(IDEAL, background=0.2),
        Camera(noise_hz=0, background=0.0),
        Camera(noise_hz=0, background=0.0, refractory_us=9_000, contrast=0.1, renders=3, margin=1),
        Camera(noise_hz=0, background=1.0, sweep_x=3.3, sweep_y=7.1, saccade_us=50_000, dark=0.01),
    ],
)
def test_equals_the_model_written_out(camera):
    picture = np.random.default_rng(1).random((6, 7), np.float32)
    (e,) = events_of(picture[None], camera)
    wanted = np.array(reference(picture.astype(np.float64), camera, camera.thresholds(e.height, e.width)))
    got = np.stack([e.t, e.y, e.x, e.p], axis=1).astype(np.int64)
    # single precision of the light moves a time by some microseconds, and so may move it over a refractory time
    order_wanted, order_got = (np.lexsort(a.T[[0, 3, 2, 1]]) for a in (wanted, got))
    if camera.refractory_us == 9_000:
        assert abs(len(got) - len(wanted)) <= 0.01 * len(wanted)
    else:
        assert len(got) == len(wanted) > 300
        difference = wanted[order_wanted] - got[order_got]
        assert (difference[:, 1:] == 0).all() and np.abs(difference[:, 0]).max() <= 20


def test_the_path_is_a_triangle_that_ends_where_it_began():
    camera = Camera(sweep_x=5, sweep_y=3)
    assert camera.shift_at(np.arange(4.0)).tolist() == [[-1.5, -2.5], [1.5, 0], [-1.5, 2.5], [-1.5, -2.5]]
    assert camera.time_at(np.arange(4.0)).tolist() == [0, 105_000, 210_000, 315_000]
    assert camera.time_at(np.array([0.5, 2.5])) == pytest.approx([52_500, 262_500])  # half the way at half the time
    places = camera.places()
    assert (np.diff(places) > 0).all() and (np.diff(camera.time_at(places)) > 0).all()
    # every shift by a whole number of pixels is rendered: 3 + 2 rows and columns in move 1 (y: -1 0 1, x: -2 -1 0) ...
    shifts = camera.shift_at(places)
    for move in range(3):
        own = shifts[(places >= move) & (places <= move + 1)]
        for axis, whole in ((0, (-1, 0, 1)), (1, ((-2, -1, 0), (0, 1, 2), (-2, -1, 0, 1, 2))[move])):
            moves = np.ptp(own[:, axis]) > 0
            assert not moves or all(np.isclose(own[:, axis], k).any() for k in whole)


def test_the_light_of_the_end_is_that_of_the_start():
    views = [view.copy() for view in dvs._views(fashion(3)[:, 0], Camera())]
    assert np.array_equal(views[0], views[-1]) and not np.array_equal(views[0], views[10])


# --- what must hold ---


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_plain_picture_sends_noise_only(value):
    plain = np.full((20, 1, 28, 28), value, np.float32)
    assert all(len(e.t) == 0 for e in events_of(plain, replace(IDEAL, mismatch=0.3)))
    assert not frames_of(plain, replace(IDEAL, mismatch=0.3)).any()
    camera = Camera(noise_hz=20, refractory_us=0)
    sent = events_of(plain, camera)
    expected = 20 * 34 * 34 * camera.duration_us * 1e-6 * len(plain)
    counted = sum(len(e.t) for e in sent)
    assert abs(counted - expected) < 4 * math.sqrt(expected)
    assert abs(sum(int(e.p.sum()) for e in sent) - counted / 2) < 4 * math.sqrt(counted / 4)
    # over pixels and over time: chi-square of 10 cells, 9 degrees of freedom, 4 sigma above its mean
    for values, size in ((np.concatenate([e.t for e in sent]), camera.duration_us), (where(sent), 34 * 34)):
        cells = np.bincount(values * 10 // size, minlength=10)
        fair = np.diff(np.ceil(np.arange(11) * size / 10)) / size * counted
        assert ((cells - fair) ** 2 / fair).sum() < 9 + 4 * math.sqrt(18)


@pytest.mark.parametrize(
    "camera",
    [Camera(), Camera(refractory_us=20_000, noise_hz=100), Camera(contrast=0.02, refractory_us=333, sweep_x=9.3)],
)
def test_refractory_time_range_and_order(camera):
    for e in events_of(fashion(12), camera, seed=3):
        assert (np.diff(e.t) >= 0).all() and e.t[0] >= 0 and e.t[-1] < camera.duration_us
        assert (e.height, e.width) == (34, 34) and 0 <= e.x.min() < e.x.max() < 34
        assert 0 <= e.y.min() < e.y.max() < 34
        assert [field.dtype for field in e[:4]] == [np.int64, np.int16, np.int16, np.uint8] and set(e.p) == {0, 1}
        pixel = where([e])
        order = np.lexsort((e.t, pixel))
        between = np.diff(e.t[order])[np.diff(pixel[order]) == 0]
        assert between.min() >= camera.refractory_us


def test_what_the_refractory_time_leaves_is_greedy():
    draw = np.random.default_rng(0)
    for refractory in (0, 1, 7, 50):
        code = np.sort(draw.integers(0, 3, 400) << 31 | draw.integers(0, 1_000, 400))
        kept, last = [], {}
        for value in code.tolist():
            pixel, t = divmod(value, 2**31)
            if t - last.get(pixel, -math.inf) >= refractory:
                kept.append(value)
                last[pixel] = t
        assert code[dvs._sent(code, refractory)].tolist() == kept


@pytest.mark.parametrize("contrast", [0.1, 0.2, 0.4])
def test_a_doubled_threshold_never_sends_more(contrast):
    once, twice = (
        frames_of(fashion(20), replace(IDEAL, contrast=c), frames=1).sum((1, 2)) for c in (contrast, 2 * contrast)
    )
    assert (twice <= once).all() and twice.sum() < once.sum()
    once, twice = (frames_of(fashion(20), Camera(contrast=c)).sum((1, 2, 3, 4)) for c in (contrast, 2 * contrast))
    assert (twice < once).all()


def test_more_renderings_change_little():
    few, many = (frames_of(fashion(20), Camera(noise_hz=0, renders=r)).astype(np.int64) for r in (1, 40))
    assert few.sum() == pytest.approx(many.sum(), rel=0.01)
    assert np.abs(few - many).sum() < 0.03 * many.sum()


@pytest.mark.parametrize("frames", [1, 7, 10, 300])
@pytest.mark.parametrize(
    "camera",
    [
        Camera(),
        Camera(contrast=0.03, refractory_us=0, noise_hz=50),
        Camera(saccade_us=33_333, margin=0),
        Camera(refractory_us=250, contrast=0.02),
    ],
)
def test_frames_are_the_events_framed(camera, frames):
    pictures = fashion(19)
    counts = frames_of(pictures, camera, seed=5, frames=frames)
    framed = np.zeros(counts.shape, np.int64)
    for i, e in enumerate(events_of(pictures, camera, seed=5)):
        np.add.at(framed[i], (e.t * frames // camera.duration_us, e.p, e.y, e.x), 1)
    assert np.array_equal(counts, framed) and framed.sum() > 0
    if camera.contrast == 0.03 and frames == 1:
        assert counts.dtype == np.uint16 and counts.max() > 255


def test_counts_are_bytes_where_bytes_suffice():
    assert frames_of(fashion(1)).dtype == np.uint8  # 31,500 / 1,500 + 1 = 22 at most
    assert frames_of(fashion(1), Camera(refractory_us=100)).dtype == np.uint16
    assert frames_of(fashion(0)).shape == (0, 10, 2, 34, 34) and events_of(fashion(0)) == []


def test_counts_never_wrap():
    camera = Camera(refractory_us=0, noise_hz=10_000, saccade_us=5_000_000, margin=0)
    with pytest.raises(ValueError, match="events in one frame: raise contrast"):
        frames_of(np.zeros((1, 1, 1), np.float32), camera, frames=1)  # 75,000 ON, 75,000 OFF


# --- seeds ---


def test_a_recording_depends_on_its_seed_and_index_alone():
    pictures = fashion(40)
    whole = events_of(pictures, seed=7)
    assert all(same(a, b) for a, b in zip(whole, events_of(pictures, seed=7), strict=True))
    for rows in ([0], [39, 3, 17], list(range(5, 30))):
        part = events_of(pictures[rows], seed=7, indices=rows)
        assert all(same(whole[i], e) for i, e in zip(rows, part, strict=True))
        assert np.array_equal(
            frames_of(pictures[rows], seed=7, indices=np.array(rows)), frames_of(pictures, seed=7)[rows]
        )
    assert not same(whole[0], events_of(pictures[:1], seed=8)[0])
    assert not same(whole[0], events_of(pictures[:1], seed=7, indices=[1])[0])
    # the seed is that of the noise: without noise it changes nothing, another chip does
    quiet = Camera(noise_hz=0)
    assert same(events_of(pictures[:1], quiet, 0)[0], events_of(pictures[:1], quiet, 1)[0])
    assert not same(events_of(pictures[:1], quiet)[0], events_of(pictures[:1], replace(quiet, chip=1))[0])


def test_channels():
    grey = fashion(4)
    flat = events_of(grey[:, 0])
    assert all(same(a, b) for a, b in zip(events_of(grey), flat, strict=True))
    colour = np.zeros((4, 3, 28, 28), np.float32)
    colour[:, 1] = grey[:, 0]  # .587 of white
    assert all(same(a, b) for a, b in zip(events_of(colour), events_of(np.float32(0.587) * grey), strict=True))
    large = events_of(np.random.default_rng(0).random((2, 3, 40, 64), np.float32))
    assert [(e.height, e.width) for e in large] == [(46, 70)] * 2
    batch = np.random.default_rng(0).random((20, 3, 12, 12), np.float32)
    assert same(events_of(batch)[0], events_of(batch[:1])[0])


def test_a_million_pixels_are_addressed():
    picture = np.zeros((1, 1_000, 1_100), np.float32)
    picture[0, 990, 1_090] = 1
    (e,) = events_of(picture, IDEAL)
    assert len(e.t) > 0 and abs(int(e.y.max()) - 993) <= 3 and abs(int(e.x.max()) - 1_093) <= 3


# --- the door ---


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "bad",
    [
        {"contrast": 0},
        {"contrast": math.nan},
        {"contrast": "0.4"},
        {"mismatch": -0.1},
        {"mismatch": 2},
        {"dark": 0},
        {"refractory_us": -1},
        {"refractory_us": 1.5},
        {"noise_hz": -1},
        {"noise_hz": math.inf},
        {"saccade_us": 0},
        {"saccade_us": 2**40},
        {"sweep_x": -1},
        {"sweep_y": 1e9},
        {"renders": 0},
        {"margin": -1},
        {"background": 2},
        {"contrast": None},
        {"chip": -1},
    ],
)
def test_bad_settings(bad):
    (name,) = bad
    with pytest.raises(ValueError, match=f"^{name} is a (whole )?number between .* and .*, not "):
        Camera(**bad)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        (np.zeros((28, 28), np.float32), "float .N, H, W. or"),
        (np.zeros((1, 28, 28), np.uint8), "not uint8"),
        (np.zeros((1, 2, 28, 28), np.float32), "1 or 3 channels"),
        (np.zeros((1, 0, 28), np.float32), "float .N, H, W. or"),
        (np.full((1, 28, 28), 255, np.float32), r"not in \[255, 255\]"),
        (np.full((1, 28, 28), np.nan, np.float32), r"lie in \[0, 1\]"),
    ],
)
def test_bad_pictures(pictures, message):
    for function in (events_of, frames_of):
        with pytest.raises(ValueError, match=message):
            function(pictures)


@pytest.mark.usefixtures("unchecked")
def test_bad_seeds_indices_and_frames():
    for seed in (-1, 0.5, None):
        with pytest.raises(ValueError, match="seed is a whole number"):
            events_of(fashion(2), seed=seed)
    for indices in ([0], [0, -1], [0.0, 1.0]):
        with pytest.raises(ValueError, match="indices are 2 whole numbers"):
            events_of(fashion(2), indices=indices)
    for frames in (0, 2.0, 315_001):
        with pytest.raises(ValueError, match="frames is a whole number between 1 and 315000"):
            frames_of(fashion(2), frames=frames)


def test_the_module_itself_needs_no_torch():
    tree = ast.parse(Path(dvs.__file__).read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "numpy" in names and not any(name.startswith(("torch", "spikeviz")) for name in names)
