"""The networks of the page: what the paper calls them, and which belong together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from spikeviz.views.networks.siblings import config_of, siblings
from spikeviz.views.networks.words import FORMS, family_in_words
from spikeviz.views.page import Networks, supports

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.interventions import MaskSpikes
    from spikeviz.views.experiment import Experiment
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

NETWORKS = Networks(
    lambda card: card.classifies and supports(card, "MaskSpikes"),
    "is an autoencoder, and this page is about what masks cost in accuracy",
    "mst-fashion",
)

NOT_CONVERTED = "was trained with spikes and not with QCFS"


def opening() -> dict[str, str]:
    """The address with which the page opens: a network that was fine-tuned under masks where the page has them, at the
    ratio it was fine-tuned under. Without such a network the page opens unmasked."""
    from spikeviz.interventions import MaskSpikes

    names = NETWORKS.names()
    for card in family(names[NETWORKS.default()], names):
        rules = masks_trained_under(card)
        if len(rules) == 1 and rules[0].at == MaskSpikes(0.0).at:
            return {"checkpoint": card.name, "rsm_ratio": f"{rules[0].ratio:.2f}"}
    return {}


def teacher(now: Run) -> Experiment | None:
    """The network that was not fine-tuned under masks, in every setting like this run, while something is dropped."""
    first = family(now.card, NETWORKS.names())[0]
    masked = any(rule.ratio > 0 for rule in now.experiment.of_kind(_masks()))
    if not masked or not masks_trained_under(now.card) or masks_trained_under(first):
        return None
    return now.experiment.but(checkpoint=first.name)


def _masks() -> type[MaskSpikes]:
    from spikeviz.interventions import MaskSpikes

    return MaskSpikes


def kind(card: CheckpointCard) -> str:
    """What the paper calls a network of this kind: MST if it was trained with QCFS and has attention scores, a CNN by
    its form; of others, which it does not know, the family."""
    if not converted(card):
        return family_in_words(card)
    return "MST" if attends(card) else FORMS.get(getattr(config_of(card), "form", ""), "")


def converted(card: CheckpointCard) -> bool:
    """Whether a network was trained with QCFS, so that it becomes the spiking one that the page shows."""
    return supports(card, "QuantisationLevels")


def attends(card: CheckpointCard) -> bool:
    """Whether a network has attention scores."""
    from spikeviz.artifacts.checkpoints import skeleton
    from spikeviz.probe import find_probes

    return bool(find_probes(skeleton(card), lambda probe: probe.kind == "scores"))


def masks_trained_under(card: CheckpointCard) -> list[MaskSpikes]:
    """The random masks under which a network was fine-tuned."""
    from spikeviz.artifacts.as_data import from_data
    from spikeviz.interventions import MaskSpikes

    return [i for i in from_data(card.trained_under) if isinstance(i, MaskSpikes)]


def tuned_under(card: CheckpointCard) -> str:
    """The masks a network was fine-tuned under, in words: `ratio 0.5 at q, k, scores`."""
    from spikeviz.artifacts.checkpoints import skeleton
    from spikeviz.metrics.spike_masking import CONVOLUTION, masked_sites

    named = []
    for rule in masks_trained_under(card):
        sites = [site for site in masked_sites(skeleton(card), (rule,)) if site != CONVOLUTION]
        whole = ", whole activations" if rule.law == "whole" else ""
        named.append(f"ratio {rule.ratio:g}" + (f" at {', '.join(sites)}" if sites else "") + whole)
    return " and ".join(named)


def family(card: CheckpointCard, names: Mapping[str, CheckpointCard]) -> list[CheckpointCard]:
    """The networks of one model and data set: first the one that was not fine-tuned under masks, then its students."""
    alike = [other for other in names.values() if (other.model, other.data) == (card.model, card.data)]
    return sorted(alike, key=lambda other: (bool(masks_trained_under(other)), other.name))


def groups(scene: Scene) -> list[list[CheckpointCard]]:
    """The networks of this data set by model: those of the present model first, each with its students behind it.

    A model without students is left out unless it is the present one: curves are about before and after fine-tuning
    under masks.
    """
    names, now = NETWORKS.names(), scene.now.card
    alike = [card for card in names.values() if card.data == now.data]
    models = dict.fromkeys([now.model, *(card.model for card in alike)])
    found = [family(next(card for card in alike if card.model == model), names) for model in models]
    return [found[0], *(group for group in found[1:] if masks_trained_under(group[-1]))]


def norm(card: CheckpointCard) -> str:
    """How an MST normalises: `batch` or `layer`; "" of a CNN, which has no choice."""
    return getattr(config_of(card), "norm", "")


def partner(card: CheckpointCard) -> CheckpointCard | None:
    """The network that differs in its normalisation alone; a student only if its teacher is not here."""
    others = [other for other in siblings(card, "norm") if norm(other) != norm(card)]
    return min(others, key=lambda other: (bool(masks_trained_under(other)), other.name), default=None)
