"""The server: `app.py` runs every page, and nobody outside is asked."""

import pytest
from streamlit import net_util
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.server import server_util

from spikeviz.ui.server import router


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(PagesManager, "uses_pages_directory", True)
    monkeypatch.setattr(net_util, "_external_ip", None)


@pytest.mark.parametrize("start", [router.claim, router.take_over])
def test_a_foreign_address_is_refused_without_a_request(monkeypatch, start):
    asked = []
    monkeypatch.setattr(net_util, "_make_blocking_http_get", lambda *_, **__: asked.append(1))
    start()
    assert not server_util.is_url_from_allowed_origins("http://foreign.example") and not asked
    monkeypatch.setattr(net_util, "_external_ip", None)
    server_util.is_url_from_allowed_origins("http://foreign.example")
    assert asked  # as Streamlit does by itself


def test_it_is_taken_over_once():
    assert router.take_over() and not router.take_over() and not PagesManager.uses_pages_directory
