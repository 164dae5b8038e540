"""A figure as a file, and its numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from spikeviz.figures.chart import Exhibit

MIME = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "csv": "text/csv",
    "npz": "application/octet-stream",
}


def downloads(exhibit: Exhibit, page: str) -> None:
    """A figure as PNG, SVG and PDF, its numbers as CSV and NPZ; each is made when it is asked for."""
    from spikeviz.figures.render_matplotlib import FORMATS, export

    name = f"{page}-{slug(exhibit.title)}"
    with st.popover("Export", key=f"{name}_export"):
        for kind in FORMATS:
            st.download_button(
                kind.upper(), data=lambda kind=kind: export(exhibit, kind), file_name=f"{name}.{kind}",
                mime=MIME[kind], on_click="ignore", key=f"{name}_{kind}", width="stretch",
            )  # fmt: skip


def slug(text: str) -> str:
    """Letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]
