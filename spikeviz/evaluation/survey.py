"""Accuracy and firing over a test set, batch by batch: the numbers so far can be shown while the rest is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from spikeviz.artifacts.cards import binomial_error
from spikeviz.interventions import Intervention
from spikeviz.memory import Memory
from spikeviz.metrics.firing import SPIKES, nsfr
from spikeviz.runtime import at_once, in_turn
from spikeviz.simulation import simulate

STRIDE = 0x9E3779B1  # 2**32 / golden ratio: nearby seeds share no batch seed in a survey of any usual length


@dataclass(frozen=True, eq=False)
class Survey:
    """What is known after some images of a test set.

    Attributes:
        images: how many were run.
        total: how many the set has.
        right: for how many the largest logit (mean over T) was the right one.
        correct: of each of them whether it was, in their order.
        nsfr: network spike firing rate at each binary step, mean over these images: float64, 0 to 1. It is what
            `nsfr` of one recording of all of them gives.
    """

    images: int
    total: int
    right: int
    nsfr: Float[Tensor, "TD"]
    correct: Bool[Tensor, "images"] = field(default_factory=lambda: torch.zeros(0, dtype=torch.bool), repr=False)

    @property
    def accuracy(self) -> float:
        """Share of the images that were recognised, 0 to 1."""
        return self.right / self.images

    @property
    def error(self) -> float:
        """Standard error of the accuracy (`binomial_error`)."""
        return binomial_error(self.accuracy, self.images)


def survey(
    model: nn.Module,
    x: Tensor,
    y: Int[Tensor, "N"],
    interventions: Sequence[Intervention] | Intervention = (),
    seed: int = 0,
    batch: int = 64,
) -> Iterator[Survey]:
    """Run `model` over a test set and yield the running totals after every batch.

    The same arguments give the same numbers. With a random intervention they depend on the batch size as well: batch i
    (from 0) is simulated with `batch_seed(seed, i)`, and each batch draws its own masks.

    Args:
        model: from `build`, `load` or `from_official`; not written to.
        x: images `[N, C, H, W]` or event frames `[T, N, 2, H, W]`.
        y: the classes, `[N]`.
        interventions: applied left to right.
        seed: of every random edit.
        batch: how many images run at a time; the last batch may be smaller.

    Raises:
        ValueError: at the call, for an empty set, labels that do not belong to it or a batch below 1; at the first
            batch, for what `simulate` and `nsfr` do not take.
    """
    if not isinstance(x, Tensor) or x.ndim not in (4, 5):
        raise ValueError("a survey needs images [N, C, H, W] or event frames [T, N, 2, H, W].")
    images = x.shape[x.ndim - 4]
    labels = y.shape[0] if isinstance(y, Tensor) and y.ndim == 1 else None
    if labels is None:
        raise ValueError("a survey needs the classes of its images, a tensor [N].")
    if labels != images:
        raise ValueError(f"there are {images} images and {labels} labels; a survey needs one for each.")
    if images == 0:
        raise ValueError("there are no images to survey.")
    if batch < 1:
        raise ValueError(f"batch must be at least 1 image, not {batch}.")
    return _surveys(model, x, y, interventions, seed, batch)


def batch_seed(seed: int, i: int) -> int:
    """The seed of batch `i`: (seed + i * 0x9E3779B1) mod 2**32, so that the first batch has the survey's own."""
    return (seed + i * STRIDE) & 0xFFFFFFFF


def _surveys(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    interventions: Sequence[Intervention] | Intervention,
    seed: int,
    batch: int,
) -> Iterator[Survey]:
    def run(numbered: tuple[int, tuple[Tensor, Tensor]]) -> tuple[Bool[Tensor, "n"], Tensor]:
        i, (some, labels) = numbered
        recording = simulate(model, some, interventions, keep=SPIKES, seed=batch_seed(seed, i))
        return recording.output.argmax(-1).cpu() == labels, nsfr(recording)

    correct, fired = torch.zeros(0, dtype=torch.bool), torch.zeros((), dtype=torch.float64)
    pairs = zip(x.split(batch, x.ndim - 4), y.cpu().split(batch), strict=True)
    for of_them, rates in in_turn(run, enumerate(pairs), at_once(model)):
        correct = torch.cat([correct, of_them])
        fired = fired + rates * len(of_them)  # every image has the same neurons: they weigh the same
        yield Survey(len(correct), len(y), int(correct.sum()), fired / len(correct), correct)


def right_under(
    model: nn.Module,
    x: Tensor,
    y: Int[Tensor, "N"],
    settings: Sequence[Sequence[Intervention]],
    seed: int = 0,
    batch: int = 64,
) -> Iterator[tuple[int, list[int]]]:
    """Run every setting on a batch, then the next batch; yield how many samples were run and how many each got right.

    The numbers are those of the settings run one by one.

    Args:
        model: from `build`, `load` or `from_official`; not written to.
        x: images `[N, C, H, W]` or event frames `[T, N, 2, H, W]`.
        y: the classes, `[N]`.
        settings: interventions of each, applied left to right; first those that change the least of the network.
        seed: of every random edit; batch i is simulated with `batch_seed(seed, i)`.
        batch: how many samples run at a time.

    Raises:
        ValueError: for samples and labels that do not belong together, or no setting.
    """
    axis = x.ndim - 4
    if not settings or x.shape[axis] != len(y) or not len(y):
        raise ValueError(f"{len(settings)} settings, {x.shape[axis]} samples and {len(y)} labels make no accuracy.")
    weight = next(model.parameters())

    def run(numbered: tuple[int, tuple[Tensor, Tensor]]) -> tuple[int, list[int]]:
        number, (some, labels) = numbered
        some, memory = some.to(weight.device, weight.dtype), Memory()
        outputs = (simulate(model, some, each, "", batch_seed(seed, number), memory).output for each in settings)
        return len(labels), [int((output.argmax(-1).cpu() == labels).sum()) for output in outputs]

    right, done = [0] * len(settings), 0
    pairs = zip(x.split(batch, axis), y.split(batch), strict=True)
    for count, of_them in in_turn(run, enumerate(pairs), at_once(model)):
        done += count
        right = [so_far + more for so_far, more in zip(right, of_them, strict=True)]
        yield done, list(right)
