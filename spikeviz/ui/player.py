"""The event player and the cloud: canvases that draw packed events in the browser. `player.js` and `cloud.js` draw.

To the player a recording is sent, and what is looked at comes back; the cloud is turned in the browser alone. It needs
no WebGL: where that runs on the processor, as without a graphics card, 15,000 points take it a hundred times as long.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from jaxtyping import Int64

from spikeviz.figures.events import FULL, LENGTH, OFF, ON, PITCH, REACH, YAW, Cloud
from spikeviz.figures.theme import ACCENT
from spikeviz.ui.experiment import Parameter, recall, remember, whole
from spikeviz.ui.live import part

if TYPE_CHECKING:
    from spikeviz.data.events import EventRecording

SENT = 300_000  # events the player gets: 2.7 MB
POINTS = 15_000  # of the cloud
WINDOWS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # ms
WHOLE = 0  # instead of a window: everything up to now
SHOWS = {"both": "ON and OFF", "on": "ON", "off": "OFF"}
HINT = "Drag along the time. With the keyboard: ← → the time, ↑ ↓ the window, space plays."
LATEST = 10**9  # ms, of an address
_PLAYER, _CLOUD = part("player", style="viewer"), part("cloud")


def thinned(events: EventRecording, most: int) -> Int64[np.ndarray, "n"]:
    """Numbers of at most `most` events, spread evenly over all of them in the order of time."""
    return np.linspace(0, len(events) - 1, min(len(events), most)).astype(np.int64)


def windows(events: EventRecording) -> tuple[int, ...]:
    """What can be accumulated over, in ms: shorter than the recording; last `WHOLE`."""
    return (*(window for window in WINDOWS if window * 1000 < events.duration), WHOLE)


def first_window(events: EventRecording) -> int:
    """The longest up to 50 ms of which a recording holds a dozen."""
    return max((w for w in windows(events) if w <= min(50, events.duration / 12_000)), default=WHOLE)


def busiest(events: EventRecording, window: int) -> int:
    """When the window of most events ends, in ms; for `WHOLE` the end of the recording. Of 10,000 windows at most."""
    if window == WHOLE:
        return -(-events.duration // 1000)
    length = max(window * 1000, events.duration // 10_000)
    return int((events.rate(length).argmax() + 1) * length) // 1000


def payload(events: EventRecording, view: dict[str, Any], seq: int, said: str) -> bytes:
    """What `player.js` reads: a 32-bit length, the header as JSON, and t, x, y and p of at most `SENT` events.

    Times are uint32 in ticks of the header, so that 71 minutes and more fit.
    """
    which, tick = thinned(events, SENT), events.duration // 2**32 + 1
    t = (events.t[which] - events.t[0]) // tick
    header = {
        "seq": seq,
        "view": view,
        "hint": HINT,
        "said": said,
        "accent": ACCENT,
        "colours": {"OFF": OFF, "ON": ON},
        "full": FULL,
        "shows": SHOWS,
        "windows": windows(events),
        "height": events.height,
        "width": events.width,
        "duration": events.duration / 1000,
        "tick": tick,
        "events": len(which),
    }
    return _packed(header, t, events.x[which], events.y[which], events.p[which])


def _packed(header: dict[str, Any], *columns: np.ndarray) -> bytes:
    """A header and the columns t, x, y and p of events."""
    head, kinds = json.dumps(header).encode(), ("<u4", "<u2", "<u2", "u1")
    body = b"".join(values.astype(kind).tobytes() for values, kind in zip(columns, kinds, strict=True))
    return len(head).to_bytes(4, "little") + head + body


def player(events: EventRecording, said: str, key: str) -> None:
    """Show a recording; what a person then looks at is in `recall` before the page runs again."""
    window = recall("window")
    window = window if window in windows(events) else first_window(events)
    at = recall("at")
    at = busiest(events, window) if at is None else at
    last = st.session_state.get(key)
    seq = ((last and last.get("view")) or {}).get("seq", 0)
    view = {"at": at, "window": window, "show": recall("show", "both")}
    _PLAYER(key=key, data=payload(events, view, seq, said), on_view_change=lambda: _take(key))


def cloud(points: Cloud, key: str) -> None:
    """Show events in x, y and t, to be turned."""
    end = max(float(points.t.max(initial=0)), 1e-9)
    header = {
        "colours": {"OFF": OFF, "ON": ON},
        "turn": {"yaw": YAW, "pitch": PITCH},
        "long": LENGTH,
        "reach": REACH,
        "height": points.height,
        "width": points.width,
        "duration": end,
        "events": len(points.t),
    }
    share = points.t / end * (2**32 - 1)  # of the duration
    _CLOUD(key=key, data=_packed(header, share, points.x, points.y, points.p))


def _take(key: str) -> None:
    """Keep what the browser says is looked at, as far as there is such a thing."""
    view = st.session_state[key].get("view") or {}
    if isinstance(view.get("at"), int) and 0 <= view["at"] <= LATEST:
        remember("at", view["at"])
    if view.get("window") in (*WINDOWS, WHOLE):
        remember("window", view["window"])
    if view.get("show") in SHOWS:
        remember("show", view["show"])


def parameters(page: str) -> list[Parameter]:
    """What is looked at, as parts of the address: `events_at=120`, `events_window=20` (ms, or `all`), `events_show=on`.

    What is left out is chosen for the recording: its busiest window.
    """
    lengths = {"all": WHOLE, **{str(window): window for window in WINDOWS}}

    def read_at(text: str | None) -> None:
        remember("at", None if text is None else whole(text, "a time in ms", 0, LATEST))

    def read_window(text: str | None) -> None:
        if text not in (None, *lengths):
            raise ValueError(f"a window is {', '.join(map(str, WINDOWS))} ms or all.")
        remember("window", None if text is None else lengths[text])

    def read_show(text: str | None) -> None:
        if text not in (None, *SHOWS):
            raise ValueError(f"there are {', '.join(SHOWS)}.")
        remember("show", text or "both")

    def write_at() -> str | None:
        return None if recall("at") is None else str(recall("at"))

    def write_window() -> str | None:
        window = recall("window")
        return None if window is None else "all" if window == WHOLE else str(window)

    def write_show() -> str | None:
        return None if recall("show", "both") == "both" else recall("show")

    return [
        Parameter(f"{page}_at", read_at, write_at),
        Parameter(f"{page}_window", read_window, write_window),
        Parameter(f"{page}_show", read_show, write_show),
    ]
