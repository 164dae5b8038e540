"""Run two settings over the same samples, batch by batch, and compare them in pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Int
from torch import Tensor, nn

from spikeviz.evaluation.pairs.value import Paired, paired
from spikeviz.evaluation.survey import batch_seed
from spikeviz.interventions import Intervention
from spikeviz.runtime import at_once, in_turn
from spikeviz.simulation import simulate

Setting = tuple[nn.Module, Sequence[Intervention], int]  # a model, what is intervened, the seed


def compare(
    first: Setting,
    second: Setting,
    x: Tensor,
    y: Int[Tensor, "N"],
    names: tuple[str, str] = ("A", "B"),
    batch: int = 64,
) -> Iterator[Paired]:
    """Yield the comparison of two settings after every batch, over the samples so far.

    Args:
        first, second: a model, its interventions and its seed, each; neither model is written to.
        x: images `[N, C, H, W]` or event frames `[T, N, 2, H, W]`.
        y: the classes, `[N]`.
        names: of the two, for the verdict.
        batch: how many samples run at a time; batch i is simulated with `batch_seed(seed, i)`, as a survey does.

    Raises:
        ValueError: at the call, for samples and labels that do not belong together; at the first batch, for a network
            that answers with no classes, or what `simulate` does not take.
    """
    axis = x.ndim - 4
    if x.ndim not in (4, 5) or y.ndim != 1 or x.shape[axis] != len(y) or not len(y):
        raise ValueError(
            f"samples {list(x.shape)} and labels {list(y.shape)} do not belong together: a comparison needs images "
            "[N, C, H, W] or event frames [T, N, 2, H, W], and a class for each."
        )
    return _compared(first, second, x, y, names, batch)


def _compared(
    first: Setting, second: Setting, x: Tensor, y: Tensor, names: tuple[str, str], batch: int
) -> Iterator[Paired]:
    def run(numbered: tuple[int, tuple[Tensor, Tensor]]) -> tuple[Bool[np.ndarray, "n"], ...]:
        number, (some, labels) = numbered
        return tuple(_right(setting, some, labels, number) for setting in (first, second))

    parts = zip(x.split(batch, x.ndim - 4), y.cpu().split(batch), strict=True)
    right: list[tuple[Bool[np.ndarray, "n"], ...]] = []
    for of_them in in_turn(run, enumerate(parts), at_once(first[0])):
        right.append(of_them)
        one, other = (np.concatenate(vectors) for vectors in zip(*right, strict=True))
        yield paired(one, other, names)


def _right(setting: Setting, some: Tensor, labels: Tensor, number: int) -> Bool[np.ndarray, "n"]:
    model, interventions, seed = setting
    output = simulate(model, some, interventions, keep="", seed=batch_seed(seed, number), to_cpu=True).output
    if output.ndim != 2:
        raise ValueError("a network that answers with pictures has no accuracy to compare.")
    return (output.argmax(-1) == labels).numpy()
