"""The page of channel masks: the threshold reaches masks and model, what is said is what the library says."""

from __future__ import annotations

import dataclasses
import io
import warnings
import zipfile
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from streamlit.testing.v1 import AppTest
from support.networks import awaken, make_tiny, needs
from test_masks import make_masked
from test_pages import charts, confidence, number_field, numbers, pictures, press, sound, status

import spikeviz as sv
from spikeviz.artifacts.cards import CheckpointCard
from spikeviz.figures import channel_masks as figures
from spikeviz.figures.render_matplotlib import FORMATS, export
from spikeviz.figures.render_plotly import plotly_figure
from spikeviz.metrics.channel_masks import REST, channel_rates, explained, masked_layers, parameters_left, site
from spikeviz.nn.channel_masks import find_masks
from spikeviz.paths import app_root
from spikeviz.ui import channels, masks, pruning, thresholds

NAME, PEER = "sdmformer-fashion-dvs", "spikformer-fashion-dvs"
MaskChannels = sv.interventions.MaskChannels
THRESHOLDS = (0.0, 0.3, 0.5, 0.77, 1.0)
TRAINED_HERE = needs(NAME)


@pytest.fixture(scope="module")
def masked():
    return make_masked()


def prune(model, threshold):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sv.prune_channels(model, threshold)


# --- what is left ---


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("layout", ["dvs", "cifar"])
def test_parameters_left_are_those_of_the_pruned_network(layout, threshold):
    model = make_masked(layout)
    left = parameters_left(model, threshold)
    assert left["left"].sum() == sum(p.numel() for p in prune(model, threshold).parameters())
    assert left["parameters"].sum() == sum(p.numel() for p in prune(model, 0.0).parameters())
    rates = sv.metrics.mask_rates(model, threshold)
    assert list(left["layer"]) == [*rates["layer"], REST]
    assert (left["kept"][:-1].to_numpy() == (rates["channels"] - rates["masked"]).to_numpy()).all()


def test_parameters_left_of_what_has_no_masks_and_at_no_threshold(masked):
    with pytest.raises(ValueError, match="has no channel masks"):
        parameters_left(make_tiny())
    with pytest.raises(ValueError, match="a threshold is a number from 0 to 1"):
        parameters_left(masked, -0.1)


def test_masked_layers_are_silenced_by_their_mask_and_no_other(masked):
    x = torch.randint(0, 3, (3, 2, 2, 16, 16)).float()
    layers, recording = masked_layers(masked), sv.simulate(masked, x, MaskChannels(0.6))
    assert len(layers) == 8 and site(layers["blocks.1.attn.k"]) == "blocks.1 Q/K"
    for layer, mask in layers.items():
        rates = channel_rates(recording[f"{layer}.spike"])
        kept = find_masks(masked)[mask].kept(0.6)
        assert rates.shape == (2, len(kept)) and rates[:, ~kept].sum() == 0 and rates[:, kept].sum() > 0


def test_explained_is_the_share_between_classes():
    y = torch.tensor([0, 0, 1, 1])
    rates = torch.tensor([[0.1, 0.5, 0.2, 0.0], [0.1, 0.5, 0.4, 1.0], [0.3, 0.5, 0.2, 0.0], [0.3, 0.5, 0.4, 1.0]])
    assert explained(rates.double(), y).tolist() == pytest.approx([1, 0, 0, 0])
    mixed = torch.tensor([[0.0], [2.0], [2.0], [4.0]]).double()  # between: 4 * 1, in all: 4 + 4
    assert explained(mixed, y).item() == pytest.approx(0.5)


# --- figures ---


def history(epochs=3):
    state = {"channels": 8, "kept": 5, "histogram": [3] + [0] * 18 + [5]}
    names = ("blocks.0.attn.mask_qk", "blocks.0.attn.mask_v", "blocks.0.mlp.mask", "blocks.1.mlp.mask")
    return [{"epoch": e, "masks": dict.fromkeys(names, state | {"kept": 8 - e})} for e in range(1, epochs + 1)]


