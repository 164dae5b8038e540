"""The input of an experiment: a test sample by its number, or what a person brought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from spikeviz.views import runs
from spikeviz.views.experiment import Experiment
from spikeviz.views.settings import whole

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.data.catalog import DataSource
    from spikeviz.data.events import EventRecording
    from spikeviz.data.ingest import Input

Uploads = Mapping[str, "Input"]  # what a person brought, by its source in an experiment


def data_of(card: CheckpointCard) -> DataSource:
    """What a network was trained on."""
    from spikeviz.data.catalog import find_data

    return find_data(card.data)


def has_test_set(card: CheckpointCard) -> bool:
    """Whether the test set of a network's data is on this machine: asked of the disk each time, without reading it."""
    data = data_of(card)
    return data.ships or data.count("test") > 0


def find_input(experiment: Experiment, card: CheckpointCard, uploads: Uploads) -> Input | None:
    """The input of an experiment; None if it is gone, or does not fit the network, such as events one for images.

    Raises:
        ValueError, FileNotFoundError: if the data set of the network is not here.
    """
    from spikeviz.data.ingest import Input

    brought = uploads.get(experiment.source)
    if brought is not None:
        return brought if tuple(brought.pixels.shape) == sample_shape(data_of(card)) else None
    x, y = runs.test_set(card.data)
    index = experiment.index
    title = f"test {data_of(card).sample} {index}"
    return None if index is None or index >= len(x) else Input(x[index], title, int(y[index]))


def event_recording(experiment: Experiment, shown: Input, card: CheckpointCard) -> EventRecording:
    """The events behind an input of event frames, as the camera sent them.

    Raises:
        ValueError, FileNotFoundError: if they cannot be read.
    """
    from spikeviz.data import event_sets

    return shown.events or event_sets.recording(card.data, "test", experiment.index or 0)


def sample_shape(data: DataSource) -> tuple[int, ...]:
    """Of what is brought to a network: an image `[C, H, W]`, or event frames `[T, 2, H, W]`."""
    sample = (data.channels, data.size, data.size)
    return (data.steps, *sample) if data.steps else sample


def source_of(shown: Input) -> str:
    """What names an input that was brought in an experiment: by its pixels, so that another one has another name."""
    import hashlib

    return "upload/" + hashlib.sha256(shown.pixels.numpy().tobytes()).hexdigest()[:12]


def short(experiment: Experiment) -> str:
    """The input of an experiment in an address: `12`, or `upload-...`."""
    return experiment.source.removeprefix("test/").replace("/", "-")


def source(text: str, card: CheckpointCard, uploads: Uploads) -> str:
    """The opposite of `short`.

    Raises:
        ValueError: if there is no such test sample, or the session does not have that input.
    """
    found = text.replace("upload-", "upload/", 1)
    if found in uploads:
        return found
    if found.startswith("upload/"):
        raise ValueError("an upload stays in the session that brought it.")
    return f"test/{whole(found, f'a test {data_of(card).sample}', 0, card.samples - 1)}"
