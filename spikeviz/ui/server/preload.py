"""Parts of Streamlit that the browser loads while nothing else is to do: it would load them on the first page that
shows one, and a chart's part, plotly, takes it one to two seconds in which the page stands still."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import streamlit as st

PARTS = ("BidiComponent", "withFullScreenWrapper", "Slider", "ButtonGroup", "rehype-katex", "PlotlyChart")
CALM = 600  # ms after which the page that was asked for is drawn

# Where the parts are is known by the script that is there already: the app may lie below another address.
SCRIPT = """<script>
setTimeout(() => (window.requestIdleCallback || setTimeout)(async () => {
  const there = performance.getEntriesByType("resource").map((entry) => entry.name)
    .find((name) => name.includes("/static/js/index."));
  if (there) for (const name of NAMES) await import(new URL(name, there).href).catch(() => {});
}), CALM);
</script>"""


@cache
def files() -> list[str]:
    """The files of the parts, which carry a hash in their names; another Streamlit may lack some."""
    folder = Path(st.__file__).parent / "static" / "static" / "js"
    return [file.name for part in PARTS for file in sorted(folder.glob(f"{part}.*.js"))]


def charts() -> None:
    """Load what charts and viewers need, once the page is drawn; to be called where it shows none itself."""
    script = SCRIPT.replace("NAMES", json.dumps(files())).replace("CALM", str(CALM))
    with st.container(key="preload"):
        st.html(script, unsafe_allow_javascript=True)
