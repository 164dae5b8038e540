"""What viewer, player, cloud and patch grid are fed, and what of their answers is taken."""

from __future__ import annotations

import numpy as np
import pytest
from support.shown import cloud, events, patches, split, viewer

from spikeviz.data.events import EventRecording
from spikeviz.figures.theme import rate_colours
from spikeviz.views import address, player_data, viewer_data
from spikeviz.views.address import ALL, MEAN, State
from spikeviz.views.experiment import Experiment
from spikeviz.views.player_data import PlayerData
from spikeviz.views.scene import is_neuron

DATA = viewer()

# ---- what is sent


def test_the_spikes_and_the_input_of_both_sides_are_sent():
    data = viewer()
    head, body = split(viewer_data.payload(data, viewer_data.view_of(data, {"step": 2}), 7))
    assert head["seq"] == 7 and head["status_text"] == "T=1 / T=3"
    assert head["view"] == {"layer": "a.b", "neuron": [1, 2, 0], "side": "B", "step": 2, "channel": MEAN} | {
        "layerA": None,
        "neuronA": [0, 1, 1],
    }
    assert [(side["name"], side["status_text"]) for side in head["sides"]] == [("A", "T=1"), ("B", "T=3")]
    for sent, side in zip(head["sides"], data.sides, strict=True):
        layer, own = sent["layers"]["a.b"], side.packed.layers["a.b"]
        bits = np.frombuffer(body[layer["at"] :], np.uint8, count=len(own.bits))
        count = int(np.prod(layer["shape"]))
        spikes = np.unpackbits(bits, count=count, bitorder="little").reshape(layer["shape"])
        np.testing.assert_array_equal(spikes, own.spikes)
        image = np.frombuffer(body[sent["image"]["at"] :], np.uint8, count=12).reshape(sent["image"]["shape"])
        np.testing.assert_allclose(image / 255, side.packed.pixels, atol=0.5 / 255 + 1e-6)
    tables = head["colours"]
    assert body[tables["rate"] :].startswith(rate_colours().tobytes()) and len(body) >= tables["difference"] + 768


@pytest.mark.parametrize("length", [300_000, 3_000, 2**35])
def test_the_player_gets_the_recording(length):
    e = events(500, length)
    head, body = split(player_data.payload(PlayerData(e, "a recording"), {"at": 3}, 7))
    assert head["seq"] == 7 and head["events"] == 500 and head["status_text"] == "a recording"
    assert len(body) == 500 * 9
    t = np.frombuffer(body[:2000], "<u4").astype(np.int64) * head["tick"]
    assert np.abs(t - (e.t - e.t[0])).max() < head["tick"] <= length // 2**32 + 1
    ends = ((2000, 3000, "<u2"), (3000, 4000, "<u2"), (4000, 4500, "u1"))
    columns = [np.frombuffer(body[start:end], kind) for start, end, kind in ends]
    assert all((sent == own).all() for sent, own in zip(columns, (e.x, e.y, e.p), strict=True))
    assert head["windows"][-1] == player_data.WHOLE and all(w * 1000 < length for w in head["windows"][:-1])


def test_the_player_gets_no_more_than_it_can_play(monkeypatch):
    monkeypatch.setattr(player_data, "SENT", 100)
    e = events(1_000)
    which = player_data.thinned(e, 100)
    assert len(which) == 100 and which[0] == 0 and which[-1] == 999 and np.ptp(np.diff(which)) <= 1
    assert player_data.thinned(e, 2_000).tolist() == list(range(1_000))
    assert len(split(player_data.payload(PlayerData(e, ""), {}, 0))[1]) == 900


