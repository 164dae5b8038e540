"""Folders of recorded data sets in `SPIKEVIZ_DATA`, laid out as tonic leaves them: what they hold, and its events.

tonic (Lenz et al., GPL-3.0) is loaded when a set is opened. Its data sets know the files and the class of each, so all
four are listed by it; it is never asked to download here, and a part of a set is a set. The order is ours: tonic takes
the files of a folder as the disk has them. Who reads the events:

    nmnist        tonic, bit for bit what `event_io` reads
    dvs-gesture   tonic, the same
    cifar10-dvs   `event_io`: tonic unpacks AEDAT 4 in this process, which damaged bytes can end
    ncaltech101   `event_io`: tonic moves every recording into the sensor's corner, here each stays where it was seen

Other layouts are recordings that a person brings, such as DVS128 Gesture as `.bs2` or `.aedat`: `event_io` reads those.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spikeviz.data.event_io.decoded import Decoded
from spikeviz.data.event_io.reader import checked_recording, read_events
from spikeviz.data.events import EventRecording, RecordingError
from spikeviz.data.splits import SPLITS, TENTH, val_size
from spikeviz.data.splits import places as in_split
from spikeviz.paths import data_folders

Entry = tuple[Path, int, int]  # a file, its class, and its place in tonic's list


class Layout(NamedTuple):
    """A set as tonic keeps it: `<folder>/<part of the split>/<...>/<file>`, where `folder` is its class in tonic.

    `size`: height and width of the sensor. `ending`: of a recording's name. A set without parts of its own for train
    and test has no official split; as in the papers, the first 90 % of each class, rounded up, are for training and the
    rest is `test`. Of each class of those for training the last tenth, at least one, is `val`. `class_of`: the class in
    a recording's path, as a text.
    """

    folder: str
    size: tuple[int, int]
    train: str
    test: str
    ending: str
    read_by_tonic: bool
    class_of: Callable[[Path], str] = lambda path: path.parent.name

    @property
    def official(self) -> bool:
        """Whether the set has a train and a test part of its own."""
        return self.train != self.test

    def part(self, split: str) -> str:
        """The folder of a split inside that of the set."""
        return self.test if split == "test" else self.train


LAYOUTS = {
    "nmnist": Layout("NMNIST", (34, 34), "Train", "Test", ".bin", True),
    "dvs-gesture": Layout(
        "DVSGesture", (128, 128), "ibmGestureTrain", "ibmGestureTest", ".npy", True, lambda path: path.stem
    ),
    "cifar10-dvs": Layout("CIFAR10DVS", (128, 128), "", "", ".aedat4", False),
    "ncaltech101": Layout("NCALTECH101", (180, 240), "Caltech101", "Caltech101", ".bin", False),
}


@dataclass(frozen=True, eq=False)
class EventFolder:
    """One split of a recorded set: recording `i` is in `files[i]` and of class `labels[i]`.

    Ordered by folder, then by class, then by name: N-MNIST by digit, DVS128 Gesture by user and light.
    """

    files: tuple[Path, ...]
    labels: tuple[int, ...]
    _read: Callable[[int], EventRecording] = field(repr=False)

    def __len__(self) -> int:
        """The number of recordings."""
        return len(self.files)

    def recording(self, index: int) -> EventRecording:
        """The events of one file. Raises RecordingError, with the file's name, where it is damaged."""
        try:
            return self._read(index)
        except RecordingError as error:
            raise RecordingError(f"{self.files[index]} cannot be read: {error}") from None


def find_folder(name: str, split: str) -> Path | None:
    """The folder of a set, which holds that of the split, in `SPIKEVIZ_DATA` or in a folder there called as the set.

    "Called as the set": tonic's name in small letters, as in `nmnist/NMNIST/Train`.
    """
    layout = LAYOUTS[name]
    for folder in data_folders():
        for root in (folder / layout.folder, folder / layout.folder.lower() / layout.folder):
            if (root / layout.part(split)).is_dir():
                return root
    return None


