"""What the browser draws itself, one folder a component: its Python, JavaScript, style sheet and HTML.

A component is imported when it is first shown.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any


def _show(component: str, data: Any, key: str) -> None:
    import_module(f"{__name__}.{component}").show(data, key)


COMPONENTS: dict[str, Callable[[Any, str], None]] = {
    name: partial(_show, name) for name in ("spike_viewer", "event_player", "event_cloud", "patch_grid", "sketch_pad")
}


def show(name: str, data: Any, key: str) -> None:
    """Show `data` in the component `name`; `key` is its own on the page.

    Raises:
        ValueError: if there is no such component.
    """
    if name not in COMPONENTS:
        raise ValueError(f"there is no component {name!r}; there are {', '.join(COMPONENTS)}.")
    COMPONENTS[name](data, key)