def test_the_player_starts_where_most_happens():
    t = np.concatenate([np.arange(0, 300_000, 3_000), np.arange(100_000, 110_000, 100)])
    e = EventRecording(np.sort(t), *np.zeros((3, len(t)), int), 1, 1)
    assert player_data.first_window(e) == 20
    assert [player_data.busiest(e, window) for window in (20, 10, player_data.WHOLE)] == [120, 110, 297]
    assert player_data.view_of(e, {}) == {"at": 120, "window": 20, "show": "both"}
    assert player_data.view_of(e, {"at": 7, "window": 10, "show": "on"}) == {"at": 7, "window": 10, "show": "on"}
    assert player_data.view_of(e, {"window": 1000})["window"] == 20  # longer than the recording
    alone = EventRecording(*np.zeros((4, 1), int), 1, 1)
    assert player_data.windows(alone) == (0,) and player_data.first_window(alone) == 0
    assert player_data.busiest(alone, 0) == 0
    hours = EventRecording(np.array([0, 10**11]), *np.zeros((3, 2), int), 1, 1)
    assert player_data.busiest(hours, 1) > 0


def test_the_cloud_gets_its_events():
    drawn = cloud()
    head, body = split(player_data.cloud_payload(drawn))
    assert head["events"] == 50 and len(body) == 50 * 9 and (head["height"], head["width"]) == (30, 34)
    t = np.frombuffer(body[:200], "<u4") / (2**32 - 1) * head["duration"]
    np.testing.assert_allclose(t, drawn.t, atol=1e-6)


def test_the_patch_grid_gets_its_pictures():
    sent = viewer_data.patch_payload(patches(), 3)
    assert (sent["seq"], sent["side"], sent["hidden"]) == (3, 4, [0, 5])
    assert [picture["grid"] for picture in sent["pictures"]] == [False, True, False]
    original, masked, made = (picture["src"] for picture in sent["pictures"])
    assert original == masked != made  # the grid hides the patches: what it shows again is there at once


def test_what_is_looked_at_stands_in_the_address():
    known = player_data.parameters("events")
    state, notices = address.read(
        known, State(Experiment("spikformer-fashion")), {"events_at": "120", "events_window": "all"}
    )
    assert not notices and (state.look("at"), state.look("window"), state.look("show")) == (120, 0, "both")
    assert address.write(known, state) == {"events_at": "120", "events_window": "all"}
    wrong = {"events_at": "-1", "events_window": "3", "events_show": "none"}
    state, notices = address.read(known, state, wrong)
    assert len(notices) == 3 and address.write(known, state) == {}
    state, _ = address.read(known, state, {"events_show": "off", "events_window": "20"})
    assert address.write(known, state) == {"events_show": "off", "events_window": "20"}


# ---- what comes back


@pytest.mark.parametrize(
    ("place", "there"),
    [
        ([0, 0, 0], True),
        ([4, 3, 2], True),
        ([5, 0, 0], False),
        ([0, -1, 0], False),
        ([0, 0], False),
        (None, False),
        ([0, 0, "1"], False),
        ([0.5, 0, 0], False),
    ],
)
def test_a_neuron_is_there_or_not(place, there):
    assert is_neuron(place, (3, 5, 4, 3)) is there
    looks = viewer_data.looks_of({"layer": "a.b", "neuron": place}, DATA)
    assert looks == {"layer": "a.b"} | ({"neuron two a.b": tuple(place)} if there else {})


@pytest.mark.parametrize(
    ("said", "looks"),
    [
        ({"side": "A−B", "step": 0, "channel": ALL}, {"side": "A−B", "step": 0, "channel": ALL}),
        ({"side": "C", "step": -1, "channel": 5}, {}),
        ({"side": ["A"], "step": 1.5, "channel": "1"}, {}),
        ({"step": 10**7, "channel": 4}, {"channel": 4}),
    ],
)
def test_a_view_is_taken_as_far_as_there_is_such_a_thing(said, looks):
    assert viewer_data.looks_of({"layer": "a.b", **said}, DATA) == {"layer": "a.b", **looks}
    for layer in ("c.d", None, ["a.b"]):
        assert viewer_data.looks_of({"layer": layer, **said}, DATA) == {}


@pytest.mark.parametrize(
    ("said", "looks"),
    [
        ({"at": 12, "window": 0, "show": "off"}, {"at": 12, "window": 0, "show": "off"}),
        ({"at": 1.5, "window": 3, "show": "none"}, {}),
        ({"at": -1, "window": [1], "show": ["on"]}, {}),
        ({}, {}),
    ],
)
def test_a_time_is_taken_as_far_as_there_is_such_a_thing(said, looks):
    assert player_data.looks_of(said) == looks
