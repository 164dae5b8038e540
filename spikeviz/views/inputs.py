"""The input of an experiment: a test sample by its number, a picture to try, or what a person brought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from spikeviz.views import runs
from spikeviz.views.data_sets import lacking, test_set
from spikeviz.views.experiment import Experiment
from spikeviz.views.settings import whole
from spikeviz.views.sharing import picture_link

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.data.catalog import DataSource
    from spikeviz.data.events import EventRecording
    from spikeviz.data.ingest import Input

PICTURE = "picture/"
LINKED = "link/"  # before a picture that an address carries
NAMED = 12  # classes of a data set, in a sentence
Uploads = Mapping[str, "Input"]  # what a person brought, by its source in an experiment


def data_of(card: CheckpointCard) -> DataSource:
    """What a network was trained on."""
    from spikeviz.data.catalog import find_data

    return find_data(card.data)


def default_source(card: CheckpointCard) -> str:
    """What a network is shown until something is chosen: test sample 0, or a picture to try where no test set is."""
    return "test/0" if data_of(card).is_here else first_picture(card)


def first_picture(card: CheckpointCard) -> str:
    """The picture to try that fits a network best."""
    from spikeviz.data.pictures import pictures_for

    return f"{PICTURE}{pictures_for(data_of(card))[0].name}"


def is_picture(source: str, card: CheckpointCard) -> bool:
    """Whether a source is a picture to try of a network's data set."""
    from spikeviz.data.pictures import pictures_for

    return source in {f"{PICTURE}{picture.name}" for picture in pictures_for(data_of(card))}


def carried(source: str, card: CheckpointCard, other: CheckpointCard) -> str:
    """What another network is shown after `source` was shown to that of `card`: the same, if both are of one data set,
    or a picture to try that both can see; else what it is shown first."""
    same = card.data == other.data or is_picture(source, other)
    return source if same else default_source(other)


def find_input(experiment: Experiment, card: CheckpointCard, uploads: Uploads) -> Input | None:
    """The input of an experiment; None if it is gone, or does not fit the network, such as events one for images.

    Raises:
        ValueError, FileNotFoundError: if it is a test sample, and the data set of the network is not here.
    """
    from spikeviz.data.ingest import Input

    brought = uploads.get(experiment.source)
    if brought is not None:
        return brought if tuple(brought.pixels.shape) == sample_shape(data_of(card)) else None
    if experiment.source.startswith(LINKED):
        return _linked(experiment.source, card)
    if experiment.source.startswith(PICTURE):
        return _picture(experiment.source.removeprefix(PICTURE), card)
    if (index := experiment.index) is None:
        return None
    x, y = test_set(card.data)
    return Input(x[index], f"test {data_of(card).sample} {index}", int(y[index])) if index < len(x) else None


def _picture(name: str, card: CheckpointCard) -> Input | None:
    from spikeviz.data.pictures import read_picture

    if not is_picture(f"{PICTURE}{name}", card):
        return None
    return runs.DATA.get(("picture", name, card.data), lambda: read_picture(name, card.data))


def foreign(experiment: Experiment, card: CheckpointCard) -> str:
    """What a network knows, where its input is none of its data set; else ""."""
    data = data_of(card)
    if experiment.index is not None or not data.knows:
        return ""
    if not card.classifies:
        return f"This network was trained on pictures of {data.knows} only."
    names = ", ".join(data.classes) if len(data.classes) <= NAMED else f"{', '.join(data.classes[:NAMED])}, ..."
    return f"This network knows only {data.knows}: {names}. It must answer with one of them."


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


def _linked(source: str, card: CheckpointCard) -> Input | None:
    """The picture that a link carried; None for a network that it does not fit."""
    try:
        return picture_link.picture(source.removeprefix(LINKED), data_of(card))
    except ValueError:
        return None


def short(experiment: Experiment) -> str:
    """The input of an experiment, as the name of a file has it: `12`, `picture-cat`, or `upload-...`."""
    import hashlib

    if experiment.source.startswith(LINKED):
        return f"linked-{hashlib.sha256(experiment.source.encode()).hexdigest()[:12]}"
    return in_address(experiment)


def in_address(experiment: Experiment) -> str:
    """The input of an experiment in an address: `12`, `picture-cat`, `upload-...`, or a picture that is carried."""
    return experiment.source.removeprefix(LINKED).removeprefix("test/").replace("/", "-")


def source(text: str, card: CheckpointCard, uploads: Uploads) -> str:
    """The opposite of `in_address`.

    Raises:
        ValueError: if there is no such test sample or picture, the session does not have that input, or a picture
            that is carried along does not fit the network.
    """
    from spikeviz.data.pictures import pictures_for

    if text.startswith(picture_link.PLAIN):
        picture_link.picture(text, data_of(card))
        return f"{LINKED}{text}"
    kind, _, rest = text.partition("-")
    if kind == "upload":
        if f"upload/{rest}" not in uploads:
            raise ValueError(
                "an upload stays in the session that brought it; the link under Share carries a small picture along."
            )
        return f"upload/{rest}"
    if kind == "picture":
        names = [picture.name for picture in pictures_for(data_of(card))]
        if rest not in names:
            raise ValueError(f"the pictures to try are {', '.join(f'picture-{name}' for name in names)}.")
        return f"{PICTURE}{rest}"
    number = whole(text, f"a test {data_of(card).sample}", 0, card.samples - 1)
    if lack := lacking(card.data):
        raise ValueError(lack)
    return f"test/{number}"
