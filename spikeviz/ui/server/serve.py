"""Serve the app in this process: to this machine only, unless another host is asked for."""

from __future__ import annotations

import socket
import sys
import tomllib
from contextlib import suppress
from typing import Any

from spikeviz.paths import app_root

ADDRESS = "127.0.0.1"
FIRST_PORT = 8501
TRIES = 100
TURN = 0.001  # s after which a thread that computes lets another one send what there is; Python's own are 0.005


def serve(port: int | None = None, host: str = ADDRESS) -> None:
    """Serve until Ctrl-C, and print the addresses at which it can be opened.

    Args:
        port: None takes 8501 or the next free one.
        host: where it listens: `0.0.0.0` is every network of this machine.

    Raises:
        ValueError: if the port asked for is taken or is none, or this machine has no such host.
    """
    import streamlit as st

    from spikeviz.ui.server import warm_up
    from spikeviz.ui.server.router import claim

    if not is_free(0, host):
        raise ValueError(f"this machine cannot listen at {host}; 0.0.0.0 is every network it is in.")
    port = free_port(host=host) if port is None else checked(port, host)
    print(greeting(host, port), flush=True)
    claim()
    sys.setswitchinterval(TURN)
    warm_up.start(tell=_loaded)
    with suppress(KeyboardInterrupt):
        st.App(app_root() / "app.py").run(config=options(port, host))


def greeting(host: str, port: int) -> str:
    """Where the app is, and who can use it, as the terminal says it."""
    from spikeviz.ui.server.addresses import addresses, is_loopback

    if is_loopback(host):
        return f"spikeviz is at http://{host}:{port} (Ctrl-C ends it)"
    return "\n".join(
        [
            "spikeviz is at (Ctrl-C ends it)",
            *(f"  {address}" for address in addresses(host, port)),
            "Everybody on this network can use it. Who may is for you to say: with [auth] in .streamlit/secrets.toml "
            "people sign in through Streamlit's OpenID Connect (docs/sharing.md).",
        ]
    )


def _loaded(seconds: float) -> None:
    print(f"spikeviz has loaded the first network of every page ({seconds:.1f} s)", flush=True)


def options(port: int, host: str = ADDRESS) -> dict[str, Any]:
    """What Streamlit is run with: it looks for `.streamlit/config.toml` in the working directory, which may be any."""
    return flat(tomllib.loads((app_root() / ".streamlit" / "config.toml").read_text(encoding="utf-8"))) | {
        "server.address": host,
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


def free_port(first: int = FIRST_PORT, host: str = ADDRESS) -> int:
    """The first port from `first` on that nobody listens at.

    Raises:
        ValueError: if there is none among 100.
    """
    for port in range(first, first + TRIES):
        if is_free(port, host):
            return port
    raise ValueError(f"no port from {first} to {first + TRIES - 1} is free; give one with --port.")


def checked(port: int, host: str = ADDRESS) -> int:
    """A port that may be listened at.

    Raises:
        ValueError: if not.
    """
    if not 1 <= port <= 65535:
        raise ValueError(f"a port is a number from 1 to 65535, not {port}.")
    if not is_free(port, host):
        raise ValueError(f"port {port} is taken or not allowed; choose another one.")
    return port


def is_free(port: int, host: str = ADDRESS) -> bool:
    """Whether this process can listen at a port of a host; 0 is any port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, UnicodeError):
            return False
    return True
