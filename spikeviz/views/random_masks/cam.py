"""Where a masked network looks: spike activation maps at several ratios, and ScoreCAM of the QCFS network."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeviz.display import plural
from spikeviz.views.random_masks.conversion import qcfs_run
from spikeviz.views.random_masks.networks import converted
from spikeviz.views.random_masks.settings import at_ratio, first_alone, masks_of, unmasked, where
from spikeviz.views.spikes import first_query
from spikeviz.views.view import Figure, Item, Note, Option, Row

if TYPE_CHECKING:
    from spikeviz.figures.chart import Maps
    from spikeviz.metrics.attribution import ScoreCAM
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

RATIOS = (0.0, 0.5, 0.75)  # of the paper's Fig. 7
TIMES = 5
GAMMA = 0.5
MOST, ABOVE = "Where the rows differ most", "The layer of the viewer"
SOURCE = "Masked Spiking Transformer, Fig. 7; Kim & Panda, Sci. Rep. 2021"


def maps(scene: Scene) -> Generator[Item, Any, None]:
    """Spike activation maps of a layer, a row for each ratio; ScoreCAM beside them.

    Until a layer is chosen, of the one in which the rows differ most: in the first ones masks change next to nothing.
    """
    untouched = scene.layer == first_query(scene.now.layers)
    which = yield Option("cam_layer", "Layer", MOST if untouched else ABOVE, (MOST, ABOVE), form="buttons")
    layer = differing(scene) if which == MOST else scene.layer
    yield Row(_activations(scene, layer, which == MOST), _score_cam(scene, layer), widths=(2.2, 1))


def differing(scene: Scene) -> str:
    """The layer whose maps at the largest ratio are least like those without masks, over all steps."""
    base, most = unmasked(scene), at_ratio(scene, max(RATIOS))
    found = {layer: _alike(_sam(base, layer), _sam(most, layer)) for layer in scene.now.layers}
    known = {layer: alike for layer, alike in found.items() if alike is not None}
    return min(known, key=known.__getitem__, default=scene.layer)


def _activations(scene: Scene, layer: str, chosen: bool) -> Iterator[Item]:
    from spikeviz.views.random_masks.charts import activation_maps

    ratios = sorted({*RATIOS, masks_of(scene.now)[0].ratio})
    found = {f"ratio {ratio:.2f}": _sam(at_ratio(scene, ratio), layer) for ratio in ratios}
    base = _sam(unmasked(scene), layer)
    times = np.unique(np.linspace(min(2, len(base)), len(base), TIMES).round().astype(int))
    most = max(float(base.max()), 1e-12)
    words = scene.now.network.words(layer)
    chart = activation_maps({name: m[times - 1] / most for name, m in found.items()}, times.tolist(), words)
    why = f"Of all layers {words} is the one whose maps differ most from row to row. " if chosen else ""
    yield Figure(
        chart,
        f"This input, {where(scene.now)} masked, seed {scene.now.experiment.seed}, γ = {GAMMA}{first_alone(scene)}. "
        f"{why}{_likeness(base, found)}The weights are the same in every row; the paper's were fine-tuned at each "
        "ratio. A spike counts more if the same neuron fired shortly before, so at t = 1 the map is empty.",
        SOURCE,
        f"Spike activation maps of {words} at {', '.join(found)}, t = {', '.join(map(str, times))}",
        "SAM",
        partial(_tiles, chart, len(times)),
    )


def _tiles(chart: Maps, columns: int) -> str:
    from spikeviz.figures.render_html import map_tiles, rate_bar, strip

    tiles = map_tiles(chart, [f"mean {values.mean():.3f}" for values in chart.maps])
    return strip(tiles, columns, 60, 116) + rate_bar(chart.label)


def _sam(run: Run, layer: str) -> np.ndarray:
    """`[T, H, W]`."""
    from spikeviz.metrics import sam

    track = f"{layer}.spike"
    return run.once(f"spike activation maps {track} {GAMMA}", lambda recording: sam(recording[track], GAMMA).numpy())


def _alike(one: np.ndarray, other: np.ndarray) -> float | None:
    """Correlation of two maps over all steps; None where one of them is flat."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) if one.std() and other.std() else None


def _likeness(base: np.ndarray, found: Mapping[str, np.ndarray]) -> str:
    """How alike the maps of all steps are to those without masks, in words."""
    each = {name: _alike(base, values) for name, values in found.items() if values is not base}
    named = [f"{alike:.2f} at {name}" for name, alike in each.items() if alike is not None]
    return f"Correlation with the maps without masks, over all steps: {', '.join(named)}. " if named else ""


def _score_cam(scene: Scene, layer: str) -> Iterator[Item]:
    from spikeviz.data.catalog import find_data
    from spikeviz.figures.chart import Maps
    from spikeviz.metrics import score_cam

    run = scene.now
    if run.batch.ndim != 4:
        yield Note("ScoreCAM hides parts of one image; this network takes event frames, of which there is none here.")
        return
    levels = converted(run.card)
    whole = qcfs_run(scene, run) if levels else unmasked(scene)
    best = int(whole.recording.output[0].argmax())
    model, batch = whole.model, run.batch
    found = whole.once(f"ScoreCAM {layer}", lambda _: score_cam(model, batch, layer, best))
    says, words = find_data(run.card.data).classes[best], run.network.words(layer)
    values = found.map.float().cpu().numpy()
    shown = "QCFS network" if levels else "without masks"
    chart = Maps(f"ScoreCAM · {words}", values[None], (shown,), "share of the largest value")
    of = "QCFS network, without spikes and masks" if levels else "network without masks"
    yield Figure(
        chart,
        f"Of the {of}, for its answer: {says}. {weighed(found)}",
        "Wang et al., Score-CAM, CVPRW 2020, Algorithm 1; Masked Spiking Transformer, sec. 4.3",
        f"ScoreCAM of {words} for {says}",
        "ScoreCAM",
        partial(_beside_input, run, chart, says),
    )


def weighed(found: ScoreCAM) -> str:
    """How the channels of a map were weighed, and how many of them have a say."""
    asked, raised = len(found.channels), int((found.increases > 0).sum())
    best = int(found.weights.argmax())
    most = (
        f"{raised} of {asked} raise it; channel {int(found.channels[best])} the most, by "
        f"{float(found.increases[best]):.1f}, which gives it {float(found.weights[best]):.0%} of the weight."
    )
    return (
        f"The activations of {plural(asked, 'channel')}, each weighed by the softmax of its increase: the logit of the "
        "class for the image seen through that channel, minus that for a black image. "
        f"{most if raised else 'None of them raises it: the map says nothing of this class.'}"
    )


def _beside_input(run: Run, chart: Maps, says: str) -> str:
    from spikeviz.figures.render_html import map_tiles, photograph, rate_bar, strip, tile

    tiles = [tile(photograph(run.picture), "input", run.shown.title, run.shown.title)]
    return strip([*tiles, *map_tiles(chart, [f"for {says}"])], 2, 90, 150) + rate_bar(chart.label)
