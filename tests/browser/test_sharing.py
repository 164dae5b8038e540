"""Sharing in a room: another address of this machine, the QR code, a picture in a link, signing in."""

from __future__ import annotations

import numpy as np
import pytest
from support.brought import png_of
from support.visits import SIZES, STATUS, drawn, settle, status

from spikeviz.ui.kit.share import qr_code
from spikeviz.ui.server.addresses import _own_addresses

NO_DATA = {"SPIKEVIZ_DATA": ""}


def as_room(port: int) -> list[str]:
    return ["-m", "spikeviz.cli", "app", "--host", "0.0.0.0", "--port", str(port)]


@pytest.fixture(scope="module")
def room(tmp_path_factory, serving):
    """The address at which another machine of the network reaches an app without data."""
    if not _own_addresses():
        pytest.skip("this machine is in no network: it has no address but its own loopback")
    folder = tmp_path_factory.mktemp("room")
    with serving(folder, as_room, HOME=str(folder), XDG_DATA_HOME=str(folder), **NO_DATA) as app:
        yield app.url.replace("127.0.0.1", _own_addresses()[0]), (folder / "log.txt").read_text()


def confidences(page) -> str:
    """The answer of the network: each class with its number."""
    return page.get_by_test_id("stHtml").filter(has_text="Ankle boot").filter(has_text="%").first.inner_text()


@pytest.mark.parametrize("width", SIZES)
def test_the_room_opens_it_by_another_address_and_shares_it(visit, room, width):
    address, printed = room
    assert f"\n  {address}\n" in printed and "Everybody on this network can use it" in printed
    page = visit("spike_maps", width, query="?maps_T=2", address=address)
    assert "T=2" in status(page)
    page.get_by_role("button", name="Share").click()
    link = page.get_by_role("link", name=address.removeprefix("http://")).get_attribute("href")
    assert link.startswith(f"{address}/spike_maps?") and "maps_T=2" in link
    code = page.get_by_role("img", name="QR code of ")
    code.scroll_into_view_if_needed()
    assert code.get_attribute("alt") == f"QR code of {link}"
    assert code.get_attribute("src") in qr_code(link).replace("&#x27;", "'").replace("&amp;", "&")
    box = code.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["width"] >= 200
    assert code.evaluate("e => e.naturalWidth") > 0, "it is drawn"
    assert page.complaints == []
    page.goto(link)
    page.get_by_text(STATUS).first.wait_for()
    assert "T=2" in status(page)


@pytest.mark.parametrize("width", SIZES)
def test_on_this_machine_alone_share_says_how(visit, bare, width):
    page = visit("spike_maps", width, address=bare)
    page.get_by_role("button", name="Share").click()
    page.get_by_text("spikeviz app --host 0.0.0.0").wait_for()
    assert page.get_by_role("img", name="QR code of ").count() == 0


def test_the_link_of_an_upload_opens_in_another_session(visit, bare):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 71, 3), dtype=np.uint8)
    page = visit("spike_maps", address=bare, query="?maps_T=3")
    before = drawn(page, "T=3")
    page.get_by_role("button", name="Upload").click()
    page.set_input_files("input[type=file]", {"name": "mine.png", "mimeType": "image/png", "buffer": png_of(pixels)})
    page.wait_for_url("**input=upload-**")
    settle(page)
    mine = drawn(page, "T=3")
    assert mine != before
    answer = confidences(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Share").click()
    link = page.locator("code", has_text="http").first.inner_text().replace("\n", "")
    assert "input=png-" in link and len(link) <= 2000
    page.get_by_text("The link carries your picture").wait_for()
    other = visit("spike_maps", address=bare, query=link.removeprefix(f"{bare}/spike_maps"))
    assert status(other).partition(" · ")[2] == status(page).partition(" · ")[2]
    assert drawn(other, "T=3") == mine, "pixels of the maps"
    assert confidences(other) == answer and "Ankle boot" in answer
    assert other.complaints == []


def test_where_signing_in_is_configured_nobody_gets_past_it(browser, tmp_path, serving):
    folder = tmp_path / ".streamlit"
    folder.mkdir()
    (folder / "secrets.toml").write_text(
        "[auth]\n"
        'redirect_uri = "http://127.0.0.1:1/oauth2callback"\ncookie_secret = "0123456789abcdef0123456789abcdef"\n'
        'client_id = "spikeviz"\nclient_secret = "none"\nserver_metadata_url = "http://127.0.0.1:1/none"\n'
    )

    def command(port: int) -> list[str]:
        return ["-m", "spikeviz.cli", "app", "--port", str(port)]

    with serving(tmp_path, command, HOME=str(tmp_path), **NO_DATA) as app:
        page = browser.new_page()
        for name in ("", "spike_maps", "random_masks?rsm_ratio=0.5"):
            page.goto(f"{app.url}/{name}")
            page.get_by_text("Sign").first.wait_for(timeout=60_000)
            settle(page)
            assert page.get_by_text(STATUS).count() == 0 and page.get_by_role("combobox").count() == 0
        page.close()
