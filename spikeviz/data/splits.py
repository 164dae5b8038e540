"""Train, val and test: what of an official training set is left out, so that choices can be made on it.

`train+val` is the official training set, `val` the last of each class in the set's own order, `train` the others, in
that order. `test` is the official test set: no choice is made on it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64, Integer

SPLITS = ("train", "val", "train+val", "test")
VAL = 500  # of each class, where a class has thousands (Fashion-MNIST, CIFAR-10)
TENTH = None  # of each class, rounded down, but at least one: of smaller sets


def val_size(count: int, per_class: int | None) -> int:
    """How many samples of a class that has `count` training samples are val."""
    return max(1, count // 10) if per_class is None else per_class


def val_places(labels: Integer[np.ndarray, "n"], per_class: int | None = VAL) -> Int64[np.ndarray, "m"]:
    """Places of val among the labels of an official training set, ascending: the last of each class.

    Raises ValueError where a class has too few.
    """
    found = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    sizes = [val_size(len(places), per_class) for places in found]
    if any(size > len(places) for size, places in zip(sizes, found, strict=True)):
        fewest = min(map(len, found))
        raise ValueError(
            f"val is the last {per_class} of each class, and a class here has {fewest}: fetch the whole set"
        )
    ends = [places[-size:] for size, places in zip(sizes, found, strict=True)]
    return np.sort(np.concatenate([*ends, np.zeros(0, np.int64)]))


def places(split: str, labels: Integer[np.ndarray, "n"], per_class: int | None = VAL) -> Int64[np.ndarray, "m"]:
    """Places of a split among the labels of an official training set (or, for `test`, of the test set), ascending."""
    every = np.arange(len(labels))
    if split not in ("train", "val"):
        return every
    val = val_places(labels, per_class)
    return val if split == "val" else np.delete(every, val)