def count_recordings(name: str, split: str) -> int:
    """How many recordings `open_folder` would find, without loading tonic; 0 where the set is not here."""
    layout, root = LAYOUTS[name], find_folder(name, split)
    if root is None:
        return 0
    folders = [folder for folder in (root / layout.part(split)).iterdir() if folder.is_dir()]
    files = (file for folder in folders for file in folder.iterdir() if file.name.endswith(layout.ending))
    numbers = list(Counter(map(layout.class_of, files)).values())
    if not layout.official:
        first = [_ninety_percent(number) for number in numbers]
        numbers = [n - cut for n, cut in zip(numbers, first, strict=True)] if split == "test" else first
    val = sum(val_size(number, TENTH) for number in numbers)
    return {"val": val, "train": sum(numbers) - val}.get(split, sum(numbers))


def open_folder(name: str, split: str) -> EventFolder:
    """The recordings of a split of a set of LAYOUTS, as many as the folder holds.

    Classes are numbered as tonic does; N-Caltech101's, which tonic leaves as names, by their order as text.

    Raises:
        ValueError: for another split, or files that are not the set's.
        FileNotFoundError: where no recording is found.
    """
    layout = LAYOUTS[name]
    if split not in SPLITS:
        raise ValueError(f"there is no split {split!r}; there are {', '.join(SPLITS)}")
    root = find_folder(name, split)
    if root is None:
        raise FileNotFoundError(
            f"{layout.folder} does not ship: put the folder that holds {layout.folder} into SPIKEVIZ_DATA, "
            f"or fetch it with `spikeviz data get {name}`"
        )
    part = root / layout.part(split)
    dataset = _tonic_set(layout, root, split)
    listed = zip(map(Path, dataset.data), dataset.targets, range(len(dataset.data)), strict=True)
    # tonic walks into all folders; those of the classes lie in that of the split
    found = [(path, target, place) for path, target, place in listed if path.parent.parent == part]
    numbers = _numbers([target for _, target, _ in found])
    entries = [(path, numbers[target], place) for path, target, place in found]
    entries.sort(key=lambda entry: (entry[0].parent.name, entry[1], entry[0].name))
    if not layout.official:
        entries = _ninety(split, entries)
    entries = [entries[i] for i in in_split(split, np.array([label for _, label, _ in entries]), TENTH)]
    if not entries:
        raise FileNotFoundError(f"{part} holds no recordings of this split: fetch the data set again")
    files, labels, places = zip(*entries, strict=True)

    def by_tonic(index: int) -> EventRecording:
        try:
            events, _ = dataset[places[index]]
        except OSError:
            raise
        except Exception:  # what it raises on damaged bytes cannot be listed
            raise RecordingError("The recording is damaged: fetch the data set again.") from None
        return checked_recording(Decoded(events["t"], events["x"], events["y"], events["p"], layout.size), [])

    def by_us(index: int) -> EventRecording:
        return read_events(files[index], files[index].name, size=layout.size)

    return EventFolder(files, labels, by_tonic if layout.read_by_tonic else by_us)


def _tonic_set(layout: Layout, root: Path, split: str) -> Any:
    """tonic's data set of a folder, however many recordings it holds.

    tonic takes a folder without the archive it came in, or with fewer files than the whole set, for none, and downloads
    it; this one does neither.
    """
    import tonic.datasets  # a second to import with torch; only here and in `download`

    def refuse(_: Any) -> None:
        raise FileNotFoundError(f"{root} is not complete, and reading it downloads nothing")

    known = getattr(tonic.datasets, layout.folder)
    # tonic derives the folder from the name of the class
    whole = type(layout.folder, (known,), {"_check_exists": lambda _: True, "download": refuse})
    train = {"train": split != "test"} if layout.official else {}
    try:
        return whole(str(root.parent), **train)
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError(f"{root} holds files that are not of {layout.folder} ({error}): fetch it again") from error


def _numbers(targets: list[Any]) -> dict[Any, int]:
    """The number of each class: itself, or of a name its place in their order."""
    names = sorted({target for target in targets if isinstance(target, str)})
    return {target: names.index(target) if isinstance(target, str) else int(target) for target in set(targets)}


def _ninety(split: str, entries: list[Entry]) -> list[Entry]:
    """The first 90 % of each class, rounded up, or the rest."""
    classes: dict[int, list[Entry]] = {}
    for entry in entries:
        classes.setdefault(entry[1], []).append(entry)
    halves = [(of[: _ninety_percent(len(of))], of[_ninety_percent(len(of)) :]) for of in classes.values()]
    return [entry for first, rest in halves for entry in (rest if split == "test" else first)]


def _ninety_percent(number: int) -> int:
    return math.ceil(number * 9 / 10)
