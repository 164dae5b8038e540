"""The page of random masks in the app: ratio, sites, blocks and further masks reach the model and the address."""

from __future__ import annotations

import numpy as np
import pytest
from support.apptest import (
    asked,
    captions,
    charts,
    code,
    html,
    number_field,
    numbers,
    opened,
    pictures,
    pills,
    press,
    slide,
    slider,
    sound,
    status,
    text_field,
    words,
)
from support.networks import needs

import spikeviz as sv
from spikeviz.views.random_masks import PAGE
from spikeviz.views.random_masks.charts import watts

PAGE_FILE, NAME, CNN = "random_masks", "mst-fashion", "mst-vgg16-fashion"
TRAINED_HERE = needs(NAME)


@TRAINED_HERE
def test_the_ratio_moves_maps_and_curves():
    app = opened(PAGE_FILE, checkpoint=NAME)
    assert slider(app, "Ratio").value == 0.0 < slider(app, "Ratio").max == 1.0
    assert "ratio=0.00 T=16 seed=0" in status(app)
    before = pictures(app)
    slide(app, "Ratio", 0.5)
    assert "ratio=0.50 T=16 seed=0" in status(app) and pictures(app) != before
    nsfr = next(c for c in charts(app) if c["layout"]["yaxis"]["title"]["text"] == "NSFR")["data"]
    x, _ = sv.load_data("fashion", "test", 1)
    model = sv.to_spiking(sv.load(NAME), 16)
    for trace, rule in zip(nsfr, ((sv.interventions.MaskSpikes(0.5),), ()), strict=True):
        expected = sv.metrics.nsfr(sv.simulate(model, x, rule)).numpy()
        np.testing.assert_allclose(numbers(trace["y"]), expected, atol=1e-9)
    assert any("over seeds" in body for body in html(app))


@TRAINED_HERE
@pytest.mark.parametrize("part", PAGE.tabs)
def test_every_tab_runs(part):
    app = opened(PAGE_FILE, rsm_part=part, rsm_ratio="0.5", rsm_ratio2="0.75")
    assert not app.error and not app.warning and "ratio=0.50 T=16 ratio2=0.75" in status(app)
    assert pictures(app)


@TRAINED_HERE
def test_pills_choose_places():
    app = opened(PAGE_FILE, rsm_ratio="0.5")
    assert pills(app, "Sites").value == ["q", "k", "scores"] and pills(app, "Blocks").value == [0, 1, 2, 3]
    sound(pills(app, "Sites").set_value(["scores", "q"]).run())
    sound(pills(app, "Blocks").set_value([1]).run())
    assert "ratio=0.50 T=16 sites=q.scores blocks=1 seed=0" in status(app)
    assert "at=('blocks.1.attn.q.spike', 'blocks.1.attn.scores')" in code(app)
    assert asked(app, "rsm_sites") == "q.scores" and asked(app, "rsm_blocks") == "1"
    sound(pills(app, "Blocks").set_value([]).run())
    assert len(app.warning) == 1 and "block" in app.warning[0].value and "blocks=1" in status(app)
    press(app, "As trained")
    assert "ratio=0.00 T=16 seed=0" in status(app) and "MaskSpikes" not in code(app)


@needs(CNN)
def test_a_cnn_offers_convolutions_only():
    app = opened(PAGE_FILE, checkpoint=CNN, rsm_ratio="0.5")
    assert pills(app, "Sites").options == ["convolution"] and text_field(app, "Convolutions").value == "0-11"
    sound(text_field(app, "Convolutions").set_value("0, 2-3").run())
    assert "blocks=0.2-3" in status(app)
    assert "at=('blocks.0.conv.input', 'blocks.2.conv.input', 'blocks.3.conv.input')" in code(app)
    sound(text_field(app, "Convolutions").set_value("40").run())
    assert "'40' does not work here: convolutions go from 0 to 11" in app.warning[0].value
    assert "blocks=0.2-3" in status(app)


@TRAINED_HERE
def test_the_address_and_the_code_say_everything():
    wanted = {"rsm_ratio": "0.30", "rsm_sites": "k.MLP", "rsm_blocks": "0.2-3", "seed": "7", "rsm_T": "4"}
    wanted |= {"rsm_ratio2": "0.75", "rsm_sites2": "q"}
    app = opened(PAGE_FILE, **wanted)
    assert "ratio=0.30 T=4 sites=k.MLP blocks=0.2-3 ratio2=0.75 sites2=q seed=7" in status(app)
    assert {name: asked(app, name) for name in wanted} == wanted
    names: dict = {}
    exec(code(app), names)
    assert f"**{watts(sv.metrics.power(names['recording']))}** α-watts" in words(app)
    sound(number_field(app, "Seed").set_value(8).run())
    assert "seed=8" in status(app) and asked(app, "seed") == "8"


