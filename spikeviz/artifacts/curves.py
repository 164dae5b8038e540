"""Curves that ship precomputed, beside the checkpoints they are of. Reading them needs no torch."""

from __future__ import annotations

import json
from typing import Any

from spikeviz.artifacts.cards import find_card
from spikeviz.paths import found_beside

CURVES = "curves"  # the folder
DEPTHS = (1, 2, 3, 4, 6, 8, 12, 16)  # of a curve against D


def find_curve(name: str) -> dict[str, Any] | None:
    """What `spikeviz publish NAME --with curves` computed of a checkpoint as it is now; None if there is no such file,
    or it is of another.

    Raises:
        ValueError: if the file is damaged.
    """
    card, weights = find_card(name)
    for path in found_beside(weights, CURVES, ".json"):
        try:
            found = json.loads(path.read_text())
            if found["sha256"] == card.sha256:
                return found
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError) as error:
            command = f"spikeviz publish {name} --with curves"
            raise ValueError(f"{path.name} is not a curve ({error}); `{command}` writes one.") from None
    return None
