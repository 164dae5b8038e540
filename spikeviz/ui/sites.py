"""Where spikes are masked at random: a ratio, and the sites and blocks at which it acts, as settings of one value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import streamlit as st

from spikeviz.interventions import MaskSpikes
from spikeviz.metrics.spike_masking import CONVOLUTION, Place, masking_places
from spikeviz.ui.controls import Setting, steps
from spikeviz.ui.experiment import current, keep, notice, shown, taken

if TYPE_CHECKING:
    from torch import nn

    from spikeviz.ui.experiment import Experiment

MOST_PILLS = 8
UNMASKED = ("MLP hidden",)  # as the paper compares power: its Table 3 masks self-attention alone


@dataclass(frozen=True)
class Where(Setting):
    """Some of the sites, or some of the blocks, of the places that a random mask may act on.

    Attributes:
        places: of the network.
    """

    slides: ClassVar[bool] = False
    places: tuple[Place, ...] = ()

    @property
    def part(self) -> str:
        """Of a place: `site` or `block`."""
        return self.name.removesuffix("s")

    @property
    def options(self) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(getattr(place, self.part) for place in self.places))

    def value(self, experiment: Experiment) -> tuple[Any, ...]:
        """Those of the options at which spikes are masked."""
        chosen = {getattr(place, self.part) for place in masked(self.rule(experiment), self.places)}
        return tuple(option for option in self.options if option in chosen)

    def put(self, experiment: Experiment, value: tuple[Any, ...]) -> Experiment:
        """The experiment with these of the options; the other half of the choice stays.

        Raises:
            ValueError: for none.
        """
        if not value:
            raise ValueError(f"A random mask needs one of the {self.label.lower()} at least.")
        other = "block" if self.part == "site" else "site"
        others = {getattr(place, other) for place in masked(self.rule(experiment), self.places)}
        both = [p for p in self.places if getattr(p, self.part) in value and getattr(p, other) in others]
        return self.change(experiment, tuple(place.name for place in both))

    def text(self, value: tuple[Any, ...]) -> str:
        """`q.k.scores`, or `0-2.5`."""
        if self.part == "site":
            return ".".join(_short(site) for site in value)
        return spans(value)

    def read(self, experiment: Experiment, text: str) -> Experiment:
        """The opposite of `text`; commas do as well.

        Raises:
            ValueError: for what the network lacks.
        """
        words = re.split(r"[.,]", text)
        wanted = {option for word in words for option in self._options(word)}
        return self.put(experiment, tuple(option for option in self.options if option in wanted))

    def _options(self, word: str) -> list[Any]:
        if self.part == "site":
            found = [site for site in self.options if word in (site, _short(site))]
            there = "the sites of this network are " + ", ".join(_short(site) for site in self.options)
        else:
            found = span(word)
            found = found if found and found[-1] in self.options else []
            there = f"{self.label.lower()} go from 0 to {max(self.options)}, such as 0-1"
        if not found:
            raise ValueError(f"{there}.")
        return found

    def choose(self, key: str) -> None:
        """Pills, of which one stays chosen; of many options a field, `0-3.7`."""
        value, help = self.value(current()), self.kind.source
        if len(self.options) <= MOST_PILLS:
            st.pills(
                self.label, self.options, selection_mode="multi", key=shown(key, list(value)), on_change=taken,
                args=(key, self._take), help=help,
            )  # fmt: skip
            return
        st.text_input(
            f"{self.label}, 0-{max(self.options)}", key=shown(key, self.text(value)), width=150, on_change=taken,
            args=(key, self._take_text), help=f"Numbers and ranges, such as 0-3.7. {help}",
        )  # fmt: skip

    def _take(self, new: list[Any]) -> None:
        try:
            keep(self.put(current(), tuple(option for option in self.options if option in new)))
        except ValueError as error:
            notice(str(error))

    def _take_text(self, new: str) -> None:
        try:
            keep(self.read(current(), new.replace(" ", "")))
        except ValueError as error:
            notice(f"{new[:40]!r} does not work here: {error}")


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


def _short(site: str) -> str:
    """One word, for an address."""
    return site.partition(" ")[0]


def masked(rule: MaskSpikes, places: tuple[Place, ...]) -> list[Place]:
    """The places at which a mask acts."""
    return [place for place in places if rule.edits(place.name, "spike")]


def masking(model: nn.Module) -> list[Setting]:
    """Ratio, sites and blocks of random masks, and T; nothing is dropped until the ratio is moved."""
    places = masking_places(model)
    attention = tuple(place for place in places if place.site not in UNMASKED)
    setting = partial(_setting, MaskSpikes(0.0, at=tuple(place.name for place in attention)))
    blocks = "Convolutions" if attention[0].site == CONVOLUTION else "Blocks"
    return [
        setting(Setting, "ratio", "ratio", "Ratio", 0.0),
        *steps(model),
        setting(Where, "at", "sites", "Sites", tuple(dict.fromkeys(p.site for p in attention)), places=places),
        setting(Where, "at", "blocks", blocks, tuple(dict.fromkeys(p.block for p in attention)), places=places),
    ]


def _setting(
    idle: MaskSpikes, form: type[Setting], field: str, name: str, label: str, start: Any, **more: Any
) -> Setting:
    return form(MaskSpikes, field, name, label, start, idle=idle, learned=False, random=True, **more)