def test_an_upright_rule_and_loose_dots_on_screen_and_on_paper(masked):
    chart = figures.strengths(sv.metrics.mask_values(masked), 0.8)
    drawn = plotly_figure(chart).to_plotly_json()["layout"]
    assert drawn["shapes"][0]["x0"] == drawn["shapes"][0]["x1"] == 0.8 and drawn["shapes"][0]["yref"] == "y domain"
    assert drawn["annotations"][0]["xanchor"] == "right" and tuple(drawn["xaxis"]["range"]) == (0, 1)
    table = pd.DataFrame({"channel": [0, 1], "strength": [0.2, 0.9], "kept": [False, True], "rate": [0.1, 0.3]})
    dots = figures.strength_and_rate(table, 0.5, 1, "dots")
    assert {trace["mode"] for trace in plotly_figure(dots).to_plotly_json()["data"]} == {"markers"}
    for exhibit in (chart, dots, figures.kept_by_epoch(history()), figures.histories(history())):
        assert all(export(exhibit, kind) for kind in FORMATS)


def test_the_histogram_counts_every_value_once(masked):
    values = sv.metrics.mask_values(masked)
    chart = figures.strengths(values, 0.5)
    outlines = [np.asarray(line.y)[1:-1:2].sum() for line in chart.series]
    assert sum(outlines) == len(values) == len(chart.table())


def test_histories_stand_upright():
    maps = figures.histories(history())
    assert maps.maps.shape == (4, 20, 3)
    assert maps.maps[0, 0].tolist() == [5 / 8] * 3 and maps.maps[0, -1].tolist() == [3 / 8] * 3


def test_the_accuracy_chart_has_curve_and_point():
    points = [{"threshold": t, "accuracy": a, "masked": 0, "channels": 8} for t, a in ((0.0, 0.5), (0.5, 0.9))]
    chart = figures.accuracy_curve({"samples": 100, "points": points}, 0.5, (0.8, 0.1, "now"))
    assert [line.name for line in chart.series] == ["precomputed", "", "now"]
    assert np.asarray(chart.series[1].y).tolist() == pytest.approx([0.7, 0.9])
    assert chart.series[0].band[0][0] == pytest.approx(0.5 - np.sqrt(0.25 / 100))


def test_the_papers_tables_are_as_printed():
    text = figures.paper_table()
    for printed in ("40.88%", "42.69%", "37.93%", "39.39%", "39.72%", "37.62%", "45.38%", "50.13%", "42.79%", "47.56%",
                    "48.45%", "44.17%"):  # fmt: skip
        assert text.count(printed) == 1


# --- words ---


def test_the_reach_of_a_threshold():
    points = [{"threshold": t / 10, "accuracy": a, "masked": t, "channels": 10}
              for t, a in ((4, 0.2), (5, 0.9), (6, 0.895), (7, 0.8), (8, 0.9))]  # fmt: skip
    assert "up to 0.60, which keeps 4 of 10 channels" in thresholds.reach({"points": points})
    assert thresholds.reach({"points": points[:1]}) == ""


def test_the_verdict_says_what_the_numbers_say():
    table = pd.DataFrame({"kept": [True, False], "rate": [0.1, 0.2], "explained": [0.5, 0.1]})
    said = channels.verdict({"a": table})
    assert "fire more (0.200 against 0.100) than kept ones" in said and "explains less (10.0% against 50.0%)" in said
    assert "fire as much (0.100) as kept ones" in channels.verdict({"a": table.assign(rate=[0.10001, 0.10002])})
    assert channels.verdict({"a": table[:1]}) == "At this threshold every channel is kept."


# --- the pruned checkpoint ---


def unpack(content: bytes, folder) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        names = sorted(file.namelist())
        file.extractall(folder)
    assert [n.rpartition(".")[2] for n in names] == ["json", "safetensors"]
    return names[0].removesuffix(".json")


@pytest.mark.parametrize("threshold", [0.5, 0.83])
def test_the_downloaded_checkpoint_is_the_masked_network(threshold, tmp_path, monkeypatch):
    """Both files in the user's folder: listed, loaded, with the outputs of `MaskChannels`, and without masks."""
    from spikeviz.artifacts import cards

    monkeypatch.setattr(cards, "user_checkpoints", lambda: tmp_path)
    torch.manual_seed(0)
    model = sv.build(NAME).eval()
    for mask in find_masks(model).values():
        torch.nn.init.normal_(mask.value, std=0.3)
    x = torch.randint(0, 3, (8, 2, 2, 34, 34)).float()
    awaken(model, x)
    card = CheckpointCard(
        "mine.v2", NAME, "fashion-dvs", "classes", 0.8, 100, NAME, 0, "CPU", "", "0", [], {"epochs": 3}
    )
    name = unpack(pruning.archive(card, prune(model, threshold), threshold), tmp_path)
    found = next(c for c in sv.list_checkpoints() if c.name == name)
    assert name == f"mine.v2-pruned-{threshold:g}" and found.accuracy is None
    assert found.training == {"epochs": 3, "pruned from": "mine.v2", "its sha256": "0", "threshold": threshold}
    again = sv.load(name, "cpu")
    assert not find_masks(again) and not masks.has_masks(found)
    expected = sv.simulate(model, x, MaskChannels(threshold)).output
    assert (sv.simulate(again, x).output - expected).abs().max() < 1e-4


