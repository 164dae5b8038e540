"""Which patches are hidden from an autoencoder: at random by a ratio, or by hand, as settings of one value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import streamlit as st

from spikeviz.interventions import HidePatches, SpikeLevels, TimeSteps
from spikeviz.ui.controls import Setting, dynamics
from spikeviz.ui.experiment import current, keep, notice, shown, taken
from spikeviz.views.settings import span, spans

if TYPE_CHECKING:
    from spikeviz.models.spike_mae import SpikeMAE
    from spikeviz.ui.experiment import Experiment


@dataclass(frozen=True)
class Ratio(Setting):
    """The share of patches hidden at random. Moving it forgets what was hidden by hand."""

    def change(self, experiment: Experiment, value: float) -> Experiment:
        return experiment.set(HidePatches, None if value == self.trained else HidePatches(value))


@dataclass(frozen=True)
class Patches(Setting):
    """Patches hidden by hand; none: the ratio draws them. The ratio then says their share.

    Attributes:
        count: patches of an image.
    """

    slides: ClassVar[bool] = False
    count: int = 0

    def put(self, experiment: Experiment, value: tuple[int, ...]) -> Experiment:
        """The experiment with exactly these hidden; with none of them at random again, at the present ratio.

        Raises:
            ValueError: for a patch there is none of.
        """
        patches = tuple(sorted(set(value)))
        if patches and patches[-1] >= self.count:
            raise ValueError(f"Patches go from 0 to {self.count - 1}, such as 0-6.24.")
        rule = self.rule(experiment)
        if patches:
            return experiment.set(HidePatches, HidePatches(round(len(patches) / self.count, 2), patches))
        return experiment.set(HidePatches, HidePatches(rule.ratio)) if rule.patches else experiment

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

    def choose(self, key: str) -> None:
        """A field for their numbers, and the way back to chance."""
        hidden = self.value(current())
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small", width="content"):
            st.text_input(
                f"Hidden by hand, 0-{self.count - 1}", key=shown(key, self.text(hidden)), width=158, on_change=taken,
                args=(key, self._take), placeholder="at random",
                help="Numbers and ranges of patches from the top left, such as 0-6.24. Or click the patches in the "
                f"masked picture. {HidePatches.source}.",
            )  # fmt: skip
            st.button(
                "At random", key=f"{key}_random", on_click=lambda: keep(self.put(current(), ())), disabled=not hidden,
                help="Let ratio and seed draw what is hidden",
            )  # fmt: skip

    def _take(self, new: str) -> None:
        text = new.replace(" ", "")
        try:
            keep(self.read(current(), text) if text else self.put(current(), ()))
        except ValueError as error:
            notice(f"{new[:40]!r} does not work here: {error}")


def hiding(model: SpikeMAE) -> list[Setting]:
    """Mask ratio, D and T as far as the encoder has them, and the patches hidden by hand."""
    own = model.config.ratio
    ratio = Ratio(
        HidePatches, "ratio", "mask_ratio", "Mask ratio", own, idle=HidePatches(own), random=True, acts=True
    )  # fmt: skip
    others = [setting for setting in dynamics(model) if setting.kind in (SpikeLevels, TimeSteps)]
    return [ratio, *others, patches(model)]


def patches(model: SpikeMAE) -> Patches:
    """The setting of the patches hidden by hand."""
    idle = HidePatches(model.config.ratio)
    return Patches(
        HidePatches, "patches", "patches", "Patches", (), idle=idle, learned=False, count=model.config.grid**2
    )


def take(model: SpikeMAE, hidden: list[int]) -> None:
    """Hide exactly these patches from now on; for none of them the ratio is 0."""
    ratio, *_ = hiding(model)
    keep(patches(model).put(current(), tuple(hidden)) if hidden else ratio.put(current(), 0.0))
