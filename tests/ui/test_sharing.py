"""Who can open the app and how a view is shared: addresses, QR code, uploads, signing in."""

from __future__ import annotations

import html as markup
import socket

import numpy as np
import pytest
import segno
import streamlit as st
from streamlit.testing.v1 import AppTest
from support.apptest import captions, code, html, opened, upload
from support.brought import png_of

from spikeviz.paths import app_root
from spikeviz.ui.kit.share import qr_code
from spikeviz.ui.server import addresses, serve, sign_in


def links(app) -> str:
    return next(part.value for part in app.code if "checkpoint=" in part.value and "\n" not in part.value)


@pytest.fixture
def shared(monkeypatch):
    """An app that every machine of the network reaches, as this one."""
    own = st.get_option
    there = {"server.address": "0.0.0.0", "server.port": 8600}
    monkeypatch.setattr(st, "get_option", lambda name: there.get(name) or own(name))
    monkeypatch.setattr(addresses, "_own_addresses", lambda: ["192.168.1.20", "10.0.0.7"])
    monkeypatch.setattr(addresses, "_own_names", lambda: ["board"])


@pytest.fixture
def alone(monkeypatch):
    own = st.get_option
    monkeypatch.setattr(st, "get_option", lambda name: "127.0.0.1" if name == "server.address" else own(name))


def test_of_a_shared_app_every_address_is_said(shared):
    assert addresses.addresses("0.0.0.0", 8600) == [f"http://{h}:8600" for h in ("192.168.1.20", "10.0.0.7", "board")]
    assert addresses.addresses("127.0.0.1", 8600) == ["http://127.0.0.1:8600"]
    said = serve.greeting("0.0.0.0", 8600)
    assert "http://10.0.0.7:8600" in said and "Everybody on this network can use it" in said and "[auth]" in said
    assert serve.greeting("127.0.0.1", 8600) == "spikeviz is at http://127.0.0.1:8600 (Ctrl-C ends it)"


def test_a_link_goes_to_the_addresses_of_others(shared):
    there = addresses.links("http://127.0.0.1:8600/spike_maps?input=3")
    assert there[0] == "http://192.168.1.20:8600/spike_maps?input=3" and len(there) == 3
    by_proxy = addresses.links("https://spikes.example.org/spike_maps?input=3")
    assert by_proxy[0] == "https://spikes.example.org/spike_maps?input=3" and len(by_proxy) == 4


def test_of_an_app_for_this_machine_alone_there_is_no_link(alone):
    assert addresses.links("http://127.0.0.1:8600/spike_maps") == [] and not addresses.is_shared()
    app = opened("spike_maps")
    assert "sends nothing anywhere" in captions(app) and "runs on this machine" in captions(app)
    assert addresses.ROOM in captions(app) and not [part for part in html(app) if "QR code" in part]


def test_share_shows_the_addresses_and_a_code(shared):
    app = opened("spike_maps", maps_T="2")
    wanted = addresses.links(links(app))
    said = [text.value for text in app.markdown]
    assert all(any(f"]({link})" in text for text in said) for link in wanted)
    (shown,) = [part for part in html(app) if "QR code" in part]
    assert shown == qr_code(wanted[0]) and "maps_T=2" in wanted[0]
    assert "Everybody on this network can use it" in captions(app) and "runs on this machine" not in captions(app)


def test_the_code_is_that_of_the_link_black_on_white():
    link = "http://192.168.1.20:8600/spike_maps?input=3&maps_T=2"
    shown = markup.unescape(qr_code(link))
    made = segno.make_qr(link, error="l").svg_data_uri(dark="#000", light="#fff", border=4, scale=4)
    assert made in shown and f"QR code of {link}" in shown and "%23000" in made and "%23fff" in made


def test_own_addresses_belong_to_this_machine():
    for address in addresses._own_addresses():
        with socket.socket() as probe:
            probe.bind((address, 0))
        assert not addresses.is_loopback(address)
    assert addresses.is_loopback("localhost") and addresses.is_loopback("::1") and not addresses.is_loopback("0.0.0.0")


def test_a_host_that_is_not_here_is_one_sentence():
    for host in ("203.0.113.9", "no host"):
        with pytest.raises(ValueError, match="cannot listen"):
            serve.serve(None, host)


def test_the_link_of_an_upload_carries_the_picture_where_it_is_small():
    rng = np.random.default_rng(0)
    app = upload(opened("spike_maps"), png_of(rng.integers(0, 256, (40, 40), dtype=np.uint8)))
    assert "input=png-" in links(app) and "The link carries your picture" in captions(app)
    assert len(links(app)) <= 2000 and "input.npy" in code(app)
    with_events = upload(opened("events"), png_of(rng.integers(0, 256, (40, 40), dtype=np.uint8)))
    assert "input=upload-" in links(with_events) and "works in this session only" in captions(with_events)


def entered(monkeypatch, configured, user: dict | None = None, authlib: bool = True) -> AppTest:
    monkeypatch.setattr(sign_in, "is_configured", configured)
    monkeypatch.setattr(sign_in, "find_spec", lambda name: object() if authlib else None)
    app = AppTest.from_file(str(app_root() / "app.py"), default_timeout=120)
    app.user = user or {"is_logged_in": False}
    return app.run()


def pages_of(app) -> list[str]:
    return [title.value for title in app.title]


def test_where_signing_in_is_configured_no_page_is_shown_before(monkeypatch):
    app = entered(monkeypatch, lambda: True)
    assert not app.exception and pages_of(app) == ["spikeviz"]
    assert [button.label for button in app.button] == ["Sign in"] and not app.selectbox
    inside = entered(monkeypatch, lambda: True, {"is_logged_in": True, "email": "a@b.c"})
    assert not inside.exception and pages_of(inside) == ["Look inside a spiking transformer"]
    assert "Sign out" in [button.label for button in inside.sidebar.button]


def test_without_authlib_and_with_secrets_that_cannot_be_read_it_is_said(monkeypatch):
    app = entered(monkeypatch, lambda: True, authlib=False)
    assert [error.value for error in app.error] == [sign_in.MISSING] and not app.button and not app.title

    def broken():
        raise ValueError(sign_in.UNREADABLE)

    app = entered(monkeypatch, broken)
    assert [error.value for error in app.error] == [sign_in.UNREADABLE] and not app.button and not app.title


def test_without_it_nothing_is_asked():
    app = opened("overview")
    assert not sign_in.is_configured() and "Sign in" not in [button.label for button in app.button]
