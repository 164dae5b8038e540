"""Charts of channel masks, their words, and the pruned network as a file."""

from __future__ import annotations

import io
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from support.networks import awaken, make_masked
from support.scenes import FILES

import spikeviz as sv
from spikeviz.artifacts.cards import CheckpointCard
from spikeviz.figures.render_matplotlib import export
from spikeviz.figures.render_plotly import plotly_figure
from spikeviz.metrics.channel_masks import mask_sites
from spikeviz.nn.channel_masks import find_masks
from spikeviz.views.channel_masks import PAGE, accuracy, charts
from spikeviz.views.channel_masks.pruned import archive

NAME = "sdmformer-fashion-dvs"
MaskChannels = sv.interventions.MaskChannels


@pytest.fixture(scope="module")
def masked():
    return make_masked()


def history(epochs=3):
    state = {"channels": 8, "kept": 5, "histogram": [3] + [0] * 18 + [5]}
    names = ("blocks.0.attn.mask_qk", "blocks.0.attn.mask_v", "blocks.0.mlp.mask", "blocks.1.mlp.mask")
    return [{"epoch": e, "masks": dict.fromkeys(names, state | {"kept": 8 - e})} for e in range(1, epochs + 1)]


def test_an_upright_rule_and_loose_dots_on_screen_and_on_paper(masked):
    chart = charts.strengths(sv.metrics.mask_values(masked), mask_sites(masked), 0.8)
    drawn = plotly_figure(chart).to_plotly_json()["layout"]
    assert drawn["shapes"][0]["x0"] == drawn["shapes"][0]["x1"] == 0.8 and drawn["shapes"][0]["yref"] == "y domain"
    assert drawn["annotations"][0]["xanchor"] == "right" and tuple(drawn["xaxis"]["range"]) == (0, 1)
    table = pd.DataFrame({"channel": [0, 1], "strength": [0.2, 0.9], "kept": [False, True], "rate": [0.1, 0.3]})
    dots = charts.strength_and_rate(table, 0.5, 1, "dots")
    assert {trace["mode"] for trace in plotly_figure(dots).to_plotly_json()["data"]} == {"markers"}
    for value in (chart, dots, charts.kept_by_epoch(history()), charts.histories(history()), charts.paper_chart()):
        assert all(export(value, kind) for kind in FILES)


def test_the_histogram_counts_every_value_once(masked):
    values = sv.metrics.mask_values(masked)
    chart = charts.strengths(values, mask_sites(masked), 0.5)
    outlines = [np.asarray(line.y)[1:-1:2].sum() for line in chart.series]
    assert sum(outlines) == len(values) == len(chart.table()) and all(outlines)


def test_histories_stand_upright():
    maps = charts.histories(history())
    assert maps.maps.shape == (4, 20, 3)
    assert maps.maps[0, 0].tolist() == [5 / 8] * 3 and maps.maps[0, -1].tolist() == [3 / 8] * 3


def test_the_accuracy_chart_has_curve_and_point():
    points = [{"threshold": t, "accuracy": a, "masked": 0, "channels": 8} for t, a in ((0.0, 0.5), (0.5, 0.9))]
    chart = charts.accuracy_curve({"samples": 100, "points": points}, 0.5, (0.8, 0.1, "now"))
    assert [line.name for line in chart.series] == ["precomputed", "", "now"]
    assert np.asarray(chart.series[1].y).tolist() == pytest.approx([0.7, 0.9])
    assert chart.series[0].band[0][0] == pytest.approx(0.5 - np.sqrt(0.25 / 100))


def test_every_masked_channel_gone_is_the_control_of_the_curve():
    """0.9 against 0.5 over 100 samples: 0.4, and the root of (0.09 + 0.25) / 100, 0.058."""
    points = [
        {"threshold": t, "accuracy": a, "masked": m, "channels": 8}
        for t, a, m in ((0.0, 0.8, 0), (0.5, 0.9, 4), (1.0, 0.5, 8))
    ]
    curve = {"samples": 100, "points": points}
    upright, across = charts.accuracy_curve(curve, 0.3).rules
    assert upright.upright and (across.value, across.label, across.upright) == (0.5, "every masked channel gone", False)
    text = accuracy.control(curve)
    assert "every masked channel gone it is 0.500 ± 0.050" in text and "to 0.50 a difference of 0.400 ± 0.058" in text
    alike = {"samples": 100, "points": [*points[:2], {**points[2], "accuracy": 0.85}]}
    assert "no difference found" in accuracy.control(alike)
    short = {"samples": 100, "points": points[:2]}
    assert accuracy.control(short) == "" and len(charts.accuracy_curve(short, 0.3).rules) == 1


def test_means_of_kept_and_dropped_channels():
    nan = float("nan")
    channels = pd.DataFrame(
        {"kept": [True, False, False], "rate": [0.2, 0.1, 0.3], "explained": [0.5, 0.2, 0.4], "predicted": [nan, 1, 0]}
    )
    found = charts.carried({"a": channels, "b": channels[:1]})
    assert found["channels"].tolist() == [1, 2, 1, 0]
    np.testing.assert_allclose(found["rate"], [0.2, 0.2, 0.2, nan])
    np.testing.assert_allclose(found["explained"], [0.5, 0.3, 0.5, nan])
    np.testing.assert_allclose(found["predicted"], [nan, 0.5, nan, nan])
    names = {"a": "first", "b": "second"}
    text = charts.carried_table({"a": channels, "b": channels[:1]}, names)
    assert "first, kept" in text and "second, dropped" in text
    assert "30.0%" in text and text.count("–") == 2 + 3  # nothing is known of a single kept channel, nor of no channel
    chart = charts.carried_chart({"a": channels, "b": channels[:1]}, names)
    assert chart.series[0].names[0] == "first, kept" and chart.table()["layer"].tolist() == ["a", "a", "a", "b"]


def test_the_papers_tables_are_as_printed():
    text = charts.paper_table()
    for printed in (40.88, 42.69, 37.93, 39.39, 39.72, 37.62, 45.38, 50.13, 42.79, 47.56, 48.45, 44.17):
        assert text.count(f"{printed:.2f}%") == 1
    assert list(charts.paper_chart().series[0].values) == [45.38, 50.13, 42.79, 47.56, 48.45, 44.17]


def test_the_reach_of_a_threshold():
    points = [
        {"threshold": t / 10, "accuracy": a, "masked": t, "channels": 10}
        for t, a in ((4, 0.2), (5, 0.9), (6, 0.895), (7, 0.8), (8, 0.9))
    ]
    text = accuracy.reach({"points": points, "samples": 100})
    assert text.startswith("0.60 is") and "4 of 10 channels (0.895 ± 0.031 against 0.900 ± 0.030)" in text
    assert accuracy.reach({"points": points[:1], "samples": 100}) == ""


def unpack(content: bytes, folder) -> str:
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = sv.prune_channels(model, threshold)
    name = unpack(archive(card, small, threshold), tmp_path)
    found = next(c for c in sv.list_checkpoints() if c.name == name)
    assert name == f"mine.v2-pruned-{threshold:g}" and found.accuracy is None
    assert found.training == {"epochs": 3, "pruned from": "mine.v2", "its sha256": "0", "threshold": threshold}
    again = sv.load(name, "cpu")
    assert not find_masks(again) and not PAGE.networks.suits(found)
    expected = sv.simulate(model, x, MaskChannels(threshold)).output
    assert (sv.simulate(again, x).output - expected).abs().max() < 1e-4
