"""spikeviz: look inside spiking transformers.

Names are loaded when they are first used, so that `import spikeviz` is quick and does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "CheckpointCard": "spikeviz.artifacts.cards",
    "list_checkpoints": "spikeviz.artifacts.cards",
    "ModelSpec": "spikeviz.models.registry",
    "list_models": "spikeviz.models.registry",
    "build": "spikeviz.models.registry",
    "load": "spikeviz.artifacts.checkpoints",
    "list_data": "spikeviz.data.catalog",
    "load_data": "spikeviz.data.catalog",
    "simulate": "spikeviz.simulation",
    "from_official": "spikeviz.convert.official",
    "to_spiking": "spikeviz.convert.to_spiking",
    "prune_channels": "spikeviz.convert.prune",
    "Recording": "spikeviz.recording",
    "Track": "spikeviz.recording",
    "view": "spikeviz.views.host",
}
_ROOMS = ("evaluation", "interventions", "metrics")
__all__ = [*_HOME, *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        value = import_module(f"spikeviz.{name}")
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'spikeviz' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
