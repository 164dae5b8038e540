"""What a person brings, as an input: a picture, a recording, the wrong one of the two, too much of it."""

import numpy as np
import pytest
import torch
from support.brought import npy, png, rows

import spikeviz as sv
from spikeviz.data import ingest
from spikeviz.data.catalog import as_batch, open_data
from spikeviz.data.event_io.reader import ENDINGS
from spikeviz.data.event_sets import recording, simulated
from spikeviz.data.events import RecordingError, by_number
from spikeviz.data.ingest import read_upload
from spikeviz.figures.events import input_picture

IMAGES = ("fashion", "spikformer-fashion")
EVENTS = ("fashion-dvs", "sdmformer-fashion-dvs")


def test_types_are_those_that_are_read():
    assert {f".{ending}" for ending in ingest.RECORDINGS} == set(ENDINGS)


def test_a_recording_is_moved_onto_the_grid_and_counted():
    shown = read_upload(npy(rows(500)), "mine.npy", *EVENTS, True)
    assert shown.pixels.shape == (8, 2, 34, 34) and shown.pixels.sum() == 500 and shown.batch.shape == (8, 1, 2, 34, 34)
    assert (shown.events.height, shown.events.width) == (128, 128) and shown.label is None
    assert any("onto 34 x 34" in note for note in shown.notes) and shown.notes[-1] == "8 frames of equal time"
    picture = input_picture(shown.pixels.numpy())
    assert picture.shape == (3, 34, 34) and 0 < picture.max() <= 1


def test_a_picture_becomes_simulated_events():
    shown = read_upload(png(light=True), "mine.png", *EVENTS, True)
    assert shown.pixels.shape == (8, 2, 34, 34) and shown.pixels.sum() == len(shown.events) > 100
    assert "simulated" in shown.title and any("no camera" in note for note in shown.notes)
    dark = read_upload(png(), "mine.png", *EVENTS, True)  # turned, a light ground is a dark one
    assert abs(len(dark.events) - len(shown.events)) < 0.05 * len(shown.events)


def test_the_wrong_one_of_the_two_is_a_sentence():
    with pytest.raises(RecordingError, match=r"^mine.npy is a recording of events, and spikformer-fashion sees images"):
        read_upload(npy(rows(500)), "mine.npy", *IMAGES, True)
    shown = read_upload(png(light=True), "mine.png", *IMAGES, True)
    assert shown.pixels.shape == (1, 28, 28) and np.array_equal(input_picture(shown.pixels.numpy()), shown.pixels)


def test_what_is_too_much_or_nothing(monkeypatch):
    with pytest.raises(RecordingError, match="holds no events"):
        read_upload(npy(rows(0)), "mine.npy", *EVENTS, True)
    monkeypatch.setattr(ingest, "MAX_EVENTS", 100)
    with pytest.raises(RecordingError, match="500 events, more than the 100"):
        read_upload(npy(rows(500)), "mine.npy", *EVENTS, True)


def test_samples_become_tensors_where_they_are_looked_at():
    x, y = open_data("fashion-dvs", "test", 6)
    whole, labels = sv.load_data("fashion-dvs", "test", 6)
    assert len(x) == 6 and torch.equal(y, labels)
    assert torch.equal(x[:], whole) and torch.equal(x[4], whole[4]) and torch.equal(x[2:4], whole[2:4])
    x[0].zero_()
    assert torch.equal(x[0], whole[0])  # what one reader writes to, no other sees
    images, _ = open_data("fashion", "test", 3)
    assert torch.equal(images[:], sv.load_data("fashion", "test", 3)[0]) and images[0].max() <= 1


def test_the_recording_behind_a_sample():
    x, _ = open_data("fashion-dvs", "test", 4)
    events = recording("fashion-dvs", "test", 3)
    assert x[3].sum() == len(events) and (events.height, events.width) == (34, 34)
    assert torch.equal(x[3].sum(0), torch.from_numpy(by_number(events, 1)[0].astype(np.float32)))
    assert recording("fashion-dvs-4", "test", 3).t.tolist() == events.t.tolist()
    with pytest.raises(ValueError, match="numbered 0 to 9999, there is no 10000"):
        recording("fashion-dvs", "test", 10_000)
    with pytest.raises(ValueError, match="fashion holds no events"):
        recording("fashion", "test", 0)
    assert len(simulated(np.zeros((1, 28, 28), np.float32))) < 200  # a black picture sends noise alone


def test_events_in_a_model_for_images_and_the_reverse():
    x, _ = open_data("fashion-dvs", "test", 1)
    with pytest.raises(ValueError, match="These are events, and it sees images"):
        sv.simulate(sv.build("spikformer-fashion").eval(), as_batch(x[:]))
    with pytest.raises(ValueError, match="It sees events as frames"):
        sv.simulate(sv.build("spikformer-fashion-dvs").eval(), torch.rand(1, 1, 28, 28))
