"""What first visits would wait for, loaded in the background: torch, and what every page shows when it is opened."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
NAME = "spikeviz warms up"
DRAWN = 1.0  # s after which a browser has drawn the page that it asked for
POLITE = 3.0  # s for which a person who waits for a page goes first
LIKELY = ("spike_maps", "random_masks", "channel_masks", "integer_firing", "reconstruction", "events")

_begun = threading.Event()
_idle = threading.Condition()
_drawn = 0  # pages that are being drawn


def start(delay: float = 0.0, tell: Callable[[float], None] = lambda seconds: None) -> None:
    """Begin `delay` seconds from now, once in a process; `tell` hears in the end how many seconds it took.

    Not under Streamlit's AppTest: a test loads what it needs.
    """
    if _begun.is_set() or "streamlit.testing.v1" in sys.modules:
        return
    _begun.set()
    timer = threading.Timer(delay, load, (tell,))
    timer.name, timer.daemon = NAME, True
    timer.start()


def first(draw: Callable[P, R]) -> Callable[P, R]:
    """What draws a page goes first: between two pages the background waits for it, since both share one interpreter."""

    @wraps(draw)
    def counted(*args: P.args, **kwargs: P.kwargs) -> R:
        global _drawn
        with _idle:
            _drawn += 1
        try:
            return draw(*args, **kwargs)
        finally:
            with _idle:
                _drawn -= 1
                _idle.notify_all()

    return counted


def load(tell: Callable[[float], None]) -> None:
    """Import torch, and draw every page once as its first visit does. What is made stays in the caches, which are
    bounded. What fails is left out: it fails again where a person sees it."""
    from spikeviz.views import runs

    begun = time.perf_counter()
    runs.libraries()
    for file in LIKELY:
        with _idle:
            _idle.wait_for(lambda: _drawn == 0, POLITE)
        with suppress(Exception):
            _visit(file)
    settle()
    tell(time.perf_counter() - begun)


def settle() -> None:
    """Let Python look no more for garbage in what is there now, which stays: torch, plotly, the networks.

    Streamlit has all of it searched after each run of a page. That took 0.1 to 0.3 s, more than the run, and nobody
    else was answered meanwhile.
    """
    gc.collect()
    gc.freeze()


def _visit(file: str) -> None:
    """The figures of a page as it opens, as a browser would be sent them."""
    from spikeviz.figures.chart import Chart
    from spikeviz.figures.render_plotly import plotly_figure
    from spikeviz.views.host import query_of, scene_at, shown_figures
    from spikeviz.views.page import find_page

    page = find_page(file)
    scene, _ = scene_at(page, query_of(page))
    for figure in shown_figures(scene):
        if figure.html is None and isinstance(figure.chart, Chart):
            plotly_figure(figure.chart)
