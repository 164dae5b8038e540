"""Accuracy on a split, and what a network costs there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pandas as pd
from torch import Tensor, nn
from tqdm import tqdm

from spikeviz.data.catalog import as_batch, open_data
from spikeviz.evaluation.throughput import Network, throughput
from spikeviz.interventions import Intervention
from spikeviz.metrics import OPERANDS, operations
from spikeviz.simulation import simulate

BATCH = 50
COUNTED = 64  # test samples whose operations are counted


def accuracy(
    model: nn.Module,
    data: str,
    limit: int | None = None,
    progress: bool = True,
    interventions: Sequence[Intervention] = (),
    advance: Callable[[int], object] | None = None,
    split: str = "test",
) -> tuple[float, int]:
    """Share of the samples of a split of `data` whose largest logit (mean over T) is the right one; how many they were.

    Choices are made on `val`; `test` is for what is chosen.

    `advance` is told how many more were run, by who shows a bar of several such loops; then there is none of this one.
    """
    x, y = open_data(data, split, limit)
    batches = range(0, len(x), BATCH)
    right = 0
    for start in tqdm(batches, f"{data}, {split}", disable=not progress or advance is not None, mininterval=2.0):
        output = simulate(model, as_batch(x[start : start + BATCH]), interventions, keep="", to_cpu=True).output
        right += int((output.argmax(-1) == y[start : start + BATCH]).sum())
        if advance is not None:
            advance(len(output))
    return right / len(x), len(x)


def measure(model: nn.Module, data: str, interventions: Sequence[Intervention] = ()) -> dict[str, Any]:
    """Parameters, operations of a test sample (mean over the first 64), and samples a second of this machine."""
    x, _ = open_data(data, "test", COUNTED)
    batch = as_batch(x[:])
    table = operations(model, simulate(model, batch, interventions, OPERANDS))
    *_, speed = throughput([(model, interventions)], batch)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "operations": {"samples": len(x), **table[["MACs", "SOPs", "picojoule"]].sum().round(1).to_dict()},
        "throughput": {"samples_per_second": round(speed.rate(0), 1), "batch": speed.batch, "rounds": speed.rounds},
    }


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
