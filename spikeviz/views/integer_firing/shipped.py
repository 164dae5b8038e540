"""The curve against D that ships with a network: what is shown before anything is run."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

from spikeviz.views.integer_firing.networks import siblings_by_depth, time_steps, vanilla

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spikeviz.artifacts.cards import CheckpointCard

Row = dict[str, Any]


def shipped_table(card: CheckpointCard) -> tuple[list[Row], Mapping[str, Any] | None]:
    """Rows as `spikeviz.evaluation.level_sweep` makes them, and the curve they are of; none of a network without one.

    These weights at every D by the curve; the networks that were trained at one, and the vanilla one, by their cards.

    Raises:
        ValueError: if the curve's file is damaged.
    """
    from spikeviz.artifacts.curves import find_curve

    curve = find_curve(card.name)
    if curve is None or curve.get("kind") != "levels":
        return [], None
    rows = [
        _row("what-if", point["D"], card.name, point["T"], point["accuracy"], curve["samples"])
        | {"energy (µJ)": point["picojoule"] / 1e6, "energy error (µJ)": _microjoule(point.get("picojoule_error"))}
        | {"spikes per neuron": point["spikes_per_neuron"]}
        for point in curve["points"]
    ]
    trained = [("trained", d, other) for d, other in siblings_by_depth(card).items()]
    plain = vanilla(card)
    for meaning, depth, other in [*trained, *([("vanilla", 1, plain)] if plain else [])]:
        operations, firing = (other.measured.get(key) for key in ("operations", "firing"))
        if other.accuracy is not None and operations and firing:
            rows.append(
                _row(meaning, depth, other.name, time_steps(other), other.accuracy, other.samples)
                | {
                    "energy (µJ)": operations["picojoule"] / 1e6,
                    "energy error (µJ)": energy_error(other),
                    "spikes per neuron": firing["spikes_per_neuron"],
                }
            )
    return rows, curve


def energy_error(card: CheckpointCard) -> float | None:
    """Standard error over images of the energy that a card holds, in microjoule; None if it does not say."""
    ours = card.measured.get("energy", {}).get("ways", {}).get("spikeviz", {})
    return _microjoule(ours.get("standard_error"))


def _microjoule(picojoule: float | None) -> float | None:
    return None if picojoule is None else picojoule / 1e6


def _row(meaning: str, depth: int, network: str, steps: int, accuracy: float, samples: int) -> Row:
    error = sqrt(accuracy * (1 - accuracy) / samples)
    own = {"meaning": meaning, "D": depth, "network": network, "T": steps}
    return own | {"accuracy": accuracy, "standard error": error, "images": samples}
