"""Interventions as sliders: bounds, step and help are the dataclass's; what a model has no place for is not offered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import streamlit as st

from spikeviz.ui.experiment import Experiment, current, keep

if TYPE_CHECKING:
    from torch import nn

    from spikeviz.interventions import Bounds, Intervention


@dataclass(frozen=True)
class Setting:
    """A field of an intervention as the app shows it.

    Attributes:
        kind: the intervention.
        field: of it.
        name: in the status line and, after the page's prefix, in the address.
        label: of the slider.
        trained: the value the network was trained with, at which nothing is intervened.
    """

    kind: type[Intervention]
    field: str
    name: str
    label: str
    trained: float

    @property
    def bounds(self) -> Bounds:
        return next(f for f in fields(self.kind) if f.name == self.field).metadata["bounds"]

    def value(self, experiment: Experiment) -> float:
        """As the experiment has it."""
        found = [getattr(i, self.field) for i in experiment.interventions if isinstance(i, self.kind)]
        return found[0] if found else self.trained

    def put(self, experiment: Experiment, value: float) -> Experiment:
        """The experiment with this value; the trained value is no intervention.

        Raises:
            ValueError: outside the slider's range.
        """
        low, high = self.bounds.slider
        if not low <= value <= high:
            raise ValueError(f"{self.label} goes from {low:g} to {high:g}.")
        same = abs(value - self.trained) < 1e-9
        return experiment.set(self.kind, None if same else self.kind(**{self.field: value}))

    def text(self, value: float) -> str:
        return f"{value:.0f}" if self.bounds.whole else f"{value:.2f}"

    def read(self, text: str) -> None:
        """Take the value over from an address."""
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{self.label} is a number.") from None
        if self.bounds.whole and not value.is_integer():
            raise ValueError(f"{self.label} is a whole number.")
        keep(self.put(current(), int(value) if self.bounds.whole else value))


def dynamics(model: nn.Module) -> list[Setting]:
    """T, firing threshold and time constant, as far as `model` has them."""
    from spikeviz.interventions import FiringThreshold, TimeConstant, TimeSteps
    from spikeviz.nn.neurons import Neuron

    taus = [m.tau for m in model.modules() if isinstance(m, Neuron) and "tau" in m.tunable]
    table: list[tuple[type[Intervention], str, str, str, Callable[[], float]]] = [
        (TimeSteps, "T", "T", "T", lambda: model.time_steps),
        (FiringThreshold, "value", "threshold", "Firing threshold", lambda: 1.0),
        (TimeConstant, "tau", "tau", "tau", lambda: max(set(taus), key=taus.count)),
    ]
    return [
        Setting(kind, field, name, label, trained())
        for kind, field, name, label, trained in table
        if kind.possible(model)
    ]


def sliders(prefix: str, settings: list[Setting]) -> Experiment:
    """One slider for each setting, in a row; answers the experiment with their values."""
    experiment = current()
    for column, setting in zip(st.columns(len(settings), gap="medium"), settings, strict=True):
        with column:
            experiment = setting.put(experiment, _slider(f"{prefix}_{setting.name}", setting, experiment))
    return keep(experiment)


def _slider(key: str, setting: Setting, experiment: Experiment) -> float:
    bounds, number = setting.bounds, int if setting.bounds.whole else float
    low, high = bounds.slider
    seed(key, number(setting.value(experiment)), low, high)
    value = st.slider(
        setting.label, number(low), number(high), step=number(bounds.step), key=key,
        format="%d" if bounds.whole else "%.2f",
        help=f"{bounds.help} Trained with {setting.text(setting.trained)}. {setting.kind.source}.",
    )  # fmt: skip
    return min(max(number(round(value, 6)), low), high)


def seed(key: str, value: Any, low: float | None = None, high: float | None = None) -> None:
    """Give a widget its value if its page was left since, and bring it back into its range."""
    if key not in st.session_state:
        st.session_state[key] = value
    if low is not None and high is not None and not low <= st.session_state[key] <= high:
        st.session_state[key] = type(value)(min(max(st.session_state[key], low), high))


def changed(settings: list[Setting], experiment: Experiment) -> list[Setting]:
    """The settings that differ from how the network was trained."""
    return [s for s in settings if s.value(experiment) != s.trained]


def reset(prefix: str, settings: list[Setting]) -> None:
    """Set every slider to how the network was trained."""
    for s in settings:
        st.session_state[f"{prefix}_{s.name}"] = s.trained if not s.bounds.whole else int(s.trained)
        keep(s.put(current(), s.trained))
