"""The table of data sets and the one door to them, `load_data`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float32, Int64

from spikeviz.data.event_folders import LAYOUTS, count_recordings
from spikeviz.data.event_sets import read_fashion_dvs, read_recorded
from spikeviz.data.images import (
    CIFAR10_CLASSES,
    Pixels,
    count_fashion,
    find_cifar10,
    find_jpeg_set,
    read_cifar10,
    read_cifar10_jpeg,
    read_fashion,
    read_flowers,
)
from spikeviz.data.jpeg_copy import make_copy
from spikeviz.data.samples import Samples
from spikeviz.data.splits import SPLITS

if TYPE_CHECKING:
    from torch import Tensor

FASHION_CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
GESTURES = (
    *("hand clapping", "right hand wave", "left hand wave", "right arm clockwise", "right arm counter-clockwise"),
    *("left arm clockwise", "left arm counter-clockwise", "arm roll", "air drums", "air guitar", "other"),
)
CLOTHING, THINGS = "ten kinds of clothing", "ten kinds of animals and vehicles"
FASHION_SPLITS = (*SPLITS, "train-10k")
FASHION_SIZES = (55_000, 5_000, 60_000, 10_000, 10_000)
CIFAR10_SIZES = (45_000, 5_000, 50_000, 10_000)
FLOWERS_SIZES = (3_129, 344, 3_473, 838)
FULL_SCALE = {"images": 255.0, "events": 1.0}  # images become [0, 1]; event frames stay counts


@dataclass(frozen=True)
class DataSource:
    """One data set. `classes[y]` names label y; `size`: native side in pixels; `ships`: a split comes with spikeviz.

    `splits`: those of `spikeviz.data.splits`, where `train+val` is the official training set, and what ships besides.
    `read(split, limit)` answers the first `limit` samples (None = all) as whole numbers that may belong to a cache.
    `count(split)` is how many samples of a split are here, without reading them. `official`: how many its publisher's
    has, a split each; 0 where that is not known. `download`: the class of another package that knows where the set can
    be fetched, `""` where there is none; `megabytes` come, roughly, 0 where that is not known; `finish(folder)` makes
    the set of what came, and yields what it does as `download.fetching` does. `steps`: T of event frames, 0 of images.
    `knows`: what a network that was trained on it knows, in words, and nothing else.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    channels: int
    size: int
    splits: tuple[str, ...]
    kind: Literal["images", "events"]
    licence: str
    note: str
    ships: bool
    read: Callable[[str, int | None], Pixels] = field(repr=False, compare=False)
    count: Callable[[str], int] = field(repr=False, compare=False)
    official: tuple[int, ...]
    download: str = ""
    steps: int = 0
    knows: str = ""
    megabytes: int = 0
    finish: Callable[[Path], Iterator[tuple[str, int, int]]] | None = field(default=None, repr=False, compare=False)

    @property
    def is_here(self) -> bool:
        """Whether its test split is on this machine: asked of the disk each time, without reading it."""
        return self.ships or self.count("test") > 0

    @property
    def how_to_get(self) -> str:
        """What brings it to this machine, as a sentence."""
        if not self.download:
            return self.note
        return f"`spikeviz data get {self.name}` fetches it."

    @property
    def sample(self) -> str:
        """What one of its samples is called."""
        return "recording" if self.kind == "events" else "image"


def _recorded(
    name: str,
    title: str,
    classes: tuple[str, ...],
    knows: str,
    steps: int,
    licence: str,
    note: str,
    official: tuple[int, ...],
    megabytes: int,
) -> DataSource:
    """A recorded set of events as `steps` frames of equal time; its size is the longer side of the sensor."""
    layout = LAYOUTS[name]
    return DataSource(
        name=name,
        title=title,
        classes=classes,
        channels=2,
        size=max(layout.size),
        splits=SPLITS,
        kind="events",
        licence=licence,
        note=f"{note} {steps} frames of equal time.",
        ships=False,
        read=lambda split, limit: read_recorded(name, split, limit, steps),
        count=lambda split: count_recordings(name, split),
        official=official,
        download=f"tonic.datasets.{layout.folder}",
        steps=steps,
        knows=knows,
        megabytes=megabytes,
    )


