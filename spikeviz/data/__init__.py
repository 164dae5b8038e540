"""Data: the catalogue, its readers, downloads, and what a person brings.

Names are loaded when they are first used: a page that needs one file of this room does not load the others.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "CATALOG": "spikeviz.data.catalog",
    "DataSource": "spikeviz.data.catalog",
    "find_data": "spikeviz.data.catalog",
    "list_data": "spikeviz.data.catalog",
    "load_data": "spikeviz.data.catalog",
    "describe_data": "spikeviz.data.download",
    "get_data": "spikeviz.data.download",
    "EventRecording": "spikeviz.data.events",
    "Picture": "spikeviz.data.image_decode",
    "PictureError": "spikeviz.data.image_decode",
    "read_image": "spikeviz.data.image_decode",
    "read_events": "spikeviz.data.event_io.reader",
    "shipped_indices": "spikeviz.data.images",
}
__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'spikeviz.data' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
