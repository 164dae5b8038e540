"""The page of channel masks in the app: the threshold reaches masks and model, and the page keeps what it is set to."""

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
    press,
    slide,
    slider,
    sound,
    status,
    words,
)
from support.networks import needs

import spikeviz as sv
from spikeviz.metrics.channel_masks import parameters_left
from spikeviz.views.channel_masks import PAGE, accuracy, channels

PAGE_FILE, NAME = "channel_masks", "sdmformer-fashion-dvs"

pytestmark = needs(NAME)


def bars(app) -> np.ndarray:
    return next(numbers(t["x"]) for c in charts(app) for t in c["data"] if t["type"] == "bar")


def confidence(app) -> str:
    return next(part for part in html(app) if "Confidence" in part)


def test_the_threshold_starts_at_the_trained_point_and_moves_all_that_follows():
    app = opened(PAGE_FILE)
    assert slider(app, "Threshold").min == 0 and slider(app, "Threshold").value == 0.5 < slider(app, "Threshold").max
    assert "threshold=0.50 T=8 seed=0" in status(app) and "reconstruction" in words(app)
    model = sv.load(NAME)
    before = pictures(app), confidence(app), bars(app).tolist()
    for threshold in (0.05, 0.7):  # at which every site loses some and none loses all
        slide(app, "Threshold", threshold)
        assert f"threshold={threshold:.2f} " in status(app) and not app.warning
        rates, left = sv.metrics.mask_rates(model, threshold), parameters_left(model, threshold)
        np.testing.assert_allclose(bars(app), rates["rate"])
        assert f"**{left['kept'].sum()} of {left['channels'].sum()}** channels" in words(app)
        after = pictures(app), confidence(app), bars(app).tolist()
        assert all(a != b for a, b in zip(before, after, strict=True))
        before = after
    assert "not a retrained model" in captions(app) and asked(app, "dmeb_threshold") == "0.70"
    press(app, "As trained")
    assert "threshold=0.50 " in status(app)


def test_the_confidence_on_the_page_is_that_of_the_library():
    app = opened(PAGE_FILE, dmeb_threshold="0.30", input="4")
    x, _ = sv.load_data("fashion-dvs", "test", 5)
    output = sv.simulate(sv.load(NAME), x[4:5].transpose(0, 1), sv.interventions.MaskChannels(0.3)).output[0].softmax(0)
    assert f"{100 * output.max():.1f}" in confidence(app)


def test_the_python_of_the_view_counts_and_cuts_the_same_channels():
    app = opened(PAGE_FILE, dmeb_threshold="0.70")
    scope: dict = {}
    exec(code(app), scope)
    kept, total = (scope["left"][column].sum() for column in ("kept", "channels"))
    assert f"**{kept} of {total}** channels" in words(app)
    assert (scope["masked"]["rate"] == bars(app)).all()
    assert sum(p.numel() for p in scope["smaller"].parameters()) == scope["left"]["left"].sum()


@pytest.mark.parametrize("part", PAGE.tabs)
@pytest.mark.parametrize("threshold", ["0.00", "1.00"])
def test_every_tab_at_both_ends(part, threshold):
    app = opened(PAGE_FILE, dmeb_part=part, dmeb_threshold=threshold)
    assert f"threshold={threshold} " in status(app) and not app.error and pictures(app)
    assert len(app.warning) == (threshold == "1.00")


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("dmeb_threshold", "1.5", "Threshold goes from 0 to 1"),
        ("checkpoint", "spikformer-fashion", "has no channel masks, so the threshold does not act on it; there are"),
        ("dmeb_part", "nothing", "there are masks, channels"),
    ],
)
def test_bad_addresses_are_one_sentence(name, value, why):
    app = opened(PAGE_FILE, **{name: value})
    assert len(app.warning) == 1 and name in app.warning[0].value and why in app.warning[0].value
    assert "threshold=0.50 T=8" in status(app)


def test_a_masked_layer_is_chosen_and_a_channel_by_its_number():
    app = opened(PAGE_FILE, dmeb_part="channels", dmeb_layer="blocks.0.attn.q")
    layers = next(box for box in app.selectbox if box.label == "Masked layer")
    assert layers.value == "blocks.0.attn.q" and "stem.stages.1" not in layers.options
    sound(layers.set_value("blocks.1.mlp.hidden").run())
    assert asked(app, "dmeb_layer") == "blocks.1.mlp.hidden"
    sound(number_field(app, "Channel").set_value(200).run())
    assert "channel 200" in captions(app) and asked(app, "dmeb_neuron").startswith("200.")


def test_a_channel_of_a_masked_layer_is_chosen_while_another_layer_is_looked_at():
    app = opened(PAGE_FILE, dmeb_part="channels", dmeb_layer="stem.stages.1")
    sound(number_field(app, "Channel").set_value(5).run())
    assert "the rate of channel 5" in captions(app) and asked(app, "dmeb_layer") == "stem.stages.1"


def test_one_run_over_samples_serves_every_threshold(monkeypatch):
    monkeypatch.setattr(channels, "SAMPLES", 24)
    app = opened(PAGE_FILE, dmeb_part="channels")
    finish(press(app, "Run over 24 recordings"))
    first = carried(app)
    slide(app, "Threshold", 0.7)
    assert carried(app) != first


def test_the_point_is_measured_now(monkeypatch):
    monkeypatch.setattr(accuracy, "SAMPLES", 24)
    app = opened(PAGE_FILE, dmeb_part="accuracy", dmeb_threshold="0.60")
    finish(press(app, "Measure this threshold"))
    assert "over the first 24 test recordings" in captions(app)
    slide(app, "Threshold", 0.7)  # another point, which was not measured
    assert "over the first 24 test recordings" not in captions(app)


def finish(app) -> None:
    """Wait for the work of the page, and draw what came of it."""
    (job,) = app.session_state["jobs"].jobs.values()
    assert job.wait(60) and job.state == "done", job.error
    sound(app.run())


def carried(app) -> str:
    return next(caption.value for caption in app.caption if "By class" in caption.value)


def test_presets_start_from_the_trained_point():
    app = opened(PAGE_FILE, dmeb_threshold="0.9", dmeb_part="training")
    press(app, "What the masks take away")
    assert "A: test recording 0, threshold=0.00 T=8 seed=0. B: " in captions(app)
    assert "threshold=0.50" in status(app) and not app.warning
    press(app, "Parameters and energy (sec. 4.3)")
    assert "The paper's two tables, as printed" in words(app) and "45.38%" in " ".join(html(app))
