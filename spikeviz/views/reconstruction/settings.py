"""Which patches are hidden from an autoencoder: at random by a ratio, or by hand, as settings of one value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from spikeviz.views.experiment import Experiment
from spikeviz.views.settings import Setting, dynamics, span, spans

if TYPE_CHECKING:
    from spikeviz.models.spike_mae import SpikeMAE


@dataclass(frozen=True)
class Ratio(Setting):
    """The share of patches hidden at random. Moving it forgets what was hidden by hand."""

    def change(self, experiment: Experiment, value: float) -> Experiment:
        """The experiment with this share hidden at random."""
        return self.with_rule(experiment, self.kind(value))


@dataclass(frozen=True)
class Patches(Setting):
    """Patches hidden by hand; none: the ratio draws them. The ratio then says their share.

    Attributes:
        count: patches of an image.
    """

    form: ClassVar[Literal["spans"]] = "spans"
    placeholder: ClassVar[str] = "at random"

    count: int = 0

    @property
    def options(self) -> Sequence[int]:
        return range(self.count)

    @property
    def help(self) -> str:
        return (
            "They are numbered row by row from the top left. Or click the patches in the masked picture. "
            f"{self.kind.source}."
        )

    def put(self, experiment: Experiment, value: tuple[int, ...]) -> Experiment:
        """The experiment with exactly these hidden; with none of them at random again, at the present ratio.

        Raises:
            ValueError: for a patch there is none of.
        """
        patches = tuple(sorted(set(value)))
        if patches and not 0 <= patches[0] <= patches[-1] < self.count:
            raise ValueError(f"Patches go from 0 to {self.last}, such as 0-6.24.")
        rule = self.rule(experiment)
        if patches:
            return self.with_rule(experiment, self.kind(round(len(patches) / self.count, 2), patches))
        return self.with_rule(experiment, self.kind(rule.ratio)) if rule.patches else experiment

    def text(self, value: tuple[int, ...]) -> str:
        """`0-6.24`."""
        return spans(value)

    def read(self, experiment: Experiment, text: str) -> Experiment:
        """The opposite of `text`; commas do as well.

        Raises:
            ValueError: for what is no list of patches.
        """
        parts = [span(word) for word in re.split(r"[.,]", text)]
        return self.put(experiment, tuple(n for part in parts for n in part or [self.count]))


def hiding(model: SpikeMAE, experiment: Experiment) -> list[Setting]:
    """Mask ratio, D and T as far as the encoder has them, and the patches hidden by hand."""
    from spikeviz.interventions import HidePatches, SpikeLevels, TimeSteps

    own, grid = model.config.ratio, model.config.grid
    idle = HidePatches(own)
    ratio = Ratio(HidePatches, "ratio", "mask_ratio", "Mask ratio", own, idle=idle, random=True, acts=True)
    others = [setting for setting in dynamics(model, experiment) if setting.kind in (SpikeLevels, TimeSteps)]
    by_hand = Patches(HidePatches, "patches", "patches", "Hidden by hand", (), idle=idle, learned=False, count=grid**2)
    return [ratio, *others, by_hand]


def hide(model: SpikeMAE, experiment: Experiment, hidden: Sequence[int]) -> Experiment:
    """The experiment in which exactly these patches are hidden; for none of them the ratio is 0.

    Raises:
        ValueError: for a patch there is none of.
    """
    ratio, *_, by_hand = hiding(model, experiment)
    return by_hand.put(experiment, tuple(hidden)) if hidden else ratio.put(experiment, 0.0)
