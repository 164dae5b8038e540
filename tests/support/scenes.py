"""Views without the app: what they yield, for tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from spikeviz.views.host import scene_at
from spikeviz.views.page import Page
from spikeviz.views.scene import Scene
from spikeviz.views.view import Item, Note, Option, Row, Study, drive

FILES = ("csv", "npz", "svg")  # one of each renderer


def scene_of(page: Page, **query: str) -> Scene:
    """The scene of an address that works in every part."""
    scene, notices = scene_at(page, query)
    assert not notices, notices
    return scene


def items_of(items: Iterable[Item], looks: Mapping[str, Any] | None = None) -> list[Item]:
    """Every item of a view in its order, those of rows and of studies that were not run as well."""
    found: list[Item] = []

    def handle(item: Item) -> Any:
        if isinstance(item, Row):
            for column in item.columns:
                drive(column, handle)
            return None
        found.append(item)
        if isinstance(item, Study):
            drive(item.idle(), handle)
        return item.answer(looks or {}) if isinstance(item, Option) else None

    drive(items, handle)
    return found


def words_of(items: Iterable[Item]) -> str:
    """What a view says between its figures."""
    return "\n".join(item.text for item in items_of(items) if isinstance(item, Note))
