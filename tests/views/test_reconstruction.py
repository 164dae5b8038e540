"""The page of masked autoencoders as a value: what is hidden reaches the model, and words say what the library says."""

from __future__ import annotations

import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from support.brought import png
from support.networks import needs
from support.scenes import FILES, items_of, scene_of, words_of

import spikeviz as sv
from spikeviz.artifacts.cards import find_card
from spikeviz.data.ingest import read_upload
from spikeviz.evaluation.hidden_errors import RATIOS, visible_tokens
from spikeviz.figures.pictures import Pictures
from spikeviz.interventions import HidePatches, SpikeLevels, TimeSteps
from spikeviz.metrics import firing_places, hidden_activity, ordinary
from spikeviz.metrics.firing import spike_layers
from spikeviz.models.autoencoders import FASHION_ENCODER
from spikeviz.models.registry import assemble
from spikeviz.models.spike_mae import MAEConfig
from spikeviz.views.experiment import Experiment
from spikeviz.views.host import figures_of, page_figures, query_of, scene_at, view
from spikeviz.views.reconstruction import PAGE, error_curves, overview, pretraining, sparse_conv
from spikeviz.views.reconstruction import ranks as rank_views
from spikeviz.views.reconstruction.charts import HIDDEN, error_against_ratio, patch_errors, quartet
from spikeviz.views.reconstruction.settings import hide, hiding
from spikeviz.views.view import Component, Figure, Note, Progress, Study

NAME, INTEGERS, BINARY = "spikformer-v2-mae-fashion", "spike-mae-cifar", "spike-mae-cifar-binary"
TRAINED_HERE, OF_COLOUR = needs(NAME), needs(INTEGERS, BINARY)


