"""What a page has drawn so far reaches the browser before the page goes on."""

from __future__ import annotations

import sys
import time

MOMENT = 0.03  # s in which a server sends a picture and a browser draws it


def let_go() -> None:
    """Let the server's other thread send, and the browser draw, what is there.

    They share the interpreter, and on a small machine the processors, with the page: what it computes next would hold
    up what it has computed. Not under Streamlit's AppTest, where nobody waits.
    """
    if "streamlit.testing.v1" not in sys.modules:
        time.sleep(MOMENT)
