"""Settings: fields of interventions that a page offers, with the bounds, step and help of the dataclass."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from weakref import WeakKeyDictionary

from spikeviz.views.experiment import Experiment

if TYPE_CHECKING:
    from spikeviz.interventions import Bounds

LONGEST_CONVERTED = 64  # T of the slider of a converted network
MOST_SEEDS = 2**31 - 1  # the largest seed of an address
_DYNAMICS: WeakKeyDictionary[Any, tuple[Setting, ...]] = WeakKeyDictionary()  # by network, which is never written to


@dataclass(frozen=True)
class Setting:
    """A field of an intervention as a page offers it.

    Attributes:
        kind: the intervention.
        field: of it.
        name: in the status line and, after the page's prefix, in the address.
        label: of the control.
        trained: the value the network was trained with, at which nothing is intervened.
        most: where the slider ends, if that is not the intervention's own end.
        idle: the intervention with nothing moved, if it has other fields.
        learned: whether the weights know of the value; if not, `trained` is where the slider starts.
        random: whether it draws with the experiment's seed.
        acts: whether it acts where it starts, too: an autoencoder always has something hidden from it.
        number: of the intervention among those of its kind, from 0.
    """

    form: ClassVar[Literal["slider", "pills", "spans"]] = "slider"
    placeholder: ClassVar[str] = ""  # of a field for numbers and ranges that may be empty: what happens then

    kind: type[Any]
    field: str
    name: str
    label: str
    trained: Any
    most: float | None = None
    idle: Any = None
    learned: bool = True
    random: bool = False
    acts: bool = False
    number: int = 0

    @property
    def bounds(self) -> Bounds:
        bounds = next(f for f in fields(self.kind) if f.name == self.field).metadata["bounds"]
        return bounds if self.most is None else replace(bounds, slider=(bounds.slider[0], self.most))

    @property
    def options(self) -> Sequence[Any]:
        """What can be chosen, of a setting that does not slide."""
        return ()

    @property
    def last(self) -> int:
        """The largest number of `options`."""
        return max(self.options)

    @property
    def help(self) -> str:
        """Of a control that is no slider."""
        return f"{self.kind.source}."

    @property
    def untouched(self) -> Any:
        """The intervention with nothing moved."""
        return self.idle or self.kind(**{self.field: self.trained})

    def rule(self, experiment: Experiment) -> Any:
        """The intervention as the experiment has it."""
        found = experiment.of_kind(self.kind)
        return found[self.number] if self.number < len(found) else self.untouched

    def value(self, experiment: Experiment) -> Any:
        """As the experiment has it."""
        return getattr(self.rule(experiment), self.field)

    def put(self, experiment: Experiment, value: Any) -> Experiment:
        """The experiment with this value; the trained value is no intervention.

        Raises:
            ValueError: outside the slider's range.
        """
        low, high = self.bounds.slider
        if not low <= value <= high:
            raise ValueError(f"{self.label} goes from {low:g} to {high:g}.")
        return self.change(experiment, self.trained if abs(value - self.trained) < 1e-9 else value)

    def change(self, experiment: Experiment, value: Any) -> Experiment:
        """The experiment with this value of the field, the other fields as they are."""
        return self.with_rule(experiment, replace(self.rule(experiment), **{self.field: value}))

    def with_rule(self, experiment: Experiment, rule: Any) -> Experiment:
        """The experiment with this intervention; one with nothing moved goes, unless it holds the place of another."""
        alone = len(experiment.of_kind(self.kind)) <= 1 and not self.number
        return experiment.without(self.kind) if alone and rule == self.untouched else experiment.set(rule, self.number)

    def text(self, value: Any) -> str:
        """As the status line and the address write it."""
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


def dynamics(model: Any, _: Experiment) -> list[Setting]:
    """D, T, firing threshold and time constant, as far as `model` has them.

    Of events there are T frames at most, unless these are channels; a converted network needs many steps. A page asks
    several times a move, and the answer is a walk through all modules: once for each network.
    """
    if model not in _DYNAMICS:
        _DYNAMICS[model] = tuple(_dynamics(model))
    return list(_DYNAMICS[model])


def _dynamics(model: Any) -> list[Setting]:
    from spikeviz.interventions import FiringThreshold, SpikeLevels, TimeConstant, TimeSteps
    from spikeviz.nn.neurons import Neuron
    from spikeviz.nn.qcfs import ConvertedIF

    neurons = [m for m in model.modules() if isinstance(m, Neuron)]
    converted = any(isinstance(neuron, ConvertedIF) for neuron in neurons)
    taus, levels = ([getattr(m, n) for m in neurons if n in m.tunable] for n in ("tau", "levels"))
    most = LONGEST_CONVERTED if converted else model.time_steps if model.intake.events else None
    found = []
    if SpikeLevels.possible(model):
        found.append(Setting(SpikeLevels, "D", "D", "D", max(levels)))
    if TimeSteps.possible(model):
        found.append(Setting(TimeSteps, "T", "T", "T", model.time_steps, most, learned=not converted))
    if FiringThreshold.possible(model):
        found.append(Setting(FiringThreshold, "value", "threshold", "Firing threshold", 1.0))
    if TimeConstant.possible(model):
        found.append(Setting(TimeConstant, "tau", "tau", "tau", max(set(taus), key=taus.count)))
    return found


def steps(model: Any, experiment: Experiment) -> list[Setting]:
    """T alone."""
    from spikeviz.interventions import TimeSteps

    return [setting for setting in dynamics(model, experiment) if setting.kind is TimeSteps]


def complete(settings: Sequence[Setting], experiment: Experiment) -> Experiment:
    """What a page computes: of what is intervened, what there are settings for, and what acts where it starts, too."""
    for setting in settings:
        if setting.acts:
            experiment = experiment.set(setting.rule(experiment), setting.number)
    return experiment.only(*(setting.kind for setting in settings))


def moved(settings: Sequence[Setting], experiment: Experiment) -> list[Setting]:
    """The settings that differ from how the network was trained."""
    return [s for s in settings if s.value(experiment) != s.trained]


def as_trained(settings: Sequence[Setting], experiment: Experiment) -> Experiment:
    """The experiment without anything that there is a setting for."""
    for kind in dict.fromkeys(setting.kind for setting in settings):
        experiment = experiment.without(kind)
    return experiment


def status_text(settings: Sequence[Setting], experiment: Experiment) -> str:
    """`T=4 threshold=1.00 tau=2.00 seed=0`; what does not slide only where it is moved."""
    named = [s for s in settings if s.form == "slider" or s.value(experiment) != s.trained]
    return " ".join([*(f"{s.name}={s.text(s.value(experiment))}" for s in named), f"seed={experiment.seed}"])


def spans(numbers: Sequence[int]) -> str:
    """Rising whole numbers as `0-2.5`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ".".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def span(word: str) -> list[int]:
    """The numbers of a part of `spans`: 3, or 0 to 2; none of what is no such part."""
    ends = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", word)
    return list(range(int(ends[1]), int(ends[2] or ends[1]) + 1)) if ends else []


def whole(text: str, what: str, low: int, high: int) -> int:
    """A whole number of an address.

    Raises:
        ValueError: if it is none, or outside the range.
    """
    if not text.isascii() or not text.isdigit() or len(text) > 12 or not low <= int(text) <= high:
        raise ValueError(f"{what} is a number from {low} to {high}.")
    return int(text)
