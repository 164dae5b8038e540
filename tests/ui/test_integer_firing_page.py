"""The page of integer firing in the app: D reaches the model, and the page keeps what it was set to."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
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
)
from support.networks import needs

import spikeviz as sv
from spikeviz.artifacts.cards import find_card
from spikeviz.paths import app_root
from spikeviz.views.integer_firing import PAGE
from spikeviz.views.networks.words import full_name

PAGE_FILE, SFA4, VANILLA = "integer_firing", "e-spikeformer-fashion-sfa4", "e-spikeformer-fashion-vanilla4"
ALL_DEPTHS = needs(*(f"e-spikeformer-fashion-sfa{d}" for d in (1, 2, 4, 8)))

pytestmark = [needs(SFA4), ALL_DEPTHS]


def test_d_moves_maps_and_curves():
    app = opened(PAGE_FILE)
    assert slider(app, "D").min == 1 and slider(app, "D").value == 4 < slider(app, "D").max == 16
    assert "D=4 T=1" in status(app) and app.selectbox(key="sfa_checkpoint").value == SFA4
    before = pictures(app)
    slide(app, "D", 2)
    assert "D=2 T=1" in status(app) and pictures(app) != before and asked(app, "sfa_D") == "2"
    assert "Two meanings of D = 2" in captions(app)
    x, _ = sv.load_data("fashion", "test", 1)
    expected = {
        "B": sv.metrics.nsfr(sv.simulate(sv.load(SFA4), x, sv.interventions.SpikeLevels(2))),
        "A": sv.metrics.nsfr(sv.simulate(sv.load("e-spikeformer-fashion-sfa2"), x)),
    }
    traces = next(c for c in charts(app) if c["layout"]["yaxis"]["title"]["text"] == "NSFR")["data"]
    assert {trace["name"] for trace in traces} == {"A", "B"}
    for trace in traces:
        np.testing.assert_allclose(numbers(trace["y"]), expected[trace["name"]].numpy(), atol=1e-9)
    press(app, "As trained")
    assert "D=4 T=1" in status(app) and pictures(app) == before


def test_what_is_held_takes_the_place_of_the_trained_network():
    app = slide(press(opened(PAGE_FILE), "Hold as A"), "D", 2)
    assert "Release A to see the network that was trained at a D" in captions(app)
    assert "A: test image 0, D=4 T=1 seed=0. B: test image 0, D=2 T=1 seed=0." in captions(app)
    press(app, "Release A")
    assert "Two meanings of D = 2" in captions(app)


@pytest.mark.parametrize("part", PAGE.tabs)
def test_every_tab_runs(part):
    app = opened(PAGE_FILE, sfa_part=part, sfa_D="5")
    assert not app.error and not app.warning and "D=5 " in status(app) and pictures(app)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("sfa_D", "300", "D goes from 1 to 16"),
        ("sfa_D", "2.5", "D is a whole number"),
        ("checkpoint", "spikformer-fashion", "spikformer-fashion is no classifier that fires integers"),
        ("sfa_part", "nothing", "there are firing, error"),
        ("sfa_rate", "2", "a rate is a number from 0 to 1"),
        ("sfa_A", "checkpoint:nobody", "A is of no network there is"),
    ],
)
def test_bad_addresses_are_one_sentence(name, value, why):
    app = opened(PAGE_FILE, **{name: value})
    assert len(app.warning) == 1 and name in app.warning[0].value and why in app.warning[0].value
    assert "D=4 T=1" in status(app)


def test_the_rate_is_a_slider():
    app = opened(PAGE_FILE, sfa_part="patterns", sfa_rate="0.7")
    assert slider(app, "Rate").value == 0.7 and any("a = 0.7 over D = 10: 21 spikes" in body for body in html(app))
    slide(app, "Rate", 0.2)
    assert any("a = 0.2 over D = 10: 6 spikes" in body for body in html(app)) and asked(app, "sfa_rate") == "0.2"
    slide(app, "Rate", 0.3)
    assert asked(app, "sfa_rate") is None


def test_the_equality_is_shown_in_large_type():
    app = opened(PAGE_FILE, sfa_part="equality", sfa_D="8")
    x, _ = sv.load_data("fashion", "test", 1)
    found = sv.metrics.spike_driven_equality(sv.load(SFA4), x, (sv.interventions.SpikeLevels(8),))
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Logits, largest |difference|"] == f"{found.logits:.2e}"
    assert shown["Integers against their spikes"] == "exact"


def test_the_code_gives_the_numbers():
    names: dict = {}
    exec(code(opened(PAGE_FILE, sfa_D="3", sfa_T="2")), names)
    rules = (sv.interventions.SpikeLevels(3), sv.interventions.TimeSteps(2))
    expected = sv.simulate(sv.load(SFA4), sv.load_data("fashion", "test", 1)[0], rules)
    np.testing.assert_array_equal(names["nsfr"].numpy(), sv.metrics.nsfr(expected).numpy())
    assert len(names["errors"]) == len(names["equality"].layers)


@needs(VANILLA)
@pytest.mark.parametrize("preset", PAGE.presets, ids=lambda preset: preset.key)
def test_a_preset_leaves_nothing_of_before(preset):
    app = press(opened(PAGE_FILE, sfa_D="7", sfa_part="cost", sfa_rate="0.9"), preset.title)
    assert preset.about in captions(app) and not app.warning
    assert ("D=3 T=3" if preset.key == "fig11" else "D=4 T=1") in status(app)
    held = f"A: {full_name(find_card(VANILLA)[0])}" in captions(app)
    assert held is ("sfa_A" in preset.address) and asked(app, "sfa_rate") is None


def test_a_preset_whose_network_is_missing_says_so(monkeypatch):
    from spikeviz.artifacts import cards

    known = {name: path for name, path in cards.card_files().items() if name != VANILLA}
    monkeypatch.setattr(cards, "card_files", lambda: known)
    app = press(opened(PAGE_FILE, sfa_D="2"), "Spike maps, vanilla and SFA (Fig. 8)")
    assert len(app.warning) == 1 and "A is of no network there is" in app.warning[0].value
    assert "could only be applied in part" in app.warning[0].value and "D=4 T=1" in status(app)


def test_a_page_of_other_networks_keeps_what_it_showed():
    """Spike maps of a Spikformer, integer firing, and back: each page has a network it is about, the picture stays."""
    app = AppTest.from_file(str(app_root() / "app.py"), default_timeout=120)
    app.run()
    sound(app.switch_page("pages/spike_maps.py").run())
    sound(number_field(app, "Test image").set_value(5).run())
    sound(app.switch_page("pages/integer_firing.py").run())
    assert app.selectbox(key="sfa_checkpoint").value == SFA4 and number_field(app, "Test image").value == 5
    slide(app, "D", 2)
    sound(app.switch_page("pages/overview.py").run())
    sound(app.switch_page("pages/integer_firing.py").run())
    assert "D=2 " in status(app)
