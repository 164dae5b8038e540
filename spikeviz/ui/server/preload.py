"""Charts that nobody sees, on the page that shows none.

The first chart of a browser costs it one to two seconds in which the page stands still: five megabytes of plotly are
loaded, and each of its functions is compiled when it is first called. Where the start page draws some behind its
picture, the page that comes next is there at once.
"""

from __future__ import annotations

import sys

import streamlit as st

from spikeviz.ui.kit import session

KEY = "preload"  # of its container, which `style.py` takes out of sight


def charts() -> None:
    """Lines and bars, as the pages have them.

    Not where plotly would have to be imported first, while a person waits: the first visit to a server that has only
    just been started.
    """
    if session.plain() or "plotly.graph_objects" not in sys.modules:
        return
    from spikeviz.figures.chart import Bars, Chart, Line, Rule
    from spikeviz.figures.render_plotly import plotly_figure
    from spikeviz.figures.theme import CONFIG

    line = Line((1, 2), (0, 1), "a", dash=True)
    charts = (
        Chart("Line", "x", "y", (line, Line((1, 2), (1, 0), "b")), (Rule(0.5, "c"),), 2, (0, 1), height=120),
        Chart("Bars", "x", "y", (Bars(("a", "b"), (1, 2), "a"),), height=120),
    )
    with st.container(key=KEY):
        for chart in charts:
            st.plotly_chart(plotly_figure(chart), config=CONFIG, key=f"{KEY} {chart.title}")
