"""Events and their frames, by hand and by arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.event_files import atis, columns, made

from spikeviz.data.event_io.reader import read_events
from spikeviz.data.events import EventRecording, RecordingError, by_count, by_number, by_time, resize


def test_events_are_checked_when_made():
    ok = {"t": [1, 2], "x": [0, 3], "y": [1, 2], "p": [0, 1], "height": 3, "width": 4}
    events = EventRecording(**ok)
    assert len(events) == 2 and events.duration == 1 and events.p.dtype == bool and events.notes == ()
    for change, says in (
        ({"t": [1]}, "got lengths t 1, x 2, y 2, p 2"),
        ({"x": [[0, 3]]}, "lists of one length"),
        ({"x": [0, 4]}, "1 of 2 events lie outside the sensor of 4 x 3 pixels, the first at x 4, y 2"),
        ({"y": [-1, 3]}, "2 of 2 events lie outside"),
        ({"t": [-1, 2]}, r"0 or more microseconds and below 2\^62, not -1"),
        ({"t": np.array([1, 2**63], np.uint64)}, "not 9223372036854775808"),
        ({"p": [0, 2]}, r"0 \(OFF\) or 1 \(ON\), not 2"),
        ({"t": [0.5, 1]}, "t holds whole numbers, not float64"),
        ({"height": 0}, "1 to 16,384 pixels a side, not 4 x 0"),
    ):
        with pytest.raises(ValueError, match=says) as caught:
            EventRecording(**ok | change)
        assert not isinstance(caught.value, RecordingError)


def test_events_are_frozen_copies():
    t = np.array([1, 2])
    events = EventRecording(t, [0, 0], [0, 0], [0, 1], 1, 1)
    t[0] = 9
    assert events.t.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        events.t[0] = 3
    with pytest.raises(AttributeError):
        events.height = 3


def test_time_out_of_order_is_sorted_stably_with_a_note():
    events = EventRecording([5, 3, 5, 4, 9], [0, 1, 2, 3, 4], [0] * 5, [1] * 5, 1, 5, ("before",))
    assert events.t.tolist() == [3, 4, 5, 5, 9] and events.x.tolist() == [1, 3, 0, 2, 4]
    # 3 comes after 5, 4 comes after 5: two events
    assert events.notes == ("before", "time stamps were not in order, 2 events were moved")
    read = read_events(atis([(7, 1, 1, 1), (5, 2, 2, 0)]), "a.bin")
    assert columns(read) == [(5, 2, 2, 0), (7, 1, 1, 1)]
    assert read.notes[-1] == "time stamps were not in order, 1 event was moved"


def test_rate_by_hand():
    # windows from 100 on: [100, 200) holds 3, [200, 300) none, [300, 351) two; 3 in 100 us are 30,000 a second
    events = made([(100, 0, 0, 1), (150, 0, 0, 1), (199, 0, 0, 0), (300, 0, 0, 1), (349, 0, 0, 1)])
    assert events.windows(100).tolist() == [0, 100, 200, 250]
    assert events.rate(100).tolist() == [30_000, 0, 40_000]
    # one microsecond is no window of its own: a rate over it would be a million a second
    events = made([(100, 0, 0, 1), (150, 0, 0, 1), (200, 0, 0, 1)])
    assert events.windows(100).tolist() == [0, 101] and events.rate(100).tolist() == [pytest.approx(3 / 101e-6)]
    assert made([(7, 0, 0, 1)]).windows(100).tolist() == [0, 1] and made([]).windows().tolist() == [0]
    assert made([]).rate().tolist() == [] and made([]).duration == 0
    with pytest.raises(ValueError, match="more than 1,000,000 windows"):
        made([(0, 0, 0, 1), (10**9, 0, 0, 1)]).rate(1)


# --- frames ---

FIVE = [(10, 0, 0, 0), (12, 1, 0, 1), (14, 2, 1, 1), (19, 2, 1, 1), (20, 0, 1, 0)]  # 3 wide, 2 high


def test_by_number_of_equal_time():
    # 11 microseconds, 10 to 20, in two: 10 + floor(11 / 2) = 15 begins the second; it holds 19 and the last one, 20
    frames = by_number(made(FIVE, 3, 2), 2)
    assert frames.shape == (2, 2, 2, 3) and frames.dtype == np.uint8
    assert frames[0].tolist() == [[[1, 0, 0], [0, 0, 0]], [[0, 1, 0], [0, 0, 1]]]
    assert frames[1].tolist() == [[[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [0, 0, 1]]]


def test_by_number_of_equal_count():
    # 5 events in 3 frames: edges floor(5 k / 3) = 0, 1, 3, 5
    frames = by_number(made(FIVE, 3, 2), 3, split="count")
    assert frames.sum((1, 2, 3)).tolist() == [1, 2, 2]
    assert by_number(made(FIVE, 3, 2), 9, "count").sum((1, 2, 3)).tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 1]


def test_by_time_with_and_without_overlap():
    events = made(FIVE, 3, 2)
    # 4 us: [10, 14) 2 events, [14, 18) 1, [18, 22) 2
    assert by_time(events, 4).sum((1, 2, 3)).tolist() == [2, 1, 2]
    # a step of 2 us: [10, 14) [12, 16) [14, 18) [16, 20) [18, 22), the first to reach 20
    assert by_time(events, 4, overlap=2).sum((1, 2, 3)).tolist() == [2, 2, 1, 1, 2]
    assert by_time(events, 11).sum((1, 2, 3)).tolist() == [5]
    assert by_time(events, 10).sum((1, 2, 3)).tolist() == [4, 1]
    assert by_time(events, 10**30, 10**29).sum() == 5


def test_by_count_keeps_the_rest():
    assert by_count(made(FIVE, 3, 2), 2).sum((1, 2, 3)).tolist() == [2, 2, 1]
    assert by_count(made(FIVE, 3, 2), 100).sum((1, 2, 3)).tolist() == [5]


def test_frames_without_events():
    empty = made([], 3, 2)
    assert by_number(empty, 4).shape == by_number(empty, 4, "count").shape == (4, 2, 2, 3)
    assert by_time(empty, 5).shape == by_count(empty, 5).shape == (0, 2, 2, 3)
    assert by_number(empty, 4).sum() == 0


@pytest.mark.parametrize(
    ("fires", "dtype"), [(255, np.uint8), (256, np.uint16), (65_536, np.int32), (100_000, np.int32)]
)
def test_one_pixel_firing_often_does_not_overflow(fires, dtype):
    t = np.arange(fires)
    events = EventRecording(t, np.full(fires, 2), np.full(fires, 1), np.ones(fires, bool), 3, 4)
    for frames in (
        by_number(events, 1),
        by_time(events, fires),
        by_count(events, fires),
        by_number(events, 1, "count"),
    ):
        assert frames.dtype == dtype and frames[0, 1, 1, 2] == fires == frames.sum()
    # counts of 100,000 and more of one pixel also survive a smaller grid
    assert resize(by_number(events, 2), 1)[:, 1, 0, 0].sum() == fires


def test_one_frame_of_many_makes_all_wide(monkeypatch):
    monkeypatch.setattr("spikeviz.data.events.BLOCK_CELLS", 1)
    rows = [(0, 0, 0, 1)] * 300 + [(5, 0, 0, 0)]
    frames = by_time(made(rows, 1, 1), 1)
    assert frames.dtype == np.uint16 and frames[:, :, 0, 0].tolist() == [[0, 300], *[[0, 0]] * 4, [1, 0]]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda e: by_number(e, 0), "frames is a whole number, 1 or more, not 0"),
        (lambda e: by_number(e, 2.5), "frames is a whole number"),
        (lambda e: by_number(e, 2, "number"), "'time' or 'count', not 'number'"),
        (lambda e: by_time(e, 0), "microseconds is a whole number"),
        (lambda e: by_time(e, 5, 5), "shorter than a frame of 5 us, not 5"),
        (lambda e: by_time(e, 5, -1), "0 or more"),
        (lambda e: by_count(e, True), "count is a whole number"),
        (lambda e: by_number(e, 10**9), "1,000,000,000 frames of 2 x 2 x 3 are more than"),
        (lambda e: by_time(made([(0, 0, 0, 1), (10**12, 0, 0, 1)]), 1), "ask for fewer frames"),
        (lambda e: resize(e, 0), "size is a whole number"),
        (lambda e: resize(e, 10**5), "at most 16,384"),
        (lambda e: resize(np.zeros((1, 2, 2, 3)), 2), "not float64"),
        (lambda e: resize(np.zeros((1000, 2, 2, 3), int), 16_000), "more than"),
    ],
)
def test_frames_that_make_no_sense(call, says):
    with pytest.raises(ValueError, match=says):
        call(made(FIVE, 3, 2))


def test_resize_by_hand():
    # 4 x 2 onto 2: columns 0 1 2 3 become 0 0 1 1, rows 0 1 stay
    frames = np.array([[[1, 2, 3, 4], [5, 6, 7, 8]], [[0, 0, 0, 200], [0, 0, 0, 100]]], np.uint8)[None]
    assert resize(frames, 2).tolist() == [[[[3, 7], [11, 15]], [[0, 200], [0, 100]]]]
    assert resize(frames, 1).tolist() == [[[[36]], [[300]]]] and resize(frames, 1).dtype == np.uint16
    # onto 4: row 1 becomes 2, and rows 1 and 3 never fire
    assert resize(frames, 4)[0, 0].tolist() == [[1, 2, 3, 4], [0] * 4, [5, 6, 7, 8], [0] * 4]
    events = resize(made([(1, 3, 1, 1)], 4, 2), 8)
    assert columns(events) == [(1, 6, 4, 1)] and (events.width, events.height) == (8, 8)
    assert events.notes == ("moved from 4 x 2 onto 8 x 8 pixels",)
    same = made([(1, 3, 1, 1)], 4, 4)
    assert resize(same, 4) is same


@st.composite
def recordings(draw):
    width, height = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    event = st.tuples(st.integers(0, 60), st.integers(0, width - 1), st.integers(0, height - 1), st.integers(0, 1))
    start = draw(st.sampled_from([0, 1, 2**40]))
    rows = sorted(draw(st.lists(event, max_size=30)))
    return made([(t + start, x, y, p) for t, x, y, p in rows], width, height)


@settings(deadline=None, max_examples=200)
@given(recordings(), st.integers(1, 80), st.integers(1, 9))
def test_every_event_is_in_exactly_one_frame(events, number, size):
    whole = np.zeros((2, events.height, events.width), int)
    for _, x, y, p in columns(events):
        whole[p, y, x] += 1
    for framed in (
        lambda e: by_number(e, number),
        lambda e: by_number(e, number, "count"),
        lambda e: by_time(e, number),
        lambda e: by_count(e, number),
    ):
        frames = framed(events)
        assert np.array_equal(frames.astype(int).sum(0), whole)
        assert np.array_equal(resize(frames, size), framed(resize(events, size)))  # in either order
    by_numbers, by_counts = by_number(events, number, "count"), by_count(events, number)
    assert np.ptp(by_numbers.sum((1, 2, 3))) <= 1
    assert (by_counts[:-1].sum((1, 2, 3)) == number).all() and by_counts[-1:].sum() <= number


@settings(deadline=None, max_examples=100)
@given(recordings(), st.integers(1, 20), st.data())
def test_overlapping_frames_are_windows(events, length, data):
    overlap = data.draw(st.integers(0, length - 1))
    frames, step = by_time(events, length, overlap), length - overlap
    starts = [int(events.t[0]) + k * step for k in range(len(frames))] if len(events) else []
    inside = [int(((events.t >= s) & (events.t < s + length)).sum()) for s in starts]
    assert frames.sum((1, 2, 3)).tolist() == inside
    if starts:  # the last frame reaches the last event, the one before it does not
        assert events.t[-1] < starts[-1] + length and (len(starts) == 1 or events.t[-1] >= starts[-2] + length)
