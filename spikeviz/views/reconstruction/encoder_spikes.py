"""The spikes of an autoencoder's encoder: maps of a layer, with hidden places silent."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeviz.artifacts.packed_spikes import ONLY
from spikeviz.display import plural
from spikeviz.views import spikes
from spikeviz.views.view import Figure, Item, Row

if TYPE_CHECKING:
    from spikeviz.figures.chart import Maps
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

FIG_8 = "after E-SpikeFormer, sec. 5.3 and Fig. 8 (our network)"
STEPS = 8  # maps of steps that are drawn


def maps(scene: Scene) -> Generator[Item, Any, None]:
    """Spike maps of the chosen layer, step by step and averaged, of this run and of A; rates and operations."""
    yield spikes.layer_option(scene, scene.now.layers, scene.layer, "Layer of the encoder")
    for side in scene.sides:
        yield _maps(side.run, side.layer, side.mark)
    side = yield from spikes.charted(scene)
    yield Row(spikes.rates(side), spikes.operations(side))


def _maps(run: Run, layer: str, name: str) -> Figure:
    from spikeviz.figures.chart import Maps

    packed = run.packed
    steps, channels, height, width = packed.layers[layer].shape
    values = packed.layers[layer].maps
    mean, visible = values.mean(0), _visible(run, height)
    titles = [*(packed.when(step) for step in range(1, min(steps, STEPS) + 1)), packed.mean or ONLY]
    label = f"share of the {channels} channels that fire"
    shown = Maps(
        f"Spike maps · {run.network.words(layer)}{name}", np.concatenate([values[:STEPS], mean[None]]), titles, label
    )
    loudest = float(mean[~visible].max(initial=0))
    hidden = f"largest {loudest:.3f}" if loudest else "silent (largest 0.000)"
    return Figure(
        shown,
        f"{plural(channels, 'channel')} of {height} x {width} neurons, {plural(steps, 'binary step')}"
        + (f", the first {STEPS} drawn" if steps > STEPS else "")
        + f". Visible places: mean {_mean(mean[visible])}; hidden ones: {hidden if (~visible).any() else 'none'}.",
        FIG_8,
        ", ".join(f"{title} mean {part.mean():.3f}" for title, part in zip(titles, shown.maps, strict=True)),
        "spike map",
        partial(_tiles, shown),
    )


def _visible(run: Run, height: int) -> np.ndarray:
    """The patches that were visible, on the grid of a layer."""
    kept = run.recording["patches"].values[0, 0].cpu().numpy()
    scale = height // len(kept)
    return np.kron(kept, np.ones((scale, scale), dtype=bool))


def _mean(values: np.ndarray) -> str:
    return f"{values.mean():.3f}" if values.size else "none"


def _tiles(shown: Maps) -> str:
    from spikeviz.figures.render_html import map_tiles, rate_bar, strip

    return strip(map_tiles(shown, [f"mean {m.mean():.3f}" for m in shown.maps]), 6, 96, 150) + rate_bar(shown.label)
