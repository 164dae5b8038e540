"""The spike viewer as a view: maps of a layer, of one setting or of two and their difference, beside the prediction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np

from spikeviz.artifacts.packed_spikes import ONLY
from spikeviz.display import plural
from spikeviz.views.address import ALL, MEAN
from spikeviz.views.captions.silence import silence
from spikeviz.views.scene import like, sides_of
from spikeviz.views.spikes import FIG_8, prediction
from spikeviz.views.view import Component, Figure, Item, Note, Row
from spikeviz.views.viewer_data import ViewerData, ViewerSide

if TYPE_CHECKING:
    from jaxtyping import Float, UInt8

    from spikeviz.artifacts.packed_spikes import LayerSpikes, PackedSpikes
    from spikeviz.figures.chart import Maps
    from spikeviz.views.scene import Scene, Side


def spike_viewer(scene: Scene) -> Iterator[Item]:
    """The maps of a layer, of one setting or two, beside the prediction."""
    figures = list(_figures(scene))
    side = scene.look("side", "B")
    chosen = next(figure for figure in figures if scene.compared is None or figure.title.endswith(f", {side}"))
    yield Row(
        [
            Component(
                "spike_viewer",
                ViewerData([_sent(scene, side) for side in scene.sides], scene.page.clicked),
                chosen,
                partial(_still, scene, figures),
                [figure for figure in figures if figure is not chosen],
            )
        ],
        _predictions(scene),
        widths=(2.9, 1),
        gap="medium",
    )
    for side in scene.sides:
        if text := silence(side):
            yield Note(text)


def _sent(scene: Scene, side: Side) -> ViewerSide:
    """What the viewer gets of a side; of A also which of its layers it shows for each of B's that it has not."""
    run = side.run
    instead = {name: like(name, run.layers) for name in scene.now.layers if name not in run.layers}
    looked = (side.layer, side.neuron, run.network.parts, instead)
    return ViewerSide(side.name, run.card.name, run.status_text, run.packed, *looked)


def _predictions(scene: Scene) -> Iterator[Item]:
    for side in scene.sides:
        yield from prediction(side.run.packed, "" if side.alone else side.name)


def _figures(scene: Scene) -> Iterator[Figure]:
    """Spike maps of the layer of each side, and of their difference where the layers are of one shape."""
    from spikeviz.figures.chart import Maps

    found: list[Maps] = []
    for side in scene.sides:
        packed = side.run.packed
        channels, height, width = side.shape
        values, view, label = _shown(packed.layers[side.layer], scene.look("channel", MEAN))
        times = [*(packed.when(step) for step in range(1, len(values) + 1)), packed.mean or ONLY]
        title = f"Spike maps · {side.words}{view}{side.mark}"
        found.append(Maps(title, np.concatenate([values, values.mean(0)[None]]), times, label))
        notice = f"{plural(channels, 'channel')} of {height} x {width} neurons. {_notice(packed)}"
        yield Figure(found[-1], notice, FIG_8, term="spike map")
    if "A−B" in sides_of(scene):
        maps = _difference(scene, *found)
        mean = maps.maps[-1]
        notice = (
            f"A minus B, of {scene.sides[-1].shape[0]} channels each: orange where more of A's fire, purple where more "
            f"of B's do. Over all places the mean is {mean.mean():+.3f}, from {mean.min():+.2f} to {mean.max():+.2f}."
        )
        yield Figure(maps, notice, FIG_8, term="spike map")


def _shown(layer: LayerSpikes, channel: int) -> tuple[Float[np.ndarray, "S h w"], str, str]:
    """What the viewer shows of a layer at each step: maps, what a title says of them, and what their colour says."""
    channels = layer.shape[1]
    if 0 <= channel < channels:
        return layer.spikes[:, channel].astype(np.float32), f", channel {channel}", f"spikes of channel {channel}"
    if channel == ALL:
        columns = ceil(sqrt(channels))
        return _sheet(layer.spikes, columns), ", all channels", f"spikes of each channel, {columns} in a row"
    return layer.maps, "", f"share of the {channels} channels that fire"


def _sheet(spikes: UInt8[np.ndarray, "S C H W"], columns: int) -> Float[np.ndarray, "S h w"]:
    """All channels of a step as one map, from the left and from the top."""
    steps, channels, height, width = spikes.shape
    rows = -(-channels // columns)
    sheet = np.zeros((steps, rows * columns, height, width), np.float32)
    sheet[:, :channels] = spikes
    sheet = sheet.reshape(steps, rows, columns, height, width).transpose(0, 1, 3, 2, 4)
    return sheet.reshape(steps, rows * height, columns * width)


def _difference(scene: Scene, a: Maps, b: Maps) -> Maps:
    """A − B at the steps that both have, and of their means."""
    from spikeviz.figures.chart import Maps

    both = min(len(maps.maps) for maps in (a, b)) - 1
    alike = a.titles[:both] == b.titles[:both]
    steps = b.titles[:both] if alike else [f"step {step}" for step in range(1, both + 1)]
    first, second = (np.concatenate([maps.maps[:both], maps.maps[-1:]]) for maps in (a, b))
    names = dict.fromkeys(side.words for side in scene.sides)
    title = f"Spike maps · {' − '.join(names)}, A−B"
    mean = a.titles[-1] if a.titles[-1] == b.titles[-1] else "means over all steps"
    return Maps(title, first - second, [*steps, mean], f"difference (A−B) of the {b.label}", "difference")


def _notice(packed: PackedSpikes) -> str:
    return "What to notice: " + (
        "a neuron that counts C fires at d = 1 .. C. The map only darkens with d; what remains at the last d is "
        "saturated."
        if packed.depth > 1
        else "a place that is bright at every t fires at every step; one that is bright at some steps only changes "
        "with time."
    )


def _still(scene: Scene, figures: Sequence[Figure]) -> str:
    """The same maps as pictures, a row for each side; beside A and B their own input, beside A−B that of B."""
    from spikeviz.figures.chart import Maps
    from spikeviz.figures.render_html import photograph, scale_bar, strip, tile

    rows, inputs = [], {f", {name}": run for name, run in scene.runs}
    for chart in (figure.chart for figure in figures):
        assert isinstance(chart, Maps)
        run = inputs.get(chart.title[-3:], scene.now)
        tiles = [tile(photograph(run.picture), "input", run.shown.title, run.shown.title)]
        for title, values, pixels in zip(chart.titles, chart.maps, chart.pixels(), strict=True):
            note = f"mean {values.mean():.2f} max {values.max():.2f}"
            alt = f"{chart.title}, {title}: {values.shape[0]} by {values.shape[1]} neurons, {note}"
            tiles.append(tile(pixels, title, note, alt))
        rows.append(strip(tiles, len(tiles) if len(tiles) < 7 else -(-len(tiles) // 2)))
        rows.append(scale_bar(chart.label, chart.quantity))
    return "".join(rows)
