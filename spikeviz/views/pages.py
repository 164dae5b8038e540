"""The pages, by the name of their file."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spikeviz.views.page import Page

FILES = (
    "overview",
    "spike_maps",
    "channel_masks",
    "random_masks",
    "integer_firing",
    "reconstruction",
    "events",
)


def find_page(file: str) -> Page:
    """The page of a file in `pages/`, imported when it is first asked for.

    Raises:
        ValueError: for none, with those there are.
    """
    if file not in FILES:
        raise ValueError(f"there is no page {file!r}; there are {', '.join(FILES)}.")
    return import_module(f"spikeviz.views.{file}").PAGE
