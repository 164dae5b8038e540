"""N-MNIST, N-Caltech101 (`.bin`) and SLAYER (`.bs2`): one format, 5 bytes an event, that of the ATIS camera."""

import numpy as np

from spikeviz.data.event_io.decoded import Decoded, check_count, records, unwrapped


def read_atis(content: bytes, notes: list[str]) -> Decoded:
    """5 bytes an event. Row 240 is no pixel: each such entry adds 2^13 us to all that follow (ATIS, Orchard 2015)."""
    check_count(len(content) // 5)
    raw = records(content, 0, [("x", "u1"), ("y", "u1"), ("high", "u1"), ("low", ">u2")], notes)
    overflow = raw["y"] == 240
    counter = raw["high"].astype(np.int64) % 2**7 << 16 | raw["low"]
    t = unwrapped(counter, 23, notes) + np.cumsum(overflow) * 2**13
    return Decoded(*(column[~overflow] for column in (t, raw["x"], raw["y"], raw["high"] >> 7)))
