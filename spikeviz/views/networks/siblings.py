"""Networks that differ in a few settings of their configuration and in nothing else: what is between them is those."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard


def config_of(card: CheckpointCard) -> Any:
    """The configuration of a card's model; None for a model that is not known."""
    from spikeviz.models.registry import SPECS

    spec = SPECS.get(card.model)
    return getattr(spec, "config", None)


def alike(one: Any, other: Any, *but: str) -> bool:
    """Whether two configurations of one form differ in nothing but the fields `but`."""
    if type(one) is not type(other) or not is_dataclass(one) or not {f.name for f in fields(one)} >= set(but):
        return False
    return all(getattr(one, f.name) == getattr(other, f.name) for f in fields(one) if f.name not in but)


def siblings(card: CheckpointCard, *but: str) -> list[CheckpointCard]:
    """Every checkpoint of the same data and task whose network differs in nothing but the fields `but`; itself
    included."""
    from spikeviz.artifacts.cards import list_checkpoints

    own = config_of(card)
    return [
        other
        for other in list_checkpoints()
        if (other.data, other.task) == (card.data, card.task) and alike(own, config_of(other), *but)
    ]
