"""The page of masked autoencoders in the app: ratio and patches reach the model, and bad input is one sentence."""

from __future__ import annotations

import pytest
from support.apptest import (
    asked,
    captions,
    code,
    html,
    opened,
    pictures,
    press,
    slide,
    slider,
    sound,
    status,
    text_field,
    upload,
    words,
)
from support.brought import png
from support.networks import needs

from spikeviz.views.reconstruction import PAGE

PAGE_FILE, NAME, INTEGERS = "reconstruction", "spikformer-v2-mae-fashion", "spike-mae-cifar"
BY_HAND = "Hidden by hand"

pytestmark = needs(NAME)


def said(app) -> str:
    return " ".join((words(app), captions(app), *html(app)))


def test_the_ratio_reaches_the_model():
    app = opened(PAGE_FILE, input="1")
    ratio = slider(app, "Mask ratio")
    assert ratio.min <= ratio.value < ratio.max and "mask_ratio=0.75 T=1 seed=0" in status(app)
    before = pictures(app)
    assert "37 of 49 patches" in said(app)
    slide(app, "Mask ratio", 0.5)
    assert "mask_ratio=0.50" in status(app) and "24 of 49 patches" in said(app) and pictures(app) != before
    assert "Trained with mask_ratio=0.75" in said(app) and asked(app, "mae_mask_ratio") == "0.50"
    press(app, "As trained")
    assert pictures(app) == before and asked(app, "mae_mask_ratio") is None


def test_the_python_gives_the_numbers_of_the_page():
    app, names = opened(PAGE_FILE, input="1", seed="3", mae_mask_ratio="0.6"), {}
    exec(code(app), names)
    error = names["errors"].iloc[0]
    assert f"= **{error['MSE']:.4f}**, **×{error['relative']:.2f}**" in said(app)
    assert f"PSNR **{error['PSNR']:.1f} dB** · SSIM **{error['SSIM']:.3f}**" in said(app)
    assert f"**{names['rank']:.1f}**" in said(app)


def test_patches_hidden_by_hand():
    app = opened(PAGE_FILE, input="1")
    sound(text_field(app, BY_HAND).set_value("0-6, 24").run())
    assert "mask_ratio=0.16 T=1 patches=0-6.24 seed=0" in status(app) and "8 of 49 patches" in said(app)
    link = asked(app, "mae_patches")
    again = opened(PAGE_FILE, input="1", mae_patches=link, mae_mask_ratio="0.16")
    assert link == "0-6.24" and pictures(again) == pictures(app)
    sound(text_field(app, BY_HAND).set_value("50").run())
    assert "'50' does not work here: Patches go from 0 to 48" in app.warning[0].value
    assert "patches=0-6.24" in status(app)
    press(app, "At random")
    assert "mask_ratio=0.16 T=1 seed=0" in status(app)
    slide(again, "Mask ratio", 0.9)
    assert "mask_ratio=0.90 T=1 seed=0" in status(again) and "44 of 49 patches" in said(again)


@pytest.mark.parametrize(
    ("ratio", "text"), [("0", "**Nothing is hidden**"), ("1", "**Everything is hidden**"), ("0.01", "0 of 49")]
)
@pytest.mark.parametrize("part", PAGE.tabs)
def test_the_ends_of_the_ratio(ratio, text, part):
    app = opened(PAGE_FILE, input="1", mae_mask_ratio=ratio, mae_part=part)
    assert not app.error and not app.warning and text in said(app)


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
    app = opened(PAGE_FILE, input="1", **{name: value})
    assert len(app.warning) == 1 and name in app.warning[0].value and why in app.warning[0].value
    assert "mask_ratio=0.75 T=1 seed=0" in status(app)


def test_the_replay_shows_an_epoch():
    app = opened(PAGE_FILE, mae_part="training")
    last = int(slider(app, "Epoch").max)
    shown = pictures(app)
    assert f"After epoch {last} of {last}" in said(app) and asked(app, "mae_epoch") is None
    slide(app, "Epoch", 0)
    assert f"After epoch 0 of {last}" in said(app) and asked(app, "mae_epoch") == "0" and pictures(app) != shown


def test_a_photo_in_tiles():
    app = opened(PAGE_FILE, mae_part="photo")
    assert "Upload a photo" in said(app)
    upload(app, png("RGB", (300, 120)))
    assert "4 x 10 tiles of 28 x 28 pixels" in said(app) and "MSE over hidden pixels" in said(app)
    assert "colour turned to grey" in said(app) and "cropped from 300 x 120 to the centre square" in said(app)
    upload(app, png(size=(3, 3)))
    assert "each side needs 8" in app.error[0].value and "tiles of 28 x 28" in said(app)


@pytest.mark.parametrize(
    ("title", "network", "there"),
    [
        ("Masked and reconstructed (Fig. 8)", NAME, "Error against mask ratio"),
        pytest.param(
            "Sparse convolution (Fig. 5)", INTEGERS, "Firing places, sparse convolution", marks=needs(INTEGERS)
        ),
        pytest.param(
            "Effective rank in pretraining (Fig. 10 b)", INTEGERS, "Effective rank against epoch", marks=needs(INTEGERS)
        ),
    ],
)
def test_presets(title, network, there):
    app = press(opened(PAGE_FILE, mae_mask_ratio="0.3"), title)
    assert "mask_ratio=0.75" in status(app) and there in said(app) and asked(app, "checkpoint") == network
    assert not app.warning


def test_a_stays_on_its_page():
    app = press(opened(PAGE_FILE, mae_patches="0-20"), "Hold as A")
    slide(app, "Mask ratio", 0.6)
    assert asked(app, "mae_A").endswith("patches:0-20") and "**A**, mask_ratio=0.43" in said(app)
    assert any("A−B" in part for part in html(app))
    for page, held in (("spike_maps", False), (PAGE_FILE, True)):
        app.switch_page(f"pages/{page}.py")
        app.query_params.clear()
        sound(app.run())
        assert not app.warning and any("A−B" in part for part in html(app)) is held
