"""Mean ablation: what flows through a place is replaced by its mean over data, so that it no longer depends on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spikeviz.artifacts.gaps import Part
from spikeviz.interventions import HidePatches, Intervention
from spikeviz.probe import Role, find_probes
from spikeviz.recording import Recording
from spikeviz.simulation import model_name

ROLES: dict[Part, Role] = {"attention": "branch", "content": "match"}
# over which axes the mean is: a branch keeps step and channel, a product of q and k step, head and pair of places
OVER: dict[Part, tuple[str, ...]] = {"attention": ("B", "H", "W"), "content": ("B",)}


@dataclass(frozen=True, eq=False)
class MeanAblation(Intervention):
    """Replace what flows through a place by given numbers, the same for every sample.

    Attributes:
        place: the name of its probe.
        mean: with as many axes as flow there; an axis of 1 is repeated.
    """

    title: ClassVar[str] = "Mean ablation"
    source: ClassVar[str] = "a control of our own"

    place: str
    mean: Float[Tensor, "..."] = field(repr=False)

    @classmethod
    def possible(cls, model: nn.Module) -> bool:
        return bool(find_probes(model, lambda p: p.role in ROLES.values()))

    def acts_on(self, model: nn.Module) -> bool:
        return bool(find_probes(model, lambda p: p.name == self.place))

    def edits(self, name: str, kind: str) -> bool:
        return name == self.place

    def edit(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, None]:
        """A tensor of its own: what comes after may be computed where it lies."""
        mean = self.mean.to(x.device, x.dtype)
        return mean.expand(x.shape).clone(memory_format=torch.contiguous_format), None


def places(model: nn.Module, part: Part) -> tuple[str, ...]:
    """Where a part of every attention module of a model is replaced.

    Raises:
        ValueError: for a network that names no class, or has no attention.
    """
    if HidePatches.possible(model):
        raise ValueError(f"{model_name(model)} reconstructs images and names no class: it has no accuracy to lose.")
    found = tuple(find_probes(model, lambda p: p.role == ROLES[part]))
    if not found:
        raise ValueError(f"{model_name(model)} has no attention: there is no {part} gap to measure.")
    return found


def batch_sums(recording: Recording, part: Part, names: tuple[str, ...]) -> dict[str, Float[Tensor, "..."]]:
    """Of each place the mean over its places, summed over the samples of a batch; float64, on the CPU."""
    sums = {}
    for name in names:
        track = recording[name]
        over = [axis for axis, letter in enumerate(track.axes) if letter in OVER[part]]
        values = track.values.cpu().double() * float(track.scale)
        count = values.shape[track.axes.index("B")]
        sums[name] = values.mean(over, keepdim=True) * count
    return sums
