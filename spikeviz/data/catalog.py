"""The table of data sets and the one door to them, `load_data`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float32, Int64, Integer

from spikeviz.data.event_sets import read_fashion_dvs, read_recorded
from spikeviz.data.images import CIFAR10_CLASSES, Pixels, read_cifar10, read_cifar10_jpeg, read_fashion, read_flowers

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
FULL_SCALE = {"images": 255.0, "events": 1.0}  # images become [0, 1]; event frames stay counts


@dataclass(frozen=True)
class DataSource:
    """One data set. `classes[y]` names label y; `size`: native side in pixels; `ships`: a split comes with spikeviz.

    `read(split, limit)` answers the first `limit` samples (None = all) as whole numbers that may belong to a cache.
    `steps`: T of event frames, 0 of images.
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
    steps: int = 0

    @property
    def sample(self) -> str:
        """What one of its samples is called."""
        return "recording" if self.kind == "events" else "image"


def _recorded(
    name: str, title: str, classes: tuple[str, ...], size: int, steps: int, licence: str, note: str
) -> DataSource:
    """A recorded set of events as `steps` frames of equal time; `size` is the longer side of its sensor."""
    return DataSource(
        name, title, classes, 2, size, ("train", "test"), "events", licence,
        f"{note} {steps} frames of equal time.", False,
        lambda split, limit: read_recorded(name, split, limit, steps), steps,
    )  # fmt: skip


_TABLE = (
    DataSource(
        name="fashion",
        title="Fashion-MNIST",
        classes=FASHION_CLASSES,
        channels=1,
        size=28,
        splits=("train", "train-10k", "test"),
        kind="images",
        licence="MIT, (c) 2017 Zalando SE",
        note="The official 10,000 test images and the first 1,000 training images of each class ship (train-10k); "
        "train is the official 60,000 where they are found, else train-10k with a warning.",
        ships=True,
        read=read_fashion,
    ),
    *(
        DataSource(
            name="fashion-dvs" if steps == 8 else f"fashion-dvs-{steps}",
            title=f"Fashion-MNIST as simulated events, {steps} frames",
            classes=FASHION_CLASSES,
            channels=2,
            size=34,
            splits=("train", "test"),
            kind="events",
            licence="MIT, (c) 2017 Zalando SE",
            note="Simulated events: each picture seen by a model of an event camera in three saccades, as N-MNIST was "
            f"made; {steps} frames of equal time. train is the 10,000 training images that ship.",
            ships=True,
            read=partial(read_fashion_dvs, steps=steps),
            steps=steps,
        )
        for steps in (8, 4)
    ),
    DataSource(
        name="cifar10-jpeg",
        title="CIFAR-10, JPEG copy",
        classes=CIFAR10_CLASSES,
        channels=3,
        size=32,
        splits=("train", "test"),
        kind="images",
        licence="none stated (cite Krizhevsky 2009)",
        note="A lossy copy: the pictures went through JPEG at a quality of about 75, so accuracies differ from those "
        "on the original; the split is the official one, the order is not.",
        ships=False,
        read=read_cifar10_jpeg,
    ),
    DataSource(
        name="cifar10",
        title="CIFAR-10",
        classes=CIFAR10_CLASSES,
        channels=3,
        size=32,
        splits=("train", "test"),
        kind="images",
        licence="none stated (cite Krizhevsky 2009)",
        note="The original pictures in the official order.",
        ships=False,
        read=read_cifar10,
    ),
    DataSource(
        name="flowers",
        title="Flowers, 128 pixels",
        classes=("daisy", "dandelion", "rose", "sunflower", "tulip"),
        channels=3,
        size=128,
        splits=("train", "test"),
        kind="images",
        licence="none stated; most photos are of TensorFlow's flower_photos (CC BY 2.0)",
        note="3,473 training and 838 test photos; no official split exists, this one is by a hash of the file name.",
        ships=False,
        read=read_flowers,
    ),
    _recorded(
        "nmnist",
        "N-MNIST",
        tuple("0123456789"),
        34,
        8,
        "CC BY-SA 4.0, Orchard et al. 2015",
        "Digits on a screen in front of a moving ATIS sensor; as many recordings as the folder holds.",
    ),
    _recorded(
        "dvs-gesture",
        "DVS128 Gesture",
        GESTURES,
        128,
        16,
        "CC BY 4.0, Amir et al. 2017",
        "Hand gestures; tonic's folders.",
    ),
    _recorded(
        "cifar10-dvs",
        "CIFAR10-DVS",
        CIFAR10_CLASSES,
        128,
        16,
        "as its publisher states (Li et al. 2017)",
        "CIFAR-10 on a moving screen; the first 90 % of each class are the training set, as in the papers.",
    ),
    _recorded(
        "ncaltech101",
        "N-Caltech101",
        tuple(f"class {n}" for n in range(101)),
        240,
        16,
        "as its publisher states (Orchard et al. 2015)",
        "No official split: the first 90 % of each class are the training set. Classes by their folders' order.",
    ),
)
CATALOG: dict[str, DataSource] = {source.name: source for source in _TABLE}
DOWNLOADS = {"fashion": "FashionMNIST", "cifar10": "CIFAR10"}  # names in torchvision.datasets


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


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of a split, converted where they are looked at: `samples[3]`, `samples[:64]` are float32 tensors.

    Frames of events stay in the file of the cache until then: all of them at once would be large.
    """

    pixels: Integer[np.ndarray, "N *sample"] = field(repr=False)
    full: float

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, which: int | slice) -> Float32[Tensor, "..."]:
        import torch  # here, so that a page can name classes before it is loaded

        return torch.from_numpy(np.asarray(self.pixels[which]).astype(np.float32)).div_(self.full)


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


def download_data(name: str, folder: str | Path) -> Path:
    """Fetch a full set through torchvision, which checks its md5 sums; answers the folder to put into SPIKEVIZ_DATA.

    Raises ValueError for a set that torchvision has not, OSError where the download fails.
    """
    find_data(name)
    if name not in DOWNLOADS:
        raise ValueError(f"{name} cannot be downloaded; these can: {', '.join(DOWNLOADS)}")
    import torchvision.datasets  # a second to import, and only a download needs it

    folder = Path(folder).expanduser()
    try:
        getattr(torchvision.datasets, DOWNLOADS[name])(folder, download=True)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise OSError(f"{name} could not be downloaded into {folder}: {reason}") from error
    return folder


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
