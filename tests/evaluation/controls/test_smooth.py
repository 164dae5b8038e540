"""The width of a smooth fill-in is chosen on training images, and stands beside each point of a curve."""

import numpy as np
import pytest
import torch
from support.networks import make_autoencoder
from torch.nn.functional import interpolate

import spikeviz as sv
from spikeviz.evaluation.controls.smooth import WIDTHS, choose_width
from spikeviz.evaluation.hidden_errors import errors_against_ratio
from spikeviz.interventions import HidePatches
from spikeviz.metrics import hidden_mse, smooth_fill


@pytest.fixture(scope="module")
def model():
    return make_autoencoder(1.0)


def test_the_least_error_decides(model):
    coarse = torch.rand(4, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    images = interpolate(coarse, (28, 28), mode="bicubic").clamp(0, 1)
    chosen = choose_width(model, images, 0.5)
    mask = sv.simulate(model, images, HidePatches(0.5), "mask")["mask"].values
    errors = [float(hidden_mse(images, smooth_fill(images, mask, width), mask).mean()) for width in WIDTHS]
    assert chosen == WIDTHS[int(np.argmin(errors))] and WIDTHS[0] < chosen < WIDTHS[-1]
    noise = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    assert choose_width(model, noise, 0.5) > chosen  # of noise the mean is the best guess


def test_points_hold_it(model):
    x = torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(2))
    *_, (_, (point,)) = errors_against_ratio(model, x, ratios=(0.5,), train=x[:2])
    assert point["width"] == choose_width(model, x[:2], 0.5)
    r = sv.simulate(model, x, HidePatches(0.5))
    table = sv.metrics.reconstruction_errors(x, r, point["width"])
    assert point["smooth"] == pytest.approx(table["smooth"].mean())
    assert point["over_smooth"] == point["mse"] / point["smooth"]
    assert point["smooth_error"] == pytest.approx((table["MSE"] - table["smooth"]).std() / np.sqrt(5))


def test_no_images_are_one_sentence(model):
    with pytest.raises(ValueError, match="no training images"):
        choose_width(model, torch.rand(0, 1, 28, 28), 0.5)
