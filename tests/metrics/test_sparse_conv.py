"""What ordinary convolutions carry into hidden places, and sparse ones do not."""

import pytest
import torch
from support.networks import make_autoencoder

import spikeviz as sv
from spikeviz.interventions import HidePatches
from spikeviz.metrics import firing_places, hidden_activity, ordinary
from spikeviz.metrics.firing import spike_layers


@pytest.fixture(scope="module")
def model():
    return make_autoencoder(2.5)


@pytest.fixture(scope="module")
def x():
    return torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def test_ordinary_convolutions_fill_the_mask(model, x):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    layers = spike_layers(model)
    one, two = (sv.simulate(m, x, HidePatches(0.5)) for m in (model, ordinary(model)))
    sparse, leaky = (hidden_activity(recording, layers) for recording in (one, two))
    assert (sparse["share"] == 0).all() and leaky["share"].iloc[-1] > 0.9
    assert sparse["places"].iloc[0] == 2 * 24 * 4  # two images, 24 of 49 patches, of 2 x 2 places behind a stride of 2
    assert firing_places(one, layers[0]).shape == (2, 14, 14)
    assert model.config.sparse and all(torch.equal(before[n], v) for n, v in model.state_dict().items())


def test_where_nothing_is_hidden_there_is_no_share(model, x):
    layers = spike_layers(model)
    table = hidden_activity(sv.simulate(model, x, HidePatches(0.0)), layers)
    assert table["share"].isna().all() and (table["places"] == 0).all()
