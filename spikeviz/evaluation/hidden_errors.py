"""Errors of an autoencoder over hidden patches against the mask ratio, ratio by ratio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from spikeviz.evaluation.controls.smooth import choose_width
from spikeviz.interventions import HidePatches, Intervention
from spikeviz.metrics import effective_rank, reconstruction_errors
from spikeviz.models.spike_mae import SpikeMAE
from spikeviz.recording import Recording
from spikeviz.simulation import simulate

RATIOS = (0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9)
BATCH = 64
TOKENS = "decoder.embed.input"  # the encoder's tokens, as the decoder gets them
KEEP = ("patches", "mask", "reconstruction", TOKENS)


def visible_tokens(recording: Recording) -> Float[Tensor, "tokens C"]:
    """The encoder's tokens of the visible patches of all images of a recording that kept `KEEP`."""
    return recording[TOKENS].values[recording["patches"].values.flatten(1)]


def errors_against_ratio(
    model: SpikeMAE,
    images: Float[Tensor, "N C H W"],
    interventions: Sequence[Intervention] = (),
    seed: int = 0,
    ratios: Sequence[float] = RATIOS,
    batch: int = BATCH,
    train: Float[Tensor, "M C H W"] | None = None,
) -> Iterator[tuple[int, list[dict[str, float]]]]:
    """Hide each share of the patches at random from the same images, and measure.

    Args:
        model: an autoencoder; not written to.
        images: values from 0 to 1.
        interventions: further ones, after the patches were hidden.
        seed: of the first batch of every ratio; each further batch has the next.
        ratios: shares of patches that are hidden.
        batch: how many images run at a time.
        train: training images, on which the width of a smooth fill-in is chosen for every ratio; None: without one.

    Yields:
        After every batch, and once more after every ratio: batches done of all ratios, and a point for each finished
        ratio: `ratio`, `samples`, means over images of `mse`, `psnr` (dB) and `ssim`, of the error of the visible mean
        (`fill`), the first over that (`relative`), the standard error of `mse - fill` over the images (`error`), and
        the effective rank of all visible tokens (`rank`). With `train` also the error
        of the smooth fill-in (`smooth`, `over_smooth`, `smooth_error`, `width`: `mean_errors`).

    Raises:
        ValueError: for no images.
    """
    if not len(images):
        raise ValueError("there are no images to measure the errors of.")
    done, points = 0, list[dict]()
    for ratio in ratios:
        found, tokens = [], []
        width = None if train is None else choose_width(model, train, ratio)
        for number, x in enumerate(images.split(batch)):
            recording = simulate(model, x, (HidePatches(ratio), *interventions), KEEP, seed + number)
            found.append(reconstruction_errors(x, recording, width))
            tokens.append(visible_tokens(recording))
            done += 1
            yield done, points
        points = [*points, _point(ratio, pd.concat(found), torch.cat(tokens), width)]
        yield done, points


def _point(ratio: float, errors: pd.DataFrame, tokens: Tensor, width: float | None) -> dict[str, float]:
    rank = effective_rank(tokens) if len(tokens) else float("nan")
    return {"ratio": ratio, "samples": len(errors), **mean_errors(errors, width), "rank": rank}


def mean_errors(errors: pd.DataFrame, width: float | None) -> dict[str, float]:
    """Means over images of `reconstruction_errors`, by names in lower case. Ratios are of the means, since an image
    that is all of one colour has no fill. `error` is the standard error of `mse - fill` over the images; with a width
    `smooth_error` is that of `mse - smooth`, and `width` the width of the Gaussian in pixels.
    """
    mean = {name.lower(): float(value) for name, value in errors.mean().items()}
    mean["relative"] = mean["mse"] / mean["fill"]
    mean["error"] = _paired_error(errors["MSE"] - errors["fill"])
    if width is not None:
        mean["over_smooth"] = mean["mse"] / mean["smooth"]
        mean |= {"smooth_error": _paired_error(errors["MSE"] - errors["smooth"]), "width": width}
    return mean


def _paired_error(difference: pd.Series) -> float:
    return float(difference.std()) / sqrt(len(difference)) if len(difference) > 1 else float("nan")
