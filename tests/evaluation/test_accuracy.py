"""What networks cost over the same samples."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from support.networks import make_masked

import spikeviz as sv
from spikeviz.evaluation.accuracy import energy_survey
from spikeviz.interventions import MaskChannels


def test_a_survey_is_the_mean_of_one_pass():
    """Operations are per sample, so that batches of 4 and of 1 together are the pass of all 5."""
    model, x = make_masked(), torch.randint(0, 3, (3, 5, 2, 16, 16)).float()
    networks = [(model, (MaskChannels(0.7),)), (sv.prune_channels(model, 0.5), ())]
    (first, _), (second, tables) = energy_survey(networks, x, batch=4)
    assert (first, second) == (4, 5)
    for (network, settings), found in zip(networks, tables, strict=True):
        whole = sv.metrics.operations(network, sv.simulate(network, x, settings)).set_index("layer")
        pd.testing.assert_frame_equal(found, whole)
        assert whole["SOPs"].sum() > 0


def test_no_network_is_refused():
    with pytest.raises(ValueError, match="needs a network"):
        next(energy_survey([], torch.zeros(3, 1, 2, 16, 16)))
