"""Every preset of every page as files, in a process in which importing Streamlit raises."""

import json
import subprocess
import sys
from functools import cache

import pytest
from support.networks import presets

from spikeviz.views.page import find_page

SCRIPT = """
import sys
sys.modules["streamlit"] = None
import io, json, traceback
from contextlib import redirect_stdout
from spikeviz.cli import main
for command in json.load(sys.stdin):
    said = io.StringIO()
    try:
        with redirect_stdout(said):
            ended = main(command)
    except BaseException:
        ended = traceback.format_exc()
    print(json.dumps([ended, said.getvalue()]), flush=True)
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A function of a page's name: what the command says of each of its presets, and the folder it wrote into.

    One process writes all of a page, so that torch is imported once."""

    @cache
    def of(file):
        folders = {preset.key: tmp_path_factory.mktemp(preset.key) for preset in find_page(file).presets}
        options = ("--format", "svg,csv,npz", "--json")
        commands = [["figures", file, "--preset", k, "--out", str(f), *options] for k, f in folders.items()]
        asked = json.dumps(commands)
        run = subprocess.run([sys.executable, "-c", SCRIPT], input=asked, capture_output=True, text=True, timeout=240)
        lines = [json.loads(line) for line in run.stdout.splitlines()]
        assert len(lines) == len(commands), run.stderr
        return {key: (*line, folders[key]) for key, line in zip(folders, lines, strict=True)}

    return of


@pytest.mark.slow
@pytest.mark.parametrize(("page", "preset"), presets())
def test_a_preset_is_written_without_streamlit(page, preset, written):
    ended, said, folder = written(page.file)[preset.key]
    assert ended == 0, ended
    found = json.loads(said)
    assert found and all(figure["notice"] for figure in found)
    assert len(list(folder.iterdir())) == 3 * len(found)
    assert all(path.stat().st_size for path in folder.iterdir())