def _whole(found: Callable[[], object], official: tuple[int, ...]) -> Callable[[str], int]:
    """The count of a set that is here as a whole, or is not."""
    return lambda split: official[SPLITS.index(split)] if found() else 0


_TABLE = (
    DataSource(
        name="fashion",
        title="Fashion-MNIST",
        classes=FASHION_CLASSES,
        channels=1,
        size=28,
        splits=FASHION_SPLITS,
        kind="images",
        licence="MIT, (c) 2017 Zalando SE",
        note="The official 10,000 test images ship, and of the training images the first 1,000 of each class "
        "(train-10k) and the last 500 (val); train is the official 60,000 but for val where they are found, else "
        "train-10k with a warning.",
        ships=True,
        read=read_fashion,
        count=count_fashion,
        official=FASHION_SIZES,
        download="torchvision.datasets.FashionMNIST",
        knows=CLOTHING,
        megabytes=31,
    ),
    *(
        DataSource(
            name="fashion-dvs" if steps == 8 else f"fashion-dvs-{steps}",
            title=f"Fashion-MNIST as simulated events, {steps} frames",
            classes=FASHION_CLASSES,
            channels=2,
            size=34,
            splits=FASHION_SPLITS,
            kind="events",
            licence="MIT, (c) 2017 Zalando SE",
            note="Simulated events: each picture seen by a model of an event camera in three saccades, as N-MNIST was "
            f"made; {steps} frames of equal time. The splits are those of the pictures.",
            ships=True,
            read=partial(read_fashion_dvs, steps=steps),
            count=count_fashion,
            official=FASHION_SIZES,
            steps=steps,
            knows=CLOTHING,
        )
        for steps in (8, 4)
    ),
    DataSource(
        name="cifar10-jpeg",
        title="CIFAR-10, JPEG copy",
        classes=CIFAR10_CLASSES,
        channels=3,
        size=32,
        splits=SPLITS,
        kind="images",
        licence="none stated (cite Krizhevsky 2009)",
        note="A lossy copy: the pictures went through JPEG at a quality of 75, so accuracies differ from those on the "
        "original. The cards were measured on a copy in another order; one that is made here is in the official order, "
        "and its bytes may differ, so accuracies may differ a little.",
        ships=False,
        read=read_cifar10_jpeg,
        count=_whole(partial(find_jpeg_set, "cifar10"), CIFAR10_SIZES),
        official=CIFAR10_SIZES,
        download="torchvision.datasets.CIFAR10",
        knows=THINGS,
        megabytes=170,
        finish=make_copy,
    ),
    DataSource(
        name="cifar10",
        title="CIFAR-10",
        classes=CIFAR10_CLASSES,
        channels=3,
        size=32,
        splits=SPLITS,
        kind="images",
        licence="none stated (cite Krizhevsky 2009)",
        note="The original pictures in the official order.",
        ships=False,
        read=read_cifar10,
        count=_whole(find_cifar10, CIFAR10_SIZES),
        official=CIFAR10_SIZES,
        download="torchvision.datasets.CIFAR10",
        knows=THINGS,
        megabytes=170,
    ),
    DataSource(
        name="flowers",
        title="Flowers, 128 pixels",
        classes=("daisy", "dandelion", "rose", "sunflower", "tulip"),
        channels=3,
        size=128,
        splits=SPLITS,
        kind="images",
        licence="none stated; most photos are of TensorFlow's flower_photos (CC BY 2.0)",
        note="A selection of our own that cannot be fetched: 3,473 training and 838 test photos; no official split "
        "exists, this one is by a hash of the file name.",
        ships=False,
        read=read_flowers,
        count=_whole(partial(find_jpeg_set, "flowers128"), FLOWERS_SIZES),
        official=FLOWERS_SIZES,
        knows="five kinds of flowers",
    ),
    _recorded(
        "nmnist",
        "N-MNIST",
        tuple("0123456789"),
        "the ten digits",
        8,
        "CC BY-SA 4.0, Orchard et al. 2015",
        "Digits on a screen in front of a moving ATIS sensor; as many recordings as the folder holds.",
        (54_004, 5_996, 60_000, 10_000),
        1_200,
    ),
    _recorded(
        "dvs-gesture",
        "DVS128 Gesture",
        GESTURES,
        "eleven kinds of gestures",
        16,
        "CC BY 4.0, Amir et al. 2017",
        "Hand gestures; tonic's folders.",
        (0, 0, 1_077, 264),
        0,
    ),
    _recorded(
        "cifar10-dvs",
        "CIFAR10-DVS",
        CIFAR10_CLASSES,
        THINGS,
        16,
        "as its publisher states (Li et al. 2017)",
        "CIFAR-10 on a moving screen; the first 90 % of each class are the training set, as in the papers.",
        (8_100, 900, 9_000, 1_000),
        0,
    ),
    _recorded(
        "ncaltech101",
        "N-Caltech101",
        tuple(f"class {n}" for n in range(101)),
        "101 kinds of things",
        16,
        "as its publisher states (Orchard et al. 2015)",
        "No official split: the first 90 % of each class are the training set. Classes by their folders' order.",
        (),
        0,
    ),
)
CATALOG: dict[str, DataSource] = {source.name: source for source in _TABLE}


