"""What the spike viewer and the patch grid are fed, and what of their answers is looked at: no browser is needed.

The components of these names (`spikeviz.ui.components`) send it and draw.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeviz.figures.theme import ACCENT, SPIKE, difference_colours, rate_colours
from spikeviz.views.address import ALL, MEAN, SIDES, neuron_of
from spikeviz.views.layers.names import MARKS, groups
from spikeviz.views.scene import is_neuron

if TYPE_CHECKING:
    from spikeviz.artifacts.packed_spikes import PackedSpikes
    from spikeviz.figures.pictures import Pictures
    from spikeviz.views.experiment import Experiment

MOST_STEPS = 10**6
MASKED = 1  # which of the pictures gets the grid, over the original, so that a shown patch is there at once


@dataclass(frozen=True, eq=False)
class ViewerSide:
    """One setting in the viewer.

    Attributes:
        name: A or B.
        checkpoint: its network.
        status_text: its settings in words.
        packed: its spikes.
        layer: that is looked at.
        neuron: of it, that is looked at: channel, row, column.
        parts: of the names of its layers (`spikeviz.views.layers.names`).
        instead: of A, the layer that it shows in place of each of B's layers that its network lacks.
    """

    name: str
    checkpoint: str
    status_text: str
    packed: PackedSpikes
    layer: str
    neuron: tuple[int, int, int]
    parts: Mapping[str, Sequence[str]]
    instead: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ViewerData:
    """What the spike viewer shows: A, if there is one, and B.

    Attributes:
        clicked: what a page shows of a neuron that is clicked: "its membrane"; "" where it only gets a mark.
    """

    sides: Sequence[ViewerSide]
    clicked: str = ""

    @property
    def hint(self) -> str:
        """How the viewer is used."""
        click = f"Click a neuron for {self.clicked}" if self.clicked else "Click a place to mark it"
        return f"{click}; with the keyboard: arrows, then Enter. Click a small map for its step."


@dataclass(frozen=True, eq=False)
class PatchData:
    """What the patch grid shows.

    Attributes:
        pictures: the second of them gets the grid.
        notes: what stands below each picture.
        grid: patches a side.
        hidden: numbers of the hidden patches, from the top left.
        status_text: the settings in words.
        changed: the experiment with exactly these patches hidden.
    """

    pictures: Pictures
    notes: Sequence[str]
    grid: int
    hidden: Sequence[int]
    status_text: str
    changed: Callable[[Experiment, list[int]], Experiment]


def message(header: Mapping[str, Any], body: bytes) -> bytes:
    """A payload as `unpack` of `shared.js` reads it: a 32-bit length, the header as JSON, the body."""
    head = json.dumps(header).encode()
    return len(head).to_bytes(4, "little") + head + body


def view_of(data: ViewerData, looks: Mapping[str, Any]) -> dict[str, Any]:
    """What is looked at, as the viewer takes it: step 0 is the mean over the steps. Of A its neuron, and its layer
    where it is another one than B's."""
    *others, b = data.sides
    view = {"layer": b.layer, "neuron": list(b.neuron), "side": looks.get("side", "B")}
    for a in others:
        view |= {"layerA": None if a.layer == b.layer else a.layer, "neuronA": list(a.neuron)}
    return view | {"step": looks.get("step", 0), "channel": looks.get("channel", MEAN)}


def looks_of(view: Mapping[str, Any], data: ViewerData) -> dict[str, Any]:
    """What a browser says is looked at, by the names of looks, as far as there is such a thing in the spikes."""
    *others, b = data.sides
    layer = _layer(b, view.get("layer"))
    if layer is None:
        return {}
    looks: dict[str, Any] = {"layer": layer} | _neuron_look(b, layer, view.get("neuron"))
    shape = b.packed.layers[layer].shape
    if view.get("side") in SIDES.values():
        looks["side"] = view["side"]
    for a in others:
        own = _layer(a, view.get("layerA"))
        if own:
            looks["layer A"] = own
        shown = _layer(a, layer) or own or a.instead[layer]
        if a.checkpoint != b.checkpoint:
            looks |= _neuron_look(a, shown, view.get("neuronA"))
        if looks.get("side") == "A":
            shape = a.packed.layers[shown].shape
    for name, low, high in (("step", 0, MOST_STEPS), ("channel", ALL, shape[1] - 1)):
        if isinstance(view.get(name), int) and low <= view[name] <= high:
            looks[name] = view[name]
    return looks


def _layer(side: ViewerSide, said: Any) -> str | None:
    """What is said, if it is a layer of a side."""
    return said if isinstance(said, str) and said in side.packed.layers else None


def _neuron_look(side: ViewerSide, layer: str, place: Any) -> dict[str, Any]:
    """What is kept of a neuron of a side's layer; nothing where there is none such."""
    there = is_neuron(place, side.packed.layers[layer].shape)
    return {neuron_of(side.checkpoint, layer): tuple(place)} if there else {}


def payload(data: ViewerData, view: Mapping[str, Any], seq: int) -> bytes:
    """What `spike_viewer.js` reads: offsets in the header point into the body.

    Args:
        view: what is looked at.
        seq: of the last view that the browser sent, so that it can tell an answer to an older one.
    """
    body = bytearray()

    def put(content: bytes) -> int:
        body.extend(content)
        return len(body) - len(content)

    header = {
        "seq": seq,
        "view": dict(view),
        "hint": data.hint,
        "status_text": " / ".join(side.status_text for side in data.sides),
        "accent": ACCENT,
        "spike": SPIKE,
        "colours": {"rate": put(rate_colours().tobytes()), "difference": put(difference_colours().tobytes())},
        "sides": [
            {
                "name": side.name,
                "status_text": side.status_text,
                "checkpoint": side.checkpoint,
                "instead": dict(side.instead),
                "names": {layer: ", ".join(name) for layer, name in side.parts.items()},
                "marks": {layer: MARKS[name[-1]] for layer, name in side.parts.items() if name[-1] in MARKS},
                "groups": groups(side.parts),
                "depth": side.packed.depth,
                "mean": side.packed.mean,
                "image": {
                    "shape": side.packed.pixels.shape,
                    "at": put((side.packed.pixels * 255).round().astype(np.uint8).tobytes()),
                },
                "layers": {n: {"shape": of.shape, "at": put(of.bits)} for n, of in side.packed.layers.items()},
            }
            for side in data.sides
        ],
    }
    return message(header, bytes(body))


def patch_payload(data: PatchData, seq: int) -> dict[str, Any]:
    """What `patch_grid.js` reads."""
    from spikeviz.figures.render_html import data_uri

    pixels = data.pictures.pixels()
    shown = [pixels[0] if number == MASKED else picture for number, picture in enumerate(pixels)]
    return {
        "seq": seq,
        "status_text": data.status_text,
        "side": data.grid,
        "hidden": list(data.hidden),
        "pictures": [
            {"title": title, "note": note, "alt": f"{title}: {note}", "src": data_uri(image), "grid": number == MASKED}
            for number, (title, note, image) in enumerate(zip(data.pictures.titles, data.notes, shown, strict=True))
        ],
    }


def hidden_of(view: Mapping[str, Any], grid: int) -> list[int] | None:
    """Which patches a browser says are hidden; None for what is no list of patches there are."""
    hidden = view.get("hidden")
    known = isinstance(hidden, list) and all(type(n) is int and 0 <= n < grid**2 for n in hidden)
    return hidden if known else None
