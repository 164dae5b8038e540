"""Accuracy on a split, and what a network costs there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from spikeviz.data.catalog import as_batch, open_data
from spikeviz.evaluation.pairs import mean_and_error
from spikeviz.evaluation.survey import batch_seed
from spikeviz.evaluation.throughput import Network, throughput
from spikeviz.interventions import Intervention
from spikeviz.metrics import ENERGY_TRACKS, OPERANDS, energy, energy_by_step, operations
from spikeviz.metrics.energy_ways import NUMBERS, OURS
from spikeviz.models.spec import PaperEnergy
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
    """Parameters, operations of a test sample (mean over the first 64), its energy (`measure_energy`), and samples a
    second of this machine."""
    x, _ = open_data(data, "test", COUNTED)
    batch = as_batch(x[:])
    recording = simulate(model, batch, interventions, ENERGY_TRACKS)
    table = operations(model, recording)
    *_, speed = throughput([(model, interventions)], batch)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "operations": {"samples": len(x), **table[["MACs", "SOPs", "picojoule"]].sum().round(1).to_dict()},
        "energy": _energy_by_way(energy(model, recording, per_image=True)),
        "throughput": {"samples_per_second": round(speed.rate(0), 1), "batch": speed.batch, "rounds": speed.rounds},
    }


def measure_energy(model: nn.Module, data: str, interventions: Sequence[Intervention] = ()) -> dict[str, Any]:
    """Operations and energy of a test sample, counted in three ways, mean over the first 64 and its standard error.

    Returns:
        samples; ways: by their names (`spikeviz.metrics.energy`) what each counts, as a mean of a sample, and
        standard_error of picojoule. What a way does not count is not there.
    """
    x, _ = open_data(data, "test", COUNTED)
    recording = simulate(model, as_batch(x[:]), interventions, ENERGY_TRACKS)
    return _energy_by_way(energy(model, recording, per_image=True))


def _energy_by_way(table: pd.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for way, own in table.groupby("way", sort=False):
        known = own[NUMBERS].dropna(axis=1)
        found[str(way)] = {str(name): round(float(value), 1) for name, value in known.mean().items()}
        if "picojoule" in known and len(known) > 1:
            found[str(way)]["standard_error"] = round(mean_and_error(known["picojoule"].to_numpy())[1] or 0.0, 1)
    return {"samples": int(table["image"].nunique()), "ways": found}


def energy_survey(
    networks: Sequence[Network], x: Tensor, seed: int = 0, batch: int = 16, paper: PaperEnergy | None = None
) -> Iterator[tuple[int, list[pd.DataFrame]]]:
    """Run networks over the same samples and yield what is known after every batch.

    Args:
        networks: pairs of a model and its interventions.
        x: images `[N, C, H, W]` or event frames `[T, N, 2, H, W]`.
        seed: of random edits; batch i is simulated with `batch_seed(seed, i)`, as a survey does.
        batch: how many samples run at a time.
        paper: a formula in place of each network's own (`energy`).

    Yields:
        How many samples were run, and of each network operations and energy of every one of them in each way of
        counting (`energy` with `per_image`): their mean has a standard error, and so have differences of networks
        (`spikeviz.evaluation.pairs.PairedNumbers`).

    Raises:
        ValueError: for no network.
    """
    if not networks:
        raise ValueError("an energy survey needs a network.")
    tables: list[list[pd.DataFrame]] = [[] for _ in networks]
    done = 0
    for number, some in enumerate(x.split(batch, x.ndim - 4)):
        for found, (model, interventions) in zip(tables, networks, strict=True):
            recording = simulate(model, some, interventions, ENERGY_TRACKS, batch_seed(seed, number))
            own = energy(model, recording, paper=paper, per_image=True)
            found.append(own.assign(image=own["image"] + done))
        done += some.shape[some.ndim - 4]
        yield done, [pd.concat(found, ignore_index=True) for found in tables]


def energy_against_steps(
    networks: Sequence[Network], x: Tensor, seed: int = 0, batch: int = 16
) -> Iterator[tuple[int, list[Float[np.ndarray, "N T"]]]]:
    """Run networks over the same samples and yield, after every batch, how many were run and of each network the
    picojoule of every one of them until step t = 1 ... T, counted as in `operations`. A network has its own T.

    A run of T steps is the beginning of every longer one, so that one run says what each T costs. Arguments and errors
    as of `energy_survey`.
    """
    if not networks:
        raise ValueError("an energy survey needs a network.")
    found: list[list[np.ndarray]] = [[] for _ in networks]
    done = 0
    for number, some in enumerate(x.split(batch, x.ndim - 4)):
        for own, (model, interventions) in zip(found, networks, strict=True):
            recording = simulate(model, some, interventions, OPERANDS, batch_seed(seed, number))
            own.append(energy_by_step(model, recording).cumsum(0).T.numpy())
        done += some.shape[some.ndim - 4]
        yield done, [np.concatenate(own) for own in found]


def of_images(table: pd.DataFrame, way: str = OURS, column: str = "picojoule") -> Float[np.ndarray, "N"]:
    """A column of `energy` with `per_image`, counted one way, image by image."""
    return table[table["way"] == way].sort_values("image")[column].to_numpy(dtype=float)
