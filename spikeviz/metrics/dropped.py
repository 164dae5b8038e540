"""Which spikes a random mask dropped: what neurons sent, by their membranes, and what of it flowed on."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from jaxtyping import Bool
from torch import Tensor

from spikeviz.metrics.spike_masking import Place
from spikeviz.recording import Recording


def passed(place: str) -> str:
    """The track of the spikes that flow on from a place of `masking_places`."""
    return f"{place.removesuffix('s')}.spike" if place.endswith(".scores") else place


def membrane(place: str) -> str:
    """The track of the membranes behind a place."""
    return f"{passed(place).removesuffix('spike')}membrane"


def sent(recording: Recording, place: str) -> Bool[Tensor, "T B *neurons"]:
    """Where the neurons of a place fired, whether or not the spike was then dropped.

    Of a recording without their membranes nothing was dropped there: it is what flowed on.

    Raises:
        KeyError: if the recording kept no spikes of the place.
    """
    track = recording.get(membrane(place))
    if track is None or track.threshold is None:
        return recording[passed(place)].values != 0
    return track.values >= track.threshold


def dropped(recording: Recording, places: Sequence[Place]) -> pd.DataFrame:
    """Spikes of a sample at places that a random mask may act on.

    Args:
        recording: that kept `SPIKES`, and `membrane(place.name)` of every place that was masked.
        places: of `masking_places`.

    Returns:
        place (its name), site, block, sent (spikes its neurons fired), kept (spikes that flowed on), a mean over the
        batch; one row for each place that has neurons, in their order.

    Raises:
        KeyError: if the recording kept no spikes of a place.
    """
    batch, rows = recording.output.shape[0], []
    for place in (place for place in places if place.spike):
        counts = (sent(recording, place.name), recording[passed(place.name)].values)
        rows.append((place.name, place.site, place.block, *(int(c.count_nonzero()) / batch for c in counts)))
    return pd.DataFrame(rows, columns=["place", "site", "block", "sent", "kept"])
