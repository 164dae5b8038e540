"""Which spikes a random mask dropped: what came to a place, and what of it flowed on."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from jaxtyping import Num
from torch import Tensor

from spikeviz.metrics.firing import power
from spikeviz.metrics.spike_masking import CONVOLUTION, Place
from spikeviz.recording import Recording


def passed(place: str) -> str:
    """The track of the spikes that flow on from a place of `masking_places`."""
    return f"{place.removesuffix('s')}.spike" if place.endswith(".scores") else place


def came(place: str) -> str:
    """The track of what came to a place, which a recording has where a mask acts there."""
    return f"{place}.sent"


def sent(recording: Recording, place: str) -> Num[Tensor, "T B *neurons"]:
    """Spikes that came to a place, whether or not they were then dropped.

    Where no mask acted, or what came was not kept, it is what flowed on.

    Raises:
        KeyError: if the recording kept no spikes of the place.
    """
    track = recording.get(came(place))
    return (recording[passed(place)] if track is None else track).values


def dropped(recording: Recording, places: Sequence[Place]) -> pd.DataFrame:
    """Spikes of a sample at places that a random mask may act on.

    Args:
        recording: that kept `SPIKES`, of convolutions `OPERANDS`, and `came(place.name)` of every place that was
            masked.
        places: of `masking_places`.

    Returns:
        place (its name), site, block, sent (spikes that came there; a level of QCFS, or a step of an integer, is one),
        kept (those that flowed on), a mean over the batch; one row for each place that spikes come to, in their order.

    Raises:
        KeyError: if the recording kept no spikes of a place.
    """
    batch, rows = recording.output.shape[0], []
    for place in (place for place in places if place.spike or place.site == CONVOLUTION):
        counts = (sent(recording, place.name), recording[passed(place.name)].values)
        rows.append((place.name, place.site, place.block, *(float(c.sum().double()) / batch for c in counts)))
    return pd.DataFrame(rows, columns=["place", "site", "block", "sent", "kept"])


def power_that_passes(recording: Recording, places: Sequence[Place]) -> float:
    """Alpha-watts of a sample (`power`), without the spikes that were dropped where a convolution reads them.

    What a shortcut reads as well is counted by what the convolution beside it gets.

    Args:
        recording: as of `dropped`.
        places: of `masking_places`.
    """
    masked = {p.block: p for p in reversed(places) if p.site == CONVOLUTION and came(p.name) in recording}
    table = dropped(recording, list(masked.values()))
    return power(recording) - float((table["sent"] - table["kept"]).sum()) / 1e-3
