"""Every preset of every page as files, in a process in which importing Streamlit raises."""

import json
import subprocess
import sys

import pytest

from spikeviz.artifacts.cards import find_card
from spikeviz.data.catalog import find_data
from spikeviz.views.page import FILES, find_page

ALL = [(file, preset) for file in FILES for preset in find_page(file).presets]
SCRIPT = """
import sys
sys.modules["streamlit"] = None
from spikeviz.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("file", "preset"), ALL, ids=[f"{file}-{preset.key}" for file, preset in ALL])
def test_a_preset_is_written_without_streamlit(file, preset, tmp_path):
    name = preset.address.get("checkpoint") or find_page(file).networks.default()
    data = find_data(find_card(name)[0].data)
    if not data.ships and not data.count("test"):
        pytest.skip(f"{name} was trained on {data.name}, which is not here")
    arguments = ["figures", file, "--preset", preset.key, "--out", str(tmp_path), "--format", "svg,csv,npz", "--json"]
    run = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found and all(figure["notice"] for figure in found)
    assert len(list(tmp_path.iterdir())) == 3 * len(found)
    assert all(path.stat().st_size for path in tmp_path.iterdir())
