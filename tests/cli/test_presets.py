"""Every preset of every page as files, in a process in which importing Streamlit raises."""

import json
import sys

import pytest
from support.networks import presets

from spikeviz.cli import main


@pytest.mark.slow
@pytest.mark.parametrize(("page", "preset"), presets())
def test_a_preset_is_written_without_streamlit(page, preset, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "streamlit", None)
    options = f"--preset {preset.key} --format svg,csv,npz --json".split()
    status = main(["figures", page.file, "--out", str(tmp_path), *options])
    said = capsys.readouterr()
    assert status == 0, said.err
    found = json.loads(said.out)
    assert found and all(figure["notice"] for figure in found)
    assert len(list(tmp_path.iterdir())) == 3 * len(found)
    assert all(path.stat().st_size for path in tmp_path.iterdir())
