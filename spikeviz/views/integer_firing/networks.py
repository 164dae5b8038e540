"""The networks of the page, those that belong together, and a run at another D or with other tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from spikeviz.views.experiment import Experiment
from spikeviz.views.networks.siblings import config_of, siblings
from spikeviz.views.page import Networks, supports
from spikeviz.views.runs import cached_simulate
from spikeviz.views.settings import Setting, complete, dynamics

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.interventions import Intervention
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

NETWORKS = Networks(
    lambda card: card.classifies and supports(card, "SpikeLevels"),
    "is no classifier that fires integers, so that this page has no D for it",
    "e-spikeformer-fashion-sfa4",
)


def trained_depth(card: CheckpointCard) -> int:
    """The D that a network was trained with."""
    from spikeviz.artifacts.checkpoints import skeleton

    return _levels(dynamics(skeleton(card), Experiment(card.name))).trained


def siblings_by_depth(card: CheckpointCard) -> dict[int, CheckpointCard]:
    """Networks that were trained like this one, by the D they were trained with; this one at its own."""
    found = {trained_depth(card): card}
    for other in siblings(card, "levels"):
        if NETWORKS.suits(other):
            found.setdefault(trained_depth(other), other)
    return dict(sorted(found.items()))


def vanilla(card: CheckpointCard) -> CheckpointCard | None:
    """The same architecture, trained with binary LIF neurons on the same data."""
    others = siblings(card, "neuron", "levels", "time_steps")
    return next((other for other in others if config_of(other).neuron == "lif"), None)


def depth(run: Run) -> int:
    """D, as the run has it."""
    from spikeviz.interventions import SpikeLevels

    levels = run.experiment.of_kind(SpikeLevels)
    return levels[-1].D if levels else trained_depth(run.card)


def trained_at(now: Run) -> Experiment | None:
    """The network that was trained at the D of this run, in every other setting like it, so that the two differ in what
    D means alone; None if that is this one, or none was."""
    from spikeviz.interventions import SpikeLevels

    other = siblings_by_depth(now.card).get(depth(now))
    if other is None or other == now.card:
        return None
    return now.experiment.without(SpikeLevels).but(checkpoint=other.name)


def at_depth(scene: Scene, d: int) -> Experiment:
    """These weights at another D (what-if); the rest of the setting stays."""
    return complete(scene.settings, _levels(scene.settings).put(scene.now.experiment, d))


def _levels(settings: Sequence[Setting]) -> Setting:
    """Of some settings the one of D."""
    from spikeviz.interventions import SpikeLevels

    return next(setting for setting in settings if setting.kind is SpikeLevels)


def with_membranes(run: Run, interventions: Sequence[Intervention] | None = None) -> Run:
    """The same run with membranes and spikes of all layers; `interventions`: others in place of its own.

    On the run's own input, which need not be the one of the scene: A keeps its own.
    """
    from spikeviz.metrics import MEMBRANES

    changed = run.experiment if interventions is None else run.experiment.but(interventions=tuple(interventions))
    return replace(run, experiment=changed, computed=cached_simulate(changed, MEMBRANES, lambda: run.batch))


def time_steps(card: CheckpointCard) -> int:
    """T of a network's configuration."""
    return config_of(card).time_steps
