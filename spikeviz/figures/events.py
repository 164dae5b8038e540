"""Events as pictures: ON orange, OFF blue, on black; what was counted more often is brighter."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num

OFF, ON = (0.25, 0.6, 1.0), (1.0, 0.5, 0.1)  # blue and orange, which the colour-blind tell apart
FULL = 0.98  # of the pixels with events are below full brightness


def picture(frames: Num[np.ndarray, "T 2 H W"]) -> Float[np.ndarray, "3 H W"]:
    """All frames of a recording, or some of them, as one picture in [0, 1]; channel 0 of a frame is OFF, 1 is ON."""
    counts = np.asarray(frames, dtype=np.float32).sum(0)
    seen = counts[counts > 0]
    full = max(float(np.quantile(seen, FULL)), 1.0) if seen.size else 1.0
    share = np.sqrt(np.clip(counts / full, 0, 1))  # a root, as all rates have: most pixels count little
    colours = np.array([OFF, ON], dtype=np.float32)
    return np.clip(np.einsum("phw,pc->chw", share, colours), 0, 1)
