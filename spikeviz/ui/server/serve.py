"""Serve the app in this process, on this machine only."""

from __future__ import annotations

import socket
import tomllib
from contextlib import suppress
from typing import Any

from spikeviz.paths import app_root

ADDRESS = "127.0.0.1"
FIRST_PORT = 8501
TRIES = 100


def serve(port: int | None = None) -> None:
    """Serve until Ctrl-C, and print the address.

    Args:
        port: None takes 8501 or the next free one.

    Raises:
        ValueError: if the port asked for is taken or is none.
    """
    import streamlit as st

    from spikeviz.ui.server.router import claim

    port = free_port() if port is None else checked(port)
    print(f"spikeviz is at http://{ADDRESS}:{port} (Ctrl-C ends it)", flush=True)
    claim()
    with suppress(KeyboardInterrupt):
        st.App(app_root() / "app.py").run(config=options(port))


def options(port: int) -> dict[str, Any]:
    """What Streamlit is run with: it looks for `.streamlit/config.toml` in the working directory, which may be any."""
    return flat(tomllib.loads((app_root() / ".streamlit" / "config.toml").read_text(encoding="utf-8"))) | {
        "server.address": ADDRESS,
        "server.port": port,
        "server.headless": True,
        "browser.gatherUsageStats": False,
        "logger.hideWelcomeMessage": True,
        "global.developmentMode": False,
    }


def flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as dotted names."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def free_port(first: int = FIRST_PORT) -> int:
    """The first port from `first` on that nobody listens at.

    Raises:
        ValueError: if there is none among 100.
    """
    for port in range(first, first + TRIES):
        if is_free(port):
            return port
    raise ValueError(f"no port from {first} to {first + TRIES - 1} is free; give one with --port.")


def checked(port: int) -> int:
    """A port that may be listened at.

    Raises:
        ValueError: if not.
    """
    if not 1 <= port <= 65535:
        raise ValueError(f"a port is a number from 1 to 65535, not {port}.")
    if not is_free(port):
        raise ValueError(f"port {port} is taken or not allowed; choose another one.")
    return port


def is_free(port: int) -> bool:
    """Whether this process can listen at a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError:
            return False
    return True
