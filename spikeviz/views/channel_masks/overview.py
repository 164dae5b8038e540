"""Learned channel masks on one input: what the threshold drops of each site, what kept and dropped channels fire."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from spikeviz.display import plural
from spikeviz.views import spikes
from spikeviz.views.channel_masks.settings import threshold
from spikeviz.views.layers.viewer import spike_viewer
from spikeviz.views.networks.gaps import gaps
from spikeviz.views.view import Figure, Item, Note, Row

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, UInt8

    from spikeviz.figures.chart import Maps
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

NEAR = 0.1  # of a threshold: what a small move of it decides
RECONSTRUCTION = "A reconstruction: the paper's equations are lost in the text we have."
SEC = "SDMFormer, sec. 3.2, 3.3"


def main(scene: Scene) -> Iterator[Item]:
    """What the threshold keeps, and the viewer."""
    yield from keeps(scene)
    yield from spike_viewer(scene)


def keeps(scene: Scene) -> Iterator[Item]:
    """The formula with the numbers of the moment, and a warning where a whole site is gone."""
    from spikeviz.data.catalog import find_data
    from spikeviz.metrics import parameters_left
    from spikeviz.metrics.channel_masks import REST, masked_layers

    run, own = scene.now, threshold(scene.now)
    left = parameters_left(run.model, own)
    share = left["left"].sum() / left["parameters"].sum()
    yield Note(
        rf"$s'_c = [\,\sigma(5\,m_c) > {own:.2f}\,]\;s_c$ keeps **{left['kept'].sum():,} of "
        f"{left['channels'].sum():,}** channels; pruned, **{share:.0%}** of the parameters are left. "
        f"<small>{RECONSTRUCTION} Data: {find_data(run.card.data).title}.</small>",
        "text",
        "channel mask",
    )
    start = next(iter(masked_layers(run.model)))
    if run.layers.index(scene.layer) < run.layers.index(start):
        yield Note(
            f"{run.network.words(scene.layer)} lies before every mask: the threshold does not change it. Choose "
            f"{run.network.words(start)} or a later layer."
        )
    empty = left[(left["kept"] == 0) & (left["layer"] != REST)]["layer"]
    if len(empty):
        yield Note(
            f"At {own:.2f} no channel is left in {', '.join(empty)}: these sites are silent. The network still runs, "
            "on its residual connections; a pruned one keeps one channel there, which never fires.",
            "warning",
        )


def masks(scene: Scene) -> Generator[Item, Any, None]:
    """Where the learned values lie, what the threshold drops of each site, and what kept and dropped channels fire."""
    layer, mask = masked_layer(scene)
    yield Row([_strengths(scene.now)], [_rates(scene.now, layer, mask)])
    layer = yield layer_option(scene, layer)
    yield from _kept_and_dropped(scene, layer)
    yield from gaps(scene)


def _strengths(run: Run) -> Figure:
    from spikeviz.metrics import mask_rates, mask_values
    from spikeviz.metrics.channel_masks import mask_sites
    from spikeviz.views.channel_masks.charts import strengths

    own, learned = threshold(run), mask_values(run.model)
    near = int((learned["strength"] - own).abs().le(NEAR).sum())
    masked = int(mask_rates(run.model, own)["masked"].sum())
    kept = len(learned) - masked
    return Figure(
        strengths(learned, mask_sites(run.model), own),
        f"{len(learned):,} values of {run.card.name}; the {kept:,} right of the line are kept. {near:,} lie within "
        f"{NEAR} of it: a small move of the threshold decides these.",
        SEC,
        f"Histogram of {len(learned)} mask strengths, {masked} of them up to the threshold {own:.2f}",
        "channel mask",
    )


def _rates(run: Run, layer: str, mask: str) -> Figure:
    from spikeviz.metrics import mask_rates
    from spikeviz.metrics.channel_masks import mask_sites
    from spikeviz.views.channel_masks.charts import rate_bars

    rates = mask_rates(run.model, threshold(run))
    return Figure(
        rate_bars(rates, mask_sites(run.model), mask),
        f"{rates['masked'].sum():,} of {rates['channels'].sum():,} channels are masked; the site of "
        f"{run.network.words(layer)} is marked. Section 4.2 of the paper is about this rate; its figure is "
        "not in the text we have.",
        "SDMFormer, sec. 4.2",
        "Share of masked channels: " + ", ".join(f"{r.layer} {r.rate:.2f}" for r in rates.itertuples()),
        "mask rate",
    )


def masked_layer(scene: Scene) -> tuple[str, str]:
    """The layer that is looked at and its mask, where it has one; else the first that has."""
    from spikeviz.metrics.channel_masks import masked_layers

    layers = masked_layers(scene.now.model)
    layer = scene.layer if scene.layer in layers else next(iter(layers))
    return layer, layers[layer]


def layer_option(scene: Scene, layer: str) -> Item:
    """Another masked layer; the viewer moves to it as well."""
    from spikeviz.metrics.channel_masks import masked_layers

    layers = list(masked_layers(scene.now.model))
    return spikes.layer_option(
        scene, layers, layer, help="Q and K share one mask. The viewer moves to the layer as well"
    )


def _kept_and_dropped(scene: Scene, layer: str) -> Iterator[Item]:
    from spikeviz.views.channel_masks.charts import kept_and_dropped

    means = {
        "kept": "This input, the channels that this site lets pass: mean {:.3f} spikes per neuron and step.",
        "dropped": "This input, the channels that are silent at this threshold, as they fire with all channels of the "
        "network kept: mean {:.3f} spikes per neuron and step.",
    }
    run, everything = scene.now, all_kept(scene)
    passes, name = kept(run, layer), run.network.words(layer)
    for part, maps in kept_and_dropped(spikes_of(run, layer), spikes_of(everything, layer), passes, name).items():
        mean = float(maps.maps[-1].mean())
        count = int((passes if part == "kept" else ~passes).sum())
        alt = f"{plural(count, f'{part} channel')} of {name}, mean {mean:.3f}"
        yield Figure(maps, means[part].format(mean), SEC, alt, html=partial(_tiles, maps))


def _tiles(maps: Maps) -> str:
    from spikeviz.figures.render_html import map_tiles, rate_bar, strip

    notes = [f"mean {values.mean():.2f} max {values.max():.2f}" for values in maps.maps]
    return strip(map_tiles(maps, notes), len(notes), 72, 110) + rate_bar(maps.label)


def all_kept(scene: Scene) -> Run:
    """The same with every channel kept: what dropped channels would fire."""
    from spikeviz.interventions import MaskChannels
    from spikeviz.metrics import SPIKES

    return scene.run(scene.now.experiment.set(MaskChannels(0.0)), SPIKES)


def spikes_of(run: Run, layer: str) -> UInt8[np.ndarray, "T C H W"]:
    """Of the one sample."""
    return run.recording[f"{layer}.spike"].values[:, 0].cpu().numpy()


def kept(run: Run, layer: str) -> Bool[np.ndarray, "C"]:
    """Which channels the mask of a layer keeps at the threshold of a run."""
    from spikeviz.metrics.channel_masks import masked_layers
    from spikeviz.nn.channel_masks import find_masks

    mask = find_masks(run.model)[masked_layers(run.model)[layer]]
    return mask.kept(threshold(run)).cpu().numpy()
