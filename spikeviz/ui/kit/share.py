"""The view of a page as a link, as Python, as one HTML file."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import streamlit as st

from spikeviz.views.host import shown_figures
from spikeviz.views.page import FILES
from spikeviz.views.scene import Scene
from spikeviz.views.sharing.provenance import Provenance
from spikeviz.views.sharing.python import array, python
from spikeviz.views.sharing.report import page_report


def share(scene: Scene, about: Provenance) -> None:
    """What can be taken along of a scene; `about` is of the moment at which the page was drawn."""
    key = scene.page.key
    with st.popover("Share", key=f"{key}_share", help="Link, Python, report"):
        st.markdown("**Link** to this view")
        st.code(about.link, language=None, wrap_lines=True)
        st.download_button(
            "Report of this page (HTML)",
            data=lambda: page_report(scene, shown_figures(scene), about),
            file_name=about.file("report", "html"),
            mime="text/html",
            on_click="ignore",
            key=f"{key}_report",
        )
        st.markdown("**Python** that makes this view")
        st.code(python(scene), language="python")
        if scene.now.experiment.index is None:
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
