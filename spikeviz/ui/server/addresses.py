"""At which addresses the app can be opened: from this machine alone, or from every machine of the network."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

import streamlit as st

ROOM = "spikeviz app --host 0.0.0.0"
EVERYWHERE = ("", "0.0.0.0", "::")
# In private networks and in that of documentation: the way to them begins at one of this machine's own addresses.
FAR = ("198.51.100.1", "10.255.255.254", "172.31.255.254", "192.168.255.254")


def is_shared() -> bool:
    """Whether other machines can open the app that is running."""
    return not is_loopback(_host())


def is_loopback(host: str) -> bool:
    """Whether a host is this machine to itself and to nobody else."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def addresses(host: str, port: int) -> list[str]:
    """Where an app that listens at a host and a port can be opened, without a path; the likeliest first."""
    if host not in EVERYWHERE:
        return [_url(host, port)]
    return [_url(name, port) for name in [*_own_addresses(), *_own_names()]] or [_url("127.0.0.1", port)]


def links(url: str) -> list[str]:
    """A link under which a browser has a page, as others can open it: none if only this machine can.

    A browser that came by another name than those of this machine, such as that of a proxy, keeps it as the first.
    """
    if not is_shared():
        return []
    parts = urlsplit(url, "http")
    hosts = [urlsplit(address).netloc for address in addresses(_host(), st.get_option("server.port"))]
    if parts.hostname and not is_loopback(parts.hostname) and parts.hostname not in EVERYWHERE:
        hosts = list(dict.fromkeys([parts.netloc, *hosts]))
    return [urlunsplit(parts._replace(netloc=host)) for host in hosts]


def about(signed_in: bool) -> str:
    """Who can open the app that is running, in a sentence; `signed_in`: whether only who signs in can use it."""
    if not is_shared():
        return "runs on this machine and sends nothing anywhere."
    everybody = "Everybody on this network who signs in" if signed_in else "Everybody on this network"
    return f"sends nothing anywhere. {everybody} can use it."


def _host() -> str:
    return st.get_option("server.address") or ""


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _own_addresses() -> list[str]:
    """The IPv4 addresses of this machine in its networks; that of the way out first."""
    found = []
    for far in FAR:
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))  # of datagrams this chooses a way and sends nothing
            found.append(probe.getsockname()[0])
    with suppress(OSError):
        found += [str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    return [address for address in dict.fromkeys(found) if not is_loopback(address) and address not in EVERYWHERE]


def _own_names() -> list[str]:
    """The name of this machine, if it leads to one of its addresses."""
    name, own = socket.gethostname(), _own_addresses()
    with suppress(OSError):
        if any(str(info[4][0]) in own for info in socket.getaddrinfo(name, None, socket.AF_INET)):
            return [name]
    return []
