"""The page of masked autoencoders: what is hidden reaches the model, and what is said is what the library says."""

from __future__ import annotations

import base64
import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest
from support.networks import needs
from test_pages import charts, numbers, pictures, png, press, sound, status, upload

import spikeviz as sv
from spikeviz.data.image_decode import LONGEST, read_image
from spikeviz.figures import reconstruction as figures
from spikeviz.figures.render_matplotlib import FORMATS, export
from spikeviz.interventions import HidePatches
from spikeviz.metrics import firing_places, hidden_activity, ordinary
from spikeviz.models.autoencoders import FASHION_ENCODER
from spikeviz.models.registry import assemble
from spikeviz.models.spike_mae import MAEConfig
from spikeviz.paths import app_root
from spikeviz.ui import epochs, guesses, hidden, leaks, patches, reconstruction, sketch
from spikeviz.ui.experiment import Experiment

NAME, INTEGERS, BINARY = "spikformer-v2-mae-fashion", "spike-mae-cifar", "spike-mae-cifar-binary"
TRAINED_HERE, OF_COLOUR = needs(NAME), needs(INTEGERS, BINARY)


@pytest.fixture(scope="module")
def model():
    """A small autoencoder with fresh weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return sv.build(NAME).eval()


@pytest.fixture(scope="module")
def firing(model):
    """The same with a bias that makes a neuron fire wherever its convolution is not sparse."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.constant_(module.bias, 2.5)
    return model


# ---- without a page


def test_what_is_hidden_is_one_value(model):
    ratio, steps, by_hand = hidden.hiding(model)
    fresh = Experiment(NAME)
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


def test_pictures_are_a_figure():
    image, made = np.full((3, 4, 4), 0.25), np.full((3, 4, 4), 1.5)
    mask = np.zeros((1, 4, 4), bool)
    mask[..., :2] = True
    exhibit = figures.quartet(image, mask, made, "Four")
    assert exhibit.titles == ("original", "masked", "reconstruction", "pasted")
    np.testing.assert_array_equal(exhibit.images[3, 0, 0], [0.25, 0.25, 1.5, 1.5])  # the numbers stay as they are
    assert exhibit.pixels().max() == 255 and exhibit.images[1, 0, 0, 3] == figures.HIDDEN
    assert list(exhibit.table()) == ["picture", "row", "column", "red", "green", "blue"]
    assert len(exhibit.table()) == 4 * 16 and all(export(exhibit, kind) for kind in FORMATS)
    grey = figures.quartet(image[:1], mask, made[:1], "Four")
    assert list(grey.table())[3:] == ["value"] and grey.pixels().shape == (4, 4, 4, 3)
    with pytest.raises(ValueError, match="1 or 3"):
        figures.Pictures("x", np.zeros((1, 2, 4, 4)), ("a",))
    with pytest.raises(ValueError, match="1 pictures have 2 titles"):
        figures.Pictures("x", np.zeros((1, 1, 4, 4)), ("a", "b"))


def test_ordinary_convolutions_fill_the_mask(firing):
    before = {name: value.clone() for name, value in firing.state_dict().items()}
    x = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    layers = sv.metrics.firing.spike_layers(firing)
    one, two = (sv.simulate(m, x, HidePatches(0.5)) for m in (firing, ordinary(firing)))
    sparse, leaky = (hidden_activity(r, layers) for r in (one, two))
    assert (sparse["share"] == 0).all() and leaky["share"].iloc[-1] > 0.9
    assert sparse["places"].iloc[0] == 2 * 24 * 4  # two images, 24 of 49 patches, of 2 x 2 places behind a stride of 2
    assert firing.config.sparse and all(torch.equal(before[n], v) for n, v in firing.state_dict().items())
    assert firing_places(one, layers[0]).shape == (2, 14, 14)
    assert hidden_activity(sv.simulate(firing, x, HidePatches(0.0)), layers)["share"].isna().all()


@pytest.mark.parametrize(
    ("sparse", "ordinary", "words"),
    [
        (
            [0, 0, 0],
            [0.5, 1, 1],
            ["no layer fires at a hidden place", "50% of hidden places fire", "100%", "from b on nothing"],
        ),
        ([0, 0.2, 0], [0.5, 1, 0.9], ["up to 20% of hidden places", "90% in the last. The"]),
    ],
)
def test_the_verdict_on_leaks_says_what_the_numbers_say(sparse, ordinary, words):
    said = leaks.verdict(pd.DataFrame({"layer": list("abc"), "sparse": sparse, "ordinary": ordinary}))
    assert all(word in said for word in words), said
    assert ("from b" in said) == (ordinary[1:] == [1, 1]) and "of what is hidden here it shrinks" in said