@needs(NAME)
def test_networks_of_the_page():
    cards = {card.name: card for card in sv.list_checkpoints()}
    assert masks.has_masks(cards[NAME]) and not masks.has_masks(cards["spikformer-fashion"])
    assert masks.NETWORKS.default() == NAME
    assert pruning.peer(cards[NAME]).name == PEER
    assert pruning.peer(SimpleNamespace(model="sdmformer-2-256")).name == "spikformer-dvs-2-256"


# --- the page ---


def opened(**address: str) -> AppTest:
    app = AppTest.from_file(str(app_root() / "app.py"), default_timeout=120)
    app.run()
    app.switch_page("pages/channel_masks.py")
    app.query_params.clear()  # a browser's address names the page it shows
    for name, value in address.items():
        app.query_params[name] = value
    return sound(app.run())


def slider(app: AppTest):
    return next(s for s in app.slider if s.label == "Threshold")


def said(app: AppTest) -> str:
    return " ".join(c.value for c in (*app.caption, *app.markdown))


def bars(app: AppTest) -> np.ndarray:
    return next(numbers(t["x"]) for c in charts(app) for t in c["data"] if t["type"] == "bar")


@TRAINED_HERE
def test_the_threshold_starts_at_the_trained_point_and_moves_all_that_follows():
    app = opened()
    control = slider(app)
    assert control.min == 0 and control.value == 0.5 < control.max == 1
    assert "threshold=0.50 T=8 seed=0" in status(app) and "reconstruction" in said(app)
    model = sv.load(NAME)
    before = pictures(app), confidence(app), bars(app).tolist()
    for threshold in (0.05, 0.7):  # at which every site loses some and none loses all
        sound(slider(app).set_value(threshold).run())
        assert f"threshold={threshold:.2f} " in status(app) and not app.warning
        rates, left = sv.metrics.mask_rates(model, threshold), parameters_left(model, threshold)
        np.testing.assert_allclose(bars(app), rates["rate"])
        kept, total = (rates["channels"] - rates["masked"]).sum(), rates["channels"].sum()
        assert rf"> {threshold:.2f}\,]" in said(app) and f"**{kept} of {total}** channels" in said(app)
        assert f"**{left['left'].sum() / left['parameters'].sum():.0%}** of the parameters" in said(app)
        after = pictures(app), confidence(app), bars(app).tolist()
        assert all(a != b for a, b in zip(before, after, strict=True))
        before = after
    assert "not a retrained model" in said(app)


@TRAINED_HERE
def test_the_confidence_on_the_page_is_that_of_the_library():
    app = opened(dmeb_threshold="0.30", input="4")
    x, _ = sv.load_data("fashion-dvs", "test", 5)
    output = sv.simulate(sv.load(NAME), x[4:5].transpose(0, 1), MaskChannels(0.3)).output[0].softmax(0)
    assert f"{100 * output.max():.1f}" in confidence(app)


@TRAINED_HERE
def test_the_python_of_the_view_counts_and_cuts_the_same_channels():
    app = opened(dmeb_threshold="0.70")
    scope: dict = {}
    exec(next(c.value for c in app.code if c.language == "python"), scope)
    kept, total = (scope["left"][column].sum() for column in ("kept", "channels"))
    assert f"**{kept} of {total}** channels" in said(app)
    assert (scope["masked"]["rate"] == bars(app)).all()
    assert sum(p.numel() for p in scope["smaller"].parameters()) == scope["left"]["left"].sum()


@TRAINED_HERE
@pytest.mark.parametrize("part", ["masks", "channels", "cost", "accuracy", "training"])
@pytest.mark.parametrize("threshold", ["0.00", "0.50", "1.00"])
def test_every_part_at_both_ends(part, threshold):
    app = opened(dmeb_part=part, dmeb_threshold=threshold)
    assert f"threshold={threshold} " in status(app) and not app.error
    if threshold == "1.00":
        (warning,) = app.warning
        assert "At 1.00 no channel is left in blocks.0.attn.mask_qk, " in warning.value
    else:
        assert not app.warning


