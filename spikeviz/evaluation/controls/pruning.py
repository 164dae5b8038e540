"""Other ways to drop as many channels as learned masks drop: at random, by smallest weights, or all of them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import hypot, sqrt
from statistics import fmean, stdev
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from spikeviz.evaluation.controls.norms import reestimate_norm
from spikeviz.evaluation.pairs import binomial_error, paired
from spikeviz.evaluation.survey import batch_seed
from spikeviz.interventions import Intervention, MaskChannels
from spikeviz.nn.channel_masks import TRAINED, ChannelMask, find_masks
from spikeviz.runtime import stream
from spikeviz.simulation import model_name, simulate

DRAWS = 10
BATCH = 64
TRAINED_AS, LEARNED, SMALLEST, NONE = "as trained", "learned masks", "smallest weights", "no channel kept"
Kept = dict[str, Bool[Tensor, "C"]]  # by module path of the mask, True = kept


@dataclass(frozen=True, eq=False)
class PruningControl:
    """Which of the same test samples each network recognises.

    Attributes:
        right: of each finished network `[N]`, by name: `TRAINED_AS`, the network with its masks and its own statistics;
            and with statistics estimated again `LEARNED`, `SMALLEST`, `NONE` and the draws "random 1", "random 2", ...
        dropped: how many channels are gone in each but `NONE`, by module path of the mask.
    """

    right: Mapping[str, Bool[Tensor, "N"]]
    dropped: Mapping[str, int]

    def accuracy(self, name: str) -> float:
        """0 to 1."""
        return float(self.right[name].double().mean())

    def error(self, name: str) -> float:
        """Standard error of that accuracy p over n samples, sqrt(p (1 - p) / n)."""
        return binomial_error(self.accuracy(name), len(self.right[name]))

    @property
    def draws(self) -> list[float]:
        """Accuracy of each random draw so far."""
        return [self.accuracy(name) for name in self.right if name.startswith("random")]

    @property
    def deviation(self) -> float:
        """Standard deviation of these over the draws; 0 of a single one."""
        return stdev(self.draws) if len(self.draws) > 1 else 0.0

    def against(self, name: str) -> tuple[float, float]:
        """Accuracy of the learned masks minus that of another network, and its standard error from the pairs."""
        found = paired(self.right[LEARNED], self.right[name])
        return found.difference, found.error

    @property
    def against_random(self) -> tuple[float, float]:
        """Accuracy of the learned masks minus the mean of the draws, and its standard error: of the differences of the
        samples, and of the mean over the draws, as two independent errors."""
        ours = self.right[LEARNED].double()
        drawn = torch.stack([own.double() for name, own in self.right.items() if name.startswith("random")])
        difference = ours - drawn.mean(0)
        over_samples = float(difference.std(correction=0)) / sqrt(len(ours))
        return float(ours.mean()) - fmean(self.draws), hypot(over_samples, self.deviation / sqrt(len(drawn)))


def learned_channels(model: nn.Module, threshold: float = TRAINED) -> Kept:
    """What the masks keep at a threshold.

    Raises:
        ValueError: if the model has no masks.
    """
    masks = find_masks(model)
    if not masks:
        raise ValueError(f"{model_name(model)} has no channel masks, so there is no number of channels to drop.")
    return {name: mask.kept(threshold).cpu() for name, mask in masks.items()}


def random_channels(learned: Kept, seed: int) -> Kept:
    """As many of each mask as are kept in `learned`, drawn anew."""
    found = {}
    for name, kept in learned.items():
        order = torch.randperm(len(kept), generator=stream(seed, name, 0))
        found[name] = torch.zeros_like(kept).index_fill(0, order[: int(kept.sum())], True)
    return found


def heaviest_channels(model: nn.Module, learned: Kept) -> Kept:
    """As many of each mask as are kept in `learned`: those whose weights are largest (`weight_norms`)."""
    found = {}
    for name, kept in learned.items():
        order = weight_norms(model, name).argsort(descending=True, stable=True)
        found[name] = torch.zeros_like(kept).index_fill(0, order[: int(kept.sum())], True)
    return found


def weight_norms(model: nn.Module, mask: str) -> Float[Tensor, "C"]:
    """Of each channel of a mask the Euclidean norm of the weights that make it, of all layers that do (q and k).

    That is how channels are ranked in Li et al., "Pruning filters for efficient ConvNets" (ICLR 2017), with their
    sum of absolute values replaced by the root of the sum of squares. Normalisation behind them is not counted.
    """
    own: Any = model.get_submodule(mask)
    inside = mask.rpartition(".")[0]
    layers: list[Any] = [model.get_submodule(f"{inside}.{layer}") for layer in own.made_by]
    with torch.no_grad():
        squares = [layer.conv.weight.flatten(1).square().sum(1) for layer in layers]
        return torch.stack(squares).sum(0).sqrt().cpu()


def with_channels(model: nn.Module, kept: Mapping[str, Bool[Tensor, "C"]]) -> nn.Module:
    """A new model whose masks keep these channels, at the trained threshold."""
    new = copy.deepcopy(model).eval()
    for name, which in kept.items():
        mask = new.get_submodule(name)
        assert isinstance(mask, ChannelMask)
        with torch.no_grad():
            mask.value.copy_(torch.where(which, 1.0, -1.0))
    return new


def pruning_survey(
    model: nn.Module,
    x: Tensor,
    y: Int[Tensor, "N"],
    train: Tensor,
    threshold: float = TRAINED,
    interventions: Sequence[Intervention] = (),
    seed: int = 0,
    draws: int = DRAWS,
    batch: int = BATCH,
) -> Iterator[tuple[int, PruningControl]]:
    """Drop as many channels at each site as the learned masks drop, in other ways, and measure accuracy.

    No weight is trained. In all but `TRAINED_AS` BatchNorm statistics are estimated again (`reestimate_norm`), since
    those of the network were taken with its own channels.

    Args:
        model: with channel masks; not written to.
        x: images `[N, C, H, W]` or event frames `[T, N, 2, H, W]`.
        y: the classes, `[N]`.
        train: training samples in the form of `x`, of which the statistics are.
        threshold: of the learned masks, as of `MaskChannels`.
        interventions: further ones; a `MaskChannels` among them is left out.
        seed: of the first draw, the next one's is one higher; and of random edits.
        draws: how many networks with channels dropped at random.
        batch: how many samples run at a time.

    Yields:
        After every batch: how many samples were run of all networks (`networks(draws)` times N in the end), and what is
        known of the networks that are finished.

    Raises:
        ValueError: at the call, for a model without masks, a threshold at which nothing is dropped, or samples and
            labels that do not belong together.
    """
    learned, axis = learned_channels(model, threshold), x.ndim - 4
    if all(bool(kept.all()) for kept in learned.values()):
        raise ValueError(f"at threshold {threshold:g} no channel is dropped: choose a higher one.")
    if not len(y) or x.shape[axis] != len(y):
        raise ValueError(f"{x.shape[axis]} samples and {len(y)} labels make no accuracy.")
    rules = tuple(rule for rule in interventions if not isinstance(rule, MaskChannels))
    ways: dict[str, Kept] = {
        TRAINED_AS: learned,
        LEARNED: learned,
        SMALLEST: heaviest_channels(model, learned),
        NONE: {name: torch.zeros_like(kept) for name, kept in learned.items()},
        **{f"random {n + 1}": random_channels(learned, seed + n) for n in range(draws)},
    }

    def surveyed() -> Iterator[tuple[int, PruningControl]]:
        right: dict[str, Tensor] = {}
        dropped, done = {name: int((~kept).sum()) for name, kept in learned.items()}, 0
        for name, kept in ways.items():
            own = with_channels(model, kept)
            if name != TRAINED_AS:
                own = reestimate_norm(own, train, rules, seed)
            found: list[Tensor] = []
            for number, (some, labels) in enumerate(zip(x.split(batch, axis), y.split(batch), strict=True)):
                output = simulate(own, some, rules, "", batch_seed(seed, number), to_cpu=True).output
                found.append(output.argmax(-1) == labels.cpu())
                done += len(labels)
                if sum(map(len, found)) < len(y):
                    yield done, PruningControl(dict(right), dropped)
            right[name] = torch.cat(found)
            yield done, PruningControl(dict(right), dropped)

    return surveyed()


def networks(draws: int = DRAWS) -> int:
    """How many networks `pruning_survey` runs."""
    return 4 + draws
