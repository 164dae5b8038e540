"""The view of a page as a link, as Python, as one HTML file."""

from __future__ import annotations

from html import escape
from urllib.parse import urlsplit, urlunsplit

import streamlit as st

from spikeviz.ui.server import addresses
from spikeviz.views import address, runs
from spikeviz.views.host import shown_figures
from spikeviz.views.page import FILES
from spikeviz.views.scene import Scene
from spikeviz.views.sharing.picture_link import stays
from spikeviz.views.sharing.provenance import Provenance
from spikeviz.views.sharing.python import array, python
from spikeviz.views.sharing.report import page_report

MOST_IN_CODE = 1300  # letters: a QR code of more has squares too small for a phone


def share(scene: Scene, about: Provenance) -> None:
    """What can be taken along of a scene; `about` is of the moment at which the page was drawn."""
    key = scene.page.key
    with st.popover("Share", key=f"{key}_share", help="Link, Python, report"):
        st.markdown("**Link** to this view")
        st.code(about.link, language=None, wrap_lines=True)
        _about_upload(scene, about.link)
        _room(about.link)
        st.download_button(
            "Report of this page (HTML)",
            data=lambda: page_report(scene, shown_figures(scene), about),
            file_name=about.file("report", "html"),
            mime="text/html",
            on_click="ignore",
            key=f"{key}_report",
        )
        if scene.shipped is not None and not runs.imported():  # nothing was run yet, and a link needs no torch
            st.download_button(
                "Python that makes this view",
                data=lambda: python(scene),
                file_name=about.file("view", "py"),
                on_click="ignore",
                key=f"{key}_python",
            )
        else:
            st.markdown("**Python** that makes this view")
            st.code(python(scene), language="python")
        if scene.state.experiment.brought:
            st.download_button(
                "input.npy",
                data=lambda: array(scene.now),
                file_name="input.npy",
                on_click="ignore",
                key=f"{key}_input_file",
                help="The input as the network gets it; the Python above reads it",
            )


def server() -> str:
    """The address of the app as this browser has it, without a page; "" where no browser says it.

    It is known while a page is drawn, and not any more when a download is made.
    """
    here = urlsplit(st.context.url or "")
    folder, _, page = here.path.rstrip("/").rpartition("/")
    host = here.netloc or st.context.headers.get("Host", "")
    path = folder if page in FILES else here.path.rstrip("/")
    return urlunsplit((here.scheme or "http", host, path, "", "")) if host else ""


def _about_upload(scene: Scene, whole: str) -> None:
    """What the link does with an input that was brought."""
    query = address.as_query(whole)
    if stays(query):
        what = "what you brought is" if stays({"input": query.get("input", "")}) else "the input of A is"
        st.caption(f"The link works in this session only: {what} too large to be carried in it, or no picture.")
    elif scene.state.experiment.source in scene.uploads:
        st.caption("The link carries your picture.")


def _room(whole: str) -> None:
    """Where others in the room can open the view, with a QR code of the first address."""
    there = addresses.links(whole)
    if not there:
        st.caption(f"Only this machine can open it. To share it in a room, start the app with `{addresses.ROOM}`.")
        return
    st.markdown("**In this room**, for everybody on the same network")
    for link in there:
        st.markdown(f"[{urlsplit(link).netloc}]({link})")
    if len(there[0]) > MOST_IN_CODE:
        st.caption("The link is too long for a QR code that a phone can read.")
    else:
        st.html(qr_code(there[0]))


def qr_code(link: str) -> str:
    """A link as a QR code, an HTML picture, black on white whatever the theme."""
    import segno

    code = segno.make_qr(link, error="l")
    picture = code.svg_data_uri(dark="#000", light="#fff", border=4, scale=4)
    style = "width: min(100%, 300px); background: #fff"
    return f'<img src="{escape(picture)}" alt="QR code of {escape(link)}" style="{style}">'