def test_the_verdicts_on_errors_and_ranks():
    points = [{"ratio": 0.5, "relative": 0.4}, {"ratio": 0.75, "relative": 1.2}]
    said = guesses.verdict(points, 0.75)
    assert "at 1 of 2 ratios: by most at 0.5 (×0.40), by least at 0.75 (×1.20); ×1.20 at the ratio of its" in said
    ranks = {"a": np.array([0.0, 3.0, 2.0]), "b": np.array([0.0, 4.0])}
    assert epochs.verdict(ranks) == "Ours: a falls from 3.0 after epoch 1 to 2.0 after 2; b: 4.0 after 1 epochs."


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        *(((400, 400), (4, 4)), ((800, 400), (4, 8)), ((9, 8), (4, 4))),
        *(((100, 9000), (LONGEST, 4)), ((9000, 10), (4, LONGEST))),
    ],
)
def test_a_photo_is_cut_into_whole_tiles(size, grid):
    picture = read_image(png("RGB", size), channels=3, size=32, tiles=4)
    assert picture.pixels.shape == (3, 32, 32) and picture.wide.shape == (3, 32 * grid[0], 32 * grid[1])
    assert read_image(png("RGB", size), channels=1, size=28).wide is None
    turned = read_image(png("L", size), channels=1, size=28, tiles=4, invert=True)
    assert torch.allclose(turned.wide, 1 - read_image(png("L", size), channels=1, size=28, tiles=4).wide)


def test_targets_by_patch_show_no_error():
    """Pictures then borrow mean and spread of hidden patches from the original."""
    config = MAEConfig(FASHION_ENCODER, decoder_dim=48, decoder_depth=2, target="patches")
    model = assemble("spike-mae", config, "borrowing").eval()
    run = type("Run", (), {})()
    x = torch.rand(1, 1, 28, 28)
    run.recording = sv.simulate(model, x, HidePatches(0.75))
    run.opened, run.shown = type("O", (), {"model": model}), type("S", (), {"batch": x, "title": "an image"})
    found = reconstruction.result(run)
    assert found.errors is None and found.hidden == 37
    assert "borrow mean and spread" in reconstruction._formula(run, found)
    assert "PSNR" not in " ".join(reconstruction.told(run, found))
    assert not any("reconstruction_errors" in line for line in reconstruction.python(run))


# ---- the page


def opened(**address: str) -> AppTest:
    app = AppTest.from_file(str(app_root() / "app.py"), default_timeout=120)
    app.run()
    app.switch_page("pages/reconstruction.py")
    app.query_params.clear()
    for name, value in {"input": "1", **address}.items():
        app.query_params[name] = value
    return sound(app.run())


def words(app: AppTest) -> str:
    return " ".join(element.value for element in (*app.markdown, *app.caption))


def slider(app: AppTest, label: str):
    return next(s for s in app.slider if s.label == label)


def field(app: AppTest):
    return next(f for f in app.text_input if f.label.startswith("Hidden by hand"))


def asked(app: AppTest, name: str) -> str | None:
    value = app.query_params.get(name)
    return value[0] if isinstance(value, list) else value


@TRAINED_HERE
def test_the_ratio_reaches_the_model():
    app = opened()
    ratio = slider(app, "Mask ratio")
    assert ratio.min <= ratio.value < ratio.max and "mask_ratio=0.75 T=1 seed=0" in status(app)
    before = pictures(app)
    assert "37 of 49 patches" in words(app)
    sound(ratio.set_value(0.5).run())
    assert "mask_ratio=0.50" in status(app) and "24 of 49 patches" in words(app) and pictures(app) != before
    assert "Trained with mask_ratio=0.75" in words(app) and asked(app, "mae_mask_ratio") == "0.50"
    press(app, "As trained")
    assert pictures(app) == before and asked(app, "mae_mask_ratio") is None


@TRAINED_HERE
def test_the_python_gives_the_numbers_of_the_page():
    app, names = opened(seed="3", mae_mask_ratio="0.6"), {}
    exec(app.code[1].value, names)
    error = names["errors"].iloc[0]
    assert f"= **{error['MSE']:.4f}**, **×{error['relative']:.2f}**" in words(app)
    assert f"PSNR **{error['PSNR']:.1f} dB** · SSIM **{error['SSIM']:.3f}**" in words(app)
    assert f"**{names['rank']:.1f}**" in words(app)


