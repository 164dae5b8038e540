"""Errors over hidden patches against the mask ratio: those of the library, batch by batch."""

import numpy as np
import pandas as pd
import pytest
import torch
from support.networks import make_autoencoder

import spikeviz as sv
from spikeviz.evaluation import reconstruction
from spikeviz.evaluation.hidden_errors import RATIOS, errors_against_ratio, visible_tokens
from spikeviz.interventions import HidePatches, TimeSteps
from spikeviz.metrics import effective_rank, reconstruction_errors


@pytest.fixture(scope="module")
def model():
    return make_autoencoder(1.0)


@pytest.fixture(scope="module")
def x():
    return torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def test_a_point_is_what_the_library_measures(model, x):
    steps = list(errors_against_ratio(model, x, (TimeSteps(2),), seed=7, ratios=(0.25, 0.5), batch=2))
    # three batches of each ratio, and each ratio once more when it is over
    assert [done for done, _ in steps] == [1, 2, 3, 3, 4, 5, 6, 6]
    assert [len(points) for _, points in steps] == [0, 0, 0, 1, 1, 1, 1, 2]
    for point, ratio in zip(steps[-1][1], (0.25, 0.5), strict=True):
        recordings = [
            sv.simulate(model, part, (HidePatches(ratio), TimeSteps(2)), seed=7 + n)
            for n, part in enumerate(x.split(2))
        ]
        pairs = zip(x.split(2), recordings, strict=True)
        table = pd.concat([reconstruction_errors(part, recording) for part, recording in pairs])
        tokens = torch.cat([visible_tokens(recording) for recording in recordings])
        assert point["ratio"] == ratio and point["samples"] == 5
        for name in ("MSE", "fill", "PSNR", "SSIM"):
            assert point[name.lower()] == pytest.approx(table[name].mean(), rel=1e-12)
        assert point["relative"] == point["mse"] / point["fill"]
        assert point["error"] == pytest.approx((table["MSE"] - table["fill"]).std() / np.sqrt(5), rel=1e-12)
        assert point["rank"] == pytest.approx(effective_rank(tokens)) and point["rank"] > 1
        assert len(tokens) == 5 * (49 - round(49 * ratio))  # 12 and 24 of 49 patches are hidden


def test_every_ratio_is_measured_unless_others_are_asked_for(model, x):
    *_, (done, points) = errors_against_ratio(model, x[:1])
    assert [point["ratio"] for point in points] == list(RATIOS) and done == len(RATIOS)
    assert all(np.isnan(point["error"]) and np.isfinite(point["mse"]) for point in points)  # one image has no spread


def test_where_nothing_is_visible_there_is_no_rank(model, x):
    *_, (_, (point,)) = errors_against_ratio(model, x[:2], ratios=(1.0,))
    assert np.isnan(point["rank"]) and point["mse"] > 0


def test_no_images_are_one_sentence(model, x):
    with pytest.raises(ValueError, match="there are no images"):
        next(errors_against_ratio(model, x[:0]))


def test_effective_ranks_are_of_whole_batches_each_with_a_seed_of_its_own(monkeypatch):
    monkeypatch.setattr(reconstruction, "WATCHED", 4)
    model, x = make_autoencoder(2.0), sv.load_data("fashion", "test", 12)[0]
    found = reconstruction.effective_ranks(model, "fashion", 0.5, 3)
    for number, rank in enumerate(found):
        images = x[4 * number : 4 * number + 4]
        recording = sv.simulate(model, images, HidePatches(0.5), "patches", number)
        assert rank == pytest.approx(effective_rank(reconstruction.visible_tokens(model, images, recording)))
    assert len(found) == 3 and len({round(rank, 6) for rank in found}) == 3
