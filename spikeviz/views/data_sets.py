"""Test sets: the first samples of one, and where one is not on this machine, what says so and what fetches it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spikeviz.views import runs
from spikeviz.views.view import Item, Note, Study

if TYPE_CHECKING:
    from torch import Tensor

    from spikeviz.data.catalog import DataSource
    from spikeviz.data.samples import Samples

WITHOUT = "Pictures to try, uploads and drawings work without it."


def test_set(data: str) -> tuple[Samples, Tensor]:
    """The whole test split of a data set; read-only, since it is shared.

    Raises:
        ValueError, FileNotFoundError: if it is not here.
    """
    from spikeviz.data.catalog import open_data

    return runs.DATA.get(data, lambda: open_data(data, "test"))


@dataclass(frozen=True)
class Some:
    """The first samples of a test set, read when they are asked for.

    Attributes:
        data: name of the data set.
        count: how many.
    """

    data: str
    count: int

    def __len__(self) -> int:
        return self.count

    @property
    def batch(self) -> Tensor:
        """As a model takes them, which takes a while of events.

        Raises:
            ValueError, FileNotFoundError: if the test set is not here.
        """
        from spikeviz.data.catalog import as_batch

        return as_batch(test_set(self.data)[0][: self.count])

    @property
    def labels(self) -> Tensor:
        """Their classes. Raises as `batch`."""
        return test_set(self.data)[1][: self.count]


def some(data: str, wanted: int) -> Some:
    """The first `wanted` samples of a test set, or as many as are here; so many of one that is not here as well."""
    from spikeviz.data.catalog import find_data

    return Some(data, min(wanted, find_data(data).count("test") or wanted))


def lacking(data: str) -> str:
    """What is missing of a data set, and how to get it; "" where its test set is here."""
    from spikeviz.data.catalog import find_data

    source = find_data(data)
    return "" if source.is_here else f"The test set of {source.title} is not on this machine. {source.how_to_get}"


def without_data(study: Study) -> Iterator[Item]:
    """What stands in place of work over a test set that is not here; nothing where it is, or where none is read."""
    if study.data and (lack := lacking(study.data)):
        yield Note(f"**{study.title}**", "text")
        yield Note(f"This is work over a test set. {lack}", "info")


def download_study(data: DataSource) -> Study | None:
    """Work that fetches a data set into the first folder of data; None where it cannot be fetched. Its value is what it
    does, in words."""
    from spikeviz.paths import data_folders

    if not data.download:
        return None
    folder, total = data_folders()[0], max(data.megabytes, 1)

    def work() -> Iterator[tuple[int, str]]:
        from spikeviz.data.download import fetching

        came: dict[str, int] = {}
        for what, done, of in fetching(data.name, folder):
            came |= {what: done} if of else {}
            amount = f": {done / 1e6:,.0f} of {of / 1e6:,.0f} MB" if of else ""
            yield min(sum(came.values()) // 10**6, total - 1), f"{what}{amount}"
        yield total, f"{data.title} is here"

    size = f" ({data.megabytes:,} MB)" if data.megabytes else ""
    return Study(
        f"download {data.name} {folder}",
        "",
        total,
        work,
        lambda what, _: [Note(what)],
        f"Download{size}",
        f"The test set of {data.title} is not on this machine; the other inputs work. It would go into {folder}.",
    )
