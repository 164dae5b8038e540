"""Data sets that do not ship: which there are, and how one is fetched.

torchvision and tonic know the addresses of the sets, the md5 sums of their archives and how they are unpacked; the
bytes come through here, so that somebody can watch them and a network that is not there costs seconds. What
`get_data` leaves in a folder is what the library's readers, torchvision and tonic find there; archives stay, since
tonic takes a folder without them for incomplete. `flowers` is not torchvision's Flowers102, which has other classes.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import tarfile
import threading
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict

from spikeviz.data.catalog import CATALOG, DataSource, find_data
from spikeviz.data.event_folders import LAYOUTS

TIMEOUT = 10.0  # seconds that a server may stay silent
CHUNK = 2**20  # bytes
AGENT = "spikeviz"
EXTRACTORS = {"torchvision": "torchvision.datasets.utils", "tonic": "tonic.download_utils"}
FAILURES = (OSError, EOFError, http.client.HTTPException, zipfile.BadZipFile, tarfile.TarError, zlib.error)
WAIT = 0.2  # seconds until a waiting download says so again
_ONE = threading.Lock()
Step = tuple[str, int, int]
Progress = Callable[[str, int, int], None]
"""What is being done, bytes done, bytes in all (0 where that is not known)."""


class DownloadError(ValueError):
    """A set that could not be fetched: one sentence for the person who asked."""


class DataRow(TypedDict):
    """What is known of a data set without reading it.

    `size`: of one sample, `(C, H, W)` of images, `(T, 2, H, W)` of event frames. `samples`: of each split, those that
    are here, else the publisher's; None where that is not known. `where`: it comes with spikeviz, was found in
    `SPIKEVIZ_DATA`, or has to be fetched. `source`: what fetches it, such as `tonic.datasets.NMNIST`.
    """

    name: str
    kind: Literal["images", "events"]
    title: str
    splits: tuple[str, ...]
    samples: dict[str, int | None]
    size: tuple[int, ...]
    where: Literal["ships", "here", "needs data"]
    licence: str
    source: str


def describe_data() -> list[DataRow]:
    """A row for each name of `list_data`, in its order; loads neither torch nor tonic."""
    return [_row(source) for source in CATALOG.values()]


def _row(source: DataSource) -> DataRow:
    here = {split: source.count(split) for split in source.splits}
    official = dict(zip(source.splits, source.official, strict=False))
    height, width = LAYOUTS[source.name].size if source.name in LAYOUTS else (source.size, source.size)
    sample = (source.channels, height, width)
    return {
        "name": source.name,
        "kind": source.kind,
        "title": source.title,
        "splits": source.splits,
        "samples": {split: count or official.get(split) or None for split, count in here.items()},
        "size": (source.steps, *sample) if source.steps else sample,
        "where": "ships" if source.ships else "here" if any(here.values()) else "needs data",
        "licence": source.licence,
        "source": source.download or ("ships with spikeviz" if source.ships else "a folder of your own"),
    }


class Archive(NamedTuple):
    """One file of a set: where it lies on the network, and below the folder; `md5` of its bytes."""

    urls: tuple[str, ...]
    path: Path
    md5: str


def get_data(name: str, folder: str | Path, progress: Progress | None = None) -> Path:
    """Fetch a data set and unpack it; answers the folder, which belongs into `SPIKEVIZ_DATA`.

    Args:
        folder: made where it is not there.
        progress: called with what is being done, bytes done, bytes in all (0 where that is not known). What it raises
            ends the download; a file is there whole or not at all.

    What is there already, by its md5 sum, is not fetched again.

    Raises:
        DownloadError: where the network or the disk fails, or an archive is not the publisher's.
        ValueError: for a set that cannot be fetched.
    """
    root = Path(folder).expanduser()
    with closing(fetching(name, root)) as steps:
        for step in steps:
            if progress is not None:
                progress(*step)
    return root


def fetching(name: str, root: Path) -> Generator[Step, None, None]:
    """The same piece by piece: it yields what is being done, and goes on when it is asked to. One download works at a
    time in a process; the others wait.

    Raises:
        DownloadError, ValueError: as `get_data`.
    """
    source = find_data(name)
    if not source.download:
        names = ", ".join(known for known, row in CATALOG.items() if row.download)
        why = "ships with spikeviz" if source.ships else "cannot be downloaded"
        raise ValueError(f"{name} {why}; these can be downloaded: {names}")
    while not _ONE.acquire(timeout=WAIT):
        yield "waiting for another download", 0, 0
    try:
        yield from _get(source, root)
    except FAILURES as error:
        raise DownloadError(
            f"{name} could not be downloaded{_reason(error)}; put its folder into SPIKEVIZ_DATA yourself"
        ) from error
    finally:
        _ONE.release()


def _get(source: DataSource, root: Path) -> Generator[Step, None, None]:
    package, _, known = source.download.rpartition(".")
    dataset = getattr(import_module(package), known)
    extract = import_module(EXTRACTORS[package.partition(".")[0]]).extract_archive
    for archive in _archives(dataset):
        path = root / archive.path
        if not _is_whole(path, archive.md5):
            yield from _fetch(archive, path)
        yield f"unpacking {path.name}", 0, 0
        extract(str(path), str(path.parent))
    for path in _inner_archives(dataset, root):
        yield f"unpacking {path.name}", 0, 0
        extract(str(path), str(root / known))
        path.unlink()
    layout = LAYOUTS.get(source.name)
    if layout and not all((root / layout.folder / layout.part(split)).is_dir() for split in source.splits):
        raise OSError(f"its archives hold no {layout.folder} as tonic reads it")
    if source.finish is not None:
        yield from source.finish(root)


def _reason(error: Exception) -> str:
    """Why a download failed, as the end of a sentence."""
    if isinstance(error, urllib.error.URLError) and not isinstance(error, urllib.error.HTTPError):
        return f" (no network?): {getattr(error.reason, 'strerror', None) or error.reason}"
    words = " ".join(str(error).split()) or type(error).__name__
    return f"{' (no network?)' if isinstance(error, TimeoutError) else ''}: {words}"


def _archives(dataset: Any) -> list[Archive]:
    """The archives of a set, where its package would put them."""
    name = dataset.__name__
    if hasattr(dataset, "resources"):  # torchvision's relatives of MNIST
        return [
            Archive(tuple(f"{mirror}{file}" for mirror in dataset.mirrors), Path(name, "raw", file), md5)
            for file, md5 in dataset.resources
        ]
    if hasattr(dataset, "tgz_md5"):
        return [Archive((dataset.url,), Path(dataset.filename), dataset.tgz_md5)]
    if hasattr(dataset, "train_url"):
        return [
            Archive((dataset.train_url,), Path(name, dataset.train_filename), dataset.train_md5),
            Archive((dataset.test_url,), Path(name, dataset.test_filename), dataset.test_md5),
        ]
    return [Archive((dataset.url,), Path(name, dataset.filename), dataset.file_md5)]


def _inner_archives(dataset: Any, root: Path) -> list[Path]:
    """Archives that came out of archives, such as one a class."""
    names = getattr(dataset, "data_filename", [])
    names = [names] if isinstance(names, str) else names
    return [path for name in names for path in sorted((root / dataset.__name__).rglob(name))]


def _is_whole(path: Path, md5: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == md5


def _fetch(archive: Archive, path: Path) -> Generator[Step, None, None]:
    """The first address that answers, into a file beside `path`, which is there whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    try:
        for number, url in enumerate(archive.urls):
            try:
                yield from _copy(url, part, path.name)
                break
            except (OSError, http.client.HTTPException):
                if number == len(archive.urls) - 1:
                    raise
        if not _is_whole(part, archive.md5):
            raise OSError(f"{path.name} arrived with another md5 sum than {archive.md5}")
        os.replace(part, path)
    finally:
        with suppress(OSError):
            part.unlink()


def _copy(url: str, part: Path, name: str) -> Generator[Step, None, None]:
    request = urllib.request.Request(url, headers={"User-Agent": AGENT})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        part.parent.mkdir(parents=True, exist_ok=True)  # no folder for a set of which nothing came
        total, done = int(answer.headers.get("Content-Length") or 0), 0
        yield name, 0, total
        with part.open("wb") as file:
            while piece := answer.read(CHUNK):
                file.write(piece)
                done += len(piece)
                yield name, done, total
