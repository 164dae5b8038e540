"""Data sets of events as frames: the same whether they are counted or read again, and whole numbers throughout."""

import numpy as np
import pytest
import torch

import spikeviz as sv
from spikeviz.data import event_sets
from spikeviz.data.catalog import as_batch, find_data
from spikeviz.data.event_camera import DEFAULT, events_of
from spikeviz.data.events import EventRecording, by_number
from spikeviz.paths import data_folders


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(event_sets, "cache_folder", lambda: tmp_path / "frames")
    return tmp_path / "frames"


def few(monkeypatch, images=12):
    """A Fashion-MNIST of a few pictures, so that a whole split is quickly counted."""
    whole = event_sets.place_fashion
    monkeypatch.setattr(event_sets, "place_fashion", lambda split, n=None: whole(split, min(n or images, images)))


@pytest.mark.parametrize(("name", "steps"), [("fashion-dvs", 8), ("fashion-dvs-4", 4)])
def test_simulated_events_are_counts_of_a_fixed_t(name, steps):
    x, y = sv.load_data(name, "test", 5)
    assert x.shape == (5, steps, 2, 34, 34) and x.dtype == torch.float32
    assert torch.equal(x, x.round()) and (x >= 0).all() and (x.sum((1, 2, 3, 4)) > 500).all()
    assert torch.equal(y, sv.load_data("fashion", "test", 5)[1])
    assert as_batch(x).shape == (steps, 5, 2, 34, 34)
    assert "simulated" in find_data(name).note.lower() and find_data(name).ships


def test_four_frames_are_pairs_of_eight():
    eight, four = (sv.load_data(name, "test", 3)[0] for name in ("fashion-dvs", "fashion-dvs-4"))
    assert torch.equal(eight.unflatten(1, (4, 2)).sum(2), four)


def test_frames_are_the_simulators_events():
    images = sv.load_data("fashion", "test", 3)[0][:, 0].numpy()
    x, _ = sv.load_data("fashion-dvs", "test", 3)
    for frames, recording in zip(x.numpy(), events_of(images, DEFAULT, event_sets.SEEDS["test"]), strict=True):
        assert frames.sum() == len(recording.t)
        assert np.array_equal(frames.sum(0), by_number(EventRecording(*recording), 1)[0])


def test_a_split_is_counted_once_and_read_after_that(monkeypatch, empty_cache):
    few(monkeypatch)
    first = sv.load_data("fashion-dvs", "test", 4)[0]
    assert not empty_cache.exists()  # a part is not worth keeping
    whole = sv.load_data("fashion-dvs", "test")[0]
    assert len(whole) == 12 and len(list(empty_cache.glob("fashion-dvs-*.npy"))) == 1
    assert torch.equal(whole[:4], first)
    monkeypatch.setattr(event_sets, "frames_of", lambda *_: pytest.fail("counted again"))
    assert torch.equal(sv.load_data("fashion-dvs", "test")[0], whole)
    assert torch.equal(sv.load_data("fashion-dvs", "test", 5)[0], whole[:5])


def test_a_damaged_cache_is_counted_anew(monkeypatch, empty_cache):
    few(monkeypatch)
    whole = sv.load_data("fashion-dvs", "test")[0]
    path = next(empty_cache.iterdir())
    path.write_bytes(b"no array")
    assert torch.equal(sv.load_data("fashion-dvs", "test")[0], whole)
    assert torch.equal(torch.from_numpy(np.load(path).astype(np.float32)), whole)


def test_a_cache_that_cannot_be_written_is_none(monkeypatch, tmp_path):
    few(monkeypatch)
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setattr(event_sets, "cache_folder", lambda: tmp_path / "taken" / "frames")
    assert len(sv.load_data("fashion-dvs", "test")[0]) == 12


def test_training_and_test_noise_differ(monkeypatch):
    """Of the same picture, as each of the three is the first."""
    shipped = event_sets.place_fashion("test", 2)
    monkeypatch.setattr(event_sets, "place_fashion", lambda split, n=None: shipped)
    train, val, test = (sv.load_data("fashion-dvs", split, 2)[0] for split in ("train-10k", "val", "test"))
    assert not torch.equal(train, test) and not torch.equal(val, test) and not torch.equal(train, val)


@pytest.mark.skipif(
    not any((folder / name).is_dir() for folder in data_folders() for name in ("nmnist", "NMNIST")),
    reason="there is no N-MNIST in SPIKEVIZ_DATA",
)
def test_nmnist_as_frames():
    x, y = sv.load_data("nmnist", "test")
    assert x.shape[1:] == (8, 2, 34, 34) and len(x) == len(y) and set(y.tolist()) == set(range(10))
    assert 1000 < x.sum((1, 2, 3, 4)).mean() < 8000
    assert torch.equal(sv.load_data("nmnist", "test", 3)[0], x[:3])


@pytest.mark.parametrize("name", ["nmnist", "dvs-gesture", "cifar10-dvs", "ncaltech101"])
def test_a_set_that_is_not_here_says_how_to_get_it(name, monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKEVIZ_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="into SPIKEVIZ_DATA"):
        sv.load_data(name, "test")
