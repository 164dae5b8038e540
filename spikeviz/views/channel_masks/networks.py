"""The networks of the page, and those that a masked one is compared with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from spikeviz.views.channel_masks.settings import threshold, unmasked
from spikeviz.views.networks.siblings import config_of
from spikeviz.views.page import Networks, supports

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.interventions import Intervention
    from spikeviz.models.registry import ModelSpec
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

NETWORKS = Networks(
    lambda card: card.classifies and supports(card, "MaskChannels"),
    "has no channel masks, so the threshold does not act on it",
    "sdmformer-fashion-dvs",
)
REACH = (0.25, 0.5, 0.75)  # thresholds: the trained one, and one moved either way
PEER = "Spikformer"  # what the paper compares with


@dataclass(frozen=True, eq=False)
class Compared:
    """One of the networks that are compared, on the input of the scene.

    Attributes:
        name: what it is called beside the others.
        run: its forward pass.
    """

    name: str
    run: Run

    @property
    def setting(self) -> tuple[nn.Module, tuple[Intervention, ...]]:
        """What is run: a model and its interventions."""
        return self.run.model, self.run.experiment.interventions

    @property
    def parameters(self) -> int:
        """Without mask values, which a pruned network does not need."""
        from spikeviz.nn.channel_masks import find_masks

        model = self.run.model
        return sum(p.numel() for p in model.parameters()) - sum(m.value.numel() for m in find_masks(model).values())

    @property
    def operations(self) -> pd.DataFrame:
        """MACs, SOPs and picojoule on the input, by layer."""
        from spikeviz.metrics import operations

        model = self.run.model
        return self.run.once("operations by layer", lambda recording: operations(model, recording).set_index("layer"))


def opening() -> dict[str, str]:
    """The address with which the page opens: at the first masked layer in which a threshold moved either way from the
    trained one changes spikes of test sample 0; without one at the page's first layer."""
    from spikeviz.interventions import MaskChannels
    from spikeviz.metrics.channel_masks import masked_layers
    from spikeviz.views import runs
    from spikeviz.views.experiment import Experiment
    from spikeviz.views.inputs import find_input

    card = NETWORKS.names()[NETWORKS.default()]
    own = Experiment(card.name)
    try:
        shown = find_input(own, card, {})
    except (ValueError, FileNotFoundError):  # its data is not here
        return {}
    if shown is None:
        return {}
    layers = masked_layers(runs.network(card).model)
    keep = [f"{layer}.spike" for layer in layers]
    passes = [runs.cached_simulate(own.set(MaskChannels(t)), keep, lambda: shown.batch).recording for t in REACH]
    for layer in layers:
        low, trained, high = (recording[f"{layer}.spike"].values for recording in passes)
        if not low.equal(trained) and not high.equal(trained):
            return {"dmeb_layer": layer}
    return {}


def peer(card: CheckpointCard) -> ModelSpec | None:
    """The Spikformer of the same form: every setting is this one's but what pruning kept and the form of the LPE."""
    from spikeviz.models.registry import list_models

    own = config_of(card)
    if own is None:
        return None
    form = asdict(own)
    for own_field in ("kept", "lpe"):
        form.pop(own_field, None)
    return next((spec for spec in list_models() if asdict(spec.config) == form), None)


def peer_card(card: CheckpointCard) -> CheckpointCard | None:
    """That Spikformer, trained on the same data."""
    from spikeviz.artifacts.cards import list_checkpoints

    spec = peer(card)
    return next((c for c in list_checkpoints() if spec and (c.model, c.data) == (spec.name, card.data)), None)


def compared(scene: Scene) -> list[Compared]:
    """Spikformer where it was trained, and the SDMFormer with all channels, masked, and pruned."""
    from spikeviz.metrics import OPERANDS

    own, rest, other = threshold(scene.now), unmasked(scene.now), peer_card(scene.now.card)

    def run(**changes: str) -> Run:
        return scene.run(rest.but(**changes), OPERANDS)

    found = [
        Compared("SDMFormer, all channels", run(variant="pruned 0")),
        Compared(f"masked at {own:.2f}", scene.now),
        Compared(f"pruned at {own:.2f}", run(variant=f"pruned {own}")),
    ]
    return [Compared(PEER, run(checkpoint=other.name)), *found] if other else found