@TRAINED_HERE
@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("dmeb_threshold", "1.5", "Threshold goes from 0 to 1"),
        ("dmeb_threshold", "much", "Threshold is a number"),
        ("dmeb_T", "9", "T goes from 1 to 8"),
        ("checkpoint", "spikformer-fashion", "has no channel masks, so the threshold does not act on it; there are"),
        ("dmeb_part", "nothing", "there are masks, channels"),
        ("dmeb_A", "threshold:3", "Threshold goes from 0 to 1"),
    ],
)
def test_bad_addresses_are_one_sentence(name, value, why):
    app = opened(**{name: value})
    assert len(app.warning) == 1 and name in app.warning[0].value and why in app.warning[0].value
    assert "threshold=0.50 T=8" in status(app)


@needs(NAME, PEER)
def test_costs_are_those_of_the_library():
    app = opened(dmeb_part="cost", dmeb_threshold="0.70")
    x, _ = sv.load_data("fashion-dvs", "test", 1)
    x, found = x.transpose(0, 1), {}
    for model in (sv.load(PEER), prune(sv.load(NAME), 0.7)):
        recording = sv.simulate(model, x)
        found[model.name] = float(sv.metrics.operations(model, recording)["picojoule"].sum())
    whole, small = found.values()
    assert f"takes **{small / whole:.2%}** of the energy of Spikformer" in said(app)
    assert "45.38%" in " ".join(h.proto.body for h in app.get("html")) and "as printed" in said(app)
    assert "estimated from operation counts" in said(app) and "calls them the ratio" in said(app)
    left, whole = parameters_left(sv.load(NAME), 0.7)["left"].sum(), sum(p.numel() for p in sv.build(PEER).parameters())
    assert f"**{left / whole:.2%}** after" in said(app)


@TRAINED_HERE
def test_what_is_missing_is_one_sentence_each(monkeypatch):
    from spikeviz.artifacts import cards

    known = {name: path for name, path in cards.card_files().items() if name != PEER}
    monkeypatch.setattr(cards, "card_files", lambda: known)
    monkeypatch.setattr(thresholds, "find_curve", lambda name: None)
    app = opened(dmeb_part="cost")
    assert f"No Spikformer to compare energy with: there is no {PEER} here" in said(app)
    assert "of the energy of SDMFormer, all channels" in said(app) and not app.error
    app = opened(dmeb_part="accuracy")
    assert f"No curve of {NAME} was computed yet: `spikeviz curve {NAME}` does." in said(app)


@TRAINED_HERE
def test_a_precomputed_curve_says_what_made_it(monkeypatch):
    points = [{"threshold": t / 10, "accuracy": 0.5, "masked": t, "channels": 10} for t in range(11)]
    curve = {"command": f"spikeviz curve {NAME}", "samples": 10_000, "data": "fashion-dvs", "seed": 0,
             "device": "CPU, 2 threads", "points": points}  # fmt: skip
    monkeypatch.setattr(thresholds, "find_curve", lambda name: curve)
    app = opened(dmeb_part="accuracy", dmeb_threshold="0.40")
    assert f"precomputed by `spikeviz curve {NAME}` on all 10,000 test recordings" in said(app)
    drawn = next(c for c in charts(app) if c["layout"]["yaxis"]["title"]["text"] == "accuracy")
    assert drawn["layout"]["shapes"][0]["x0"] == 0.4


@TRAINED_HERE
def test_the_point_is_measured_over_test_samples(monkeypatch):
    from spikeviz.ui import jobs

    monkeypatch.setattr(thresholds, "SAMPLES", 48)
    app = opened(dmeb_part="accuracy", dmeb_threshold="0.60")
    press(app, "Measure this threshold")
    job = next(iter(app.session_state[jobs.KEY].jobs.values()))
    assert job.wait(60) and job.state == "done", job.error
    sound(app.run())
    x, y = sv.load_data("fashion-dvs", "test", 48)
    *_, found = sv.evaluation.survey(sv.load(NAME), x.transpose(0, 1), y, MaskChannels(0.6))
    assert f"over the first 48 test recordings: {found.accuracy:.3f} ± {found.error:.3f} (standard error)" in said(app)


