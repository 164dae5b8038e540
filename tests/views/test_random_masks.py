"""The page of random masks as a value: its figures show what the library computes, for one mask and for several."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from support.networks import needs
from support.scenes import FILES, items_of, scene_of, words_of

import spikeviz as sv
from spikeviz.artifacts.curves import find_curve
from spikeviz.metrics import SPIKES, ScoreCAM
from spikeviz.metrics.dropped import dropped
from spikeviz.metrics.spike_masking import masking_places
from spikeviz.views.address import State
from spikeviz.views.experiment import Experiment
from spikeviz.views.host import figures_of, page_figures, query_of, scene_at, view
from spikeviz.views.random_masks import PAGE, cam, charts, distributions, networks, overview
from spikeviz.views.random_masks.settings import at_ratio, first_alone, unmasked, where
from spikeviz.views.scene import open_scene
from spikeviz.views.view import Figure, Study

NAME, CNN, EVENTS = "mst-fashion", "mst-vgg16-fashion", "mst-fashion-dvs"
MaskSpikes, TimeSteps = sv.interventions.MaskSpikes, sv.interventions.TimeSteps
ATTENTION = tuple(f"blocks.{b}.attn.{site}" for b in range(4) for site in ("q.spike", "k.spike", "scores"))
HIDDEN = tuple(f"blocks.{b}.mlp.hidden.spike" for b in range(4))
TWO = {"rsm_ratio": "0.5", "rsm_ratio2": "0.75"}

pytestmark = needs(NAME)


def test_layers_of_scores_have_words_too():
    bars = figure(page_figures(scene_of(PAGE), "conversion"), "Conversion error by layer").chart.series[0]
    assert "block 0, attention, score" in bars.names and not any("blocks." in name for name in bars.names)


def figure(figures: list[Figure], title: str) -> Figure:
    (found,) = (each for each in figures if each.title.startswith(title))
    return found


def simulated(rule=(), name: str = NAME, steps: int = 16) -> sv.Recording:
    x, _ = sv.load_data("fashion", "test", 1)
    return sv.simulate(sv.to_spiking(sv.load(name), steps), x, rule, ("*", "*.sent"))


# --- figures ---


@pytest.mark.parametrize(
    ("query", "rules"),
    [
        ({"rsm_ratio": "0.5"}, (MaskSpikes(0.5, at=ATTENTION),)),
        (TWO, (MaskSpikes(0.5, at=ATTENTION), MaskSpikes(0.75, at=HIDDEN))),
    ],
    ids=["one mask", "two masks"],
)
def test_what_passes_is_what_the_library_counts(query, rules):
    scene, masked, whole = scene_of(PAGE, **query), simulated(rules), simulated()
    table = dropped(masked, masking_places(sv.load(NAME)))
    chosen = table[[any(rule.edits(place, "spike") for rule in rules) for place in table["place"]]]
    sent, kept = int(chosen["sent"].sum()), int(chosen["kept"].sum())
    assert overview.passing(scene.now) == (sent, kept) and len(chosen) == sum(len(rule.at) for rule in rules)
    figures = page_figures(scene, "masks")
    bars = figure(figures, "Spikes that pass, by place").chart
    pd.testing.assert_frame_equal(bars.table(), table)
    spent = sv.metrics.power(masked)
    text = words_of(PAGE.main(scene))
    assert f"**{kept:,} of {sent:,}**" in text and f"**{charts.watts(spent)}**" in text
    assert f"**×{spent / sv.metrics.power(whole):.2f}**" in text and "×0.82 at 50%, ×0.74 at 75% (Table 3)" in text
    for line, recording in zip(figure(figures, "Network spike").chart.series, (masked, whole), strict=True):
        np.testing.assert_allclose(line.y, sv.metrics.nsfr(recording).numpy(), atol=1e-9)
    layer = "blocks.0.attn.q"
    maps = figure(figures, f"Sent, kept, dropped · {scene.now.network.words(layer)}").chart.arrays()["maps"]
    np.testing.assert_allclose(maps[1], masked[f"{layer}.spike"].values[:, 0].float().mean((0, 1)).numpy(), atol=1e-6)
    np.testing.assert_allclose(maps[0] - maps[1], maps[2], atol=1e-6)


def test_without_masks_nothing_is_drawn_at_random():
    scene = scene_of(PAGE)
    assert "×1.00" in words_of(PAGE.main(scene)) and "Nothing is dropped at ratio 0" in words_of(overview.masks(scene))
    titles = [f.title for f in page_figures(scene, "masks")]
    assert not any("seeds" in title for title in titles)
    (curve,) = figure(page_figures(scene, "masks"), "Network spike").chart.series
    np.testing.assert_allclose(curve.y, sv.metrics.nsfr(simulated()).numpy(), atol=1e-9)
    sent, kept = overview.passing(scene.now)
    assert sent == kept > 0


def test_what_a_page_is_about_names_every_mask():
    scene = scene_of(PAGE, **TWO)
    assert where(scene.now) == "q, k, scores of blocks 0-3 (ratio 0.50) and MLP hidden of blocks 0-3 (ratio 0.75)"
    for view_of in (PAGE.main, *(tab.view for key, tab in PAGE.tabs.items() if key in ("masks", "maps", "conversion"))):
        items = items_of(view_of(scene))
        text = words_of(items) + " ".join(item.caption for item in items if isinstance(item, Figure))
        assert where(scene.now) in text
    assert where(scene_of(PAGE, rsm_ratio="0.5").now) == "q, k, scores of blocks 0-3"
    assert first_alone(scene) and not first_alone(scene_of(PAGE, rsm_ratio="0.5"))


def test_another_ratio_is_that_of_the_first_mask():
    scene = scene_of(PAGE, **TWO)
    assert [rule.ratio for rule in at_ratio(scene, 0.25).experiment.interventions] == [0.25, 0.75]
    assert [rule.ratio for rule in at_ratio(scene, 0.0).experiment.interventions] == [0.0, 0.75]
    assert unmasked(scene).experiment.interventions == ()
    one = scene_of(PAGE, rsm_ratio="0.5", rsm_T="4")
    assert at_ratio(one, 0.0).experiment == unmasked(one).experiment  # a pass that is there already
    assert at_ratio(one, 0.0).recording is unmasked(one).recording


def test_ten_seeds_are_ten_runs():
    scene = scene_of(PAGE, rsm_ratio="0.75", input="3", rsm_T="4", rsm_ratio2="0.5")
    x, _ = sv.load_data("fashion", "test", 4)
    model = sv.to_spiking(sv.load(NAME), 16)
    rule = (MaskSpikes(0.75, at=ATTENTION), MaskSpikes(0.5, at=HIDDEN), TimeSteps(4))
    shares = [sv.simulate(model, x[3:], rule, keep="", seed=s).output.softmax(-1)[0].numpy() for s in range(10)]
    shown = figure(page_figures(scene, "masks"), "Confidence under 10 seeds")
    np.testing.assert_allclose(shown.chart.table().drop(columns="seed").to_numpy(), np.stack(shares), atol=1e-5)
    mean, deviation = np.mean(shares, 0), np.std(shares, 0, ddof=1)
    assert f"{100 * mean[0]:.1f} ± {100 * deviation[0]:.1f} %" in shown.html()


@pytest.mark.parametrize("further", [{}, {"rsm_ratio2": "0.75"}], ids=["one mask", "two masks"])
def test_the_activation_maps_are_those_of_the_library(further):
    scene = scene_of(PAGE, rsm_layer="blocks.0.mlp.out", rsm_ratio="0.25", **further)
    second = (MaskSpikes(0.75, at=HIDDEN),) if further else ()
    rules = {r: (MaskSpikes(r, at=ATTENTION), *second) for r in (0.0, 0.25, 0.5, 0.75)}
    track = "blocks.0.mlp.out.spike"
    expected = {r: sv.metrics.sam(simulated(rule)[track]).numpy() for r, rule in rules.items()}
    base = sv.metrics.sam(simulated()[track]).numpy()
    shown = figure(page_figures(scene, "maps"), "Spike activation maps")
    maps, titles = (shown.chart.arrays()[name] for name in ("maps", "titles"))
    assert len(maps) == 4 * 5 and titles[5] == "ratio 0.25, t = 2"
    for number, values in enumerate(expected.values()):
        np.testing.assert_allclose(maps[5 * number + 4], values[-1] / base.max(), atol=1e-5)
    assert f"{np.corrcoef(base.ravel(), expected[0.5].ravel())[0, 1]:.2f} at ratio 0.50" in shown.caption


def test_score_cam_is_that_of_the_library():
    scene = scene_of(PAGE, rsm_layer="blocks.0.mlp.out", rsm_ratio="0.5", input="2")
    x, _ = sv.load_data("fashion", "test", 3)
    model = sv.load(NAME)
    best = int(sv.simulate(model, x[2:], keep="").output[0].argmax())
    shown = figure(page_figures(scene, "maps"), "ScoreCAM · block 0, MLP, output")
    expected = sv.metrics.score_cam(model, x[2:], "blocks.0.mlp.out", best)
    np.testing.assert_allclose(shown.chart.arrays()["maps"][0], expected.map.numpy(), atol=1e-5)
    assert expected.map.max() > 0 and len(expected.channels) == 32
    assert f"{int((expected.increases > 0).sum())} of 32 raise it" in shown.caption
    assert f"which gives it {float(expected.weights.max()):.0%} of the weight" in shown.caption


def test_a_map_of_channels_that_raise_nothing_says_so():
    nothing = ScoreCAM(torch.ones(2, 2), torch.arange(2), torch.tensor([0.0, -1.0]), torch.tensor([0.7, 0.3]), 0)
    assert "None of them raises it" in cam.weighed(nothing)


@pytest.mark.parametrize("query", [{"rsm_ratio": "0.5"}, TWO], ids=["one mask", "two masks"])
def test_the_conversion_error_is_that_of_the_library(query):
    scene = scene_of(PAGE, rsm_T="8", **query)
    x, _ = sv.load_data("fashion", "test", 1)
    qcfs = sv.simulate(sv.load(NAME), x, keep=SPIKES)
    table = sv.metrics.conversion_error(qcfs, simulated(TimeSteps(8)))
    masked = sv.metrics.conversion_error(qcfs, simulated(scene.now.experiment.interventions))
    shown = figure(page_figures(scene, "conversion"), "Conversion error by layer").chart
    np.testing.assert_allclose(shown.series[0].values, 100 * table["relative"].fillna(0), rtol=1e-6)
    np.testing.assert_allclose(shown.table()["with masks"], masked["relative"], rtol=1e-6)


def test_what_was_not_computed_is_a_sentence(monkeypatch):
    monkeypatch.setattr("spikeviz.artifacts.curves.find_curve", lambda name: None)
    for tab in ("accuracy", "power", "conversion"):
        text = words_of(PAGE.tab(tab)(scene_of(PAGE)))
        assert f"No curve was computed yet of {NAME}" in text and f"`spikeviz publish {NAME} --with curves`" in text


def test_a_damaged_curve_is_a_warning(monkeypatch):
    def damaged(name):
        raise ValueError(f"{name}.json is not a curve.")

    monkeypatch.setattr("spikeviz.artifacts.curves.find_curve", damaged)
    items = items_of(PAGE.tab("power")(scene_of(PAGE)))
    assert any(getattr(i, "level", "") == "warning" and f"{NAME}.json is not a curve" in i.text for i in items)


def test_half_of_a_figure_is_called_so(monkeypatch):
    monkeypatch.setattr(distributions, "partner", lambda card: None)
    scene = scene_of(PAGE, rsm_part="distributions")
    assert f"There is no network like {NAME} with LayerNorm here" in words_of(PAGE.tab("distributions")(scene))


@needs(NAME, "mst-fashion-layernorm")
def test_both_normalisations_stand_side_by_side():
    """They were not trained alike, and the captions say how each was."""
    scene = scene_of(PAGE, rsm_layer="blocks.0.mlp.hidden")
    figures = page_figures(scene, "distributions")
    for name, norm in ((NAME, "BatchNorm"), ("mst-fashion-layernorm", "LayerNorm")):
        card = next(card for card in sv.list_checkpoints() if card.name == name)
        shown = figure(figures, f"Membrane, {norm} · {scene.now.network.words('blocks.0.mlp.hidden')}")
        reached = f"{card.accuracy:.3f} ± {card.error:.3f}"
        trained = f"{name}, trained for {card.training['epochs']} epochs (QCFS accuracy {reached})"
        assert trained in shown.caption
    outline = shown.chart.series[1]
    expected = distributions.accumulated(simulated(name="mst-fashion-layernorm"), "blocks.0.mlp.hidden")
    chart = charts.histogram({"a": expected, "b": expected}, "same", "x", distributions.CURRENT)
    np.testing.assert_allclose(outline.y, chart.series[1].y, atol=1e-6)


@needs(NAME, "mst-fashion-rsm75")
def test_a_student_stands_beside_its_teacher_under_its_masks():
    """Accuracy against T of both, and in which of the two spikes are dropped."""
    shown = figure(page_figures(scene_of(PAGE), "conversion"), "Accuracy against T")
    curve = find_curve("mst-fashion-rsm75")
    lines = {line.name: line for line in shown.chart.series}
    assert list(lines["mst-fashion-rsm75"].y) == pytest.approx([point["accuracy"] for point in curve["steps"]])
    assert NAME in lines and "mst-fashion-rsm75 under ratio 0.75 at q, k, scores" in shown.caption


@needs(NAME, "mst-fashion-rsm50", "mst-fashion-rsm50-mlp")
def test_a_panel_shows_those_that_were_tuned_for_its_site():
    figures = page_figures(scene_of(PAGE), "accuracy")
    attention, hidden = (
        {line.name: line for line in figure(figures, f"MST, {site}").chart.series} for site in ("self-attention", "MLP")
    )
    assert NAME in attention and NAME in hidden
    assert "mst-fashion-rsm50" in attention.keys() - hidden.keys()
    assert "mst-fashion-rsm50-mlp" in hidden.keys() - attention.keys()
    points = [p for p in find_curve(NAME)["points"] if p["site"] == "SA"]
    assert list(attention[NAME].y) == pytest.approx([p["mean"] for p in points])


@needs(NAME, CNN)
def test_power_is_over_the_unmasked_teacher():
    table = figure(page_figures(scene_of(PAGE), "power"), "Power under random masks").chart.table()
    assert set(table["ratio"]) == {0.0, 0.5, 0.75}
    for row in table.itertuples():
        teacher = row.network.partition("-rsm")[0]
        base = table[(table["network"] == teacher) & (table["ratio"] == 0)]["power"].item()
        assert row.share == pytest.approx(row.power / base)


# --- work over data ---


@pytest.mark.parametrize("tab", ["accuracy", "conversion"])
def test_what_is_measured_now_keeps_the_further_masks(tab):
    """Of the first mask ratio, then blocks are changed; the second is as set at every point."""
    scene = scene_of(PAGE, rsm_part=tab, **TWO)
    studies = [item for item in items_of(PAGE.tab(tab)(scene)) if isinstance(item, Study)]
    assert [study.title for study in studies] and len({study.key for study in studies}) == len(studies)
    second = MaskSpikes(0.75, at=HIDDEN)
    for study in studies:
        assert study.key.count(repr(second)) == int(study.label.split()[1])  # "Measure 5 points"
    other = scene_of(PAGE, rsm_part=tab, rsm_ratio="0.5", rsm_ratio2="0.7")
    others = [item for item in items_of(PAGE.tab(tab)(other)) if isinstance(item, Study)]
    assert not {study.key for study in studies} & {study.key for study in others}


def test_a_study_ends_with_a_curve():
    scene = scene_of(PAGE, rsm_ratio="0.5", rsm_T="1")
    study = next(item for item in items_of(PAGE.tab("conversion")(scene)) if isinstance(item, Study))
    row = {"T": 1.0, "mean": 0.5, "deviation": 0.1, "seeds": 3, "power": 1e6, "samples": 48}
    small = replace(study, work=lambda: iter([(1, [row])]))
    (shown,) = figures_of([small], {}, studies=True)
    (line,) = shown.chart.series
    assert (list(line.x), list(line.y)) == ([1.0], [0.5]) and "0.500 ± 0.100" in shown.caption and NAME in shown.title


# --- the whole page ---


@pytest.mark.parametrize("preset", [preset.key for preset in PAGE.presets])
def test_presets(preset):
    scene, notices = scene_at(PAGE, query_of(PAGE, preset))
    figures = page_figures(scene)
    assert not notices and len(figures) > 1
    for shown in figures:
        assert shown.notice and all(shown.export(kind) for kind in FILES), shown.title
    expected = {"fig3": "ratio=0.00", "fig5": "ratio=0.50", "fig6": "ratio=0.75 T=16 blocks=0-1", "fig7": "ratio=0.50"}
    assert scene.now.status_text.startswith(expected.get(preset, "ratio=0.75"))


@pytest.mark.parametrize("tab", PAGE.tabs)
@pytest.mark.parametrize(
    "query",
    [{}, {"rsm_ratio": "1"}, {"rsm_sites": "scores", "rsm_ratio": "0.5", "rsm_T": "1"}, TWO | {"rsm_ratio2": "1"}],
    ids=["default", "all dropped", "scores, one step", "two masks"],
)
def test_every_tab_at_the_ends(tab, query):
    scene = scene_of(PAGE, rsm_part=tab, **query)
    assert len(page_figures(scene)) > 1
    assert not any(getattr(item, "level", "") == "warning" for item in items_of(PAGE.tab(tab)(scene)))


@needs(NAME, CNN, EVENTS, "mst-resnet18-fashion")
@pytest.mark.parametrize("tab", PAGE.tabs)
@pytest.mark.parametrize("name", [CNN, EVENTS, "mst-resnet18-fashion"])
def test_every_tab_of_other_networks(tab, name):
    scene = scene_of(PAGE, rsm_part=tab, checkpoint=name, rsm_ratio="0.5", rsm_ratio2="0.25")
    assert len(page_figures(scene)) > 1
    softmax = "stay real-valued" in words_of(PAGE.main(scene))
    assert softmax == (networks.kind(scene.now.card) == "MST")


def test_a_notebook_has_the_same_figures():
    rules = (MaskSpikes(0.5, at=ATTENTION), MaskSpikes(0.75, at=HIDDEN))
    shown = view("random_masks", NAME, interventions=rules, tab="masks")
    here = page_figures(scene_of(PAGE, **TWO), "masks")
    assert [f.title for f in shown] == [f.title for f in here]
    pd.testing.assert_frame_equal(
        figure(shown, "Spikes that pass").chart.table(), figure(here, "Spikes that pass").chart.table()
    )


def test_globs_are_places_too():
    """The library's own default names places by globs."""
    shown = view("random_masks", NAME, interventions=MaskSpikes(0.5), tab="masks")
    here = page_figures(scene_of(PAGE, rsm_ratio="0.5"), "masks")
    pd.testing.assert_frame_equal(
        figure(shown, "Spikes that pass").chart.table(), figure(here, "Spikes that pass").chart.table()
    )


def test_a_mask_at_other_places_is_named_by_them():
    wanted = Experiment(NAME, interventions=(MaskSpikes(0.5, at="stem.spike"),))
    scene, _, _ = open_scene(PAGE, State(wanted), {})
    assert where(scene.now) == "stem.spike" and overview.passing(scene.now) == (0, 0)
    assert page_figures(scene, "masks")


@needs(NAME)
@pytest.mark.parametrize("tab", ["accuracy", "conversion", "power"])
def test_beside_accuracies_over_a_part_stands_that_over_the_whole_test_set(tab):
    cards = {card.name: card for card in sv.list_checkpoints()}
    shown = [each for each in page_figures(scene_of(PAGE), tab) if "test images" in each.notice]
    assert shown
    for each in shown:
        _, _, whole = each.notice.partition("whole test set: ")
        named = [name for name in cards if f"{name} 0." in whole]
        assert named and all(f"{name} {cards[name].accuracy:.4f} ± {cards[name].error:.4f}" in whole for name in named)
        assert {getattr(line, "name", "") for line in each.chart.series} & set(cards) <= set(named)
