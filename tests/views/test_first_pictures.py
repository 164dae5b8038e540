"""What pages open with: an address that works, at which something happens; what ships, and silent layers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from support.networks import needs
from support.scenes import scene_of, words_of

import spikeviz as sv
from spikeviz.artifacts.curves import DEPTHS, find_curve
from spikeviz.evaluation import firing
from spikeviz.interventions import MaskSpikes, SpikeLevels
from spikeviz.views.captions.silence import silence
from spikeviz.views.host import page_figures, query_of, scene_at, view
from spikeviz.views.page import FILES, find_page
from spikeviz.views.random_masks import cam
from spikeviz.views.random_masks.settings import at_ratio, unmasked

RSM, DMEB, SFA, MAPS = map(find_page, ("random_masks", "channel_masks", "integer_firing", "spike_maps"))

QUIET = {"maps_T": "1", "maps_threshold": "2.0"}


@needs("mst-fashion", "mst-fashion-rsm50", "sdmformer-fashion-dvs")
@pytest.mark.parametrize("file", FILES)
def test_an_opening_works_in_every_part(file):
    page = find_page(file)
    _, notices = scene_at(page, query_of(page))
    assert not notices


@needs("mst-fashion", "mst-fashion-rsm50")
def test_random_masks_opens_tuned_beside_untuned():
    scene = scene_of(RSM, **query_of(RSM))
    (tuned,) = scene.now.card.trained_under
    (rule,) = scene.now.experiment.of_kind(MaskSpikes)
    assert rule.ratio == tuned["ratio"] > 0 and scene.settings[0].bounds.slider[1] > rule.ratio
    a, b = scene.compared.experiment, scene.now.experiment
    assert not scene.compared.card.trained_under and a == b.but(checkpoint=scene.compared.card.name)
    assert "**A: mst-fashion**, not fine-tuned" in words_of(RSM.main(scene))
    moved = scene_of(RSM, checkpoint=b.checkpoint, rsm_ratio="0.75", rsm_T="8")
    assert moved.compared.status_text == moved.now.status_text == "ratio=0.75 T=8 seed=0"
    assert scene_of(RSM, checkpoint=b.checkpoint).compared is None  # unmasked, as trained
    assert scene_of(RSM, checkpoint=scene.compared.card.name, rsm_ratio="0.50").compared is None


@needs("mst-fashion-rsm50")
def test_a_notebook_shows_a_tuned_network_unmasked():
    shown = view("random_masks", "mst-fashion-rsm50")
    assert not any(figure.title.endswith(", A") for figure in shown)


@needs("mst-fashion")
def test_the_rows_of_where_it_looks_differ():
    scene = scene_of(RSM, checkpoint="mst-fashion", rsm_part="maps")
    layer = cam.differing(scene)
    base, masked = unmasked(scene), at_ratio(scene, 0.75)

    def alike(name: str) -> float:
        pair = [sv.metrics.sam(run.recording[f"{name}.spike"], cam.GAMMA).numpy().ravel() for run in (base, masked)]
        return np.corrcoef(*pair)[0, 1] if all(values.std() for values in pair) else 1.0

    least = min(map(alike, scene.now.layers))
    assert alike(layer) == pytest.approx(least) and least < 0.95
    titles = [figure.title for figure in page_figures(scene, "maps")]
    assert f"Spike activation maps · {scene.now.network.words(layer)}" in titles
    chosen = scene_of(RSM, checkpoint="mst-fashion", rsm_part="maps", rsm_layer="blocks.0.mlp.out")
    assert "Spike activation maps · block 0, MLP, output" in [figure.title for figure in page_figures(chosen, "maps")]


@needs("sdmformer-fashion-dvs")
def test_the_threshold_reaches_the_layer_of_channel_masks():
    layer = query_of(DMEB)["dmeb_layer"]
    runs = [scene_of(DMEB, dmeb_layer=layer, dmeb_threshold=at).now for at in ("0.25", "0.50", "0.75")]
    low, trained, high = (run.packed.layers[layer].count for run in runs)
    assert low != trained != high


@needs("e-spikeformer-fashion-sfa4")
def test_the_curve_against_d_ships_and_is_what_the_network_gives():
    curve, card = find_curve("e-spikeformer-fashion-sfa4"), sv.load("e-spikeformer-fashion-sfa4")
    points = {point["D"]: point for point in curve["points"]}
    assert tuple(points) == DEPTHS and curve["kind"] == "levels" and curve["samples"] == 10_000
    own = next(c for c in sv.list_checkpoints() if c.name == curve["checkpoint"])
    assert points[4]["accuracy"] == pytest.approx(own.accuracy, abs=5e-4)
    few = firing.count_firing(card, "fashion", (SpikeLevels(2),), limit=200, progress=False)
    assert few.accuracy == pytest.approx(points[2]["accuracy"], abs=0.12)
    assert few.spikes == pytest.approx(points[2]["spikes_per_neuron"], rel=0.05)
    figures = {figure.title: figure for figure in page_figures(scene_of(SFA, sfa_part="cost"))}
    shown = figures["Accuracy against D"]
    assert f"Precomputed by `{curve['command']}`, shipped" in shown.caption
    table = shown.chart.numbers
    found = table[table["meaning"] == "what-if"].set_index("D")["accuracy"].to_dict()
    assert found == {d: point["accuracy"] for d, point in points.items()}
    assert {1, 2, 4, 8} <= set(table[table["meaning"] == "trained"]["D"])  # also the network that is shown


@needs("e-spikeformer-fashion-sfa4")
def test_firing_is_counted_as_the_metrics_do():
    model = sv.load("e-spikeformer-fashion-sfa4")
    found = firing.count_firing(model, "fashion", limit=70, progress=False)  # two batches
    x, y = sv.load_data("fashion", "test", 70)
    recording = sv.simulate(model, x, keep="*.spike")
    rates = sv.metrics.firing_rates(recording).groupby("layer")["rate"].mean()
    assert found.layers == pytest.approx({name.removesuffix(".spike"): rate for name, rate in rates.items()})
    assert found.spikes == pytest.approx(float(sv.metrics.nsfr(recording).sum()))
    assert found.right == int((recording.output.argmax(-1) == y).sum()) and found.steps == 4


def test_every_card_holds_the_firing_of_every_layer():
    from spikeviz.artifacts.checkpoints import skeleton
    from spikeviz.metrics.firing import spike_layers

    for card in sv.list_checkpoints():
        held = card.measured["firing"]
        assert set(spike_layers(skeleton(card))) <= set(held["layers"]) and held["samples"] >= min(250, card.samples)
        assert all(0 <= rate <= 1 for rate in held["layers"].values())
        assert held["command"] == f"spikeviz publish {card.name} --with firing"


@needs("spikformer-fashion")
def test_a_silent_layer_says_how_often_it_fires():
    scene = scene_of(MAPS, **QUIET)
    side = scene.sides[-1]
    layers = side.run.packed.layers
    quiet = next(name for name, layer in layers.items() if not layer.count)
    loud = max(layers, key=lambda name: layers[name].count)
    text = silence(dataclasses.replace(side, layer=quiet))
    rate = scene.now.card.measured["firing"]["layers"][quiet]
    assert (
        f"**{side.run.network.words(quiet)} is silent.** On this input none of its" in text and "neurons fires" in text
    )
    assert "over the first 1,000 test images the network as trained fires there at" in text
    said = float(text.partition("fires there at ")[2].partition(" %")[0])
    assert said == pytest.approx(100 * rate, rel=0.5)
    assert silence(dataclasses.replace(side, layer=loud)) == ""
    shown = scene_of(MAPS, **QUIET, maps_layer=quiet)
    assert f"{side.run.network.words(quiet)} is silent" in words_of(MAPS.main(shown))


@needs("mst-fashion")
def test_a_layer_that_masks_silence_says_so():
    whole, masked = (scene_of(RSM, rsm_ratio=ratio, rsm_layer="blocks.0.attn.q").sides[-1] for ratio in ("0", "1"))
    assert "what the masks let pass" in silence(masked) and "what the masks" not in silence(whole)
