"""What a person brings, as an input of a network: a picture, or a recording of an event camera.

Light to import: a page knows the limits and file types before numpy and torch are loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from spikeviz.data.catalog import DataSource
    from spikeviz.data.events import EventRecording
    from spikeviz.data.image_decode import Picture

TYPES = ["png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff"]
RECORDINGS = ["bin", "bs2", "aedat", "aedat4", "dat", "raw", "npy", "npz"]
MAX_MB = {"images": 10, "events": 50}
TILES = 4  # along the shorter side of a picture that is brought, for a network that sees it piece by piece
MAX_EVENTS = 4 * 10**6  # of one recording a session keeps: 52 MB


@dataclass(frozen=True, eq=False)
class Input:
    """What goes in, what to call it, its class if that is known, and what was done to it.

    `pixels` is an image `[C, H, W]` in [0, 1], or event frames `[T, 2, H, W]`; `events` is the recording that frames
    were counted from, if it was brought. `wide` is a picture that was brought, in more pixels than the network sees:
    whole tiles of them.
    """

    pixels: Tensor
    title: str
    label: int | None = None
    notes: tuple[str, ...] = ()
    events: EventRecording | None = None
    wide: Tensor | None = None

    @property
    def batch(self) -> Tensor:
        """As a model takes it: `[1, C, H, W]`, or events `[T, 1, 2, H, W]`."""
        from spikeviz.data.catalog import as_batch

        return as_batch(self.pixels[None])


def read_upload(content: bytes, name: str, data: str, network: str, turn: bool) -> Input:
    """A picture or a recording as a network takes it that was trained on the data set `data`.

    Args:
        name: of the file, for its ending.
        network: its name, for messages.
        turn: invert a picture on a light ground, where the network sees grey.

    Raises:
        PictureError, RecordingError: if it cannot be used.
        ValueError: if no data set is called `data`.
    """
    from spikeviz.data.catalog import find_data
    from spikeviz.data.events import RecordingError

    source, recorded = find_data(data), name.rpartition(".")[2].lower() in RECORDINGS
    if source.kind == "events":
        return _of_recording(content, name, source) if recorded else _of_simulation(content, source, turn)
    if recorded:
        raise RecordingError(
            f"{name[:60]} is a recording of events, and {network} sees images: choose a network for events."
        )
    picture = _decoded(content, source.channels, source.size, turn)
    return Input(picture.pixels, "your picture", None, picture.notes, wide=picture.wide)


def _decoded(content: bytes, channels: int, size: int, turn: bool) -> Picture:
    from spikeviz.data.image_decode import read_image

    picture = read_image(content, channels=channels, size=size, tiles=TILES)
    if turn and channels == 1 and _light_ground(picture.pixels):
        picture = read_image(content, channels=channels, size=size, invert=True, tiles=TILES)
    return picture


def _of_recording(content: bytes, name: str, data: DataSource) -> Input:
    from spikeviz.data.event_io.reader import read_events
    from spikeviz.data.events import RecordingError

    if len(content) > MAX_MB["events"] * 2**20:  # the limit of the widget is kept by the browser alone
        raise RecordingError(f"{name[:60]} is larger than {MAX_MB['events']} MB: cut a shorter piece out of it.")
    events = read_events(content, name)
    if not len(events):
        raise RecordingError("The recording holds no events: choose another one.")
    if len(events) > MAX_EVENTS:
        raise RecordingError(
            f"The recording holds {len(events):,} events, more than the {MAX_EVENTS:,} shown here: cut a shorter piece "
            "out of it."
        )
    return _framed(events, "your recording", data)


def _of_simulation(content: bytes, data: DataSource, turn: bool) -> Input:
    from spikeviz.data.event_camera import DEFAULT
    from spikeviz.data.event_sets import simulated

    picture = _decoded(content, 1, data.size - 2 * DEFAULT.margin, turn)
    return _framed(simulated(picture.pixels.numpy()), "your picture, simulated events", data, picture.notes)


def _framed(events: EventRecording, title: str, data: DataSource, notes: tuple[str, ...] = ()) -> Input:
    """Events as the network sees them: on its grid, in its number of frames."""
    import numpy as np
    import torch

    from spikeviz.data.events import by_number, resize

    moved = resize(events, data.size)
    frames = torch.from_numpy(by_number(moved, data.steps).astype(np.float32))
    return Input(frames, title, None, (*notes, *moved.notes, f"{data.steps} frames of equal time"), events)


def _light_ground(pixels: Tensor) -> bool:
    """Whether the frame of a picture, one pixel wide, is lighter than medium grey."""
    frame = [pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]]
    return float(sum(side.mean() for side in frame)) / len(frame) > 0.5
