"""One server and one Chromium for all browser tests; skipped, with the reason, where there is none."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest

from spikeviz.places import house

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@contextmanager
def running(folder: Path, command: Callable[[int], list[str]]):
    """A server of the app in a working directory; the address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = os.pathsep.join(filter(None, [str(house()), os.environ.get("PYTHONPATH")]))
    with (folder / "log.txt").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, *command(port)],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": path},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/_stcore/health", server, folder / "log.txt")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(20)


def as_spikeviz(port: int) -> list[str]:
    return ["-c", f"from spikeviz.ui.serve import serve; serve({port})"]


def as_streamlit(port: int) -> list[str]:
    script = str(house() / "app.py")
    return ["-m", "streamlit", "run", script, "--server.port", str(port), "--server.headless", "true"]


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """The app, served as `spikeviz` serves it, from a working directory that is not the checkout."""
    with running(tmp_path_factory.mktemp("elsewhere"), as_spikeviz) as url:
        yield url


@pytest.fixture(params=[as_spikeviz, as_streamlit])
def fresh_address(request, tmp_path):
    """A server nobody has visited yet, started in either way."""
    with running(tmp_path, request.param) as url:
        yield url


def wait_for(url: str, server: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2)
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the app did not start: {log.read_text()}")


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[test]'")
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine: apt install chromium")
    with playwright.sync_playwright() as pw:
        chromium = pw.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()
