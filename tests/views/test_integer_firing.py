"""The page of integer firing as a value: D reaches the model, both its meanings have their networks, and the figures
show what the library computes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from support.networks import needs
from support.scenes import FILES, items_of, scene_of, words_of

import spikeviz as sv
from spikeviz.evaluation import Survey
from spikeviz.evaluation.paired_survey import PairedSurvey
from spikeviz.metrics import MEMBRANES, SPIKES
from spikeviz.metrics.approximation import constant_train, random_train, spike_train
from spikeviz.views.host import figures_of, page_figures, query_of, scene_at, view
from spikeviz.views.integer_firing import PAGE, accuracy_energy, firing, quantisation_error, spike_trains
from spikeviz.views.integer_firing.networks import NETWORKS, depth, siblings_by_depth, vanilla
from spikeviz.views.view import Figure, Metrics, Option, Study

SFA4, VANILLA, EVENTS = "e-spikeformer-fashion-sfa4", "e-spikeformer-fashion-vanilla4", "e-spikeformer-fashion-dvs-d4"
SpikeLevels, TimeSteps = sv.interventions.SpikeLevels, sv.interventions.TimeSteps
HIDDEN = "blocks.0.mlp.hidden"
ALL_DEPTHS = needs(*(f"e-spikeformer-fashion-sfa{d}" for d in (1, 2, 4, 8)))

pytestmark = [needs(SFA4), ALL_DEPTHS]


def figure(figures: list[Figure], title: str) -> Figure:
    (found,) = (each for each in figures if each.title.startswith(title))
    return found


def image(index: int = 0) -> torch.Tensor:
    return sv.load_data("fashion", "test", index + 1)[0][index:]


def study_of(items) -> Study:
    (found,) = (item for item in items_of(items) if isinstance(item, Study))
    return found


# --- what a moved D means ---


def test_d_starts_at_what_the_network_was_trained_with_and_not_at_an_end():
    scene = scene_of(PAGE)
    setting = next(setting for setting in scene.settings if setting.label == "D")
    low, high = setting.bounds.slider
    assert low == 1 < setting.trained == setting.value(scene.now.experiment) == 4 < high == 16
    assert scene.now.card.name == SFA4 and scene.now.status_text.startswith("D=4 T=1")
    assert scene.compared is None and "D = 4 is what this network was trained with" in firing.meanings(scene)


@pytest.mark.parametrize("d", [1, 2, 8])
def test_both_meanings_of_d_are_run_and_named(d):
    scene = scene_of(PAGE, sfa_D=str(d))
    other = f"e-spikeformer-fashion-sfa{d}"
    assert depth(scene.now) == depth(scene.compared) == d and scene.compared.card.name == other
    text = words_of(PAGE.main(scene))
    assert f"Two meanings of D = {d}" in text and f"A: {other}, trained at that D, D={d} T=1 seed=0." in text
    expected = {
        "B": sv.metrics.nsfr(sv.simulate(sv.load(SFA4), image(), SpikeLevels(d))).numpy(),
        "A": sv.metrics.nsfr(sv.simulate(sv.load(other), image())).numpy(),
    }
    curves = {line.name: line.y for line in figure(page_figures(scene), "Network spike firing rate").chart.series}
    assert curves.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(curves[name], values, atol=1e-9)
        assert f"{name} **{values.sum():.3f}**" in words_of(PAGE.tab("firing")(scene))


def test_a_d_nobody_was_trained_with_is_a_what_if_alone():
    scene = scene_of(PAGE, sfa_D="3")
    assert scene.compared is None and "there are D = 1, 2, 4, 8" in firing.meanings(scene)
    assert "D = 3 is a what-if" in firing.meanings(scene)


def test_what_is_held_stays_beside_a_moved_d():
    scene = scene_of(PAGE, sfa_D="2", sfa_A="input:3")
    assert scene.compared.card.name == SFA4 and depth(scene.compared) == 4
    assert "Release A" in firing.meanings(scene)
    assert firing.meanings(scene_of(PAGE, sfa_A="input:3")) == ""


@needs(VANILLA)
def test_networks_and_their_siblings():
    cards = {card.name: card for card in sv.list_checkpoints()}
    by_depth = {d: f"e-spikeformer-fashion-sfa{d}" for d in (1, 2, 4, 8)}
    for own in by_depth.values():  # a binary network among the candidates is none of them
        assert {d: card.name for d, card in siblings_by_depth(cards[own]).items()} == by_depth
        assert vanilla(cards[own]).name == VANILLA
    assert list(siblings_by_depth(cards["e-spikeformer-cifar-sfa4"])) == [4]
    assert vanilla(cards["e-spikeformer-cifar-sfa4"]) is None
    assert {card.name for card in NETWORKS.names().values()} == {
        name for name in cards if name.startswith("e-spikeformer") and "vanilla" not in name
    }


# --- figures ---


@pytest.mark.parametrize("query", [{"sfa_D": "8"}, {"sfa_D": "2", "sfa_T": "2"}], ids=["one step", "two steps"])
def test_the_equality_is_that_of_the_library(query):
    scene = scene_of(PAGE, sfa_part="equality", **query)
    rules = scene.now.experiment.interventions
    assert len(rules) == len(query)
    found = sv.metrics.spike_driven_equality(sv.load(SFA4), image(), rules)
    items = items_of(PAGE.tab("equality")(scene))
    (metrics,) = (item for item in items if isinstance(item, Metrics))
    shown = {label: value for label, value, _ in metrics.numbers}
    assert shown["Logits, largest |difference|"] == f"{found.logits:.2e}"
    assert shown["Membranes, largest |difference|"] == f"{found.membrane:.2e}"
    assert shown["Integers that differ"].startswith(f"{found.differ:,} of ")
    assert shown["Integers against their spikes"] == "exact"
    (shown,) = (item for item in items if isinstance(item, Figure))
    pd.testing.assert_frame_equal(shown.chart.table(), found.layers)
    assert shown.html().count("<tr") == 1 + len(found.layers)


def test_the_errors_are_those_of_the_library():
    scene = scene_of(PAGE, sfa_part="error", sfa_D="2")
    model, trained = sv.load(SFA4), sv.load("e-spikeformer-fashion-sfa2")
    table = sv.metrics.approximation_error(model, sv.simulate(model, image(), SpikeLevels(2)))
    figures = page_figures(scene, "error")
    bars = figure(figures, "Approximation error by layer")
    pd.testing.assert_frame_equal(bars.chart.table(), table)
    np.testing.assert_allclose(bars.chart.series[0].values, 100 * table["relative"], rtol=1e-6)
    other = sv.metrics.approximation_error(trained, sv.simulate(trained, image()))
    assert f"A: error {other['error'].mean():.4f}" in bars.caption
    assert f"B: error {table['error'].mean():.4f}" in bars.caption
    curves = {line.name: line for line in figure(figures, "Approximation error against D").chart.series}
    for name in ("rounding", "clipping"):
        share = (table[name] / table["error"] * table["relative"]).mean()
        at_two = curves[name].y[list(curves[name].x).index(2)]
        assert at_two == pytest.approx(100 * share, rel=1e-6)


def test_the_errors_of_a_are_of_its_own_input():
    """A is held on another image than the one B is run on."""
    scene = scene_of(PAGE, sfa_part="error", sfa_A="input:5", sfa_T="2")
    model = sv.load(SFA4)
    expected = {
        "A": sv.metrics.approximation_error(model, sv.simulate(model, image(5))),
        "B": sv.metrics.approximation_error(model, sv.simulate(model, image(), TimeSteps(2))),
    }
    for name, run in scene.runs:
        pd.testing.assert_frame_equal(quantisation_error.layer_errors(run), expected[name])
    caption = figure(page_figures(scene, "error"), "Approximation error by layer").caption
    assert all(f"{name}: error {table['error'].mean():.4f}" in caption for name, table in expected.items())


def test_vanilla_has_no_integers_to_be_wrong_about():
    scene = scene_of(PAGE, sfa_part="error", sfa_A=f"checkpoint:{VANILLA}")
    caption = figure(page_figures(scene, "error"), "Approximation error by layer").caption
    assert "B: error" in caption and "A: error" not in caption


def test_ties_are_counted_in_the_membranes_of_this_input():
    scene = scene_of(PAGE, sfa_part="error", sfa_D="3")
    recording = sv.simulate(sv.load(SFA4), image(), SpikeLevels(3), MEMBRANES)
    ties = 0
    for track in recording.of_kind("membrane").values():
        u = track.values.double().numpy().ravel()
        ties += int(np.isin(u, [0.5, 1.5, 2.5]).sum())
    shown = figure(page_figures(scene, "error"), "Integers and their ties")
    assert ties > 0 and f"{ties:,} lie exactly on a tie" in shown.caption and "rounds half-even" in shown.caption
    lines = {line.name: line for line in shown.chart.series}
    at = {name: line.y[list(line.x).index(0.5)] for name, line in lines.items()}
    assert at == {"half-up": 1, "half-even": 0, "spikes of IF, soft reset, at a tie": 1}


@pytest.mark.parametrize("which", ["Forward", "Gradient"])
def test_error_curves_end_where_rounding_ends(which):
    """Up to D = 5 an error is at most 1 / 2D; above it the forward error grows, and that of the gradient is 0."""
    (rates, printed) = figure(page_figures(scene_of(PAGE, sfa_D="5"), "error"), f"{which} error at D = 5").chart.series
    inside = (rates.x >= 0) & (rates.x <= 5)
    assert np.abs(rates.y[inside]).max() == pytest.approx(0.1, abs=1e-3)
    assert rates.y[-1] == pytest.approx(1.5 / 5 if which == "Forward" else 0) and printed.y[-1] != rates.y[-1]


@needs(VANILLA)
def test_diagrams_are_drawn_from_real_spikes():
    scene = scene_of(PAGE, sfa_part="patterns", sfa_D="3", sfa_T="3", sfa_layer=HIDDEN)
    rules = (SpikeLevels(3), TimeSteps(3))
    counted = sv.simulate(sv.load(SFA4), image(), rules, SPIKES)[f"{HIDDEN}.spike"].values[:, 0].numpy()
    binary = sv.simulate(sv.load(VANILLA), image(), keep=SPIKES)[f"{HIDDEN}.spike"].values[:, 0].numpy()
    shown = figure(page_figures(scene, "patterns"), "T x D unrolling")
    table = shown.chart.table()
    names = list(table["neuron"].unique())
    places = [tuple(map(int, name.split("."))) for name in names]
    assert len(names) == spike_trains.NEURONS and places == spike_trains.spread(scene)
    total = counted.astype(int).sum(0)
    assert total[places[0]] == total.max() and (np.diff([total[place] for place in places]) <= 0).all()
    parts = {title[:3]: part for title, part in table.groupby("diagram", sort=False)}
    for place, name in zip(places, names, strict=True):
        fired = {key: part[part["neuron"] == name]["spikes"].tolist() for key, part in parts.items()}
        own = counted[(slice(None), *place)].tolist()
        assert fired["(a)"] == binary[(slice(None), *place)].tolist() and fired["(b)"] == own
        assert fired["(c)"] == [int(d < count) for count in own for d in range(3)]  # the first spikes of D
    (ticks,), titles = shown.chart.series, [rule.label for rule in shown.chart.rules]
    assert len(ticks.x) == table["spikes"].sum() and list(shown.chart.y_names.values()) == names * 3  # on paper as well
    assert titles == list(table["diagram"].unique()) and len(set(zip(ticks.x, ticks.y, strict=True))) == len(ticks.x)
    html = shown.html()
    for words in ("(a) Vanilla, T x D = 4 x 1", "(b) SFA training, 3 steps", "(c) SFA inference, T x D = 3 x 3"):
        assert words in html
    execution = figure(page_figures(scene, "patterns"), "Execution with and without a clock")
    with_clock, without = (part["spikes"].tolist() for _, part in execution.chart.table().groupby("diagram"))
    assert with_clock == without and sum(with_clock) == parts["(c)"]["spikes"].sum()
    html = execution.html()
    assert "Synchronous: a clock of 3 x 3 slots" in html and "Asynchronous: bursts, no clock" in html


@pytest.mark.parametrize(("asked", "rate"), [(None, 0.3), ("0.7", 0.7), ("0", 0.0), ("1", 1.0)])
def test_a_rate_is_fired_in_three_ways(asked, rate):
    scene = scene_of(PAGE, sfa_part="patterns", seed="2", **({} if asked is None else {"sfa_rate": asked}))
    shown = figure(page_figures(scene), "Firing patterns")
    expected = {
        "ANN2SNN": constant_train(rate, 10),
        "direct": random_train(rate, 10, 2),
        "SFA": spike_train(10 * rate, 10),
    }
    for name, train in expected.items():
        table = shown.chart.table()
        assert table[table["neuron"] == name]["spikes"].tolist() == train.tolist()
        assert train.sum() == round(10 * rate)
    assert f"a = {rate:.1f} over D = 10: {3 * round(10 * rate)} spikes of 3 neurons" in shown.html()


def test_the_rate_is_part_of_the_address():
    (parameter,) = PAGE.parameters("sfa")
    assert parameter.name == "sfa_rate"
    state = parameter.read(scene_of(PAGE).state, "0.72")
    assert state.look("sfa_rate") == 0.7 and parameter.write(state) == "0.7"
    assert parameter.write(parameter.read(state, None)) is None
    option = next(i for i in items_of(PAGE.tab("patterns")(scene_of(PAGE))) if isinstance(i, Option))
    assert (option.name, option.form, option.low, option.high) == ("sfa_rate", "slider", 0, 1)
    for text in ("2", "-0.1", "nan", "x"):
        with pytest.raises(ValueError, match="a rate is a number from 0 to 1"):
            parameter.read(state, text)


@needs(VANILLA)
def test_training_is_what_the_cards_say():
    shown = figure(page_figures(scene_of(PAGE, sfa_part="cost")), "Training cost")
    table, cards = shown.chart.table(), {card.name: card for card in sv.list_checkpoints()}
    assert table["T x D"].tolist() == ["1 x 1", "1 x 2", "1 x 4", "1 x 8", "vanilla 4 x 1"]
    for row in table.itertuples():
        card = cards[row.network]
        assert row.accuracy == card.accuracy and row.seconds == card.training["seconds"]
    epochs = [cards[name].training["cpu_seconds"] / cards[name].training["epochs"] for name in (VANILLA, SFA4)]
    assert f"took {epochs[0] / epochs[1]:.1f} times the CPU seconds" in shown.caption
    assert "same recipe and seed" in shown.caption and shown.html().count("<tr") == 6


@needs(EVENTS, "e-spikeformer-fashion-dvs-d1")
def test_events_are_trained_over_several_time_steps():
    figures = page_figures(scene_of(PAGE, checkpoint=EVENTS, sfa_part="cost"))
    assert figure(figures, "Training cost").chart.table()["T x D"].tolist() == ["4 x 1", "4 x 4"]


# --- verdicts are computed with their errors ---


def firing_pair(sfa, plain, spread: float = 0.001) -> PairedSurvey:
    """Two batches around these curves: where the first network fires more than on average, the second fires less."""
    around = torch.tensor([[1 - spread], [1 + spread]]).double()
    curves = [torch.tensor(own, dtype=torch.float64) for own in (sfa, plain)]
    rates = around * curves[0], around.flip(0) * curves[1]
    return PairedSurvey(*(Survey(128, 128, 100, own) for own in curves), rates, torch.tensor([0.5, 0.5]).double())


@pytest.mark.parametrize(
    ("sfa", "plain", "spread", "words"),
    [
        ([0.3, 0.2], [0.1, 0.2, 0.2], 0.001, ["SFA falls at every step", "vanilla does not fall"]),
        ([0.3, 0.2, 0.1], [0.1, 0.2, 0.2], 0.001, ["from 0.300 to 0.100", "SFA fires more: 0.600 against 0.500"]),
        ([0.1, 0.2], [0.3, 0.2], 0.001, ["SFA does not fall at every step (0.100, 0.200)", "vanilla falls at every"]),
        ([0.1], [0.3] * 4, 0.001, ["one step, which cannot fall", "SFA fires fewer", "within 0% of its mean"]),
        ([0.3, 0.2], [0.3, 0.21], 0.2, ["SFA falls at every step", "no difference found: 0.500 against 0.510"]),
    ],
)
def test_the_verdict_says_what_the_numbers_say(sfa, plain, spread, words):
    text = firing.verdict(firing_pair(sfa, plain, spread))
    assert all(word in text for word in words), text


def test_a_single_batch_gives_numbers_and_no_verdict():
    pair = firing_pair([0.3, 0.2], [0.1, 0.2])
    text = firing.verdict(replace(pair, rates=tuple(own[:1] for own in pair.rates), weights=torch.ones(1).double()))
    assert "goes from 0.300 to 0.200" in text and "0.500 against 0.300" in text
    assert "falls" not in text and "fires" not in text


@pytest.mark.parametrize(
    ("accuracies", "words"),
    [
        ({2: 0.5, 4: 0.9}, "highest so far is 0.900 ± 0.010 at D = 4"),
        ({4: 0.5, 6: 0.9}, "0.900 ± 0.010 at D = 6, above 0.500 ± 0.010 at D = 4"),
        ({4: 0.89, 6: 0.9}, "0.900 ± 0.010 at D = 6, no difference found from 0.890 ± 0.010 at D = 4"),
    ],
)
def test_the_best_d_is_told_apart_by_its_error(accuracies, words):
    table = [
        {"meaning": "what-if", "D": d, "accuracy": value, "standard error": 0.01} for d, value in accuracies.items()
    ]
    assert accuracy_energy.best(table, 4).endswith(words)


def test_a_measured_curve_is_compared_in_pairs():
    """Twelve of 100 samples are right at D = 8 alone: 0.12 ± sqrt(12 - 1.44) / 100; unpaired it would be 0.06."""
    first, second = torch.arange(100) < 80, torch.arange(100) < 68
    table = [
        {"meaning": "what-if", "D": d, "accuracy": float(own.float().mean()), "standard error": 0.05, "correct": own}
        for d, own in ((8, first), (4, second))
    ]
    assert accuracy_energy.best(table, 4).endswith(
        "0.800 ± 0.050 at D = 8, against 0.680 ± 0.050 at D = 4: D = 8 is better by 0.120 ± 0.032 (n = 100, paired)"
    )


def test_accuracies_of_two_trainings_are_told_apart_by_their_errors():
    plain = {"T x D": "vanilla 4 x 1", "CPU seconds per epoch": 300.0, "accuracy": 0.9, "samples": 10_000}
    sfa = plain | {"T x D": "1 x 4", "CPU seconds per epoch": 100.0}
    assert "no difference in accuracy found" in accuracy_energy.against_vanilla(sfa | {"accuracy": 0.902}, plain)
    text = accuracy_energy.against_vanilla(sfa | {"accuracy": 0.92}, plain)
    # sqrt(0.92 * 0.08 / 10000 + 0.9 * 0.1 / 10000) = 0.00405
    assert "2.00 ± 0.40 points higher with SFA" in text and "took 3.0 times the CPU seconds" in text
    assert "lower" in accuracy_energy.against_vanilla(sfa | {"accuracy": 0.8}, plain)


# --- work over data ---


@needs(VANILLA)
def test_a_sweep_runs_every_d_of_the_present_setting():
    scene = scene_of(PAGE, sfa_part="cost", sfa_T="2", sfa_D="3")
    points = accuracy_energy.points(scene)
    what_if = {p.levels: p.interventions for p in points if p.meaning == "what-if"}
    assert what_if[2] == (SpikeLevels(2), TimeSteps(2)) and what_if[4] == (TimeSteps(2),)  # 4 is as it was trained
    assert {p.levels: (p.network, p.interventions) for p in points if p.meaning == "trained"} == {
        d: (f"e-spikeformer-fashion-sfa{d}", (TimeSteps(2),)) for d in (1, 2, 4, 8)
    }
    assert [(p.network, p.interventions) for p in points if p.meaning == "vanilla"] == [(VANILLA, ())]
    studies = [study_of(PAGE.tab("cost")(scene_of(PAGE, sfa_T=t))) for t in ("1", "2")]
    assert studies[0].key != studies[1].key
    assert study_of(PAGE.tab("cost")(scene)).key == studies[1].key  # every D is measured, whichever is looked at


@needs(VANILLA)
def test_a_sweep_ends_with_three_curves():
    scene = scene_of(PAGE, sfa_part="cost")
    row = {"accuracy": 0.5, "standard error": 0.02, "images": 512, "energy (µJ)": 3.0, "spikes per neuron": 0.4}
    rows = [{"meaning": "what-if", "D": d, "network": SFA4, "T": 1, **row} for d in (2, 4)]
    rows += [{"meaning": "vanilla", "D": 1, "network": VANILLA, "T": 4, **row}]
    study = replace(study_of(PAGE.tab("cost")(scene)), work=lambda: iter([(1, []), (2, rows)]))
    figures = list(figures_of([study], {}, studies=True))
    titles = ["Accuracy against D", "Energy (µJ) against D", "Spikes per neuron against D"]
    assert [shown.title for shown in figures] == titles
    accuracy = figures[0].chart
    assert accuracy.series[0].x.tolist() == [2, 4] and accuracy.series[0].y.tolist() == [0.5, 0.5]
    assert accuracy.rules[0].label.startswith("vanilla 4 x 1") and list(accuracy.table()["T"]) == [1, 1, 4]
    assert all(f.notice and f.source and all(f.export(kind) for kind in FILES) for f in figures)
    assert not list(figures_of([replace(study, work=lambda: iter([(1, [])]))], {}, studies=True))


@needs(VANILLA)
def test_both_networks_are_run_over_test_images():
    scene = scene_of(PAGE, sfa_D="2")
    study = study_of(PAGE.tab("firing")(scene))
    steps = study.work()
    done, pair = next(steps)
    x, y = sv.load_data("fashion", "test", done)
    for found, name, rules in ((pair.first, SFA4, (SpikeLevels(2),)), (pair.second, VANILLA, ())):
        *_, expected = sv.evaluation.survey(sv.load(name), x, y, rules)
        assert found.right == expected.right
        torch.testing.assert_close(found.nsfr, expected.nsfr, rtol=0, atol=1e-12)
    steps.close()
    (shown,) = figures_of([replace(study, work=lambda: iter([(done, pair)]))], {}, studies=True)
    for line, found in zip(shown.chart.series, (pair.first, pair.second), strict=True):
        np.testing.assert_allclose(line.y, found.nsfr.numpy())
    assert [line.name for line in shown.chart.series] == ["SFA, D=2 T=1 seed=0", "vanilla, 4 x 1"]
    assert study.total == 512 and study_of(PAGE.tab("firing")(scene_of(PAGE))).key != study.key


@needs("e-spikeformer-cifar-sfa4")
def test_a_network_without_vanilla_says_so():
    scene = scene_of(PAGE, checkpoint="e-spikeformer-cifar-sfa4")
    assert "No vanilla network was trained on cifar10-jpeg" in words_of(PAGE.tab("firing")(scene))
    assert "Vanilla" not in figure(page_figures(scene, "patterns"), "T x D unrolling").html()


# --- the whole page ---


@needs(VANILLA)
@pytest.mark.parametrize("preset", [preset.key for preset in PAGE.presets])
def test_presets(preset):
    scene, notices = scene_at(PAGE, query_of(PAGE, preset))
    figures = page_figures(scene)
    assert not notices and len(figures) > 1
    for shown in figures:
        assert shown.notice and all(shown.export(kind) for kind in FILES), shown.title
    assert scene.now.status_text.startswith("D=3 T=3" if preset == "fig11" else "D=4 T=1")
    compared = scene.compared and scene.compared.card.name
    assert compared == (VANILLA if preset in ("fig8", "fig9") else None)


@pytest.mark.parametrize("tab", PAGE.tabs)
@pytest.mark.parametrize("d", ["1", "4", "5", "16"])
def test_every_tab_at_every_kind_of_d(tab, d):
    scene = scene_of(PAGE, sfa_part=tab, sfa_D=d)
    assert len(page_figures(scene)) > 1 and scene.now.status_text.startswith(f"D={d} ")
    assert not any(getattr(item, "level", "") == "warning" for item in items_of(PAGE.tab(tab)(scene)))


@needs(EVENTS)
@pytest.mark.parametrize("tab", PAGE.tabs)
def test_every_tab_of_events(tab):
    assert len(page_figures(scene_of(PAGE, checkpoint=EVENTS, sfa_part=tab, sfa_D="2"))) > 1


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("sfa_D", "0", "D goes from 1 to 16"),
        ("sfa_D", "300", "D goes from 1 to 16"),
        ("sfa_D", "2.5", "D is a whole number"),
        ("sfa_T", "0", "T goes from 1 to 8"),
        ("checkpoint", "spikformer-fashion", "spikformer-fashion is no classifier that fires integers"),
        ("sfa_part", "nothing", "there are firing, error"),
        ("sfa_rate", "2", "a rate is a number from 0 to 1"),
        ("sfa_A", "checkpoint:nobody", "A is of no network there is"),
    ],
)
def test_bad_addresses_are_one_sentence(name, value, why):
    scene, notices = scene_at(PAGE, {name: value})
    assert len(notices) == 1 and name in notices[0] and why in notices[0]
    assert scene.now.status_text.startswith("D=4 T=1") and scene.state.look("sfa_rate") == 0.3


def test_a_notebook_has_the_same_figures():
    shown = view("integer_firing", SFA4, interventions=SpikeLevels(2), tab="error")
    here = page_figures(scene_of(PAGE, sfa_D="2"), "error")
    assert [f.title for f in shown] == [f.title for f in here]
    pd.testing.assert_frame_equal(
        figure(shown, "Approximation error by layer").chart.table(),
        figure(here, "Approximation error by layer").chart.table(),
    )
    rates = view("integer_firing", SFA4, tab="patterns", sfa_rate=0.8)
    assert figure(rates, "Firing patterns").chart.table()["spikes"].sum() == 24
    with pytest.raises(ValueError, match="does not show 'spikformer-fashion'"):
        view("integer_firing", "spikformer-fashion")