@pytest.fixture(scope="module")
def model():
    """A small autoencoder with fresh weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return sv.build(NAME).eval()


def figure(figures: list[Figure], title: str) -> Figure:
    (found,) = (each for each in figures if each.title.startswith(title))
    return found


def grid(scene) -> Component:
    """The pictures whose patches are clicked."""
    return next(i for i in items_of(PAGE.main(scene)) if isinstance(i, Component) and i.name == "patch_grid")


def studies(scene, tab: str) -> list[Study]:
    return [item for item in items_of(PAGE.tab(tab)(scene)) if isinstance(item, Study)]


# --- settings ---


def test_what_is_hidden_is_one_value(model):
    fresh = Experiment(NAME)
    ratio, steps, by_hand = hiding(model, fresh)
    assert (ratio.value(fresh), by_hand.value(fresh), steps.name) == (0.75, (), "T")
    chosen = by_hand.put(fresh, (8, 0, 1, 1))
    assert chosen.interventions == (HidePatches(0.06, (0, 1, 8)),)  # 3 of 49
    assert by_hand.text(by_hand.value(chosen)) == "0-1.8" and by_hand.read(fresh, "0-1,8") == chosen
    assert ratio.put(chosen, 0.5).interventions == (HidePatches(0.5),)  # moving the ratio forgets them
    assert ratio.put(chosen, 0.75) == fresh
    assert by_hand.put(chosen, ()).interventions == (HidePatches(0.06),)
    assert by_hand.put(fresh, ()) == fresh
    for text in ("49", "3-60", "x", "", "4-2", "-1"):
        with pytest.raises(ValueError, match=r"Patches go from 0 to 48, such as 0-6\.24"):
            by_hand.read(fresh, text)


def test_hidden_patches_are_those_that_were_clicked(model):
    fresh = Experiment(NAME)
    assert hide(model, fresh, [8, 0, 1]).interventions == (HidePatches(0.06, (0, 1, 8)),)
    assert hide(model, hide(model, fresh, [3]), []).interventions == (HidePatches(0.0),)
    with pytest.raises(ValueError, match="Patches go from 0 to 48"):
        hide(model, fresh, [49])


@OF_COLOUR
def test_d_is_a_setting_of_networks_that_fire_integers():
    assert [s.name for s in scene_of(PAGE, checkpoint=INTEGERS).settings] == ["mask_ratio", "D", "T", "patches"]
    assert [s.name for s in scene_of(PAGE).settings] == ["mask_ratio", "T", "patches"]


@TRAINED_HERE
def test_networks_of_the_page():
    names = PAGE.networks.names()
    assert NAME in names and PAGE.networks.default() == NAME
    assert not {"spikformer-fashion", "e-spikeformer-fashion-sfa4"} & set(names)


# --- pictures ---


def test_four_pictures():
    image, made = np.full((3, 4, 4), 0.25), np.full((3, 4, 4), 1.5)
    mask = np.zeros((1, 4, 4), bool)
    mask[..., :2] = True
    shown = quartet(image, mask, made, "Four")
    assert shown.titles == ("original", "masked", "reconstruction", "pasted")
    np.testing.assert_array_equal(shown.images[3, 0, 0], [0.25, 0.25, 1.5, 1.5])  # the numbers stay as they are
    assert shown.pixels().max() == 255 and shown.images[1, 0, 0, 3] == HIDDEN
    assert list(shown.table()) == ["picture", "row", "column", "red", "green", "blue"] and len(shown.table()) == 4 * 16
    assert all(Figure(shown, "").export(kind) for kind in FILES)
    grey = quartet(image[:1], mask, made[:1], "Four")
    assert list(grey.table())[3:] == ["value"] and grey.pixels().shape == (4, 4, 4, 3)
    with pytest.raises(ValueError, match="1 or 3"):
        Pictures("x", np.zeros((1, 2, 4, 4)), ("a",))
    with pytest.raises(ValueError, match="1 pictures have 2 titles"):
        Pictures("x", np.zeros((1, 1, 4, 4)), ("a", "b"))


def test_where_it_is_wrong():
    image, made, mask = np.zeros((1, 2, 2)), np.array([[[0.5, 0.25], [2.0, 0.0]]]), np.array([[[True, False]] * 2])
    hidden, visible = patch_errors(image, mask, made).maps
    np.testing.assert_array_equal(hidden, [[0, 0.25], [0, 0]])
    np.testing.assert_array_equal(visible, [[0.5, 0], [2.0, 0]])


def test_targets_by_patch_show_no_error():
    """Pictures then borrow mean and spread of hidden patches from the original."""
    config = MAEConfig(FASHION_ENCODER, decoder_dim=48, decoder_depth=2, target="patches")
    model, x = assemble("spike-mae", config, "borrowing").eval(), torch.rand(1, 1, 28, 28)
    recording = sv.simulate(model, x, HidePatches(0.75))
    card, shown = SimpleNamespace(measured={}), SimpleNamespace(title="an image")
    run = SimpleNamespace(model=model, batch=x, card=card, shown=shown, once=lambda name, make: make(recording))
    found = overview.result(run)
    assert found.errors is None and found.hidden == 37
    assert "borrow mean and spread" in overview.formula(run, found)
    assert "PSNR" not in " ".join(overview.notes(run, found))
    said, *_ = items_of(error_curves.errors(SimpleNamespace(now=run)))
    assert isinstance(said, Note) and "borrow mean and spread" in said.text


@TRAINED_HERE
@pytest.mark.parametrize(("ratio", "hidden"), [("0.75", 37), ("0.5", 24), ("0.01", 0)])
def test_the_pictures_and_the_formula_are_those_of_the_library(ratio, hidden):
    scene = scene_of(PAGE, input="1", seed="3", mae_mask_ratio=ratio)
    x, model = sv.load_data("fashion", "test", 2)[0][1:], sv.load(NAME)
    recording = sv.simulate(model, x, HidePatches(float(ratio)), seed=3)
    original, masked, made, pasted = grid(scene).figure.chart.images
    mask = recording["mask"].values[0].numpy()
    np.testing.assert_array_equal(original, x[0])
    np.testing.assert_allclose(made, recording.output[0], atol=1e-6)
    np.testing.assert_array_equal(masked, np.where(mask, x[0], HIDDEN))
    np.testing.assert_allclose(pasted, np.where(mask, x[0], recording.output[0]), atol=1e-6)
    assert len(grid(scene).data.hidden) == hidden
    text = words_of(PAGE.main(scene))
    assert f"**{sv.metrics.effective_rank(visible_tokens(recording)):.1f}**" in text
    if not hidden:
        assert "**Nothing is hidden**" in text and grid(scene).data.notes[1] == "0 of 49 patches hidden"
        return
    error = sv.metrics.reconstruction_errors(x, recording).iloc[0]
    assert f"{hidden} of 49 patches = **{error['MSE']:.4f}**, **×{error['relative']:.2f}**" in text
    assert f"PSNR **{error['PSNR']:.1f} dB** · SSIM **{error['SSIM']:.3f}**" in text


@TRAINED_HERE
def test_what_to_notice_is_what_the_numbers_say():
    run = scene_of(PAGE, input="1").now
    found = overview.result(run)
    error = np.abs(found.image - found.made).mean(0)
    seen, guessed = error[found.mask[0]].mean(), error[~found.mask[0]].mean()
    said = overview.notice(found)
    assert f"{seen:.3f} on visible patches, {guessed:.3f} on hidden ones" in said


@TRAINED_HERE
def test_everything_hidden_is_a_drawing_of_no_image():
    one, two = (scene_of(PAGE, input=number, mae_mask_ratio="1") for number in "12")
    assert "**Everything is hidden**" in words_of(PAGE.main(one))
    np.testing.assert_array_equal(grid(one).figure.chart.images[2], grid(two).figure.chart.images[2])


@TRAINED_HERE
def test_a_beside_b():
    scene = scene_of(PAGE, input="1", mae_mask_ratio="0.6", mae_A="patches:0-20,mask_ratio:0.43")
    figures = page_figures(scene, "errors")
    a, b = (overview.result(run) for run in (scene.compared, scene.now))
    assert a.hidden == 21 and b.hidden == 29
    change = figure(figures, "A−B of the reconstructions").chart
    np.testing.assert_allclose(change.maps[0], (a.made - b.made).mean(0))
    assert "**A**, mask_ratio=0.43" in words_of(PAGE.main(scene))


# --- errors ---


@TRAINED_HERE
def test_the_curve_of_the_card_is_the_card():
    scene = scene_of(PAGE)
    shown = figure(page_figures(scene, "errors"), "Error against mask ratio")
    points = scene.card.measured["against_ratio"]
    table = shown.chart.table()
    assert table["mse"].tolist() == [point["mse"] for point in points] and set(table["measured"]) == {"card"}
    assert f"first {points[0]['samples']:,} test" in shown.caption and scene.card.command in shown.caption


@TRAINED_HERE
def test_the_curve_is_measured_now(monkeypatch):
    monkeypatch.setattr(error_curves, "SAMPLES", 8)
    one, other = scene_of(PAGE, mae_T="2"), scene_of(PAGE, mae_mask_ratio="0.3", mae_T="2")
    (work,), (again,) = studies(one, "errors"), studies(other, "errors")
    assert work.key == again.key  # the curve goes over every ratio
    assert studies(scene_of(PAGE), "errors")[0].key != work.key
    *_, (done, points) = work.work()
    assert done == work.total and [point["ratio"] for point in points] == list(RATIOS)
    x, model = sv.load_data("fashion", "test", 8)[0], sv.load(NAME)
    errors = sv.metrics.reconstruction_errors(x, sv.simulate(model, x, (HidePatches(0.5), TimeSteps(2))))
    half = next(point for point in points if point["ratio"] == 0.5)
    assert half["mse"] == pytest.approx(errors["MSE"].mean(), rel=1e-6)
    (shown,) = figures_of(work.figures(points, Progress(done, done, 2.0, True)), {})
    assert "8 test" in shown.caption and shown.chart.table()["ratio"].tolist() == list(RATIOS)
    assert shown.chart.rules[0].label == "trained at 0.75" and all(shown.export(kind) for kind in FILES)
    assert shown.name not in {other.name for other in page_figures(one, "errors")}  # both stand on the page
    assert list(figures_of(work.figures([], Progress(0, done, 0.0, False)), {})) == []


def test_a_card_without_errors_says_how_to_get_them():
    card = SimpleNamespace(measured={}, name="mine", command="spikeviz publish mine --with curves")
    run = SimpleNamespace(card=card, model=SimpleNamespace(config=SimpleNamespace(ratio=0.5)))
    (said,) = error_curves._by_card(run)
    assert "The card of mine holds no errors: `spikeviz publish mine --with curves`" in said.text


def test_the_verdict_on_errors():
    points = [{"ratio": 0.5, "relative": 0.4}, {"ratio": 0.75, "relative": 1.2}]
    said = error_curves.verdict(points, 0.75)
    assert "×0.40 of that of the visible mean at ratio 0.5 (the least), ×1.20 at 0.75 (the most), ×1.20 at" in said
    assert "standard errors" not in said  # these points do not know theirs
    known = [
        {"ratio": ratio, "relative": mse / 0.2, "mse": mse, "fill": 0.2, "error": error}
        for ratio, mse, error in ((0.25, 0.1, 0.04), (0.5, 0.19, 0.01), (0.75, 0.3, 0.04), (0.9, 0.1, float("nan")))
    ]
    assert "Below it at 1 of 3 ratios, above it at 1, no difference found at 1 (2 standard" in error_curves.verdict(
        known, 0.5
    )


def test_curves_of_card_and_of_now_are_told_apart():
    points = [{"ratio": 0.5, "mse": 0.1, "fill": 0.2}, {"ratio": 0.25, "mse": 0.05, "fill": 0.1}]
    chart = error_against_ratio(points, points, 0.5)
    assert [line.name.rsplit(", ")[1] for line in chart.series] == ["by its card"] * 2 + ["measured now"] * 2
    np.testing.assert_array_equal(chart.series[0].x, [0.25, 0.5])
    assert chart.table()["measured"].tolist() == ["card", "card", "now", "now"]


# --- sparse convolution ---


@TRAINED_HERE
def test_sparse_against_ordinary_is_that_of_the_library():
    scene = scene_of(PAGE, input="1")
    x, model = sv.load_data("fashion", "test", 2)[0][1:], sv.load(NAME)
    layers, found = spike_layers(model), [sv.simulate(m, x, HidePatches(0.75)) for m in (model, ordinary(model))]
    figures = page_figures(scene, "sparse")
    table = figure(figures, "Hidden places that fire").chart.table()
    for column, recording in zip(("sparse", "ordinary"), found, strict=True):
        np.testing.assert_allclose(table[column], hidden_activity(recording, layers)["share"])
    errors = [sv.metrics.reconstruction_errors(x, recording)["MSE"][0] for recording in found]
    assert f"{errors[1]:.4f} instead of {errors[0]:.4f}" in figure(figures, "Hidden places that fire").caption
    for name, recording in zip(("sparse", "ordinary"), found, strict=True):
        maps = figure(figures, f"Firing places, {name} convolution").chart
        assert maps.titles[0] == "stem, stage 0, downsampling"
        last = firing_places(recording, layers[-1])[0].numpy()
        scale = maps.maps.shape[-1] // last.shape[-1]
        np.testing.assert_allclose(maps.maps[-1], np.kron(last, np.ones((scale, scale))))


@TRAINED_HERE
def test_where_nothing_is_hidden_no_mask_can_vanish():
    assert "Nothing is hidden" in words_of(PAGE.tab("sparse")(scene_of(PAGE, mae_mask_ratio="0")))


@pytest.mark.parametrize(
    ("sparse", "ordinary", "words"),
    [
        (
            [0, 0, 0],
            [0.5, 1, 1],
            ["no layer fires at a hidden place", "50% of hidden places fire", "100%", "from b on the mask is gone"],
        ),
        ([0, 0.2, 0], [0.5, 1, 0.9], ["up to 20% of hidden places", "90% in the last. In"]),
    ],
)
def test_the_verdict_on_sparse_convolution(sparse, ordinary, words):
    said = sparse_conv.verdict(pd.DataFrame({"layer": list("abc"), "sparse": sparse, "ordinary": ordinary}))
    assert all(word in said for word in words), said
    assert ("from b" in said) == (ordinary[1:] == [1, 1]) and "of the hidden area shrinks" in said


# --- spike maps ---


@TRAINED_HERE
def test_spike_maps_of_visible_tokens():
    layer = "encoder.stem.stages.0.down"
    scene = scene_of(PAGE, input="1", mae_layer=layer, mae_T="2")
    shown = figure(page_figures(scene, "maps"), f"Spike maps · {scene.now.network.words(layer)}")
    x, model = sv.load_data("fashion", "test", 2)[0][1:], sv.load(NAME)
    spikes = sv.simulate(model, x, (HidePatches(0.75), TimeSteps(2)))[f"{layer}.spike"].values[:, 0].float()
    np.testing.assert_allclose(shown.chart.maps[:2], spikes.mean(1), atol=1e-6)
    np.testing.assert_allclose(shown.chart.maps[2], spikes.mean((0, 1)), atol=1e-6)
    assert shown.chart.titles == ("t = 1", "t = 2", "mean over t") and "2 binary steps" in shown.caption
    assert "hidden ones: silent (largest 0.000)" in shown.caption
    nothing = figure(page_figures(scene_of(PAGE, mae_layer=layer, mae_mask_ratio="0"), "maps"), "Spike maps")
    assert "hidden ones: none" in nothing.caption


# --- every D ---


@OF_COLOUR
def test_every_d_and_what_was_trained_at_another():
    figures = page_figures(scene_of(PAGE, checkpoint=INTEGERS, input="1", mae_D="2"), "levels")
    table = figure(figures, "MSE").chart.table()
    x, _ = sv.load_data("cifar10-jpeg", "test", 2)
    for name, d, rules in ((INTEGERS, 8, (SpikeLevels(8),)), (BINARY, 1, ())):
        recording = sv.simulate(sv.load(name), x[1:], (HidePatches(0.75), *rules))
        error = sv.metrics.reconstruction_errors(x[1:], recording)["MSE"][0]
        meaning = "what-if" if name == INTEGERS else "trained"
        row = table[(table["meaning"] == meaning) & (table["network"] == name) & (table["D"] == d)]
        assert row["MSE"].item() == pytest.approx(error, rel=1e-6)
    pictures = figure(figures, "Pasted reconstructions at every D")
    assert f"Trained at another D: {BINARY} at D = 1" in pictures.caption and "MSE 0." in pictures.html()


@TRAINED_HERE
def test_d_does_not_act_on_binary_spikes():
    assert "D does not act on it" in words_of(PAGE.tab("levels")(scene_of(PAGE)))


# --- pretraining ---


@TRAINED_HERE
def test_the_replay_shows_an_epoch():
    scene = scene_of(PAGE, mae_epoch="0")
    replay = pretraining.replay_of(scene.card)
    last = len(replay.made) - 1
    assert figure(page_figures(scene_of(PAGE), "training"), "After epoch").title == f"After epoch {last} of {last}"
    figures = page_figures(scene, "training")
    np.testing.assert_allclose(
        figure(figures, f"After epoch 0 of {last}").chart.images[2], replay.made[0][0] / 255, rtol=1e-6
    )
    error, rank = (figure(figures, f"{name} against epoch").chart for name in ("Error", "Effective rank"))
    np.testing.assert_allclose(error.series[0].y, replay.error)
    np.testing.assert_allclose(rank.series[0].y, replay.rank)
    assert "Precomputed by `spikeviz train" in figure(figures, "After epoch").caption


@TRAINED_HERE
def test_without_a_replay_the_page_says_so(monkeypatch):
    monkeypatch.setattr(pretraining, "replay_of", lambda card: None)
    assert f"There is no replay of the training of {NAME}" in words_of(PAGE.tab("training")(scene_of(PAGE)))


@TRAINED_HERE
def test_a_damaged_replay_is_a_sentence(monkeypatch):
    def damaged(card):
        raise ValueError("the replay is damaged.")

    monkeypatch.setattr(pretraining, "replay_of", damaged)
    (said,) = items_of(PAGE.tab("training")(scene_of(PAGE)))
    assert (said.text, said.level) == ("the replay is damaged.", "error")


def test_the_verdict_on_ranks():
    ranks = {"a": np.array([0.0, 3.0, 2.0]), "b": np.array([0.0, 4.0])}
    said = pretraining.verdict(ranks)
    assert said == "Ours: a goes from 3.0 after epoch 1 to 2.0 after 2; b: 4.0 after 1 epoch."


def test_ranks_of_batches_by_hand():
    """Differences 2, 4, 3, mean 3, deviation 1, error 1 / sqrt 3; at D = 2 they cancel."""
    ranks = {4: [10.0, 10.0, 12.0], 1: [12.0, 14.0, 15.0], 2: [13.0, 13.0, 15.0]}
    said = rank_views.compared(ranks)
    assert "higher for binary spikes than at D = 4, by 3.0 ± 0.6 (paired" in said and "argues that binary" in said
    assert "Between D = 1 and D = 2 no difference found (+0.0 ± 0.6)" in said
    lower = rank_views.compared({1: ranks[4], 4: ranks[1]})
    assert "lower for binary spikes than at D = 4, by 3.0 ± 0.6 (paired standard error), as the paper argues" in lower
    assert rank_views.compared({4: ranks[4]}) == "" == rank_views.compared({1: ranks[1]})
    assert rank_views.spread({"a": ranks[4]}) == "Mean and standard deviation over the batches: a 10.7 ± 1.2."


@OF_COLOUR
def test_ranks_of_batches_are_those_of_the_cards():
    scene = scene_of(PAGE, checkpoint=INTEGERS)
    shown = figure(page_figures(scene, "training"), "Effective rank of 8 batches")
    table = shown.chart.table()
    for name in (INTEGERS, BINARY):
        held = find_card(name)[0].measured["effective_rank"]
        assert table[table["series"] == name]["effective rank"].tolist() == held["ranks"]
        assert held["ranks"][0] == pytest.approx(held["rank"]) and held["samples"] == 256
    assert "Ours is higher for binary spikes than at D = 4" in shown.caption
    mean = np.mean(scene.card.measured["effective_rank"]["ranks"])
    assert f"over the batches: {INTEGERS} {mean:.1f} ±" in words_of(PAGE.tab("errors")(scene))


@TRAINED_HERE
def test_a_card_without_ranks_of_batches_says_so():
    bare = replace(scene_of(PAGE).card, measured={"effective_rank": {"rank": 3.0}})
    (said,) = items_of(rank_views.over_batches(bare, "test images"))
    assert f"The card of {NAME} holds no effective ranks of several batches: `spikeviz evaluate {NAME}`" in said.text


# --- photo ---


def photo(content: bytes, network: str, data: str):
    """What a person uploads, and what the tab shows of it."""
    picture = read_upload(content, "mine.png", data, network, False)
    return picture, figure(list(view("reconstruction", network, picture, tab="photo")), "Photo in")


@TRAINED_HERE
def test_a_photo_in_tiles():
    assert "Upload a photo" in words_of(PAGE.tab("photo")(scene_of(PAGE)))
    picture, shown = photo(png("RGB", (300, 120)), NAME, "fashion")
    assert "4 x 10 tiles of 28 x 28 pixels" in shown.caption and "MSE over hidden pixels" in shown.caption
    original, _, made, _ = shown.chart.images
    np.testing.assert_array_equal(original, picture.wide)
    tiles = picture.wide.unfold(1, 28, 28).unfold(2, 28, 28).flatten(1, 2).transpose(0, 1)  # row by row
    expected = sv.simulate(sv.load(NAME), tiles, HidePatches(0.75)).output
    np.testing.assert_allclose(made[:, 28:56, 28:56], expected[11], atol=1e-5)
    assert all(shown.export(kind) for kind in FILES)


@needs(INTEGERS, data=False)
def test_a_grey_photo_for_a_network_of_colour():
    _, shown = photo(png("L", (2000, 10)), INTEGERS, "cifar10-jpeg")
    assert "4 x 16 tiles of 32 x 32" in shown.caption


@TRAINED_HERE
def test_two_photos_with_the_same_middle_are_two_runs():
    """As one image they look the same; in tiles they do not."""
    found = []
    for sides in (40, 200):
        pixels = np.full((40, 120), sides, np.uint8)
        pixels[:, 40:80] = 120
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        picture, shown = photo(stream.getvalue(), NAME, "fashion")
        found.append((picture.pixels, shown.chart.images[2]))
    (one, made), (two, other) = found
    assert torch.equal(one, two) and np.abs(made - other).max() > 0.1


# --- presets and exports ---


@TRAINED_HERE
@pytest.mark.parametrize(
    ("preset", "tab", "title"),
    [
        ("fig8", "errors", "Error against mask ratio"),
        pytest.param("fig5", "sparse", "Firing places, sparse convolution", marks=needs(INTEGERS)),
        pytest.param("fig10b", "training", "Effective rank against epoch", marks=needs(INTEGERS)),
    ],
)
def test_presets(preset, tab, title):
    scene, notices = scene_at(PAGE, query_of(PAGE, preset))
    assert not notices and scene.now.status_text.startswith("mask_ratio=0.75")
    figures = page_figures(scene, tab)
    assert figure(figures, title)
    assert all(each.export(kind) for each in figures for kind in FILES)
