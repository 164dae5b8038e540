"""What the documents show runs: Python blocks in their order, commands as far as they parse; links lead somewhere."""

import re
import shlex

import pytest

import spikeviz as sv
from spikeviz.cli import parser
from spikeviz.paths import app_root

ROOT = app_root()
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in DOCUMENTS if "```python" in path.read_text()], ids=lambda p: p.name)
def test_python_blocks_run(path):
    scope: dict = {}
    for block in re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL):
        exec(block, scope)
    assert "sv" in scope


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_commands_exist(path):
    lines = re.findall(r"^ {4}(spikeviz .*)$|`(spikeviz [^`]*)`", path.read_text(), re.MULTILINE)
    for line in (a or b for a, b in lines):
        words = shlex.split(line.partition("#")[0].partition(" > ")[0])[1:]
        if words and words[0].isidentifier():
            options = parser().parse_args([w if w not in ("NAME", "PAGE") else "spikformer-fashion" for w in words])
            assert options.run


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_the_version_to_cite_is_this_one():
    assert f"version: {sv.__version__}" in (ROOT / "CITATION.cff").read_text().splitlines()
