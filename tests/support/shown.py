"""What the components of the app are shown in tests."""

from __future__ import annotations

import json

import numpy as np

from spikeviz.artifacts.packed_spikes import LayerSpikes, PackedSpikes
from spikeviz.data.events import EventRecording
from spikeviz.figures.events import Cloud
from spikeviz.figures.pictures import Pictures
from spikeviz.views.viewer_data import PatchData, ViewerData, ViewerSide


def packed(steps: int = 3) -> PackedSpikes:
    """One layer, `a.b`, of 5 x 4 x 3 neurons."""
    spikes = np.random.default_rng(steps).random((steps, 5, 4, 3)) < 0.4
    pixels = np.linspace(0, 1, 12, dtype=np.float32).reshape(1, 4, 3)
    return PackedSpikes({"a.b": LayerSpikes.of(spikes)}, pixels, {"steps": steps, "logits": [0.0]})


def viewer() -> ViewerData:
    parts = {"a.b": ("block 0", "attention", "query")}
    a = ViewerSide("A", "one", "T=1", packed(2), "a.b", (0, 1, 1), parts)
    return ViewerData([a, ViewerSide("B", "two", "T=3", packed(), "a.b", (1, 2, 0), parts)])


def events(count: int, length: int = 300_000, height: int = 30, width: int = 34) -> EventRecording:
    rng = np.random.default_rng(count)
    t = np.sort(rng.integers(0, length, count)) + 1_000
    x, y = rng.integers(0, width, count), rng.integers(0, height, count)
    return EventRecording(t, x, y, rng.random(count) < 0.5, height, width)


def cloud(count: int = 50) -> Cloud:
    e = events(count)
    return Cloud("cloud", (e.t - e.t[0]) / 1000, e.x, e.y, e.p, e.height, e.width)


def patches(changed=lambda experiment, hidden: experiment.but(seed=sum(hidden))) -> PatchData:
    images = np.random.default_rng(0).random((3, 1, 8, 8))
    pictures = Pictures("pictures", images, ["original", "masked", "made"])
    return PatchData(pictures, ["n1", "n2", "n3"], 4, [0, 5], "mask_ratio=0.12", changed)


def split(content: bytes) -> tuple[dict, bytes]:
    """Header and body of a payload."""
    length = int.from_bytes(content[:4], "little")
    return json.loads(content[4 : 4 + length]), content[4 + length :]
