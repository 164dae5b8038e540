"""What the event player and the event cloud are fed, and what of the player's answers is looked at: no browser is
needed.

The components of these names (`spikeviz.ui.components`) send it and draw. A recording is sent once, and time, window
and polarity change in the browser.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from spikeviz.figures.events import FULL, LENGTH, OFF, ON, PITCH, REACH, YAW, Cloud
from spikeviz.figures.theme import ACCENT
from spikeviz.views.address import Parameter, State
from spikeviz.views.settings import whole
from spikeviz.views.viewer_data import message

if TYPE_CHECKING:
    from spikeviz.data.events import EventRecording

SENT = 300_000  # events the player gets: 2.7 MB
POINTS = 15_000  # of the cloud
WINDOWS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # ms
WHOLE = 0  # instead of a window: everything up to now
SHOWS = {"both": "ON and OFF", "on": "ON", "off": "OFF"}
HINT = "Drag along the time. With the keyboard: ← → the time, ↑ ↓ the window, space plays."
LATEST = 10**9  # ms, of an address


@dataclass(frozen=True, eq=False)
class PlayerData:
    """What the event player shows: a recording, and what it is in words."""

    events: EventRecording
    status_text: str


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
    end = int(events.windows(length)[events.rate(length).argmax() + 1])
    return -(-min(end, events.duration) // 1000)


def view_of(events: EventRecording, looks: Mapping[str, Any]) -> dict[str, Any]:
    """What is looked at, as the player takes it; where nothing was chosen, the busiest window of the recording."""
    window, at = looks.get("window"), looks.get("at")
    window = window if window in windows(events) else first_window(events)
    return {"at": busiest(events, window) if at is None else at, "window": window, "show": looks.get("show", "both")}


def looks_of(view: Mapping[str, Any]) -> dict[str, Any]:
    """What a browser says is looked at, by the names of looks, as far as there is such a thing."""
    looks = {}
    if isinstance(view.get("at"), int) and 0 <= view["at"] <= LATEST:
        looks["at"] = view["at"]
    if isinstance(view.get("window"), int) and view["window"] in (*WINDOWS, WHOLE):
        looks["window"] = view["window"]
    if isinstance(view.get("show"), str) and view["show"] in SHOWS:
        looks["show"] = view["show"]
    return looks


def payload(data: PlayerData, view: Mapping[str, Any], seq: int) -> bytes:
    """What `event_player.js` reads: t, x, y and p of at most `SENT` events.

    Times are uint32 in ticks of the header, so that 71 minutes and more fit.

    Args:
        view: what is looked at.
        seq: of the last view that the browser sent, so that it can tell an answer to an older one.
    """
    events = data.events
    which, tick = thinned(events, SENT), events.duration // 2**32 + 1
    t = (events.t[which] - events.t[0]) // tick
    header = {
        "seq": seq,
        "view": dict(view),
        "hint": HINT,
        "status_text": data.status_text,
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
    return message(header, _columns(t, events.x[which], events.y[which], events.p[which]))


def cloud_payload(cloud: Cloud) -> bytes:
    """What `event_cloud.js` reads: its events, times as shares of the duration, 2^32 - 1 being all of it."""
    end = max(float(cloud.t.max(initial=0)), 1e-9)
    header = {
        "colours": {"OFF": OFF, "ON": ON},
        "turn": {"yaw": YAW, "pitch": PITCH},
        "long": LENGTH,
        "reach": REACH,
        "height": cloud.height,
        "width": cloud.width,
        "duration": end,
        "events": len(cloud.t),
    }
    return message(header, _columns(cloud.t / end * (2**32 - 1), cloud.x, cloud.y, cloud.p))


def _columns(*columns: np.ndarray) -> bytes:
    """t, x, y and p of events, one after the other."""
    kinds = ("<u4", "<u2", "<u2", "u1")
    return b"".join(values.astype(kind).tobytes() for values, kind in zip(columns, kinds, strict=True))


def parameters(page: str) -> list[Parameter]:
    """What is looked at, as parts of the address: `events_at=120`, `events_window=20` (ms, or `all`), `events_show=on`.

    What is left out is chosen for the recording: its busiest window.
    """
    lengths = {"all": WHOLE, **{str(window): window for window in WINDOWS}}

    def read_at(state: State, text: str | None) -> State:
        return state.looking("at", None if text is None else whole(text, "a time in ms", 0, LATEST))

    def read_window(state: State, text: str | None) -> State:
        if text not in (None, *lengths):
            raise ValueError(f"a window is {', '.join(map(str, WINDOWS))} ms or all.")
        return state.looking("window", None if text is None else lengths[text])

    def read_show(state: State, text: str | None) -> State:
        if text not in (None, *SHOWS):
            raise ValueError(f"there are {', '.join(SHOWS)}.")
        return state.looking("show", text or "both")

    def write_at(state: State) -> str | None:
        at = state.look("at")
        return None if at is None else str(at)

    def write_window(state: State) -> str | None:
        window = state.look("window")
        return None if window is None else "all" if window == WHOLE else str(window)

    def write_show(state: State) -> str | None:
        show = state.look("show", "both")
        return None if show == "both" else show

    return [
        Parameter(f"{page}_at", read_at, write_at),
        Parameter(f"{page}_window", read_window, write_window),
        Parameter(f"{page}_show", read_show, write_show),
    ]