@TRAINED_HERE
def test_one_run_over_samples_serves_every_threshold(monkeypatch):
    from spikeviz.ui import jobs

    monkeypatch.setattr(channels, "SAMPLES", 24)
    app = opened(dmeb_part="channels")
    press(app, "Run over 24 recordings")
    job = next(iter(app.session_state[jobs.KEY].jobs.values()))
    assert job.wait(60) and job.state == "done", job.error
    assert {name: tuple(rates.shape) for name, rates in job.latest.items()}["blocks.1.mlp.hidden"] == (24, 256)
    sound(app.run())
    first = channels_said(app)
    sound(slider(app).set_value(0.7).run())
    assert channels_said(app) != first


def channels_said(app: AppTest) -> str:
    return next(c.value for c in app.caption if "Explained by class" in c.value)


@TRAINED_HERE
def test_a_channel_is_chosen_by_its_number():
    app = opened(dmeb_part="channels", dmeb_layer="blocks.1.mlp.hidden")
    sound(number_field(app, "Channel").set_value(200).run())
    assert "channel 200" in said(app)
    assert app.query_params["dmeb_neuron"].startswith("200.")


@TRAINED_HERE
def test_a_layer_before_the_masks_says_so():
    app = opened(dmeb_layer="stem.stages.1")
    assert "stem.stages.1 lies before every mask" in said(app)
    assert "kept channels · blocks.0.attn.q" in said(app)
    app = opened()
    assert app.query_params["dmeb_layer"] == "blocks.0.attn.q" and "lies before" not in said(app)


@TRAINED_HERE
@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Mask rate (sec. 4.2)", "Mask rate by block and site"),
        ("Parameters and energy (sec. 4.3)", "The paper's two tables, as printed"),
        ("What the masks take away", "A: test recording 0, threshold=0.00 T=8 seed=0. B: "),
    ],
)
def test_presets(title, words):
    app = opened(dmeb_threshold="0.9", dmeb_part="training")
    press(app, title)
    assert words in said(app) and "threshold=0.50" in status(app) and not app.warning
    assert "reconstruction" in said(app)


@TRAINED_HERE
def test_how_masks_moved_is_read_from_the_card(monkeypatch):
    from spikeviz.artifacts import cards

    app = opened(dmeb_part="training")
    card = next(c for c in sv.list_checkpoints() if c.name == NAME)
    if not any("masks" in line for line in card.training.get("history", ())):
        assert "holds no log of its masks" in said(app)
    log = dataclasses.replace(card, training={"history": history(4)})
    monkeypatch.setattr(cards, "_read", lambda path, _: log if path.stem == NAME else CheckpointCard.read(path))
    app = opened(dmeb_part="training")
    assert "After the first epoch 28 of 32 channels pass at 0.50, after the last of 4 16." in said(app)
    drawn = next(c for c in charts(app) if c["layout"]["xaxis"]["title"]["text"] == "epoch")
    assert [line["name"] for line in drawn["data"]][::3] == ["blocks.0 Q/K", "blocks.1 MLP"]


@needs(NAME, PEER)
def test_energy_and_speed_are_measured_over_samples(monkeypatch):
    from spikeviz.ui import jobs

    monkeypatch.setattr(pruning, "ENERGY_SAMPLES", 24)
    monkeypatch.setattr(pruning, "SPEED_BATCH", 4)
    monkeypatch.setattr(pruning, "ROUNDS", 3)
    app = opened(dmeb_part="cost")
    for label in ("Run over 24 recordings", "Measure"):
        press(app, label)
        job = list(app.session_state[jobs.KEY].jobs.values())[-1]
        assert job.wait(60) and job.state == "done", job.error
        sound(app.run())
    x, _ = sv.load_data("fashion-dvs", "test", 24)
    small = prune(sv.load(NAME), 0.5)
    expected = sv.metrics.operations(small, sv.simulate(small, x.transpose(0, 1)))["picojoule"].sum()
    (energy,) = (job for job in app.session_state[jobs.KEY].jobs.values() if "Energy" in job.title)
    assert energy.latest["picojoule"].iloc[-1] == pytest.approx(expected)
    assert "Mean over the first 24 test recordings of fashion-dvs" in said(app)
    assert "median of 3 rounds, batches of 4, CPU" in said(app) and "at this moment" in said(app)
