"""One server and one Chromium for all browser tests; skipped, with the reason, where there is none."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.visits import SIZES, STATUS, as_spikeviz, as_streamlit, complains, own, settle

from spikeviz.paths import app_root

# the shell first: the same browser without windows and menus of its own, which take as much processor as some pages
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@contextmanager
def running(folder: Path, command: Callable[[int], list[str]], **environment: str):
    """A server of the app in a working directory, once it answers; `environment` is set for it alone."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = os.pathsep.join(filter(None, [str(app_root()), os.environ.get("PYTHONPATH")]))
    with (folder / "log.txt").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, *command(port)],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": path} | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/_stcore/health", server, folder / "log.txt")
            yield Server(f"http://127.0.0.1:{port}", server)
        finally:
            server.terminate()
            server.wait(20)


class Server:
    """A running app: its address, and a way to make it stand still."""

    def __init__(self, url: str, process: subprocess.Popen):
        self.url, self.process = url, process

    @contextmanager
    def standing_still(self):
        """The process gets no time: what happens meanwhile happens in the browser alone."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


def pytest_collection_modifyitems(items):
    """All tests of this folder need a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The app, served as `spikeviz` serves it, from a working directory that is not the checkout."""
    with running(tmp_path_factory.mktemp("elsewhere"), as_spikeviz) as running_app:
        yield running_app


@pytest.fixture(scope="session")
def address(server):
    return server.url


@pytest.fixture(scope="session")
def bare(tmp_path_factory):
    """The address of an app on a machine without any data folder, and without anything that a user kept."""
    folder = tmp_path_factory.mktemp("bare")
    with running(folder, as_spikeviz, SPIKEVIZ_DATA="", HOME=str(folder), XDG_DATA_HOME=str(folder)) as running_app:
        yield running_app.url


@pytest.fixture(params=[as_spikeviz, as_streamlit])
def fresh_address(request, tmp_path):
    """A server nobody has visited yet, started in either way."""
    with running(tmp_path, request.param) as running_app:
        yield running_app.url


@pytest.fixture(scope="session")
def serving():
    """`running`, for a server that is started in a way of its own."""
    return running


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
        pytest.skip("there is no chromium on this machine: apt install chromium-headless-shell")
    with playwright.sync_playwright() as pw:
        chromium = pw.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, address):
    """Opens pages and keeps what the browser complained about; of another server with `address=...`, such as `bare`."""
    contexts = []

    def visit(name: str, width: int = 1280, theme: str = "light", query: str = "", address: str = address):
        context = browser.new_context(viewport={"width": width, "height": SIZES[width]}, color_scheme=theme)
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda m: complains(m) and page.complaints.append(f"{m.text} {m.location['url']}"))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda r: own(r.url, address) or page.complaints.append(f"foreign request {r.url}"))
        page.goto(f"{address}/{'' if name == 'overview' else name}{query}")
        page.get_by_text(STATUS).first.wait_for(timeout=120_000)
        settle(page)
        return page

    yield visit
    for context in contexts:
        context.close()
