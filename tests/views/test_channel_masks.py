"""The page of channel masks as a value: its figures show what the library computes at the threshold."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from support.networks import needs
from support.scenes import FILES, items_of, scene_of, words_of

import spikeviz as sv
from spikeviz.artifacts.curves import find_curve
from spikeviz.evaluation.channel_survey import predicted_by_kept
from spikeviz.metrics.channel_masks import channel_rates, explained, masked_layers, parameters_left
from spikeviz.nn.channel_masks import find_masks
from spikeviz.views.channel_masks import PAGE, accuracy, channels, cost, overview
from spikeviz.views.channel_masks.networks import compared, peer, peer_card
from spikeviz.views.channel_masks.settings import threshold
from spikeviz.views.host import figures_of, page_figures, query_of, scene_at, view
from spikeviz.views.view import Download, Figure, Note, Progress, Study

NAME, PEER, OTHER = "sdmformer-fashion-dvs", "spikformer-fashion-dvs", "sdmformer-nmnist"
MaskChannels, TimeSteps = sv.interventions.MaskChannels, sv.interventions.TimeSteps
THRESHOLDS = ("0.00", "0.50", "1.00")
DONE = Progress(1, 1, 2.0, True)

pytestmark = needs(NAME)


def figure(figures: list[Figure], title: str) -> Figure:
    (found,) = (each for each in figures if each.title.startswith(title))
    return found


def at(value: float, **more: str):
    return scene_of(PAGE, dmeb_threshold=f"{value}", **more)


def samples(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = sv.load_data("fashion-dvs", "test", count)
    return x.transpose(0, 1), y


def prune(model, value):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sv.prune_channels(model, value)


def study(scene, tab: str, title: str) -> Study:
    studies = [item for item in items_of(PAGE.tab(tab)(scene)) if isinstance(item, Study)]
    (found,) = (each for each in studies if each.title.startswith(title))
    return found


# --- networks ---


def test_networks_of_the_page():
    names = PAGE.networks.names()
    assert NAME in names and PAGE.networks.default() == NAME
    assert not {"spikformer-fashion", "sdmformer-fashion-dvs-pruned", "mst-fashion"} & set(names)


def test_the_spikformer_of_the_same_form():
    card = PAGE.networks.names()[NAME]
    assert peer(card).name == PEER
    assert peer(replace(card, model="sdmformer-2-256")).name == "spikformer-dvs-2-256"
    assert peer(replace(card, model="nothing")) is None
    found = peer_card(card)
    assert found is None or (found.model, found.data) == (PEER, card.data)
    assert peer_card(replace(card, data="nmnist")) is None


def test_the_threshold_of_a_run():
    assert threshold(scene_of(PAGE).now) == 0.5 and threshold(at(0.3).now) == 0.3
    assert [s.label for s in scene_of(PAGE).settings] == ["Threshold", "T"]
    assert scene_of(PAGE).now.status_text == "threshold=0.50 T=8 seed=0"


# --- masks ---


@pytest.mark.parametrize("value", [0.05, 0.5, 0.7])
def test_masks_are_those_of_the_library(value):
    scene, model = at(value), sv.load(NAME)
    rates, left = sv.metrics.mask_rates(model, value), parameters_left(model, value)
    text = words_of(PAGE.main(scene))
    kept, total = (rates["channels"] - rates["masked"]).sum(), rates["channels"].sum()
    assert rf"> {value:.2f}\,]" in text and f"**{kept} of {total}** channels" in text and "reconstruction" in text
    assert f"**{left['left'].sum() / left['parameters'].sum():.0%}** of the parameters" in text
    figures = page_figures(scene, "masks")
    bars = figure(figures, "Mask rate by block and site").chart
    np.testing.assert_allclose(bars.series[0].values, rates["rate"])
    pd.testing.assert_frame_equal(bars.table(), rates)
    values = figure(figures, "Mask values").chart
    pd.testing.assert_frame_equal(values.table(), sv.metrics.mask_values(model))
    assert values.rules[0].value == value


def test_kept_and_dropped_channels_are_those_of_two_runs():
    scene = at(0.3, dmeb_layer="blocks.1.mlp.hidden", dmeb_T="4")
    model, (x, _) = sv.load(NAME), samples(1)
    kept = find_masks(model)["blocks.1.mlp.mask"].kept(0.3)
    figures = page_figures(scene, "masks")
    for part, value, chosen in (("kept", 0.3, kept), ("dropped", 0.0, ~kept)):
        recording = sv.simulate(model, x, (MaskChannels(value), TimeSteps(4)))
        spikes = recording["blocks.1.mlp.hidden.spike"].values[:, 0, chosen].float()
        shown = figure(figures, f"{int(chosen.sum())} {part} channels")
        np.testing.assert_allclose(shown.chart.arrays()["maps"][:4], spikes.mean(1).numpy(), atol=1e-6)
        assert f"{float(spikes.mean()):.3f} spikes" in shown.caption
    assert scene.now.status_text == "threshold=0.30 T=4 seed=0"


def test_a_site_that_is_gone_is_a_warning():
    (warning,) = (i for i in items_of(PAGE.main(at(1.0))) if isinstance(i, Note) and i.level == "warning")
    assert "At 1.00 no channel is left in blocks.0.attn.mask_qk, " in warning.text
    assert not [i for i in items_of(PAGE.main(at(0.5))) if isinstance(i, Note) and i.level == "warning"]


def test_a_layer_before_the_masks_says_so():
    scene = scene_of(PAGE, dmeb_layer="stem.stages.1")
    assert "stem, layer 1 lies before every mask" in words_of(PAGE.main(scene))
    assert figure(page_figures(scene, "masks"), "24 kept channels · block 0, attention, query")
    assert scene_of(PAGE).layer == "blocks.0.attn.q" and "lies before" not in words_of(PAGE.main(scene_of(PAGE)))


# --- channels ---


def test_channels_of_a_layer_are_those_of_the_library():
    """Rates with all channels kept, and how well the kept ones predict each over all steps and places."""
    layer = "blocks.0.attn.v"
    scene, model, (x, _) = at(0.4, dmeb_layer=layer, dmeb_neuron="7.2.1"), sv.load(NAME), samples(1)
    spikes = sv.simulate(model, x, MaskChannels(0.0))[f"{layer}.spike"].values[:, 0]
    mask = find_masks(model)["blocks.0.attn.mask_v"]
    figures = page_figures(scene, "channels")
    table = figure(figures, f"Channels of {scene.now.network.words(layer)}, this input").chart.table()
    np.testing.assert_allclose(table["rate"], spikes.double().mean((0, 2, 3)))
    np.testing.assert_allclose(table["strength"], mask.strength().detach())
    assert (table["kept"].to_numpy() == mask.kept(0.4).numpy()).all() and table["kept"].nunique() == 2
    expected, best = predicted_by_kept(spikes.transpose(0, 1).flatten(1).T.double(), mask.kept(0.4))
    np.testing.assert_allclose(table["predicted"], expected)
    assert (table["best kept channel"].to_numpy() == best.numpy()).all() and 0 < table["predicted"].max() <= 1
    maps = figure(figures, f"What channels carry · {layer}")
    assert maps.chart.titles[0].startswith("channel 7, ") and all("dropped" in t for t in maps.chart.titles[1:])
    np.testing.assert_allclose(maps.chart.arrays()["maps"][0], spikes[:, 7].float().mean(0), atol=1e-6)
    row = table.loc[7]
    note = f"R²\u00a0{row['predicted']:.2f}" if row["best kept channel"] >= 0 else "R²\u00a0–"
    assert f"rate {row['rate']:.2f}, {note}" in maps.html()


def test_without_kept_channels_nothing_is_predicted():
    maps = figure(page_figures(at(1.0), "channels"), "What channels carry")
    assert "No kept channel fires" in maps.caption and "R²\u00a0–" in maps.html()


def test_what_channels_carry_over_samples(monkeypatch):
    monkeypatch.setattr(channels, "SAMPLES", 24)
    one, other = at(0.5, dmeb_part="channels"), at(0.7, dmeb_part="channels")
    work, again = study(one, "channels", "What channels carry over 24"), study(other, "channels", "What channels carry")
    assert work.key == again.key and work.total == 24  # one run serves every threshold
    *_, (done, rates) = work.work()
    model, (x, y) = sv.load(NAME), samples(24)
    recording = sv.simulate(model, x, MaskChannels(0.0), [f"{name}.spike" for name in masked_layers(model)])
    assert done == 24 and tuple(rates["blocks.1.mlp.hidden"].shape) == (24, 256)
    for name, found in rates.items():
        torch.testing.assert_close(found, channel_rates(recording[f"{name}.spike"]))
    shown = [list(figures_of(each.figures(rates, DONE), {})) for each in (work, again)]
    carried = figure(shown[0], "Kept and dropped channels by layer")
    for name, mask in masked_layers(model).items():
        own = carried.chart.table().query("layer == @name")
        kept = find_masks(model)[mask].kept(0.5)
        assert (own["kept"].to_numpy() == kept.numpy()).all()
        np.testing.assert_allclose(own["explained"], explained(rates[name], y))
        np.testing.assert_allclose(own["predicted"], predicted_by_kept(rates[name], kept)[0])
    means = carried.chart.series[0]
    first = carried.chart.table().query("layer == 'blocks.0.attn.q'")
    assert list(means.names)[:2] == ["block 0, attention, query, kept", "block 0, attention, query, dropped"]
    assert means.values[1] == pytest.approx(first[~first["kept"]]["explained"].mean())
    tables = [figure(each, "Channels of block 0, attention, query, test samples").chart for each in shown]
    assert [chart.rules[0].value for chart in tables] == [0.5, 0.7]
    np.testing.assert_allclose(tables[0].table()["rate"], rates["blocks.0.attn.q"].mean(0))
    assert all(
        f.export(kind) for f in shown[0] for kind in FILES
    ) and "block 1, MLP, hidden, kept" in carried.html().replace("<wbr>", "")


def test_the_verdict_says_what_the_numbers_say():
    """Deviations of ± 0.01 of four channels have the variance 4 * 0.01^2 / 3, their mean that over 4; the error of a
    difference is sqrt(2 / 3) * 0.01 = 0.0082, of the mean of two layers 0.0082 / sqrt(2) = 0.0058."""
    near = [-0.01, 0.01, -0.01, 0.01]

    def layer(**apart: float) -> pd.DataFrame:
        parts = [
            pd.DataFrame(
                {"kept": kept} | {name: [0.3 + (0 if kept else by) + n for n in near] for name, by in apart.items()}
            )
            for kept in (True, False)
        ]
        return pd.concat(parts, ignore_index=True)

    one = layer(rate=-0.03, explained=0.1, predicted=0.014)
    text = channels.verdict({"a": one})
    assert "rate -0.030 ± 0.008, lower (by layer: 1 lower); by class +10.0% ± 0.8%, higher (by layer: 1 higher)" in text
    assert "by a kept one +0.01 ± 0.01, no difference found (by layer: 1 no difference found)" in text
    two = channels.verdict({"a": one, "b": layer(rate=-0.01, explained=-0.1, predicted=0.014)})
    assert "rate -0.020 ± 0.006, lower (by layer: 1 lower, 1 no difference found)" in two
    assert "by a kept one +0.01 ± 0.01, higher (by layer: 2 no difference found)" in two
    assert "± 0.6%, which way depends on the layer (by layer: 1 lower, 1 higher)" in two  # a mean would hide it
    dropped = one[~one["kept"]]
    assert channels.verdict({"a": dropped}) == "At this threshold every channel is dropped."
    assert "of too few channels to compare" in channels.verdict({"a": dropped, "b": one[one["kept"]]})


def test_the_verdict_compares_within_layers():
    """Two layers in which dropped channels fire more, though over all channels they fire less."""
    low = pd.DataFrame({"kept": [True] * 2 + [False] * 20, "rate": [0.10, 0.11] + [0.20, 0.21] * 10})
    high = pd.DataFrame({"kept": [True] * 20 + [False] * 2, "rate": [0.80, 0.81] * 10 + [0.90, 0.91]})
    tables = {"a": low.assign(explained=0.1, predicted=0.1), "b": high.assign(explained=0.1, predicted=0.1)}
    assert "rate +0.100 ± 0.004, higher (by layer: 2 higher)" in channels.verdict(tables)


# --- cost ---


@needs(NAME, PEER)
@pytest.mark.parametrize("value", [0.5, 0.7, 0.123])
def test_costs_are_those_of_the_library(value):
    """0.123: a threshold that two digits do not say."""
    figures = view("channel_masks", NAME, interventions=MaskChannels(value), tab="cost")
    (x, _), model = samples(1), sv.load(NAME)
    costs = figure(figures, "Estimated energy, this input").chart.table().set_index("network")
    small = prune(model, value)
    runs = ((sv.load(PEER), ()), (prune(model, 0.0), ()), (model, (MaskChannels(value),)), (small, ()))
    for (network, rule), row in zip(runs, costs.itertuples(), strict=True):
        table = sv.metrics.operations(network, sv.simulate(network, x, rule))
        assert row.picojoule == pytest.approx(table["picojoule"].sum())
        assert row.SOPs == pytest.approx(table["SOPs"].sum())
    masks = sum(mask.value.numel() for mask in find_masks(model).values())
    sizes = [sum(p.numel() for p in network.parameters()) for network, _ in runs]
    assert costs["parameters"].tolist() == [sizes[0], sizes[1], sizes[2] - masks, sizes[3]]
    caption = figure(figures, "Estimated energy, this input").caption
    energies = costs["picojoule"]
    assert f"takes **{energies.iloc[-1] / energies.iloc[0]:.2%}** of the energy of Spikformer" in caption
    stem = table[table["layer"].str.startswith("stem")]["picojoule"].sum() / table["picojoule"].sum()
    assert f"{stem:.0%} of it is spent before blocks.0.attn.q" in caption
    left = parameters_left(model, value)
    shown = figure(figures, "Parameters left")
    pd.testing.assert_frame_equal(shown.chart.table(), left)
    assert f"**{left['left'].sum() / sizes[0]:.2%}** after" in shown.caption
    assert "45.38%" in figure(figures, "The paper's two tables, as printed").html()


@needs(NAME, PEER)
def test_the_networks_that_are_compared_run_on_the_input_of_the_scene():
    found = compared(at(0.3, input="5", dmeb_T="2"))
    assert [n.name for n in found] == ["Spikformer", "SDMFormer, all channels", "masked at 0.30", "pruned at 0.30"]
    assert {n.run.experiment.source for n in found} == {"test/5"}
    assert all(n.setting[1][-1] == TimeSteps(2) for n in found) and found[2].setting[1][0] == MaskChannels(0.3)
    outputs = [n.run.recording.output for n in found]
    torch.testing.assert_close(outputs[2], outputs[3], atol=1e-4, rtol=1e-4)
    assert (outputs[0] - outputs[1]).abs().max() > 0.1


def test_without_a_spikformer_the_whole_network_is_the_yardstick(monkeypatch):
    for room in ("networks", "cost"):
        monkeypatch.setattr(f"spikeviz.views.channel_masks.{room}.peer_card", lambda card: None)
    scene = scene_of(PAGE)
    assert f"No Spikformer to compare energy with: there is no {PEER} here" in words_of(PAGE.tab("cost")(scene))
    shown = figure(page_figures(scene, "cost"), "Estimated energy, this input")
    assert "of the energy of SDMFormer, all channels" in shown.caption and len(shown.chart.table()) == 3
    assert shown.html()


@needs(NAME, PEER)
def test_energy_over_samples_is_that_of_the_library(monkeypatch):
    monkeypatch.setattr(cost, "ENERGY_SAMPLES", 24)
    work = study(scene_of(PAGE), "cost", "Energy over 24")
    *_, (done, costs) = work.work()
    small, (x, _) = prune(sv.load(NAME), 0.5), samples(24)
    expected = sv.metrics.operations(small, sv.simulate(small, x))["picojoule"].sum()
    assert done == 24 and costs["picojoule"].iloc[-1] == pytest.approx(expected)
    (shown,) = figures_of(work.figures(costs, Progress(24, 24, 1.0, True)), {})
    assert "Mean over the first 24 test recordings of fashion-dvs" in shown.caption
    pd.testing.assert_frame_equal(shown.chart.table(), costs)
    other = study(at(0.6), "cost", "Energy over 24")
    assert other.key != work.key


def test_speed_is_measured_in_turns(monkeypatch):
    monkeypatch.setattr(cost, "SPEED_BATCH", 4)
    monkeypatch.setattr(cost, "ROUNDS", 3)
    work = study(scene_of(PAGE), "cost", "Measured speed")
    *_, (done, value) = work.work()
    (shown,) = figures_of(work.figures(value, DONE), {})
    found, device = value
    assert done == found.rounds == 3 and f"3 rounds in turns, batches of 4, {device}" in shown.caption
    assert "no difference measurable" in shown.caption  # three rounds are too few for an interval
    assert list(shown.chart.table().columns) == ["masked at 0.50 (s)", "pruned at 0.50 (s)"]
    assert (np.array(found.seconds) == shown.chart.table().to_numpy().T).all()


def test_a_download_is_made_when_it_is_asked_for():
    (item,) = (item for item in items_of(PAGE.tab("cost")(at(0.6))) if isinstance(item, Download))
    assert item.file == f"{NAME}-pruned-0.6.zip" and item.mime == "application/zip"
    assert item.make()[:2] == b"PK"


# --- accuracy and training ---


def test_a_precomputed_curve_says_what_made_it(monkeypatch):
    points = [{"threshold": t / 10, "accuracy": 0.5, "masked": t, "channels": 10} for t in range(11)]
    curve = {
        "command": f"spikeviz publish {NAME} --with curves",
        "samples": 10_000,
        "data": "fashion-dvs",
        "seed": 0,
        "device": "CPU, 2 threads",
        "kind": "thresholds",
        "points": points,
    }
    monkeypatch.setattr("spikeviz.artifacts.curves.find_curve", lambda name: curve)
    (shown,) = page_figures(at(0.4), "accuracy")[-1:]
    assert f"precomputed by `{curve['command']}` on all 10,000 test recordings" in shown.caption
    assert shown.chart.rules[0].value == 0.4 and list(shown.chart.series[0].y) == [0.5] * 11


def test_the_shipped_curve_is_drawn():
    curve = find_curve(NAME)
    if curve is None:
        pytest.skip(f"no curve of {NAME} was computed yet")
    shown = figure(page_figures(scene_of(PAGE), "accuracy"), "Accuracy against threshold")
    line, last = shown.chart.series[0], curve["points"][-1]
    assert shown.chart.rules[1].value == last["accuracy"] and last["masked"] == last["channels"]
    assert f"every masked channel gone it is {last['accuracy']:.3f} ±" in shown.caption
    assert list(line.y) == pytest.approx([point["accuracy"] for point in curve["points"]])


def test_without_a_curve_there_is_a_sentence(monkeypatch):
    monkeypatch.setattr("spikeviz.artifacts.curves.find_curve", lambda name: None)
    text = words_of(PAGE.tab("accuracy")(scene_of(PAGE)))
    assert f"No curve was computed yet of {NAME}: `spikeviz publish {NAME} --with curves`" in text

    def damaged(name):
        raise ValueError(f"{name}.json is not a curve.")

    monkeypatch.setattr("spikeviz.artifacts.curves.find_curve", damaged)
    (warning,) = (i for i in items_of(PAGE.tab("accuracy")(scene_of(PAGE))) if getattr(i, "level", "") == "warning")
    assert f"{NAME}.json is not a curve" in warning.text


def test_the_point_is_measured_over_test_samples(monkeypatch):
    monkeypatch.setattr(accuracy, "SAMPLES", 48)
    work, (x, y) = study(at(0.6), "accuracy", "This threshold"), samples(48)
    *_, (done, found) = work.work()
    *_, expected = sv.evaluation.survey(sv.load(NAME), x, y, MaskChannels(0.6))
    assert done == 48 and found.accuracy == expected.accuracy
    (shown,) = figures_of(work.figures(found, DONE), {})
    assert f"over the first 48 test recordings: {found.accuracy:.3f} ± {found.error:.3f}" in shown.caption
    assert shown.chart.series[-1].y[0] == pytest.approx(found.accuracy)


def test_how_masks_moved_is_read_from_the_card(monkeypatch):
    from spikeviz.artifacts import cards

    found = {name: card for name, card in PAGE.networks.names().items() if name == NAME}
    state = {"channels": 8, "kept": 5, "histogram": [3] + [0] * 8 + [1] + [0] * 9 + [4]}
    names = ("blocks.0.attn.mask_qk", "blocks.0.attn.mask_v", "blocks.0.mlp.mask", "blocks.1.mlp.mask")
    log = [{"epoch": e, "masks": dict.fromkeys(names, state | {"kept": 8 - e})} for e in range(1, 5)]
    card = replace(found[NAME], training={"history": log})
    monkeypatch.setattr(cards, "_read", lambda path, _: card if path.stem == NAME else cards.CheckpointCard.read(path))
    curves, maps = page_figures(scene_of(PAGE), "training")[-2:]
    assert [line.name for line in curves.chart.series][::3] == ["block 0, Q/K", "block 1, MLP"]
    assert list(curves.chart.series[0].y) == [7 / 8, 6 / 8, 5 / 8, 4 / 8]
    assert "28 of 32 channels" in curves.caption and "16 after epoch 4" in curves.caption
    assert maps.chart.arrays()["maps"].shape == (4, 20, 4) and "12.5% of the values" in maps.caption  # 1 of 8
    none = replace(card, training={})
    monkeypatch.setattr(cards, "_read", lambda path, _: none if path.stem == NAME else cards.CheckpointCard.read(path))
    assert "no mask history" in words_of(PAGE.tab("training")(scene_of(PAGE)))


# --- the whole page ---


@pytest.mark.parametrize("preset", [preset.key for preset in PAGE.presets])
def test_presets(preset):
    scene, notices = scene_at(PAGE, query_of(PAGE, preset))
    figures = page_figures(scene)
    assert not notices and len(figures) > 1 and scene.now.status_text == "threshold=0.50 T=8 seed=0"
    for shown in figures:
        assert shown.notice and all(shown.export(kind) for kind in FILES), shown.title
    expected = {"mask-rate": "Mask rate by block and site", "cost": "The paper's two tables, as printed"}
    assert figure(figures, expected.get(preset, "Spike maps · block 0, attention, value, A−B"))
    if preset == "take-away":
        assert threshold(scene.compared) == 0.0 and scene.compared.status_text == "threshold=0.00 T=8 seed=0"


@pytest.mark.parametrize("name", [pytest.param(name, marks=needs(name)) for name in (NAME, OTHER)])
@pytest.mark.parametrize("tab", PAGE.tabs)
@pytest.mark.parametrize("value", THRESHOLDS)
def test_every_tab_at_both_ends(tab, value, name):
    scene = scene_of(PAGE, checkpoint=name, dmeb_part=tab, dmeb_threshold=value)
    figures = page_figures(scene)
    assert figures and all((f.notice and f.alt) or f.term == "spike map" for f in figures)
    for shown in figures:
        assert shown.html is None or shown.html()


def test_bad_addresses_are_one_sentence():
    for name, value, why in (
        ("dmeb_threshold", "1.5", "Threshold goes from 0 to 1"),
        ("dmeb_threshold", "much", "Threshold is a number"),
        ("dmeb_T", "9", "T goes from 1 to 8"),
        ("checkpoint", "spikformer-fashion", "has no channel masks, so the threshold does not act on it; there are"),
        ("dmeb_part", "nothing", "there are masks, channels"),
        ("dmeb_A", "threshold:3", "Threshold goes from 0 to 1"),
    ):
        scene, notices = scene_at(PAGE, {name: value})
        assert len(notices) == 1 and name in notices[0] and why in notices[0]
        assert scene.now.status_text == "threshold=0.50 T=8 seed=0"


def test_a_notebook_has_the_same_figures():
    shown = view("channel_masks", NAME, 3, MaskChannels(0.7), tab="channels", layer="blocks.1.attn.k")
    here = page_figures(at(0.7, input="3", dmeb_layer="blocks.1.attn.k"), "channels")
    assert [f.title for f in shown] == [f.title for f in here]
    pd.testing.assert_frame_equal(figure(shown, "Channels of").chart.table(), figure(here, "Channels of").chart.table())
    assert overview.masked_layer(at(0.7, dmeb_layer="blocks.1.attn.k")) == ("blocks.1.attn.k", "blocks.1.attn.mask_qk")
