"""Interventions as plain JSON values, for cards, curves and runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from spikeviz import interventions
from spikeviz.interventions import Intervention

KINDS: dict[str, type[Intervention]] = {
    name: kind
    for name, kind in vars(interventions).items()
    if isinstance(kind, type) and issubclass(kind, Intervention) and hasattr(kind, "title")
}


def as_data(found: Iterable[Intervention]) -> list[dict[str, Any]]:
    """Each as its kind and its fields, in their order; the opposite of `from_data`."""
    return [{"kind": type(i).__name__} | {f.name: _plain(getattr(i, f.name)) for f in fields(i)} for i in found]


def from_data(data: Iterable[Mapping[str, Any]]) -> tuple[Intervention, ...]:
    """The interventions that `as_data` wrote, also before a kind had a field (`older`): masks without a law are whole.

    Raises:
        ValueError: for a kind there is none of, or fields it does not have.
    """
    return tuple(_read(one) for one in data)


def _read(data: Mapping[str, Any]) -> Intervention:
    kind = KINDS.get(data.get("kind", ""))
    values = dict(getattr(kind, "older", {}))
    values |= {name: tuple(v) if isinstance(v, list) else v for name, v in data.items() if name != "kind"}
    if kind is None or set(values) - {f.name for f in fields(kind)}:
        raise ValueError(f"{dict(data)} is no intervention; the kinds are {', '.join(KINDS)}.")
    return kind(**values)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
