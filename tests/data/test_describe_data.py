"""The table of data sets: what is here, what ships, and how many samples each has."""

import pytest

import spikeviz as sv
from spikeviz.data import images
from spikeviz.data.catalog import CATALOG, list_data
from spikeviz.data.download import describe_data
from spikeviz.data.event_folders import LAYOUTS, count_recordings, open_folder
from spikeviz.data.splits import SPLITS


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
    assert rows["fashion"]["samples"] == {
        "train": 10_000,
        "val": 5_000,
        "train+val": 60_000,
        "test": 10_000,
        "train-10k": 10_000,
    }
    assert rows["fashion-dvs"]["samples"] == rows["fashion"]["samples"]
    assert rows["cifar10"]["samples"] == {"train": 45_000, "val": 5_000, "train+val": 50_000, "test": 10_000}
    # the tenths of MNIST's 5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851 and 5949, rounded down: 5,996
    assert rows["nmnist"]["samples"] == {"train": 54_004, "val": 5_996, "train+val": 60_000, "test": 10_000}
    assert set(rows["ncaltech101"]["samples"].values()) == {None}
    assert rows["dvs-gesture"]["samples"] == {"train": None, "val": None, "train+val": 1_077, "test": 264}
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
    counted = {split: count_recordings(name, split) for split in SPLITS}
    assert counted == {split: len(open_folder(name, split)) for split in SPLITS}
    # 9 and 13 files; without a split of its own 9 and 12 of them are for training, 9 tenths rounded up; of each class
    # one is val: of two classes, of DVS128 Gesture of as many as there are names of files
    assert (counted["train+val"], counted["test"]) == ((22, 22) if layout.official else (21, 1))
    assert counted["val"] == (13 if name == "dvs-gesture" else 2)
    row = next(row for row in describe_data() if row["name"] == name)
    assert row["where"] == "here" and row["samples"] == counted
