"""Where an autoencoder stands: errors on images it never trained on, and the pictures to see them by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from spikeviz.artifacts.replays import Replay
from spikeviz.data.catalog import open_data
from spikeviz.evaluation.controls.norms import training_samples
from spikeviz.evaluation.controls.smooth import choose_width
from spikeviz.evaluation.hidden_errors import mean_errors
from spikeviz.interventions import HidePatches
from spikeviz.metrics import effective_rank, reconstruction_errors
from spikeviz.models.spike_mae import SpikeMAE
from spikeviz.recording import Recording
from spikeviz.simulation import simulate

WATCHED, SHOWN = 256, 4  # the first images: whose errors are logged, and which are kept as pictures
BATCH = 128
SEED = 0  # of what is hidden; every batch of an evaluation has the next
RANKS = 8  # batches of as many images as are watched, whose effective ranks a card holds
RATIO, RATIOS, SAMPLES = 0.75, (0.25, 0.5, 0.6, 0.75, 0.9), 1000  # of an evaluation; samples of each point
REPLAY = "replay.npz"


def record_epoch(model: SpikeMAE, data: str, folder: Path, epoch: int, split: str = "test") -> dict[str, Any]:
    """For the log after `epoch` epochs; the pictures go into the run's `replay.npz`, behind those of epochs before.

    `split`: val, where it was left out of the training, so that who watches chooses on it.
    """
    ratio = model.config.ratio
    x = open_data(data, split, WATCHED)[0][:]
    recording = simulate(model, x, HidePatches(ratio), ("mask", "patches", "reconstruction"), SEED)
    errors = reconstruction_errors(x, recording)[["MSE", "fill"]].mean()
    rank = effective_rank(visible_tokens(model, x, recording))
    made = as_bytes(recording["reconstruction"].values[:SHOWN].cpu())[None]
    before = Replay.read(folder / REPLAY) if epoch else None
    Replay(
        images=as_bytes(x[:SHOWN]),
        kept=recording["patches"].values[:SHOWN, 0].cpu().numpy(),
        made=np.concatenate([before.made[:epoch], made]) if before else made,
        error=np.append(before.error[:epoch] if before else [], errors["MSE"]),
        fill=float(errors["fill"]),
        rank=np.append(before.rank[:epoch] if before else [], rank),
        samples=len(x),
        ratio=ratio,
        split=split,
    ).write(folder / REPLAY)
    return {
        "hidden_error": round(float(errors["MSE"]), 6),
        "against_visible_mean": round(float(errors["MSE"] / errors["fill"]), 4),
        "effective_rank": round(rank, 3),
    }


@torch.no_grad()
def visible_tokens(model: SpikeMAE, x: Tensor, recording: Recording) -> Tensor:
    """What the encoder says of the patches that were visible in a recording of x, `[tokens, C]`."""
    training = model.training
    kept = recording["patches"].values
    tokens = model.eval().tokens(x.to(kept.device), kept)[kept.flatten(1)]
    model.train(training)
    return tokens


def as_bytes(x: Tensor) -> np.ndarray:
    """Values from 0 to 1 as 0 to 255."""
    return (x.clamp(0, 1) * 255).round().to(torch.uint8).numpy()


def hidden_errors(
    model: SpikeMAE,
    data: str,
    ratio: float = RATIO,
    limit: int | None = None,
    progress: bool = True,
    split: str = "test",
    train: Tensor | None = None,
) -> dict[str, Any]:
    """Errors over the hidden patches of the images of a split, means over images (`mean_errors`), with `ratio`,
    `samples` and `seed`. With training images `train` those of a smooth fill-in stand beside, whose width is chosen on
    them.
    """
    x, _ = open_data(data, split, limit)
    width = None if train is None else choose_width(model, train, ratio)
    tables: list[pd.DataFrame] = []
    for start in tqdm(range(0, len(x), BATCH), f"{data}, ratio {ratio:g}", disable=not progress, mininterval=2.0):
        images = x[start : start + BATCH]
        recording = simulate(model, images, HidePatches(ratio), ("mask", "reconstruction"), SEED + len(tables))
        tables.append(reconstruction_errors(images, recording, width))
    return {"ratio": ratio, "samples": len(x), "seed": SEED, **mean_errors(pd.concat(tables), width)}


def quality(model: SpikeMAE, data: str, progress: bool = True) -> dict[str, Any]:
    """For the card: hidden-patch errors on the whole test split at ratio 0.75, against the ratio on its first 1,000
    images, beside a smooth fill-in whose width is chosen on 256 training images; and the effective rank on its first
    256, with those of as many batches as `effective_ranks` takes.
    """
    train = training_samples(data)
    ranks = effective_ranks(model, data)
    samples = min(WATCHED, len(open_data(data, "test", WATCHED)[0]))
    return {
        "reconstruction": hidden_errors(model, data, progress=progress, train=train),
        "against_ratio": [hidden_errors(model, data, ratio, SAMPLES, progress, train=train) for ratio in RATIOS],
        "effective_rank": {"ratio": RATIO, "samples": samples, "seed": SEED, "rank": ranks[0], "ranks": ranks},
    }


def effective_ranks(model: SpikeMAE, data: str, ratio: float = RATIO, batches: int = RANKS) -> list[float]:
    """The effective rank of the visible tokens of each of the first batches of 256 test images, patches drawn by a seed
    of its own: 0, 1, 2, ... A rank grows with the number of tokens, so only whole batches count; the first, whatever
    its size, always does.
    """
    x, found = open_data(data, "test", batches * WATCHED)[0], list[float]()
    for start in range(0, max(len(x) - WATCHED, 0) + 1, WATCHED):
        images = x[start : start + WATCHED]
        recording = simulate(model, images, HidePatches(ratio), "patches", SEED + len(found))
        found.append(effective_rank(visible_tokens(model, images, recording)))
    return found
