"""The view of a page as a link, as Python, as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

import streamlit as st

from spikeviz.ui.kit import session
from spikeviz.views import address
from spikeviz.views.address import Parameter
from spikeviz.views.host import shown_figures
from spikeviz.views.scene import Scene
from spikeviz.views.sharing.python import array, python
from spikeviz.views.sharing.report import page_report


def share(scene: Scene, parameters: Sequence[Parameter]) -> None:
    """What can be taken along of a scene. The link is that of the moment at which the page was drawn."""
    key, whole = scene.page.key, link(parameters)
    with st.popover("Share", key=f"{key}_share", help="Link, Python, report"):
        st.markdown("**Link** to this view")
        st.code(whole, language=None, wrap_lines=True)
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
        st.download_button(
            "Report of this page (HTML)",
            data=lambda: page_report(scene, shown_figures(scene), whole),
            file_name=f"spikeviz-{key}.html",
            mime="text/html",
            on_click="ignore",
            key=f"{key}_report",
        )


def link(parameters: Sequence[Parameter]) -> str:
    """The address of the view, whole: it gives the same picture and the same numbers elsewhere."""
    here = urlsplit(st.context.url or "http://127.0.0.1:8501")
    wanted = address.as_text(address.write(parameters, session.state()))
    return urlunsplit((here.scheme, here.netloc, here.path, wanted, ""))
