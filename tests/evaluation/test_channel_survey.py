"""What channels fire over samples, and how well kept channels predict the others."""

from __future__ import annotations

import pytest
import torch
from support.networks import make_masked

import spikeviz as sv
from spikeviz.evaluation.channel_survey import channel_survey, predicted_by_kept
from spikeviz.interventions import MaskChannels, TimeSteps
from spikeviz.metrics.channel_masks import channel_rates, masked_layers


def test_a_survey_is_the_rates_of_one_pass():
    model, x = make_masked(), torch.randint(0, 3, (3, 5, 2, 16, 16)).float()
    layers, settings = list(masked_layers(model)), (MaskChannels(0.0), TimeSteps(2))
    steps = list(channel_survey(model, x, layers, settings, batch=2))
    assert [done for done, _ in steps] == [2, 4, 5]
    recording = sv.simulate(model, x, settings)
    for name in layers:
        whole = channel_rates(recording[f"{name}.spike"])
        for done, found in steps:
            assert torch.equal(found[name], whole[:done])
    assert sum(rates.sum() for rates in steps[-1][1].values()) > 0


def test_a_layer_that_is_not_there_is_refused():
    with pytest.raises(KeyError, match="no track"):
        next(channel_survey(make_masked(), torch.zeros(3, 1, 2, 16, 16), ["nothing"]))


def test_kept_channels_predict_the_others():
    """Values of four samples about their mean:

    a, kept:    -1  1 -1  1   (squares sum to 4)
    b, kept:    -1 -1  1  1   (4)
    c, dropped:  2 a + 7      R^2 with a = 1
    d, dropped:  0  0  0  4 about 1: -1 -1 -1 3 (12); with a: (1 - 1 + 1 + 3)^2 / (4 * 12) = 16 / 48, with b the same
    e, dropped: -3  1 -1  3   (20); with a: (3 + 1 + 1 + 3)^2 / 80 = 0.8, with b: (3 - 1 - 1 + 3)^2 / 80 = 0.2
    f, dropped: fires alike on every sample
    a and b from each other: (1 - 1 - 1 + 1)^2 = 0
    """
    values = torch.tensor(
        [
            [-1.0, -1.0, 5.0, 0.0, -3.0, 0.25],
            [1.0, -1.0, 9.0, 0.0, 1.0, 0.25],
            [-1.0, 1.0, 5.0, 0.0, -1.0, 0.25],
            [1.0, 1.0, 9.0, 4.0, 3.0, 0.25],
        ]
    )
    kept = torch.tensor([True, True, False, False, False, False])
    found, best = predicted_by_kept(values, kept)
    assert found[:5].tolist() == pytest.approx([0, 0, 1, 1 / 3, 0.8], abs=1e-9) and found[5].isnan()
    assert best.tolist()[0:3] == [1, 0, 0] and best[4] == 0 and best[5] == -1


def test_a_kept_channel_that_never_varies_predicts_nothing():
    values = torch.tensor([[0.0, 1.0], [0.0, 2.0]])
    for kept in ([True, False], [False, False], [False, True]):
        found, best = predicted_by_kept(values, torch.tensor(kept))
        assert found.isnan().all() and best.tolist() == [-1, -1]
