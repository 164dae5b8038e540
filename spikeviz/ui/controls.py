"""Interventions as controls: bounds, step and help are the dataclass's; what a model lacks is not offered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

import streamlit as st

from spikeviz.ui import live
from spikeviz.ui.experiment import Experiment, Parameter, current, keep, plain, shown, taken

if TYPE_CHECKING:
    from torch import nn

    from spikeviz.interventions import Bounds, Intervention


LONGEST_CONVERTED = 64  # T of the slider of a converted network
CHOICES = 2.6  # width of what does not slide, beside one slider
MOST_SEEDS = 2**31 - 1  # the largest seed of an address


@dataclass(frozen=True)
class Setting:
    """A field of an intervention as the app shows it.

    Attributes:
        kind: the intervention.
        field: of it.
        name: in the status line and, after the page's prefix, in the address.
        label: of the slider.
        trained: the value the network was trained with, at which nothing is intervened.
        most: where the slider ends, if that is not the intervention's own end.
        idle: the intervention with nothing moved, if it has other fields.
        learned: whether the weights know of the value; if not, `trained` is where the slider starts.
        random: whether it draws with the experiment's seed.
        acts: whether it acts where it starts, too: an autoencoder always has something hidden from it.
    """

    slides: ClassVar[bool] = True

    kind: type[Intervention]
    field: str
    name: str
    label: str
    trained: Any
    most: float | None = None
    idle: Intervention | None = None
    learned: bool = True
    random: bool = False
    acts: bool = False

    @property
    def bounds(self) -> Bounds:
        bounds = next(f for f in fields(self.kind) if f.name == self.field).metadata["bounds"]
        return bounds if self.most is None else replace(bounds, slider=(bounds.slider[0], self.most))

    def rule(self, experiment: Experiment) -> Intervention:
        """The intervention as the experiment has it."""
        idle = self.idle or self.kind(**{self.field: self.trained})
        return next((i for i in experiment.interventions if isinstance(i, self.kind)), idle)

    def value(self, experiment: Experiment) -> Any:
        """As the experiment has it."""
        return getattr(self.rule(experiment), self.field)

    def put(self, experiment: Experiment, value: float) -> Experiment:
        """The experiment with this value; the trained value is no intervention.

        Raises:
            ValueError: outside the slider's range.
        """
        low, high = self.bounds.slider
        if not low <= value <= high:
            raise ValueError(f"{self.label} goes from {low:g} to {high:g}.")
        return self.change(experiment, self.trained if abs(value - self.trained) < 1e-9 else value)

    def change(self, experiment: Experiment, value: Any) -> Experiment:
        """The experiment with this value of the field, the other fields as they are; with nothing moved, without."""
        rule = replace(self.rule(experiment), **{self.field: value})
        idle = self.rule(experiment.only())
        return experiment.set(self.kind, None if rule == idle else rule)

    def text(self, value: Any) -> str:
        return f"{value:.0f}" if self.bounds.whole else f"{value:.2f}"

    def read(self, experiment: Experiment, text: str) -> Experiment:
        """The experiment with a value from an address, rounded to what the status line and the address can say.

        Raises:
            ValueError: if it is no number of the slider's range.
        """
        try:
            value = round(float(text), 2)
        except ValueError:
            raise ValueError(f"{self.label} is a number.") from None
        if self.bounds.whole and not value.is_integer():
            raise ValueError(f"{self.label} is a whole number.")
        return self.put(experiment, int(value) if self.bounds.whole else value)

    def parameter(self, page: str) -> Parameter:
        """`maps_T=3`."""

        def read(text: str | None) -> None:
            keep(self.put(current(), self.trained) if text is None else self.read(current(), text))

        def write() -> str | None:
            value = self.value(current())
            return None if value == self.trained else self.text(value)

        return Parameter(f"{page}_{self.name}", read, write)


Knobs = Callable[["nn.Module"], list[Setting]]  # the sliders of a network on some page


def dynamics(model: nn.Module) -> list[Setting]:
    """D, T, firing threshold and time constant, as far as `model` has them.

    Of events there are T frames at most, unless these are channels; a converted network needs many steps.
    """
    from spikeviz.interventions import FiringThreshold, SpikeLevels, TimeConstant, TimeSteps
    from spikeviz.nn.neurons import Neuron
    from spikeviz.nn.qcfs import ConvertedIF

    neurons = [m for m in model.modules() if isinstance(m, Neuron)]
    converted = any(isinstance(neuron, ConvertedIF) for neuron in neurons)
    taus, levels = ([getattr(m, n) for m in neurons if n in m.tunable] for n in ("tau", "levels"))
    most = model.time_steps if model.intake.events else None
    if converted:
        most = LONGEST_CONVERTED
    table: list[tuple[type[Intervention], str, str, str, Callable[[], float]]] = [
        (SpikeLevels, "D", "D", "D", lambda: max(levels)),
        (TimeSteps, "T", "T", "T", lambda: model.time_steps),
        (FiringThreshold, "value", "threshold", "Firing threshold", lambda: 1.0),
        (TimeConstant, "tau", "tau", "tau", lambda: max(set(taus), key=taus.count)),
    ]
    return [
        Setting(
            kind, field, name, label, trained(), most if kind is TimeSteps else None,
            learned=not (converted and kind is TimeSteps),
        )
        for kind, field, name, label, trained in table
        if kind.possible(model)
    ]  # fmt: skip


def masks(model: nn.Module) -> list[Setting]:
    """The threshold of learned channel masks, and T; of a network without masks T alone."""
    from spikeviz.interventions import MaskChannels
    from spikeviz.nn.channel_masks import TRAINED

    threshold = Setting(MaskChannels, "threshold", "threshold", "Threshold", TRAINED)
    return [*([threshold] if MaskChannels.possible(model) else []), *steps(model)]


def steps(model: nn.Module) -> list[Setting]:
    """T alone."""
    from spikeviz.interventions import TimeSteps

    return [setting for setting in dynamics(model) if setting.kind is TimeSteps]


def sliders(page: str, settings: list[Setting], fast: bool) -> None:
    """One slider for each setting, in a row; `fast` answers while it is dragged, otherwise when it is let go.

    Beside them what does not slide, and the seed where something is drawn.
    """
    sliding, others = ([s for s in settings if s.slides is slides] for slides in (True, False))
    random = any(setting.random for setting in settings)
    columns = st.columns([1.0] * len(sliding) + [CHOICES] * bool(others or random), gap="medium")
    for column, setting in zip(columns, sliding, strict=False):
        with column:
            _slider(f"{page}_{setting.name}", setting, fast and not plain())
    if others or random:
        with columns[-1], st.container(horizontal=True, gap="small", key=f"{page}_choices"):
            for setting in others:
                setting.choose(f"{page}_{setting.name}")
            if random:
                _choose_seed(f"{page}_seed")


def _choose_seed(name: str) -> None:
    st.number_input(
        "Seed", 0, MOST_SEEDS, step=1, key=shown(name, current().seed), width=80, on_change=taken,
        args=(name, lambda seed: keep(current().but(seed=seed))), help="Of what is drawn at random",
    )  # fmt: skip


def _slider(key: str, setting: Setting, fast: bool) -> None:
    bounds, number = setting.bounds, int if setting.bounds.whole else float
    low, high = (number(end) for end in bounds.slider)
    value, step = number(setting.value(current())), number(bounds.step)
    start = f"{'Trained with' if setting.learned else 'It starts at'} {setting.text(setting.trained)}."
    help = f"{bounds.help} {start} {setting.kind.source}."

    def take(new: Any) -> None:  # limits are kept by the browser alone: once more here
        keep(setting.put(current(), min(max(number(round(new, 6)), low), high)))

    if fast:
        decimals = 0 if bounds.whole else 2
        live.slider(
            setting.label, low, high, step, value, decimals=decimals, help=help, key=f"{key}_live", take=take
        )  # fmt: skip
        return
    form = "%d" if bounds.whole else "%.2f"
    st.slider(
        setting.label, low, high, step=step, key=shown(key, value), format=form, help=help,
        on_change=taken, args=(key, take),
    )  # fmt: skip


def complete(settings: list[Setting], experiment: Experiment) -> Experiment:
    """What a page computes: of what is intervened, what there are settings for, and what acts where it starts, too."""
    for setting in settings:
        if setting.acts:
            experiment = experiment.set(setting.kind, setting.rule(experiment))
    return experiment.only(*(setting.kind for setting in settings))


def moved(settings: list[Setting], experiment: Experiment) -> list[Setting]:
    """The settings that differ from how the network was trained."""
    return [s for s in settings if s.value(experiment) != s.trained]


def reset(settings: list[Setting]) -> None:
    """Set every slider to how the network was trained."""
    for s in settings:
        keep(s.put(current(), s.trained))


def said(settings: list[Setting], experiment: Experiment) -> str:
    """`T=4 threshold=1.00 tau=2.00 seed=0`; what does not slide only where it is moved."""
    told = [s for s in settings if s.slides or s.value(experiment) != s.trained]
    return " ".join([*(f"{s.name}={s.text(s.value(experiment))}" for s in told), f"seed={experiment.seed}"])
