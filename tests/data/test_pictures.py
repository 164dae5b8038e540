"""Pictures to try: what ships, under which licence, and how networks of each data set see it."""

import hashlib
import json

import pytest
import torch

from spikeviz.data.catalog import CATALOG, find_data
from spikeviz.data.ingest import read_upload
from spikeviz.data.pictures import drawn_digits, photographs, pictures_for, read_picture
from spikeviz.paths import assets

FOLDER = assets() / "data" / "pictures"


def test_every_file_is_in_the_table_small_free_and_as_it_was():
    rows = json.loads((FOLDER / "pictures.json").read_text())
    assert {row["file"] for row in rows} | {"pictures.json"} == {path.name for path in FOLDER.iterdir()}
    assert {row["licence"] for row in rows} == {"CC0 1.0", "public domain"}
    assert all(row["author"] and row["source"] and row["title"] for row in rows)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 400_000
    sums = (assets() / "data" / "SHA256SUMS").read_text().splitlines()
    for path in FOLDER.iterdir():
        assert f"{hashlib.sha256(path.read_bytes()).hexdigest()}  pictures/{path.name}" in sums


def test_what_shows_a_class_of_the_network_comes_first():
    assert [picture.name for picture in pictures_for(find_data("cifar10"))][:2] == ["cat", "horse"]
    digits = pictures_for(find_data("nmnist"))[:10]
    assert [picture.shows for picture in digits] == list("0123456789")
    assert not set(drawn_digits()) & set(pictures_for(find_data("fashion")))


@pytest.mark.parametrize("data", [name for name in CATALOG if CATALOG[name].kind == "images"])
def test_a_photograph_is_decoded_as_an_upload(data):
    found, source = read_picture("rocket", data), find_data(data)
    brought = read_upload((FOLDER / "rocket.jpg").read_bytes(), "rocket.jpg", data, "a network", turn=True)
    assert torch.equal(found.pixels, brought.pixels) and found.notes[1:] == brought.notes
    assert found.pixels.shape == (source.channels, source.size, source.size)
    assert found.title == "a rocket" and "SpaceX (public domain)" in found.notes[0] and found.label is None


@pytest.mark.parametrize("data", ["nmnist", "fashion-dvs", "dvs-gesture"])
def test_networks_for_events_get_simulated_ones(data):
    found, source = read_picture("cat", data), find_data(data)
    assert found.pixels.shape == (source.steps, 2, source.size, source.size)
    assert len(found.events) == int(found.pixels.sum()) > 200 and "simulated events" in found.title


def test_drawn_digits_differ_and_are_light_on_black():
    digits = [read_picture(digit.name, "nmnist") for digit in drawn_digits()]
    assert [digit.label for digit in digits] == list(range(10))
    assert len({digit.pixels.numpy().tobytes() for digit in digits}) == 10
    assert "inverted, light for dark" not in digits[0].notes and "drawn with a font" in digits[0].notes[0]


def test_there_are_no_others():
    with pytest.raises(ValueError, match="no picture to try is called 'dog'; there are cat, "):
        read_picture("dog", "fashion")


@pytest.mark.parametrize("picture", photographs(), ids=lambda picture: picture.name)
def test_a_thumbnail_is_small(picture):
    assert len(picture.thumbnail) < 30_000
