"""Folders of event data sets, laid out as tonic leaves them, in the folders of `SPIKEVIZ_DATA`."""

import math
from pathlib import Path

from spikeviz.data.images import CIFAR10_CLASSES
from spikeviz.paths import data_folders


def list_nmnist(split: str) -> list[tuple[Path, int]]:
    """(path, digit) of N-MNIST's `train` or `test`, by digit, then by name: `NMNIST/Train/<digit>/*.bin`.

    Its sensor is 34 x 34. Raises ValueError for another split, FileNotFoundError where no recording is found.
    """
    root = _folder("NMNIST", _part(split, "Train", "Test"))
    return _found([(path, digit) for digit in range(10) for path in _files(root / str(digit), ".bin")], root)


def list_dvs_gesture(split: str) -> list[tuple[Path, int]]:
    """(path, class 0 ... 10) of DVS128 Gesture's `train` or `test`, by user and light, then by class.

    Layout: `DVSGesture/ibmGestureTrain/user<number>_<light>/<class>.npy`, arrays [n, 4] of x, y, p and milliseconds:
    `read_events(path, path.name, size=(128, 128), columns="xypt", tick=1000)`. Raises as `list_nmnist`.
    """
    root = _folder("DVSGesture", _part(split, "ibmGestureTrain", "ibmGestureTest"))
    users = sorted(user for user in root.glob("user*") if user.is_dir())
    numbered = [(path, int(path.stem)) for user in users for path in _files(user, ".npy") if path.stem.isdecimal()]
    return _found(sorted(numbered, key=lambda pair: (pair[0].parent.name, pair[1])), root)


def list_cifar10_dvs(split: str) -> list[tuple[Path, int]]:
    """(path, class) of CIFAR10-DVS, by class in the order of CIFAR10_CLASSES, then by name.

    Layout: `CIFAR10DVS/<class>/*.aedat4`; the sensor is 128 x 128. There is no official split; as in the papers, the
    first 90 % of each class, by name as text, are `train` and the rest `test`. Raises as `list_nmnist`.
    """
    _part(split, "", "")
    root = _folder("CIFAR10DVS", "")
    return _found(_ninety(split, [_files(root / name, ".aedat4") for name in CIFAR10_CLASSES]), root)


def list_ncaltech101(split: str) -> list[tuple[Path, int]]:
    """(path, class) of N-Caltech101, by class, then by name: `NCALTECH101/Caltech101/<class>/*.bin` of ATIS.

    A class is its folder's place among all folders, sorted by name as text: `ncaltech101_classes()`. There is no
    official split; the first 90 % of each class are `train`, the rest `test`. Recordings differ in size, at most
    240 x 180. Raises as `list_nmnist`.
    """
    _part(split, "", "")
    root = _folder("NCALTECH101", "Caltech101")
    return _found(_ninety(split, [_files(root / name, ".bin") for name in ncaltech101_classes()]), root)


def ncaltech101_classes() -> tuple[str, ...]:
    """The names of N-Caltech101's classes, 101 in a whole copy. Raises FileNotFoundError where the set is not found."""
    return tuple(sorted(path.name for path in _folder("NCALTECH101", "Caltech101").iterdir() if path.is_dir()))


def _part(split: str, train: str, test: str) -> str:
    if split not in ("train", "test"):
        raise ValueError(f"there is no split {split!r}; there are train, test")
    return train if split == "train" else test


def _folder(name: str, part: str) -> Path:
    """`<name>/<part>` in a folder of `SPIKEVIZ_DATA`, or inside a folder there that has the name in small letters."""
    for folder in data_folders():
        for root in (folder / name / part, folder / name.lower() / name / part):
            if root.is_dir():
                return root
    raise FileNotFoundError(f"{name} does not ship: put the folder that holds {name} into SPIKEVIZ_DATA")


def _files(folder: Path, ending: str) -> list[Path]:
    return sorted((path for path in folder.glob(f"*{ending}") if path.is_file()), key=lambda path: path.name)


def _ninety(split: str, classes: list[list[Path]]) -> list[tuple[Path, int]]:
    """The first 90 % of each class, rounded up, or the rest."""
    cuts = [math.ceil(len(paths) * 9 / 10) for paths in classes]
    halves = [paths[:cut] if split == "train" else paths[cut:] for paths, cut in zip(classes, cuts, strict=True)]
    return [(path, label) for label, paths in enumerate(halves) for path in paths]


def _found(pairs: list[tuple[Path, int]], root: Path) -> list[tuple[Path, int]]:
    if not pairs:
        raise FileNotFoundError(f"{root} holds no recordings of this split: fetch the data set again")
    return pairs
