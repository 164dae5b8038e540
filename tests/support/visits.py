"""What the browser tests do to a page, and what they look at."""

from __future__ import annotations

import re
from pathlib import Path

from spikeviz.paths import app_root

SIZES = {1280: 800, 390: 844}
STATUS = re.compile(r"^\d+ ms · (CPU|CUDA|MPS) · ")
CANVAS = "[data-testid='spike-viewer']"


def drawn(page, said: str = "") -> str:
    """The pixels of the viewer, once it has drawn a setting."""
    page.wait_for_selector(f"{CANVAS}[data-drawn*='{said}']" if said else f"{CANVAS}[data-drawn]", timeout=20_000)
    return page.locator(CANVAS).evaluate("e => e.toDataURL()")


def slider(page, label: str):
    return page.get_by_role("group", name=label, exact=True).get_by_role("slider")


def status(page) -> str:
    return page.get_by_text(STATUS).first.inner_text()


def milliseconds(page) -> float:
    """Of the forward pass, as the status line says it."""
    return float(status(page).split()[0])


def complains(message) -> bool:
    """Whether a console message is an error of ours: Streamlit itself asks for its base below a deep link first."""
    searching = re.search(r"/\w+/_stcore/(health|host-config)$", message.location["url"])
    return message.type == "error" and not (searching and "404" in message.text)


def own(url: str, address: str) -> bool:
    return url.startswith((address, address.replace("http", "ws", 1), "data:", "blob:"))


def settle(page) -> None:
    for _ in range(3):  # a run that has not begun yet also looks like one that has ended
        page.wait_for_selector("[data-testid='stApp'][data-test-script-state='notRunning']", timeout=120_000)
        page.wait_for_timeout(300)


def as_spikeviz(port: int) -> list[str]:
    return ["-c", f"from spikeviz.ui.server.serve import serve; serve({port})"]


def as_streamlit(port: int) -> list[str]:
    script = str(app_root() / "app.py")
    return ["-m", "streamlit", "run", script, "--server.port", str(port), "--server.headless", "true"]


def as_floor(port: int) -> list[str]:
    """The least there is of an app (`floor.py`)."""
    script = str(Path(__file__).with_name("floor.py"))
    return ["-m", "streamlit", "run", script, "--server.port", str(port), "--server.headless", "true"]
