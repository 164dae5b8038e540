"""The spike viewer as a view: its figures, captions and still pictures, of one setting and of two."""

from __future__ import annotations

import re

import numpy as np
from support.networks import needs
from support.scenes import items_of, scene_of

from spikeviz.figures.chart import Chart
from spikeviz.figures.render_plotly import plotly_figure
from spikeviz.views.address import as_query
from spikeviz.views.host import page_figures
from spikeviz.views.layers.viewer import spike_viewer
from spikeviz.views.page import find_page
from spikeviz.views.sharing.python import python
from spikeviz.views.view import Component, Option
from spikeviz.views.viewer_data import looks_of

FASHION, OTHER = "spikformer-fashion", "mst-fashion"
PAGE = find_page("spike_maps")
TWO = {"maps_A": f"checkpoint:{OTHER},input:0", "maps_layer": "stem.stages.2", "maps_layerA": "blocks.1.attn.q"}


def component(**query: str) -> Component:
    return next(i for i in items_of(spike_viewer(scene_of(PAGE, **query))) if isinstance(i, Component))


@needs(FASHION, OTHER)
def test_each_side_shows_its_own_layer_and_no_difference_of_two_shapes():
    shown = component(**TWO, maps_side="A")
    (other,) = shown.others
    assert shown.figure.title == "Spike maps · block 1, attention, query, A"
    assert other.title == "Spike maps · stem, layer 2, B"
    a, b = shown.data.sides
    assert (a.layer, b.layer) == ("blocks.1.attn.q", "stem.stages.2")
    np.testing.assert_array_equal(shown.figure.chart.maps[:-1], a.packed.layers[a.layer].maps)
    assert a.instead["stem.stages.2"] == "stem" and not b.instead
    assert ", A, t = 1: " in shown.still() and ", B, t = 1: " in shown.still() and "A−B" not in shown.still()


@needs(FASHION)
def test_the_caption_is_that_of_the_side_that_is_shown():
    captions = {side: component(maps_A="T:2", maps_side=side).figure for side in ("A", "B", "diff")}
    assert [figure.title[-3:] for figure in captions.values()] == [", A", ", B", "A−B"]
    mean = captions["diff"].chart.maps[-1]
    said = [float(number) for number in re.findall(r"[+-]\d\.\d+", captions["diff"].notice)]
    np.testing.assert_allclose(said, [mean.mean(), mean.min(), mean.max()], atol=0.006)
    assert "channels of" in captions["A"].notice and "A minus B" not in captions["B"].notice


@needs(FASHION, OTHER)
def test_what_the_browser_says_of_a_is_taken():
    data = component(**TWO).data
    said = {"layer": "stem.stages.2", "layerA": "blocks.0.attn.v", "neuron": [1, 2, 3], "neuronA": [0, 1, 1]}
    channels = data.sides[0].packed.layers["blocks.0.attn.v"].shape[1]
    looks = looks_of(said | {"side": "A", "channel": channels - 1}, data)
    assert looks == {
        "layer": "stem.stages.2",
        "layer A": "blocks.0.attn.v",
        f"neuron {FASHION} stem.stages.2": (1, 2, 3),
        f"neuron {OTHER} blocks.0.attn.v": (0, 1, 1),
        "side": "A",
        "channel": channels - 1,
    }
    for nonsense in ("stem.stages.2", None, ["stem"]):
        found = looks_of(said | {"layerA": nonsense}, data)
        assert "layer A" not in found and f"neuron {OTHER} stem" in found


@needs(FASHION, OTHER)
def test_charts_of_one_run_show_a_where_it_is_chosen():
    b, a = (page_figures(scene_of(PAGE, **TWO, maps_charts=side)) for side in "BA")
    for figures, layer, side in ((b, "stem, layer 2", "B"), (a, "block 1, attention, query", "A")):
        titles = [figure.title for figure in figures]
        assert f"Raster · {layer}, {side}" in titles
        assert f"Firing rate by layer, {side}" in titles and f"Operations and energy by layer, {side}" in titles
        assert any(title.startswith(f"Membrane · {layer}, neuron ") and title.endswith(f", {side}") for title in titles)
    rates = [next(f.chart for f in figures if "rate by layer" in f.title) for figures in (a, b)]
    assert len(rates[0].series[0].names) != len(rates[1].series[0].names)
    alone = scene_of(PAGE)
    assert not [i for i in items_of(PAGE.body(alone)) if isinstance(i, Option) and i.name == "charts"]
    assert "Firing rate by layer" in [figure.title for figure in page_figures(alone)]


@needs(FASHION, OTHER)
def test_the_python_of_two_networks_names_the_layer_of_each():
    text = python(scene_of(PAGE, **TWO))
    assert 'compared["blocks.1.attn.q.spike"]' in text and 'recording["stem.stages.2.spike"]' in text


@needs(FASHION)
def test_a_single_point_of_b_lies_over_that_of_a():
    scene = scene_of(PAGE, **as_query("?maps_T=1&maps_A=T:4"))
    chart = next(figure.chart for figure in page_figures(scene) if "spike firing rate" in figure.title)
    assert isinstance(chart, Chart) and [line.rings for line in chart.series] == [False, True]
    b, a = plotly_figure(chart).data
    assert len(b.x) == 1 and a.marker.symbol == "circle-open" and a.marker.size > b.marker.size
    assert b.zorder > a.zorder
