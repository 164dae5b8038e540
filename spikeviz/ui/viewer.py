"""The spike viewer: one canvas that draws packed spikes in the browser, and still pictures where it cannot run.

`viewer.js` draws; what is sent is the films of one or two settings, and what comes back is what is looked at.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from spikeviz.artifacts.packed_spikes import Film
from spikeviz.figures.theme import ACCENT, SPIKE, difference_colours, rate_colours
from spikeviz.ui.experiment import Parameter, notice, plain, recall, remember, shown, taken, whole
from spikeviz.ui.live import part

if TYPE_CHECKING:
    from torch import Tensor

MEAN, ALL = -1, -2  # over channels: their mean, a sheet of all of them
SIDES = {"A": "A", "B": "B", "diff": "A−B"}  # in the address, on the page
HINT = "Click a neuron for its membrane; with the keyboard: arrows, then Enter. Click a small map for its step."
HEAD_START = 0.05  # s: the maps are drawn before the charts, which keep a browser busy for longer, reach it
_VIEWER = part("viewer")


@dataclass(frozen=True)
class Side:
    """One setting: its name, what it is in words, its film."""

    name: str
    said: str
    film: Film


def payload(sides: Sequence[Side], view: dict[str, Any], seq: int) -> bytes:
    """What `viewer.js` reads: a 32-bit length, the header as JSON, and the bytes its offsets point into."""
    body = bytearray()

    def put(content: bytes) -> int:
        body.extend(content)
        return len(body) - len(content)

    header = {
        "seq": seq,
        "view": view,
        "hint": HINT,
        "said": " / ".join(side.said for side in sides),
        "accent": ACCENT,
        "spike": SPIKE,
        "colours": {"rate": put(rate_colours().tobytes()), "difference": put(difference_colours().tobytes())},
        "sides": [
            {
                "name": side.name,
                "said": side.said,
                "depth": side.film.depth,
                "image": {
                    "shape": side.film.pixels.shape,
                    "at": put((side.film.pixels * 255).round().astype(np.uint8).tobytes()),
                },
                "layers": {n: {"shape": r.shape, "at": put(r.bits)} for n, r in side.film.reels.items()},
            }
            for side in sides
        ],
    }
    head = json.dumps(header).encode()
    return len(head).to_bytes(4, "little") + head + bytes(body)


def viewer(sides: Sequence[Side], layer: str, neuron: Sequence[int], key: str) -> None:
    """Show the films; what a person then looks at is in `recall` before the page runs again."""
    view = {"layer": layer, "neuron": list(neuron), "side": recall("side", "B")}
    view |= {"step": recall("step", 0), "channel": recall("channel", MEAN)}
    last = st.session_state.get(key)
    seq = ((last and last.get("view")) or {}).get("seq", 0)
    _VIEWER(key=key, data=payload(sides, view, seq), on_view_change=lambda: _take(key, sides[-1].film))
    if not plain():
        time.sleep(HEAD_START)


def _take(key: str, film: Film) -> None:
    """Keep what the browser says is looked at, as far as there is such a thing."""
    view = st.session_state[key].get("view") or {}
    layer = view.get("layer")
    if layer not in film.reels:
        return
    remember("layer", layer)
    shape = film.reels[layer].shape
    if view.get("side") in SIDES.values():
        remember("side", view["side"])
    for name, low, high in (("step", 0, 10**6), ("channel", ALL, shape[1] - 1)):
        if isinstance(view.get(name), int) and low <= view[name] <= high:
            remember(name, view[name])
    if is_neuron(view.get("neuron"), shape):
        remember(f"neuron {layer}", tuple(view["neuron"]))


def is_neuron(place: Any, shape: Sequence[int]) -> bool:
    """Whether a layer of the shape [S, C, H, W] has a neuron there."""
    whole_numbers = isinstance(place, list | tuple) and len(place) == 3 and all(isinstance(i, int) for i in place)
    return whole_numbers and all(0 <= i < n for i, n in zip(place, shape[1:], strict=True))


def chosen_neuron(layer: str, spikes: Tensor) -> tuple[int, int, int]:
    """Of a layer's spikes [T, C, H, W]: the neuron that was chosen, else one that has something to show."""
    place = recall(f"neuron {layer}")
    if place is not None and not is_neuron(place, spikes.shape):
        notice(f"{layer} has no neuron {'.'.join(map(str, place))}; its shape is {list(spikes.shape[1:])}.")
        place = remember(f"neuron {layer}", None)
    return place or telling_neuron(spikes)


def telling_neuron(spikes: Tensor) -> tuple[int, int, int]:
    """The neuron nearest to the centre that fires at some steps and not at all of them, if there is one."""
    fired = spikes.cpu().numpy().astype(np.int64).sum(0)
    _, height, width = fired.shape
    telling = (fired > 0) & (fired < len(spikes)) if len(spikes) > 1 else fired > 0
    if not telling.any():
        return 0, height // 2, width // 2
    distance = (np.arange(height)[:, None] - height / 2) ** 2 + (np.arange(width) - width / 2) ** 2
    # of those at the least distance, the one that fires most; a quarter is less than any two distances differ by
    score = np.where(telling, distance - 0.25 * fired / len(spikes), np.inf)
    channel, row, column = np.unravel_index(int(score.argmin()), fired.shape)
    return int(channel), int(row), int(column)


def parameters(page: str, layers: Sequence[str], first: str) -> list[Parameter]:
    """What is looked at, as parts of the address: layer (without one `first`), step, channel, side, neuron."""

    def read_layer(text: str | None) -> None:
        if text is not None and text not in layers:
            raise ValueError(f"this network has no layer {text[:40]!r}.")
        remember("layer", text or first)

    def read_step(text: str | None) -> None:
        remember("step", whole(text or "0", "a step", 0, 10**6))

    def read_channel(text: str | None) -> None:
        remember("channel", {None: MEAN, "all": ALL}.get(text) or whole(text or "", "a channel", 0, 10**6))

    def read_side(text: str | None) -> None:
        if text not in (None, *SIDES):
            raise ValueError(f"there are {', '.join(SIDES)}.")
        remember("side", SIDES[text or "B"])

    def read_neuron(text: str | None) -> None:
        numbers = tuple(whole(n, "each of channel.row.column", 0, 10**6) for n in text.split(".")) if text else None
        if numbers and len(numbers) != 3:
            raise ValueError("a neuron is channel.row.column, such as 5.3.3.")
        remember(f"neuron {recall('layer')}", numbers)

    def write_channel() -> str | None:
        channel = recall("channel", MEAN)
        return None if channel == MEAN else "all" if channel == ALL else str(channel)

    def write_neuron() -> str | None:
        neuron = recall(f"neuron {recall('layer')}")
        return ".".join(map(str, neuron)) if neuron else None

    side_names = {shown: name for name, shown in SIDES.items()}
    return [
        Parameter(f"{page}_layer", read_layer, lambda: recall("layer")),
        Parameter(f"{page}_step", read_step, lambda: str(recall("step")) if recall("step") else None),
        Parameter(f"{page}_channel", read_channel, write_channel),
        Parameter(
            f"{page}_side", read_side, lambda: None if recall("side", "B") == "B" else side_names[recall("side")]
        ),
        Parameter(f"{page}_neuron", read_neuron, write_neuron),
    ]


def choose_layer(layers: Sequence[str], name: str) -> None:
    """The layer, where the viewer's own choice does not run."""
    if plain():
        chosen = shown(name, recall("layer"))
        st.selectbox("Layer", layers, key=chosen, on_change=taken, args=(name, lambda new: remember("layer", new)))
