"""Inputs of experiments: what is here, what is found, what an address calls it."""

import pytest
from support.networks import needs

from spikeviz.artifacts.cards import find_card
from spikeviz.views import inputs


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    """A machine without any data set that does not ship."""
    monkeypatch.setenv("SPIKEVIZ_DATA", "")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@needs("mst-cifar10", "sdmformer-nmnist", "sdmformer-fashion-dvs", data=False)
def test_a_test_set_is_asked_for_without_being_read(no_data):
    here = {name: inputs.has_test_set(find_card(name)[0]) for name in ("mst-cifar10", "sdmformer-nmnist")}
    assert not any(here.values())
    assert inputs.has_test_set(find_card("sdmformer-fashion-dvs")[0])


@needs("mst-cifar10")
def test_a_test_set_that_is_in_a_folder_is_here():
    assert inputs.has_test_set(find_card("mst-cifar10")[0])
