"""A machine without any data set that does not ship."""

from __future__ import annotations

import pytest

from spikeviz.artifacts.cards import list_checkpoints
from spikeviz.data.catalog import find_data
from spikeviz.views import runs


def absent() -> list[str]:
    """Networks that ship and whose data does not."""
    return [card.name for card in list_checkpoints() if not find_data(card.data).ships]


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    """No data folder, none of the user's own, and nothing in the cache that was read before."""
    monkeypatch.setenv("SPIKEVIZ_DATA", "")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    runs.DATA.clear()
    yield tmp_path / "spikeviz" / "data"
    runs.DATA.clear()
