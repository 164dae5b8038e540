"""What pages say of membranes, resets and means is what the neurons do, on every network that ships."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import torch
from support.networks import needs
from support.scenes import items_of

import spikeviz as sv
from spikeviz.nn.neurons import IF, LIF, Neuron
from spikeviz.nn.qcfs import ConvertedIF
from spikeviz.views import runs
from spikeviz.views.captions import dynamics
from spikeviz.views.experiment import Experiment
from spikeviz.views.host import scene_at
from spikeviz.views.page import FILES, find_page
from spikeviz.views.view import Component, Figure, Markup, Note

CARDS = {card.name: card for card in sv.list_checkpoints()}
WORDS = {"0": {0.0}, "half of its threshold": {0.5}}
MEANS = {(0, 0): "", (1, 0): "mean over t", (0, 1): "mean over d", (1, 1): "mean over t and d"}


def cases() -> Iterator:
    """Every page with every network; with the first of each model all tabs, and another T."""
    for page in (find_page(file) for file in FILES if file not in ("overview", "events")):
        models = set[str]()
        for name, card in page.networks.names().items():
            whole = card.model not in models
            models.add(card.model)
            yield pytest.param(page, name, whole, marks=needs(name), id=f"{page.file}-{name}")


def initial(neuron: Neuron) -> float:
    """The membrane that a neuron without input has at its first step, in thresholds.

    A leak would act on it first; the leaky ones that ship start at 0, which stays 0.
    """
    _, membrane, threshold = neuron.trace(torch.zeros(2, 1, 1))
    return float(membrane[0].detach() / threshold)


def resets_hard(neuron: Neuron) -> bool:
    """Whether a neuron with a constant input is after a spike where it was before: nothing was left over."""
    spikes, membrane, _ = neuron.trace(torch.full((2, 1, 1), 3.3 * float(getattr(neuron, "threshold", 1.0))))
    assert spikes[0] > 0
    return bool(torch.isclose(membrane[0], membrane[1]))


def items(scene, whole: bool) -> list:
    """Of the page's picture and of its tabs, or of its first one."""
    page = scene.page
    views = [page.main, *(tab.view for tab in page.tabs.values())] if page.tabs else [page.main, page.body]
    return [item for view in (views if whole else views[:2]) for item in items_of(view(scene))]


def figures_of(found: list) -> list[Figure]:
    parts = [
        (i,) if isinstance(i, Figure) else (i.figure, *i.others) for i in found if isinstance(i, Figure | Component)
    ]
    return [figure for part in parts for figure in part if figure is not None]


def said(found: list) -> Iterator[str]:
    """All text: notes, captions, titles of maps and axes."""
    for figure in figures_of(found):
        chart = figure.chart
        yield from (figure.caption, figure.alt, *map(str, getattr(chart, "titles", ())))
        yield from (str(getattr(chart, part, "")) for part in ("title", "x", "y", "label"))
    for item in found:
        if isinstance(item, Note):
            yield item.text
        elif isinstance(item, Markup):
            yield re.sub("<[^>]+>", " ", item.html)


def axes(run) -> tuple[int, int]:
    """T and D of a run, from a pass of its own."""
    place, changes = f"{run.layers[0]}.spike", run.experiment.interventions
    track = sv.simulate(run.model, run.batch, changes, keep=place, seed=run.experiment.seed)[place]
    return len(track.values), track.levels


@pytest.mark.slow
@pytest.mark.parametrize("page, name, whole", list(cases()))
def test_captions_are_those_of_the_network(page, name, whole):
    scene, notices = scene_at(page, {"checkpoint": name})
    assert not notices
    check(scene, whole)
    if whole and any(setting.name == "T" for setting in scene.settings):
        other = 1 if axes(scene.now)[0] > 1 else 2
        moved, _ = scene_at(page, {"checkpoint": name, f"{page.key}_T": str(other)})
        assert axes(moved.now)[0] == other
        check(moved, False)


def check(scene, whole: bool) -> None:
    found = items(scene, whole)
    steps, depth = map(max, zip(*(axes(run) for _, run in scene.runs), strict=True))
    starts = {round(initial(m), 6) for m in scene.now.model.modules() if isinstance(m, Neuron)}
    for line in said(found):
        for t, d in re.findall(r"mean over (?:channels and )?(t\b)?(?: and )?(d\b)?", line):
            assert (steps > 1 or not t) and (depth > 1 or not d), line
        for where in re.findall(r"[Ee]very membrane starts at ([^.:;,]+)", line):
            assert starts == WORDS[where], line
    own = axes(scene.now)
    mean = MEANS[own[0] > 1, own[1] > 1]
    for figure in figures_of(found):
        if figure.title == f"Spike maps · {scene.layer}{', B' if scene.compared else ''}":
            assert figure.chart.titles[-1] == (mean or "the only step")
        if figure.title == "Firing rate by layer":
            assert figure.chart.x == "firing rate" + (mean and f", {mean}")


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(name, marks=needs(name, data=False)) for name in CARDS])
@torch.no_grad()
def test_a_formula_is_what_the_neurons_do(name):
    network, experiment = runs.network(CARDS[name]), Experiment(name)
    run = runs.Run(experiment, CARDS[name], None, "", runs.cached_simulate(experiment, "", lambda: None))
    for layer in network.layers:
        neuron, formula = dynamics.neuron_of(network.model, layer), dynamics.formula(run, layer)
        _, _, threshold = neuron.trace(torch.zeros(2, 1, 1))
        start = initial(neuron) * threshold
        assert float(re.search(r"V_0 = ([\d.]+)", formula)[1]) == pytest.approx(start)
        assert ("then $V_t = 0$" in formula or "then $V_t = 0" in formula) == resets_hard(neuron), formula
        assert dynamics.source(network.model, layer)


def test_several_kinds_of_neurons_are_counted():
    both = torch.nn.ModuleList([LIF(), LIF(), ConvertedIF()])
    assert dynamics.starts(both) == (
        "Where a membrane starts differs: in 2 layers at 0, in 1 layer at half of its threshold."
    )
    assert dynamics.starts(torch.nn.ModuleList([IF()])) == "Every membrane starts at 0."
    assert dynamics.starts(torch.nn.Linear(1, 1)) == ""


def test_one_step_has_no_later_ones():
    assert dynamics.first_step(LIF(), [0.5]) == ""
    assert dynamics.first_step(LIF(), [0.5, 0.25]) == (
        "Every membrane starts at 0. The first step has 0.500, the second 0.250."
    )
    assert dynamics.first_step(LIF(), [0.5, 0.25, 0.75]).endswith("later ones 0.250 to 0.750.")
