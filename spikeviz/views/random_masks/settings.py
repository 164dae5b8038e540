"""Where spikes are masked at random: a ratio, and the sites and blocks at which it acts, for one or several masks.

Also what a scene's masks are: their places in words, and the same run with other masks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from spikeviz.views.experiment import Experiment
from spikeviz.views.settings import Setting, span, spans, steps

if TYPE_CHECKING:
    from torch import nn

    from spikeviz.interventions import MaskSpikes
    from spikeviz.metrics.spike_masking import Place
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

# As the paper compares power: its Table 3 masks self-attention alone.
ATTENTION, HIDDEN = ("q", "k", "scores"), ("MLP hidden",)
FURTHER = 0.5  # ratio with which a further mask starts


@dataclass(frozen=True)
class Where(Setting):
    """Some of the sites, or some of the blocks, of the places that a random mask may act on.

    Attributes:
        part: of a place, that is chosen.
        places: of the network.
    """

    form: ClassVar[Literal["pills"]] = "pills"

    part: Literal["site", "block"] = "site"
    places: tuple[Place, ...] = ()

    @property
    def options(self) -> tuple[Any, ...]:
        return _parts(self.places, self.part)

    @property
    def word(self) -> str:
        """What one of the options is called."""
        return self.label.split()[0].lower().removesuffix("s")

    def value(self, experiment: Experiment) -> tuple[Any, ...]:
        """Those of the options at which spikes are masked."""
        chosen = _parts(masked((self.rule(experiment),), self.places), self.part)
        return tuple(option for option in self.options if option in chosen)

    def put(self, experiment: Experiment, value: tuple[Any, ...]) -> Experiment:
        """The experiment with these of the options; the other half of the choice stays.

        Raises:
            ValueError: for none.
        """
        if not value:
            raise ValueError(f"Select at least one {self.word}.")
        other = "block" if self.part == "site" else "site"
        others = _parts(masked((self.rule(experiment),), self.places) or self.places, other)
        both = [p for p in self.places if getattr(p, self.part) in value and getattr(p, other) in others]
        if not both:
            raise ValueError(f"The chosen {other}s have no such {self.word}: select others first.")
        return self.change(experiment, tuple(place.name for place in both))

    def text(self, value: tuple[Any, ...]) -> str:
        """`q.k.scores`, or `0-2.5`."""
        return ".".join(_short(site) for site in value) if self.part == "site" else spans(value)

    def read(self, experiment: Experiment, text: str) -> Experiment:
        """The opposite of `text`; commas do as well.

        Raises:
            ValueError: for what the network lacks.
        """
        wanted = {option for word in re.split(r"[.,]", text) for option in self._options(word)}
        return self.put(experiment, tuple(option for option in self.options if option in wanted))

    def _options(self, word: str) -> list[Any]:
        if self.part == "site":
            found = [site for site in self.options if word in (site, _short(site))]
            there = "the sites of this network are " + ", ".join(_short(site) for site in self.options)
        else:
            found = span(word)
            found = found if found and found[-1] in self.options else []
            there = f"{self.word}s go from 0 to {self.last}, such as 0-1"
        if not found:
            raise ValueError(f"{there}.")
        return found


@dataclass(frozen=True)
class ByLaw(Setting):
    """Whether each spike is dropped by itself, or an activation that stands for several as a whole."""

    form: ClassVar[Literal["pills"]] = "pills"

    @property
    def options(self) -> tuple[str, ...]:
        return ("spikes", "whole")

    @property
    def help(self) -> str:
        return "spikes: each by itself. whole: all that an activation stands for or none, as in the published code."

    def value(self, experiment: Experiment) -> tuple[str, ...]:
        return (self.rule(experiment).law,)

    def put(self, experiment: Experiment, value: tuple[str, ...]) -> Experiment:
        """Of two chosen ones the new one."""
        now = self.value(experiment)
        chosen = next((law for law in value if law not in now), now[0])
        return self.change(experiment, chosen)

    def text(self, value: tuple[str, ...]) -> str:
        return value[0]

    def read(self, experiment: Experiment, text: str) -> Experiment:
        """The opposite of `text`.

        Raises:
            ValueError: for a law there is none of.
        """
        if text not in self.options:
            raise ValueError(f"a law is {' or '.join(self.options)}.")
        return self.change(experiment, text)


def masking(model: nn.Module, experiment: Experiment) -> list[Setting]:
    """Ratio, sites and blocks of every random mask of an experiment, of one at least, and T; the law where something
    that is masked stands for several spikes: of a converted network every activation is one spike or none.

    Nothing is dropped until a ratio is moved. The settings of a further mask carry its number: `ratio2`.
    """
    from spikeviz.interventions import MaskSpikes
    from spikeviz.metrics.spike_masking import masking_places
    from spikeviz.nn.neurons import Neuron
    from spikeviz.nn.qcfs import ConvertedIF

    places = masking_places(model)
    masks = max(1, len(experiment.of_kind(MaskSpikes)))
    single = any(isinstance(part, ConvertedIF) for part in model.modules() if isinstance(part, Neuron))
    (ratio, *where), *others = (_mask(places, number, not single) for number in range(masks))
    return [ratio, *steps(model, experiment), *where, *(setting for mask in others for setting in mask)]


def another(model: nn.Module) -> MaskSpikes:
    """A further mask, at what the first one leaves out, if there is something."""
    from spikeviz.interventions import MaskSpikes
    from spikeviz.metrics.spike_masking import masking_places

    return MaskSpikes(FURTHER, at=tuple(place.name for place in _start(masking_places(model), 1)))


def _start(places: Sequence[Place], number: int) -> list[Place]:
    """Where a mask acts until that is changed: the first in self-attention, further ones in the MLP; where there are
    convolutions alone the first in all of them, further ones in the second half."""
    chosen = [place for place in places if place.site in (HIDDEN if number else ATTENTION)]
    return chosen or list(places[len(places) // 2 :] if number else places)


def _mask(places: tuple[Place, ...], number: int, several: bool) -> list[Setting]:
    """Ratio, sites and blocks of one mask, by its number from 0; and its law, where there are `several` spikes."""
    from spikeviz.interventions import MaskSpikes
    from spikeviz.metrics.spike_masking import CONVOLUTION

    start, name, label = _start(places, number), f"{number + 1}" if number else "", f" {number + 1}" if number else ""
    more: dict[str, Any] = {"idle": MaskSpikes(0.0, at=tuple(place.name for place in start)), "number": number}
    more |= {"learned": False, "random": True}

    def some(part: Literal["site", "block"], title: str) -> Where:
        own = f"{part}s{name}", f"{title}{label}", _parts(start, part)
        return Where(MaskSpikes, "at", *own, part=part, places=places, **more)

    blocks = "Convolutions" if start[0].site == CONVOLUTION else "Blocks"
    ratio = Setting(MaskSpikes, "ratio", f"ratio{name}", f"Ratio{label}", 0.0, **more)
    law = [ByLaw(MaskSpikes, "law", f"law{name}", f"Law{label}", ("spikes",), **more)] if several else []
    return [ratio, some("site", "Sites"), some("block", blocks), *law]


def _parts(places: Sequence[Place], part: str) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(getattr(place, part) for place in places))


def _short(site: str) -> str:
    """One word, for an address."""
    return site.partition(" ")[0]


def masked(rules: Sequence[MaskSpikes], places: Sequence[Place]) -> list[Place]:
    """The places at which one of the masks acts."""
    return [place for place in places if any(rule.edits(place.name, place.kind) for rule in rules)]


def masks_of(run: Run) -> tuple[MaskSpikes, ...]:
    """The masks of a run, left to right; of one without any the mask that its page offers, whose ratio is 0."""
    return tuple(s.rule(run.experiment) for s in masking(run.model, run.experiment) if s.field == "ratio")


def drops(run: Run) -> bool:
    """Whether one of its masks drops something."""
    return any(rule.ratio > 0 for rule in masks_of(run))


def places_of(run: Run) -> list[Place]:
    """Where the masks of a run act."""
    from spikeviz.metrics.spike_masking import masking_places

    return masked(masks_of(run), masking_places(run.model))


def where(run: Run) -> str:
    """The masked places in words: `q, k, scores of blocks 0-3`; of several masks each with its ratio."""
    from spikeviz.metrics.spike_masking import masking_places

    places = masking_places(run.model)
    named = [(_where(masked((mask,), places)) or ", ".join(mask.at), mask.ratio) for mask in masks_of(run)]
    if len(named) == 1:
        return named[0][0]
    return " and ".join(f"{places} (ratio {ratio:.2f})" for places, ratio in named)


def _where(places: Sequence[Place]) -> str:
    """Of the places of one mask; "" of one that acts elsewhere."""
    from spikeviz.metrics.spike_masking import CONVOLUTION, SITES

    inside = [place for place in places if place.site != CONVOLUTION]
    sites = ", ".join(site for site in SITES if site in {place.site for place in inside})
    read = _numbers([place for place in places if place.site == CONVOLUTION])
    named = [f"{sites} of blocks {_numbers(inside)}"] if inside else []
    return " and ".join(named + ([f"what enters convolutions {read}"] if read else []))


def _numbers(places: Sequence[Place]) -> str:
    return spans(sorted({place.block for place in places})).replace(".", ", ")


def at_ratio(scene: Scene, ratio: float) -> Run:
    """The run of the scene with its first mask at another ratio; further masks, places and T stay."""
    first = next(setting for setting in scene.settings if setting.field == "ratio")
    return scene.run(first.put(scene.now.experiment, ratio))


def unmasked(scene: Scene) -> Run:
    """The run of the scene without any mask."""
    from spikeviz.interventions import MaskSpikes

    return scene.run(scene.now.experiment.without(MaskSpikes))


def first_alone(scene: Scene) -> str:
    """Of a figure that changes the first mask: that it changes no other, where there are others; else nothing."""
    others = len(masks_of(scene.now)) - 1
    stay = "the other stays" if others == 1 else "the others stay"
    return f"; only the first mask is changed, {stay} as set" if others else ""