def list_data() -> list[str]:
    """Names that `load_data` takes: what ships first, the rest as they were added."""
    return list(CATALOG)


def find_data(name: str) -> DataSource:
    """The row of a name. Raises ValueError with the names there are."""
    if not isinstance(name, str) or name not in CATALOG:
        raise ValueError(f"no data set is called {name!r}; there are {', '.join(CATALOG)}")
    return CATALOG[name]


def load_data(
    name: str, split: str = "test", limit: int | None = None
) -> tuple[Float32[Tensor, "N *sample"], Int64[Tensor, "N"]]:
    """The first `limit` samples of a split (all of them by default, or where it has fewer), in the set's own order.

    Answers `(x, y)`: images float32 [N, C, H, W] in [0, 1] at native size, or event frames [N, T, 2, H, W], which are
    counts (channel 0 = OFF, 1 = ON); labels int64 [N]. Both are the caller's to
    write to. Raises ValueError for an unknown name or split, a limit below 1 or a damaged file, FileNotFoundError where
    the data is not here; nothing is ever downloaded and no other split stands in for a missing one.
    """
    samples, labels = open_data(name, split, limit)
    return samples[:], labels


def open_data(name: str, split: str = "test", limit: int | None = None) -> tuple[Samples, Int64[Tensor, "N"]]:
    """What `load_data` answers, but a sample becomes a tensor when it is asked for. Raises as `load_data`."""
    import torch

    source = find_data(name)
    if split not in source.splits:
        raise ValueError(f"{name} has no split {split!r}; there are {', '.join(source.splits)}")
    pixels, labels = source.read(split, _checked(limit))
    return Samples(pixels, FULL_SCALE[source.kind]), torch.from_numpy(labels.astype(np.int64))


def as_batch(samples: Float32[Tensor, "N *sample"]) -> Float32[Tensor, "..."]:
    """Samples of `load_data` as a model takes them: images as they are, event frames `[N, T, 2, H, W]` with T first."""
    return samples.transpose(0, 1) if samples.ndim == 5 else samples


def _checked(limit: int | None) -> int | None:
    if limit is None:
        return None
    try:
        count = 0 if isinstance(limit, bool) else operator.index(limit)
    except TypeError:
        count = 0
    if count < 1:
        raise ValueError(f"limit is a whole number of samples, 1 or more, or None for all; got {limit!r}")
    return count
