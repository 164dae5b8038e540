"""The page of integer firing: D reaches the model, both its meanings have their networks, and the figures are right."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from support.networks import needs
from test_pages import charts, number_field, numbers, pictures, sound, status

import spikeviz as sv
from spikeviz.paths import app_root
from spikeviz.ui import integers

SpikeLevels = sv.interventions.SpikeLevels
SFA4, VANILLA = "e-spikeformer-fashion-sfa4", "e-spikeformer-fashion-vanilla4"
ALL_DEPTHS = needs(*(f"e-spikeformer-fashion-sfa{d}" for d in (1, 2, 4, 8)))


def opened(**address: str) -> AppTest:
    app = AppTest.from_file(str(app_root() / "app.py"), default_timeout=120)
    app.run()
    app.switch_page("pages/integer_firing.py")
    app.query_params.clear()  # a browser's address names the page it shows
    for name, value in address.items():
        app.query_params[name] = value
    return sound(app.run())


def d_slider(app: AppTest):
    return next(s for s in app.slider if s.label == "D")


def captions(app: AppTest) -> str:
    return " ".join(c.value for c in app.caption)


def chart(app: AppTest, y: str) -> dict:
    return next(c for c in charts(app) if c["layout"]["yaxis"]["title"]["text"] == y)


@ALL_DEPTHS
def test_d_starts_at_what_the_network_was_trained_with_and_not_at_an_end():
    app = opened()
    slider = d_slider(app)
    assert slider.min == 1 and slider.value == 4 < slider.max == 16
    assert "D=4 T=1" in status(app)
    assert "D = 4 is what this network was trained with" in captions(app)
    assert app.selectbox(key="sfa_checkpoint").value == SFA4


@ALL_DEPTHS
@pytest.mark.parametrize("d", [1, 2, 8])
def test_both_meanings_of_d_are_run_and_named(d):
    app = opened()
    before = pictures(app)
    sound(d_slider(app).set_value(d).run())
    assert f"D={d} " in status(app) and pictures(app) != before
    assert f"Two meanings of D = {d}" in captions(app)
    assert f"A: e-spikeformer-fashion-sfa{d}, trained at that D, D={d} T=1 seed=0." in captions(app)
    x, _ = sv.load_data("fashion", "test", 1)
    expected = {
        "B": sv.metrics.nsfr(sv.simulate(sv.load(SFA4), x, SpikeLevels(d))),
        "A": sv.metrics.nsfr(sv.simulate(sv.load(f"e-spikeformer-fashion-sfa{d}"), x)),
    }
    for trace in chart(app, "NSFR")["data"]:
        np.testing.assert_allclose(numbers(trace["y"]), expected[trace["name"]].numpy(), atol=1e-9)


@ALL_DEPTHS
def test_a_d_nobody_was_trained_with_is_a_what_if_alone():
    app = opened(sfa_D="3")
    assert "D = 3 is a what-if" in captions(app) and "there are D = 1, 2, 4, 8" in captions(app)
    assert "A: " not in captions(app)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("sfa_D", "0", "D goes from 1 to 16"),
        ("sfa_D", "300", "D goes from 1 to 16"),
        ("sfa_D", "2.5", "D is a whole number"),
        ("sfa_T", "0", "T goes from 1 to 8"),
        ("checkpoint", "spikformer-fashion", "spikformer-fashion fires binary spikes, so D does not act on it"),
        ("sfa_part", "nothing", "there are firing, error"),
        ("sfa_rate", "2", "a rate is a number from 0 to 1"),
        ("sfa_A", "checkpoint:nobody", "A is of no network there is"),
    ],
)
def test_bad_addresses_are_one_sentence(name, value, why):
    app = opened(**{name: value})
    assert len(app.warning) == 1 and name in app.warning[0].value and why in app.warning[0].value
    assert "D=4 T=1" in status(app)


@pytest.mark.parametrize("part", ["firing", "error", "equality", "patterns", "cost"])
@pytest.mark.parametrize("d", ["1", "4", "5"])
def test_every_part_at_every_kind_of_d(part, d):
    app = opened(sfa_part=part, sfa_D=d)
    assert not app.error and not app.warning and f"D={d} " in status(app)


def test_the_equality_on_the_page_is_that_of_the_library():
    app = opened(sfa_part="equality", sfa_D="8")
    x, _ = sv.load_data("fashion", "test", 1)
    found = sv.metrics.spike_driven_equality(sv.load(SFA4), x, (SpikeLevels(8),))
    shown = {m.label: m.value for m in app.metric}
    assert shown["Logits, largest |difference|"] == f"{found.logits:.2e}"
    assert shown["Integers that differ"].startswith(f"{found.differ:,} of ")
    assert shown["Integers against their spikes"] == "exact"


def test_the_errors_on_the_page_are_those_of_the_library():
    app = opened(sfa_part="error", sfa_D="2")
    x, _ = sv.load_data("fashion", "test", 1)
    model = sv.load(SFA4)
    table = sv.metrics.approximation_error(model, sv.simulate(model, x, SpikeLevels(2)))
    bars = next(c for c in charts(app) if c["data"][0]["type"] == "bar")["data"][0]
    np.testing.assert_allclose(numbers(bars["x"]), 100 * table["relative"], rtol=1e-6)
    by_depth = next(c for c in charts(app) if c["layout"]["xaxis"]["title"]["text"] == "D")["data"]
    at_two = {trace["name"]: numbers(trace["y"])[list(numbers(trace["x"])).index(2)] for trace in by_depth}
    for name in ("rounding", "clipping"):
        share = (table[name] / table["error"] * table["relative"]).mean()
        assert at_two[name] == pytest.approx(100 * share, rel=1e-6)


def test_a_preset_whose_network_is_missing_says_so(monkeypatch):
    from spikeviz.artifacts import cards

    known = {name: path for name, path in cards.card_files().items() if name != VANILLA}
    monkeypatch.setattr(cards, "card_files", lambda: known)
    app = opened(sfa_D="2")
    sound(next(b for b in app.button if b.label.startswith("Spike maps, vanilla")).click().run())
    assert len(app.warning) == 1 and "is not whole: A is of no network there is" in app.warning[0].value
    assert "D=4 T=1" in status(app)


@needs(VANILLA)
def test_diagrams_are_drawn_from_real_spikes():
    app = opened(sfa_part="patterns", sfa_D="3", sfa_T="3", sfa_layer="blocks.0.mlp.hidden")
    html = " ".join(h.proto.body for h in app.get("html"))
    for words in ("(a) Vanilla, T x D = 4 x 1", "(b) SFA training, 3 steps", "(c) SFA inference, T x D = 3 x 3",
                  "Synchronous: a clock of 3 x 3 slots", "Asynchronous: bursts, no clock"):  # fmt: skip
        assert words in html
    assert "a = 0.3 over D = 10: 9 spikes of 3 neurons" in html


@ALL_DEPTHS
def test_a_page_of_other_networks_keeps_what_it_showed():
    """Spike maps of a Spikformer, integer firing, and back: each page has a network it is about, the picture stays."""
    app = AppTest.from_file(str(app_root() / "app.py"), default_timeout=120)
    app.run()
    sound(app.switch_page("pages/spike_maps.py").run())
    sound(number_field(app, "Test image").set_value(5).run())
    sound(app.switch_page("pages/integer_firing.py").run())
    assert app.selectbox(key="sfa_checkpoint").value == SFA4 and number_field(app, "Test image").value == 5
    sound(d_slider(app).set_value(2).run())
    app.selectbox(key="sfa_checkpoint")
    sound(app.switch_page("pages/overview.py").run())
    sound(app.switch_page("pages/integer_firing.py").run())
    assert "D=2 " in status(app)


@ALL_DEPTHS
@needs(VANILLA)
def test_networks_and_their_siblings():
    cards = {card.name: card for card in sv.list_checkpoints()}
    assert list(integers.siblings(cards[SFA4])) == [1, 2, 4, 8]
    assert all(config == f"e-spikeformer-fashion-sfa{d}" for d, config in (
        (d, card.name) for d, card in integers.siblings(cards["e-spikeformer-fashion-sfa1"]).items()))  # fmt: skip
    assert integers.vanilla(cards[SFA4]).name == "e-spikeformer-fashion-vanilla4"
    assert not integers.fires_integers(cards["spikformer-fashion"])
    assert not integers.fires_integers(cards["e-spikeformer-fashion-vanilla4"])


@pytest.mark.parametrize(
    ("sfa", "plain", "words"),
    [
        ([0.3, 0.2, 0.1], [0.1, 0.2, 0.2], ["SFA falls at every step", "vanilla does not fall", "does not fire fewer"]),
        ([0.1, 0.2], [0.3, 0.2], ["SFA does not fall at every step (0.100, 0.200)", "vanilla falls as well"]),
        ([0.1], [0.3, 0.3, 0.3, 0.3], ["one step has nothing to fall to", "SFA fires fewer", "within 0% of its mean"]),
    ],
)  # fmt: skip
def test_the_verdict_says_what_the_numbers_say(sfa, plain, words):
    said = integers.verdict(np.array(sfa), np.array(plain))
    assert all(word in said for word in words), said


def test_a_point_of_the_sweep_says_its_own_t_and_d():
    """What leaves as a table must not call a vanilla network's T its D."""
    from spikeviz.figures.cost import by_depth
    from spikeviz.ui.tradeoff import _point

    x, y = sv.load_data("fashion", "test", 8)
    model = sv.load(SFA4)
    rows = []
    for meaning, d, interventions in (
        ("what-if", 2, (SpikeLevels(2),)),
        ("vanilla", 1, (sv.interventions.TimeSteps(4),)),
    ):
        steps = _point(model, x, y, interventions, 0, 0, [])
        try:
            while True:
                next(steps)
        except StopIteration as end:
            rows.append({"meaning": meaning, "D": d, **end.value})
    assert [(row["T"], row["images"]) for row in rows] == [(1, 8), (4, 8)]
    chart = by_depth(rows, "accuracy")
    assert chart.rules[0].label.startswith("vanilla 4 x 1") and list(chart.table()["T"]) == [1, 4]