@TRAINED_HERE
def test_masks_are_added_and_removed():
    app = opened(PAGE_FILE, rsm_ratio="0.25", rsm_layer="blocks.3.attn.q")
    press(app, "Add another")
    assert "ratio=0.25 T=16 ratio2=0.50 seed=0" in status(app) and asked(app, "rsm_ratio2") == "0.50"
    before = pictures(app)
    slide(app, "Ratio 2", 0.75)
    sound(pills(app, "Blocks 2").set_value([2, 3]).run())
    assert "ratio=0.25 T=16 ratio2=0.75 blocks2=2-3 seed=0" in status(app) and pictures(app) != before
    assert len([field for field in app.number_input if field.label == "Seed"]) == 1
    press(app, "Add another")
    slide(app, "Ratio 3", 0.1)
    press(app, "Remove", 1)
    assert "ratio=0.25 T=16 ratio2=0.10 seed=0" in status(app) and slider(app, "Ratio 2").value == 0.1
    press(app, "Remove", 0)
    assert "ratio=0.10 T=16 sites=MLP seed=0" in status(app) and slider(app, "Ratio").value == 0.1
    assert asked(app, "rsm_ratio") == "0.10" and asked(app, "rsm_ratio2") is None
    assert not [button for button in app.button if button.label == "Remove"]
    press(app, "As trained")
    press(app, "Add another")
    assert "ratio=0.00 T=16 ratio2=0.50 seed=0" in status(app)
    press(app, "As trained")
    assert "ratio=0.00 T=16 seed=0" in status(app) and "MaskSpikes" not in code(app)


@TRAINED_HERE
def test_there_are_eight_masks_at_most():
    app = opened(PAGE_FILE, rsm_ratio8="0.5", rsm_T="1")
    assert "ratio8=0.50" in status(app)
    assert next(button for button in app.button if button.label == "Add another").disabled


@TRAINED_HERE
def test_what_is_held_keeps_its_masks():
    app = opened(PAGE_FILE, rsm_ratio="0.5", rsm_sites="q", rsm_blocks="1", rsm_ratio2="0.75")
    press(app, "Hold as A")
    press(app, "Remove", 1)
    sound(pills(app, "Sites").set_value(["k"]).run())
    held = asked(app, "rsm_A")
    assert held == "input:0,ratio:0.50,sites:q,blocks:1,ratio2:0.75"
    assert "ratio=0.50 T=16 sites=k blocks=1 seed=0" in status(app)
    shown = captions(opened(PAGE_FILE, rsm_A=held))
    assert "A: test image 0, ratio=0.50 T=16 sites=q blocks=1 ratio2=0.75 seed=0." in shown


@TRAINED_HERE
@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("rsm_ratio", "2", "Ratio goes from 0 to 1"),
        ("rsm_sites", "convolution", "the sites of this network are q, k, scores, MLP"),
        ("rsm_part", "nothing", "there are masks, accuracy"),
        ("checkpoint", "spike-mae-cifar", "spike-mae-cifar is an autoencoder"),
        ("rsm_ratio9", "0.5", "there are at most 8"),
    ],
)
def test_bad_addresses_are_one_sentence(name, value, why):
    app = opened(PAGE_FILE, **{name: value})
    assert len(app.warning) == 1 and name in app.warning[0].value and why in app.warning[0].value
    assert "ratio=0.00 T=16 seed=0" in status(app)


@TRAINED_HERE
@pytest.mark.parametrize("preset", PAGE.presets, ids=lambda preset: preset.key)
def test_a_preset_leaves_nothing_of_before(preset):
    app = press(opened(PAGE_FILE, rsm_sites="q", rsm_T="4", rsm_ratio2="0.5"), preset.title)
    assert preset.about in captions(app) and not app.warning
    ratio, blocks = preset.address.get("rsm_ratio", "0"), preset.address.get("rsm_blocks")
    assert f"ratio={float(ratio):.2f} T=16{f' blocks={blocks}' if blocks else ''} seed=0" in status(app)


@TRAINED_HERE
def test_the_layer_of_what_is_dropped_is_that_of_the_viewer():
    app = opened(PAGE_FILE, rsm_ratio="0.5")
    choice = next(box for box in app.selectbox if box.label == "Masked layer")
    sound(choice.set_value("blocks.2.attn.k").run())
    assert asked(app, "rsm_layer") == "blocks.2.attn.k"
    assert next(box for box in app.selectbox if box.label == "Layer").value == "blocks.2.attn.k"


@needs("spikformer-fashion")
def test_a_network_that_was_trained_with_spikes_and_the_law():
    """Of two laws one stays chosen, and the address has it."""
    app = opened("random_masks", checkpoint="spikformer-fashion", rsm_ratio="0.5")
    law = pills(app, "Law")
    assert law.value == ["spikes"]
    app = sound(law.set_value(["spikes", "whole"]).run())
    assert pills(app, "Law").value == ["whole"] and asked(app, "rsm_law") == "whole" and "law=whole" in status(app)
    assert "future work" in words(app) + captions(app)
    app = slide(app, "Ratio", 1.0)
    assert "what is left there is not attention" in words(app) + captions(app)
