"""What two gaps of a network say, in words: from numbers alone, so that a card is read without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Part = Literal["attention", "content"]
SURE = 2.0  # standard errors outside of which a difference is named

_FOUND: dict[str, str] = {
    "attention": "attention does something that depends on the input",
    "content": "who looks at whom matters",
}
_NOT_FOUND: dict[str, str] = {
    "attention": "attention is idle as far as accuracy shows",
    "content": "attention compares nothing that accuracy shows",
}


def verdict(part: str, gap: float, error: float, samples: int) -> str:
    """What a gap says: a difference is named only outside two standard errors.

    Args:
        part: "attention" or "content".
        gap, error: in accuracy, 0 to 1.
        samples: of how many.
    """
    numbers = f"{points(gap, error)}, n = {samples:,}"
    if gap > SURE * error:
        return f"{_FOUND[part]}: {numbers}"
    if gap < -SURE * error:
        return f"the network is better without it: {numbers}"
    return f"{_NOT_FOUND[part]}: no difference found ({numbers})"


def points(gap: float, error: float) -> str:
    """`+5.6 ± 1.3 points`."""
    return f"{100 * gap:+.1f} ± {100 * error:.1f} points"


def difference(gap: float, error: float) -> str:
    """A gap beside another one: `+5.6 ± 1.3 points`, or `no difference found (+0.2 ± 1.3 points)`."""
    return points(gap, error) if abs(gap) > SURE * error else f"no difference found ({points(gap, error)})"


def measured_gaps(measured: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Of what a card measured the gaps by part; empty where they were not."""
    found = {part: measured.get(f"{part}_gap") for part in ("attention", "content")}
    return {part: gap for part, gap in found.items() if gap}


def gap_facts(measured: Mapping[str, Any]) -> dict[str, str]:
    """Lines of a card: each gap, with its verdict, and with BatchNorm statistics estimated again."""
    lines = {}
    for part, gap in measured_gaps(measured).items():
        again = gap.get("reestimated")
        beside = f"; BatchNorm re-estimated: {difference(again['gap'], again['error'])}" if again else ""
        lines[f"{part} gap"] = f"{verdict(part, gap['gap'], gap['error'], gap['samples'])}{beside}"
    return lines
