"""The table of data sets: what is here, what ships, and how many samples each has."""

import pytest

import spikeviz as sv
from spikeviz.data import images
from spikeviz.data.catalog import CATALOG, list_data
from spikeviz.data.download import describe_data
from spikeviz.data.event_folders import LAYOUTS, count_recordings, open_folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEVIZ_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_a_row_for_each_name_without_data(monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKEVIZ_DATA", str(tmp_path))
    rows = {row["name"]: row for row in describe_data()}
    assert list(rows) == list_data()
    ships = {"fashion", "fashion-dvs", "fashion-dvs-4"}
    assert {name: row["where"] for name, row in rows.items()} == {
        name: "ships" if name in ships else "needs data" for name in rows
    }
    assert rows["fashion"]["samples"] == {"train": 10_000, "train-10k": 10_000, "test": 10_000}
    assert rows["nmnist"]["samples"] == {"train": 60_000, "test": 10_000}
    assert rows["ncaltech101"]["samples"] == {"train": None, "test": None}
    assert (rows["fashion"]["size"], rows["ncaltech101"]["size"]) == ((1, 28, 28), (16, 2, 180, 240))
    assert (
        rows["cifar10-dvs"]["source"] == "tonic.datasets.CIFAR10DVS"
        and rows["flowers"]["source"] == "a folder of your own"
    )
    for name, row in rows.items():
        assert row["title"] and row["licence"] and tuple(row["samples"]) == row["splits"] == CATALOG[name].splits


@pytest.mark.parametrize("name", [name for name in list_data() if CATALOG[name].ships])
def test_what_ships_has_as_many_samples_as_the_row_says(name, monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKEVIZ_DATA", str(tmp_path))
    row = next(row for row in describe_data() if row["name"] == name)
    x, y = sv.load_data(name, "test", 2)
    assert x.shape[1:] == row["size"] and len(y) == 2
    assert row["samples"]["test"] == len(images.read_shipped("test").labels)


@pytest.mark.parametrize("name", LAYOUTS)
def test_recordings_are_counted_as_tonic_lists_them(name, folder):
    layout = LAYOUTS[name]
    names = {"nmnist": ("3", "7"), "dvs-gesture": ("user01_led", "user02_lab"), "cifar10-dvs": ("cat", "dog")}
    for part in {layout.train, layout.test}:
        for place, inner in enumerate(names.get(name, ("ant", "zebra"))):
            target = folder / layout.folder / part / inner
            target.mkdir(parents=True)
            for n in range(9 + 4 * place):
                (target / f"{n}{layout.ending}").write_bytes(b"")
            (target / "readme.txt").write_text("no recording")
    counted = {split: count_recordings(name, split) for split in ("train", "test")}
    assert counted == {split: len(open_folder(name, split)) for split in ("train", "test")}
    # 9 and 13 files; without a split of its own 9 and 12 of them are for training, 9 tenths rounded up
    assert counted == ({"train": 22, "test": 22} if layout.official else {"train": 21, "test": 1})
    row = next(row for row in describe_data() if row["name"] == name)
    assert row["where"] == "here" and row["samples"] == counted
