"""What networks cost over the same test samples: MACs, SOPs and energy of every layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
from torch import Tensor

from spikeviz.evaluation.throughput import Network
from spikeviz.metrics import OPERANDS, operations
from spikeviz.simulation import simulate


def energy_survey(
    networks: Sequence[Network], x: Tensor, seed: int = 0, batch: int = 16
) -> Iterator[tuple[int, list[pd.DataFrame]]]:
    """Run networks over the same samples and yield what is known after every batch.

    Args:
        networks: pairs of a model and its interventions.
        x: images `[N, C, H, W]` or event frames `[T, N, 2, H, W]`.
        seed: of random edits.
        batch: how many samples run at a time.

    Yields:
        How many samples were run, and of each network MACs, SOPs and picojoule of a sample by layer (`operations`),
        the mean over these samples.

    Raises:
        ValueError: for no network.
    """
    if not networks:
        raise ValueError("an energy survey needs a network.")
    sums: list[pd.DataFrame] = []
    done = 0
    for some in x.split(batch, x.ndim - 4):
        count = some.shape[some.ndim - 4]
        found = [
            operations(model, simulate(model, some, interventions, OPERANDS, seed)).set_index("layer") * count
            for model, interventions in networks
        ]
        sums = [before + new for before, new in zip(sums, found, strict=True)] if sums else found
        done += count
        yield done, [table / done for table in sums]
