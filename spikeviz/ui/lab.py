"""A lab: what a page that computes works with. `spikeviz.ui.opening` makes one, the figures of a page read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.ui import cards, controls, experiment, glossary, inputs, live, presets, runs

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.artifacts.packed_spikes import Film
    from spikeviz.figures.chart import Exhibit
    from spikeviz.recording import Recording


@dataclass(frozen=True, eq=False)
class Run:
    """One experiment that was run: its network, its input, its recording, and its settings in words."""

    experiment: experiment.Experiment
    card: CheckpointCard
    opened: runs.Opened
    shown: inputs.Input
    recording: Recording
    said: str

    @property
    def samples(self) -> str:
        """What the samples of its test set are called."""
        from spikeviz.data.catalog import find_data

        return f"test {find_data(self.card.data).sample}s"

    @property
    def threshold(self) -> float:
        """Of channel masks: what is intervened, else the one they were trained at."""
        from spikeviz.interventions import MaskChannels
        from spikeviz.nn.channel_masks import TRAINED

        found = [i.threshold for i in self.experiment.interventions if isinstance(i, MaskChannels)]
        return found[0] if found else TRAINED

    @property
    def film(self) -> Film:
        """All spikes, for the viewer."""
        from spikeviz.artifacts.packed_spikes import film
        from spikeviz.data.catalog import find_data

        facts = {"classes": find_data(self.card.data).classes, "label": self.shown.label, "notes": self.shown.notes}
        facts |= {"said": self.said, "title": self.shown.title}
        return film(self.recording, self.opened.layers, self.shown.picture, **facts)

    @property
    def numbers(self) -> runs.Numbers:
        """What the charts show."""
        return runs.measure(self.experiment, self.card.sha256, self.opened.model, self.recording)


@dataclass(eq=False)
class Lab:
    """What a page works with.

    Attributes:
        page: prefix of widgets and parameters.
        title: what stands above the page.
        now: what the controls say.
        held: what it is compared with, if something is.
        settings: the sliders.
        layer: that is looked at.
        neuron: of it, that is looked at: channel, row, column.
        view: the container of the picture: above the controls on a narrow screen.
    """

    page: str
    title: str
    now: Run
    held: Run | None
    settings: list[controls.Setting]
    layer: str
    neuron: tuple[int, int, int]
    parameters: list[experiment.Parameter]
    view: st.delta_generator.DeltaGenerator
    preset: presets.Preset | None = None
    exhibits: list[tuple[Exhibit, str]] = field(default_factory=list)

    @property
    def runs(self) -> list[tuple[str, Run]]:
        """A, if there is one, and B."""
        return [*([("A", self.held)] if self.held else []), ("B", self.now)]

    def figure(self, exhibit: Exhibit, notice: str, source: str = "", **how) -> None:
        """A figure with its title, its exports, and what to notice; it goes into the report as well."""
        cards.figure(exhibit, notice, source, page=self.page, **how)
        self.exhibits.append((exhibit, notice + (f" ({source})" if source else "")))

    def close(self, *terms: str) -> None:
        """The end of a page: its terms, and the address."""
        glossary.terms(*terms)
        if live.settled():
            experiment.write_address(self.page, self.parameters)
