"""Two gaps: what attention as a whole, and what it says of who looks at whom, is worth in accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Bool, Int
from torch import Tensor, nn

from spikeviz.artifacts.gaps import Part, verdict
from spikeviz.evaluation.controls.ablation import MeanAblation, batch_sums, places
from spikeviz.evaluation.controls.norms import has_norm, reestimate_norm
from spikeviz.evaluation.pairs import paired_error
from spikeviz.evaluation.survey import batch_seed
from spikeviz.interventions import Intervention
from spikeviz.memory import Memory
from spikeviz.runtime import at_once, in_turn
from spikeviz.simulation import simulate

PARTS: tuple[Part, ...] = ("attention", "content")
BATCH = 32  # a batch's scores of all blocks are held at once


@dataclass(frozen=True)
class Gap:
    """Accuracy as it is minus accuracy ablated, on the same samples.

    Attributes:
        part: "attention", what every attention module adds to the residual stream; or "content", what q and k say to
            each other.
        samples: how many were run.
        right: how many are right as it is.
        lost: how many of these are wrong when the part is replaced by its mean.
        won: how many are right only then.
        reestimated: the same with BatchNorm statistics estimated again, on either side under its own settings; None
            where that was not asked for.
    """

    part: Part
    samples: int
    right: int
    lost: int
    won: int
    reestimated: Gap | None = None

    @property
    def accuracy(self) -> float:
        """As it is, 0 to 1."""
        return self.right / self.samples

    @property
    def ablated(self) -> float:
        """With the part replaced by its mean, 0 to 1."""
        return (self.right - self.lost + self.won) / self.samples

    @property
    def gap(self) -> float:
        """The first minus the second."""
        return (self.lost - self.won) / self.samples

    @property
    def error(self) -> float:
        """Standard error of the gap from the pairs: sqrt(b + c - (b - c)^2 / n) / n for b lost and c won of n."""
        return paired_error(self.lost, self.won, self.samples)

    @property
    def verdict(self) -> str:
        """In words; a difference is named only outside two standard errors."""
        again = None if self.reestimated is None else self.reestimated.as_data
        return verdict(self.part, self.gap, self.error, self.samples, again)

    @property
    def as_data(self) -> dict[str, Any]:
        """For a card: gap, error, accuracy, ablated, samples, and the same `reestimated` where that is known."""
        numbers = {name: round(getattr(self, name), 6) for name in ("gap", "error", "accuracy", "ablated")}
        found: dict[str, Any] = {**numbers, "samples": self.samples}
        return found if self.reestimated is None else found | {"reestimated": self.reestimated.as_data}


def attention_gap(
    model: nn.Module,
    x: Tensor,
    y: Int[Tensor, "N"],
    interventions: Sequence[Intervention] = (),
    seed: int = 0,
    *,
    reestimate: Tensor | None = None,
    batch: int = BATCH,
) -> Gap:
    """What the attention modules are worth: what each adds to the residual stream is replaced by its mean over `x`.

    The mean is per step and channel, over samples and places. See `gap_survey` for the arguments and what it raises.
    """
    return _last(gap_survey(model, x, y, interventions, seed, ("attention",), reestimate, batch))["attention"]


def content_gap(
    model: nn.Module,
    x: Tensor,
    y: Int[Tensor, "N"],
    interventions: Sequence[Intervention] = (),
    seed: int = 0,
    *,
    reestimate: Tensor | None = None,
    batch: int = BATCH,
) -> Gap:
    """What it is worth who looks at whom: what q and k say to each other is replaced by its mean over `x`.

    That is their product before scale, bias and softmax; the mean is per step, head and pair of places, over samples.
    The values keep flowing. Where the published order is q(kv), what is ablated is computed as (q k^T) v, which is
    equal up to rounding. See `gap_survey` for the arguments and what it raises.
    """
    return _last(gap_survey(model, x, y, interventions, seed, ("content",), reestimate, batch))["content"]


def gap_survey(
    model: nn.Module,
    x: Tensor,
    y: Int[Tensor, "N"],
    interventions: Sequence[Intervention] = (),
    seed: int = 0,
    parts: Sequence[Part] = PARTS,
    reestimate: Tensor | None = None,
    batch: int = BATCH,
) -> Iterator[tuple[int, Mapping[Part, Gap]]]:
    """Measure gaps in two passes over the same samples: the means, with accuracy as it is, then accuracy without.

    Args:
        model: a classifier with attention; not written to.
        x: images `[N, C, H, W]` or event frames `[T, N, 2, H, W]`.
        y: the classes, `[N]`.
        interventions: on both sides, applied left to right.
        seed: of random edits; batch i draws by `batch_seed(seed, i)` on both sides.
        parts: which gaps.
        reestimate: training samples, in the form of `x`, on which BatchNorm statistics are estimated again
            (`reestimate_norm`) of the network as it is and of each ablated one; the means stay. The gap of these
            stands beside the plain one. None for the plain one alone.
        batch: how many samples run at a time.

    Yields:
        How many samples were run in both passes together (up to 2 N), and the gaps over those of the second pass.

    Raises:
        ValueError: at the call, with a sentence: for a network without attention, or an autoencoder; for samples and
            labels that do not belong together; for `reestimate` and a network without BatchNorm.
    """
    names = {part: places(model, part) for part in parts}
    axis = x.ndim - 4 if isinstance(x, Tensor) else -1
    if not parts or axis not in (0, 1) or not len(y) or x.shape[axis] != len(y) or batch < 1:
        raise ValueError("a gap needs images [N, C, H, W] or event frames [T, N, 2, H, W], and a class of each.")
    if reestimate is not None and not has_norm(model):
        reestimate_norm(model, reestimate)  # says so
    return _gaps(model, x, y, tuple(interventions), seed, names, reestimate, batch)


def _gaps(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    interventions: tuple[Intervention, ...],
    seed: int,
    names: Mapping[Part, tuple[str, ...]],
    reestimate: Tensor | None,
    batch: int,
) -> Iterator[tuple[int, Mapping[Part, Gap]]]:
    batches = list(enumerate(zip(x.split(batch, x.ndim - 4), y.split(batch), strict=True)))
    keep = tuple(name for part in names.values() for name in part)

    def means(numbered: tuple[int, tuple[Tensor, Tensor]]) -> tuple[Tensor, dict[Part, dict[str, Tensor]]]:
        number, (some, labels) = numbered
        recording = simulate(model, some, interventions, keep, batch_seed(seed, number), to_cpu=True)
        sums = {part: batch_sums(recording, part, places) for part, places in names.items()}
        return _right(recording.output, labels), sums

    right: list[Tensor] = []
    totals: dict[Part, dict[str, Tensor]] = {part: {} for part in names}
    done = 0
    for some_right, sums in in_turn(means, batches, at_once(model)):
        right.append(some_right)
        for part, own in sums.items():
            totals[part] = {name: totals[part].get(name, 0) + value for name, value in own.items()}
        done += len(some_right)
        yield done, {}
    ablated = {
        part: (*interventions, *(MeanAblation(name, total / len(y)) for name, total in own.items()))
        for part, own in totals.items()
    }
    again: dict[Part | None, nn.Module] = {}
    if reestimate is not None:
        again = {None: reestimate_norm(model, reestimate, interventions, seed)}
        again |= {part: reestimate_norm(model, reestimate, settings, seed) for part, settings in ablated.items()}

    def without(numbered: tuple[int, tuple[Tensor, Tensor]]) -> tuple[dict[Part, Tensor], dict[Part | None, Tensor]]:
        number, (some, labels) = numbered
        some, memory = some.to(next(model.parameters())), Memory()  # what lies before the first module is run once
        drawn_by = batch_seed(seed, number)
        plain = {
            part: _right(simulate(model, some, settings, "", drawn_by, memory).output, labels)
            for part, settings in ablated.items()
        }
        other = {
            part: _right(simulate(own, some, ablated[part] if part else interventions, "", drawn_by).output, labels)
            for part, own in again.items()
        }
        return plain, other

    found = {part: Gap(part, 0, 0, 0, 0) for part in names}
    beside = dict(found)
    for own_right, (plain, other) in zip(right, in_turn(without, batches, at_once(model)), strict=True):
        done += len(own_right)
        for part in names:
            found[part] = _with(found[part], own_right, plain[part])
            if other:
                beside[part] = _with(beside[part], other[None], other[part])
                found[part] = replace(found[part], reestimated=beside[part])
        yield done, dict(found)


def _right(output: Tensor, labels: Tensor) -> Bool[Tensor, "B"]:
    return output.argmax(-1).cpu() == labels.cpu()


def _with(gap: Gap, own: Bool[Tensor, "B"], other: Bool[Tensor, "B"]) -> Gap:
    """A gap, and a batch more."""
    lost, won = int((own & ~other).sum()), int((other & ~own).sum())
    return Gap(gap.part, gap.samples + len(own), gap.right + int(own.sum()), gap.lost + lost, gap.won + won)


def _last(surveyed: Iterator[tuple[int, Mapping[Part, Gap]]]) -> Mapping[Part, Gap]:
    *_, (_, found) = surveyed
    return found
