"""How evenly a query's scores are spread over the keys."""

from __future__ import annotations

from math import log
from typing import NamedTuple

import torch

from spikeviz.recording import Track


class ScoreEntropy(NamedTuple):
    """Of the rows of attention scores.

    Attributes:
        entropy: mean of `-sum p log p / log N` over the rows that have a score, p their shares: 1 where all N keys have
            the same, 0 where one has all; None where no row has any.
        silent: share of the rows without any score: such a query looks nowhere.
    """

    entropy: float | None
    silent: float


def score_entropy(track: Track) -> ScoreEntropy:
    """Entropy of the rows of scores `[T, B, heads, N, N]`, each the sum over the steps; not below 0 each.

    Raises:
        ValueError: if the track holds no scores.
    """
    if track.kind != "scores":
        raise ValueError(f"an entropy of rows needs attention scores, not {track}.")
    rows = track.values.double().sum(0).flatten(0, -2).clamp(min=0)
    total = rows.sum(-1, keepdim=True)
    there = total.squeeze(-1) > 0
    silent = float((~there).double().mean())
    if rows.shape[-1] < 2 or not bool(there.any()):
        return ScoreEntropy(None, silent)
    shares = rows[there] / total[there]
    return ScoreEntropy(float(torch.special.entr(shares).sum(-1).mean()) / log(rows.shape[-1]), silent)