@TRAINED_HERE
def test_patches_hidden_by_hand():
    app = opened()
    sound(field(app).set_value("0-6, 24").run())
    assert "mask_ratio=0.16 T=1 patches=0-6.24 seed=0" in status(app) and "8 of 49 patches" in words(app)
    link = asked(app, "mae_patches")
    again = opened(mae_patches=link, mae_mask_ratio="0.16")
    assert link == "0-6.24" and pictures(again) == pictures(app)
    sound(field(app).set_value("50").run())
    assert "'50' does not work here: Patches go from 0 to 48" in app.warning[0].value and "patches=0-6.24" in status(
        app
    )
    press(app, "At random")
    assert "mask_ratio=0.16 T=1 seed=0" in status(app)
    sound(slider(again, "Mask ratio").set_value(0.9).run())
    assert "mask_ratio=0.90 T=1 seed=0" in status(again) and "44 of 49 patches" in words(again)


@TRAINED_HERE
@pytest.mark.parametrize(
    ("ratio", "said"), [("0", "**Nothing is hidden**"), ("1", "**Everything is hidden**"), ("0.01", "0 of 49")]
)
@pytest.mark.parametrize("part", ["errors", "sparse"])
def test_the_ends_of_the_ratio(ratio, said, part):
    app = opened(mae_mask_ratio=ratio, mae_part=part)
    assert (
        not app.error and not app.warning and said in words(app) + " ".join(html.proto.body for html in app.get("html"))
    )


@TRAINED_HERE
@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("mae_mask_ratio", "1.5", "Mask ratio goes from 0 to 1"),
        ("mae_mask_ratio", "nan", "Mask ratio goes from 0 to 1"),
        ("mae_patches", "7-49", "Patches go from 0 to 48"),
        ("mae_part", "nothing", "there are errors, sparse"),
        ("mae_epoch", "-1", "an epoch is a number"),
        ("mae_T", "0", "T goes from 1 to 8"),
        ("checkpoint", "spikformer-fashion", "spikformer-fashion knows classes"),
    ],
)
def test_bad_addresses_are_one_sentence(name, value, why):
    app = opened(**{name: value})
    assert len(app.warning) == 1 and name in app.warning[0].value and why in app.warning[0].value
    assert "mask_ratio=0.75 T=1 seed=0" in status(app)


@TRAINED_HERE
def test_sparse_against_ordinary_is_that_of_the_library():
    app = opened(mae_part="sparse")
    x, model = sv.load_data("fashion", "test", 2)[0][1:], sv.load(NAME)
    layers = sv.metrics.firing.spike_layers(model)
    shares = [
        hidden_activity(sv.simulate(m, x, HidePatches(0.75)), layers)["share"] for m in (ordinary(model), model)
    ]  # fmt: skip
    lines = next(c for c in charts(app) if len(c["data"]) == 2)["data"]
    for line, share in zip(lines, shares, strict=True):
        np.testing.assert_allclose(numbers(line["y"]), share)
    assert "Firing places, ordinary convolution" in words(app)


@TRAINED_HERE
def test_the_replay_shows_an_epoch():
    app = opened(mae_part="training")
    last = int(slider(app, "Epoch").max)
    assert f"After epoch {last} of {last}" in words(app) and "Precomputed by `spikeviz train" in words(app)
    shown = pictures(app)
    sound(slider(app, "Epoch").set_value(0).run())
    assert f"After epoch 0 of {last}" in words(app) and asked(app, "mae_epoch") == "0" and pictures(app) != shown
    assert "Effective rank against epoch" in words(app)


@TRAINED_HERE
def test_without_a_replay_the_page_says_so(monkeypatch):
    monkeypatch.setattr(epochs, "_replay", lambda name, sha256: None)
    assert f"There is no replay of the training of {NAME}" in words(opened(mae_part="training"))


@TRAINED_HERE
def test_spike_maps_of_visible_tokens():
    app = opened(mae_part="maps", mae_layer="encoder.stem.stages.0.down", mae_T="2")
    assert "2 binary steps" in words(app) and "hidden ones: largest 0.000, they are silent" in words(app)
    assert any("t = 2<" in html.proto.body and "d = " not in html.proto.body for html in app.get("html"))


@TRAINED_HERE
def test_a_photo_in_tiles():
    app = opened(mae_part="photo")
    assert "bring one by Upload" in words(app)
    upload(app, png("RGB", (300, 120)))
    assert "4 x 10 tiles of 28 x 28 pixels" in words(app) and "MSE over hidden pixels" in words(app)
    assert "colour turned to grey" in words(app) and "cropped from 300 x 120 to the centre square" in words(app)
    upload(app, png(size=(3, 3)))
    assert "each side needs 8" in app.error[0].value and "tiles of 28 x 28" in words(app)


