"""What `pip install .` puts on a machine: the library, the app and what ships, served from any working directory."""

import importlib.metadata
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed():
    """The files of the installed wheel, as paths inside it."""
    try:
        files = [str(f) for f in importlib.metadata.files("spikeviz") or ()]
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("spikeviz is not installed; the tests run from the checkout")
    if not any(f.startswith("spikeviz/_app_root/") for f in files):
        pytest.skip("spikeviz is installed in editable mode: there is no wheel to look into")
    return files


def outside(tmp_path):
    """An environment in which the checkout is not importable."""
    return {"cwd": tmp_path, "env": {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}}


def test_the_wheel_holds_the_app_and_the_assets(installed):
    root = {f.removeprefix("spikeviz/_app_root/") for f in installed if f.startswith("spikeviz/_app_root/")}
    pages = {f"pages/{p.name}" for p in (ROOT / "pages").glob("*.py")}
    shipped = {str(p.relative_to(ROOT)) for p in (ROOT / "assets" / "checkpoints").glob("*") if p.is_file()}
    assert {"app.py", ".streamlit/config.toml", "assets/data/LICENSE-fashion-mnist"} | pages | shipped <= root
    assert any(f.endswith("licenses/LICENSE") for f in installed)


def test_commands_run_anywhere(installed, tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "spikeviz.cli", "models"],
        capture_output=True,
        text=True,
        timeout=120,
        **outside(tmp_path),
    )
    assert run.returncode == 0 and "spikformer-8-768" in run.stdout, run.stderr
    assert list(tmp_path.iterdir()) == []  # leaves nothing behind


def test_the_app_is_served_anywhere(installed, tmp_path):
    server = subprocess.Popen(
        [sys.executable, "-m", "spikeviz.cli"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **outside(tmp_path),
    )
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())[0]
        for _ in range(120):
            try:
                assert urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).read() == b"ok"
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail("the app did not answer within a minute")
    finally:
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=30)
    assert "Traceback" not in errors
