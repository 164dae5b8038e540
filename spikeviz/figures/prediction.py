"""What the network says: one bar for each class."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from jaxtyping import Float

from spikeviz.figures.theme import ACCENT, QUIET, SECOND

GRID = "display:grid;grid-template-columns:minmax(78px,34%) 1fr 44px;gap:6px;align-items:center"
ROW = f"{GRID};font-size:0.82rem;line-height:1.45"
TRACK = "height:9px;border-radius:2px;background:rgba(136,148,160,0.18)"


def prediction_bars(shares: Float[np.ndarray, "K"], classes: Sequence[str], label: int | None = None) -> str:
    """Softmax shares in the order of the classes; the true class is ticked."""
    best = int(np.argmax(shares))
    rows = []
    for k, share in enumerate(shares):
        name = escape(classes[k]) + (" ✓" if k == label else "")
        colour = (SECOND if label == best else ACCENT) if k == best else QUIET
        weight = "600" if k == best else "400"
        bar = f'<div style="height:9px;border-radius:2px;width:{100 * share:.1f}%;background:{colour}"></div>'
        rows.append(
            f'<div style="{ROW};font-weight:{weight}"><span style="white-space:nowrap;overflow:hidden;'
            f'text-overflow:ellipsis">{name}</span><div style="{TRACK}">{bar}</div>'
            f'<span style="text-align:right;font-variant-numeric:tabular-nums">{100 * share:.1f} %</span></div>'
        )
    return f'<div role="img" aria-label="Confidence for each class">{"".join(rows)}</div>'
