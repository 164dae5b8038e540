"""What importing the room of data costs: no torch, and no reader of another package."""

import pkgutil
import subprocess
import sys

import pytest

import spikeviz.data

MODULES = [name for _, name, _ in pkgutil.walk_packages(spikeviz.data.__path__, "spikeviz.data.")]


def loaded_by(code: str) -> set[str]:
    """The top-level modules a fresh interpreter has loaded after `code`."""
    code = f"import sys; {code}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_importing_the_room_imports_no_torch_and_no_other_reader():
    assert {"spikeviz.data.catalog", "spikeviz.data.event_io.aedat", "spikeviz.data.ingest"} <= set(MODULES)
    tops = loaded_by(f"import {', '.join(MODULES)}")
    assert "numpy" in tops and not tops & {"torch", "torchvision", "tonic", "expelliarmus", "aedat"}


def test_limits_of_what_is_brought_are_known_before_anything_is_loaded():
    tops = loaded_by("from spikeviz.data.ingest import MAX_MB, RECORDINGS, TYPES")
    assert "spikeviz" in tops and not tops & {"numpy", "torch", "PIL"}


def test_the_table_of_data_is_there_before_torch():
    tops = loaded_by("from spikeviz.data.download import describe_data; assert len(describe_data()) > 5")
    assert "numpy" in tops and not tops & {"torch", "torchvision", "tonic"}


def test_every_public_name_is_there():
    for name in spikeviz.data.__all__:
        assert getattr(spikeviz.data, name) is not None and name in dir(spikeviz.data)
    with pytest.raises(AttributeError, match="has no attribute 'load_dat'"):
        _ = spikeviz.data.load_dat