@OF_COLOUR
def test_grey_for_colour():
    app = upload(opened(checkpoint=INTEGERS, mae_part="photo"), png("L", (2000, 10)))
    assert "4 x 16 tiles of 32 x 32 pixels" in words(app) and not app.error


@OF_COLOUR
def test_every_d_and_what_was_trained_at_another():
    app = opened(checkpoint=INTEGERS, mae_part="levels", mae_D="2")
    assert f"Trained at another D: {BINARY} at D = 1" in words(app)
    x, _ = sv.load_data("cifar10-jpeg", "test", 2)
    own = (HidePatches(0.75), sv.interventions.SpikeLevels(8))
    error = sv.metrics.reconstruction_errors(x[1:], sv.simulate(sv.load(INTEGERS), x[1:], own))["MSE"][0]
    assert any(f"MSE {error:.4f}" in html.proto.body for html in app.get("html"))
    assert "D does not act on it" in words(opened(mae_part="levels"))


@TRAINED_HERE
@OF_COLOUR
@pytest.mark.parametrize(
    ("preset", "network", "there"),
    [
        ("Masked and reconstructed (Fig. 8)", NAME, "Error against mask ratio"),
        ("Sparse convolution (Fig. 5)", INTEGERS, "Firing places, sparse convolution"),
        ("Effective rank in pretraining (Fig. 10 b)", INTEGERS, "Effective rank against epoch"),
    ],
)
def test_presets(preset, network, there):
    app = press(opened(mae_mask_ratio="0.3"), preset)
    assert "mask_ratio=0.75" in status(app) and there in words(app) and asked(app, "checkpoint") == network
    assert not app.warning


@TRAINED_HERE
def test_a_stays_and_goes_with_its_kind():
    app = press(opened(mae_patches="0-20"), "Hold as A")
    sound(slider(app, "Mask ratio").set_value(0.6).run())
    assert asked(app, "mae_A").endswith("patches:0-20") and "**A**, mask_ratio=0.43" in words(app)
    assert any("A−B" in html.proto.body for html in app.get("html"))
    app.switch_page("pages/spike_maps.py")
    app.query_params.clear()
    sound(app.run())
    assert "A is released: an autoencoder and a network that classifies" in app.warning[0].value


@TRAINED_HERE
def test_what_the_browser_says_is_checked():
    """The component's answers: only patches there are, and a drawing only if it is one."""
    import streamlit as st

    app = opened()
    model = sv.load(NAME)
    run = type("Run", (), {"opened": type("O", (), {"model": model})})
    for view in ({"hidden": [49]}, {"hidden": "all"}, {"hidden": [True]}, {"hidden": [1.5]}, {}):
        st.session_state["sheet"] = {"view": view}
        before = st.session_state.get("experiment")
        patches._take(run, "sheet")
        assert st.session_state.get("experiment") == before
    card = next(card for card in sv.list_checkpoints() if card.name == NAME)
    stream = io.BytesIO()
    Image.new("RGB", (28, 28), "white").save(stream, "PNG")
    sketch.take(sketch.START + base64.b64encode(stream.getvalue()).decode(), card)
    assert not st.session_state.get("upload_error")
    for wrong in ("nonsense", sketch.START + "AAAA"):
        sketch.take(wrong, card)
        assert st.session_state.pop("upload_error").endswith(".")
    assert status(app)


@TRAINED_HERE
def test_the_curve_is_measured_now():
    steps = list(guesses._work(_run(), 8))
    table = steps[-1][1]
    assert [point["ratio"] for point in table] == list(guesses.RATIOS) and steps[-1][0] == len(guesses.RATIOS)
    x, model = sv.load_data("fashion", "test", 8)[0], sv.load(NAME)
    errors = sv.metrics.reconstruction_errors(x, sv.simulate(model, x, HidePatches(0.5)))
    assert table[3]["mse"] == pytest.approx(errors["MSE"].mean(), rel=1e-6)
    chart = figures.error_against_ratio((), table, 0.75)
    assert chart.rules[0].label == "trained at 0.75" and chart.table()["ratio"].tolist() == list(guesses.RATIOS)


def _run():
    card = next(card for card in sv.list_checkpoints() if card.name == NAME)
    return type("Run", (), {
        "card": card, "experiment": Experiment(NAME, interventions=(HidePatches(0.75),)),
        "opened": type("O", (), {"model": sv.load(NAME)}),
    })  # fmt: skip
