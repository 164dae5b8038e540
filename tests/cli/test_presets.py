"""Every preset of every page as files, in a process in which importing Streamlit raises."""

import json
import subprocess
import sys

import pytest
from support.networks import presets

SCRIPT = """
import sys
sys.modules["streamlit"] = None
from spikeviz.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("page", "preset"), presets())
def test_a_preset_is_written_without_streamlit(page, preset, tmp_path):
    options = f"--preset {preset.key} --format svg,csv,npz --json".split()
    arguments = ["figures", page.file, "--out", str(tmp_path), *options]
    run = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found and all(figure["notice"] for figure in found)
    assert len(list(tmp_path.iterdir())) == 3 * len(found)
    assert all(path.stat().st_size for path in tmp_path.iterdir())
