"""Sparse convolution and normalisation: numbers of the published code; what is hidden stays hidden."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from support.networks import make_small, make_tiny
from support.published import reference
from torch import nn

import spikeviz as sv
from spikeviz.nn.layers import Conv, Norm, allow_sparse
from spikeviz.nn.sparse import sparse_norm, spread, visible


def test_numbers_of_the_published_code():
    ref = {key: torch.from_numpy(value) for key, value in reference("sdtv3_ssc_ops").items()}
    conv = allow_sparse(Conv(3, 5, 3, stride=2).double())
    conv.weight.data, conv.bias.data = ref["conv_w"], ref["conv_b"]
    active = ref["active"].bool()
    with visible(active):
        y = conv(ref["x"])
    assert np.abs((y - ref["conv_out"]).detach().numpy()).max() < 1e-12
    norm, grid = allow_sparse(Norm(5).double()), spread(active, 8, 8)
    norm.running_mean, norm.running_var = ref["rm"], ref["rv"]
    inside = grid[:, 0]
    for channel in range(5):  # its weights are not in the file: those of training mode, with which evaluation agrees
        seen, trained = y[:, channel][inside].detach(), ref["bn_train"][:, channel][inside]
        slope, offset = np.polyfit(seen.numpy(), trained.numpy(), 1)
        norm.weight.data[channel] = slope * (seen.var(correction=0) + norm.eps).sqrt()
        norm.bias.data[channel] = offset + slope * seen.mean()
    with visible(active):
        assert np.abs((norm.eval()(y) - ref["bn_eval"]).detach().numpy()).max() < 1e-12
        assert np.abs((norm.train()(y) - ref["bn_train"]).detach().numpy()).max() < 1e-12


def test_statistics_are_those_of_the_active_places():
    x = torch.randn(3, 4, 6, 6, dtype=torch.float64)
    active = torch.rand(3, 1, 6, 6) < 0.4
    chosen = x.movedim(1, -1)[active[:, 0]]  # the active places alone, as a batch of their own
    sparse, plain = nn.BatchNorm2d(4).double().train(), nn.BatchNorm1d(4).double().train()
    y = sparse_norm(sparse, x, active)
    expected = plain(chosen)
    torch.testing.assert_close(y.movedim(1, -1)[active[:, 0]], expected)
    torch.testing.assert_close(sparse.running_mean, plain.running_mean)
    torch.testing.assert_close(sparse.running_var, plain.running_var)
    assert (y.movedim(1, -1)[~active[:, 0]] == 0).all()


def test_all_places_active_is_the_ordinary_layer():
    x, all_active = torch.randn(2, 3, 5, 8, 8), torch.ones(3, 1, 2, 2, dtype=torch.bool)
    for layer in map(allow_sparse, (Conv(5, 4, 3), Norm(5).train(), Norm(5).eval())):
        plain = layer(x)
        with visible(all_active):
            torch.testing.assert_close(layer(x), plain)


@pytest.mark.parametrize("make", [make_tiny, lambda: make_tiny("imagenet", pools=(1, 3)), make_small])
def test_what_is_hidden_stays_hidden_and_says_nothing(make):
    """Whatever stands in hidden patches, every track of the network is the same, and zero there."""
    model = allow_sparse(make())
    active = torch.tensor([[[[True, False, True, False], [False, True, False, False], [True] * 4, [False] * 4]]])
    x = torch.rand(1, 1, 16, 16)
    hidden = ~spread(active, 16, 16)
    with visible(active):
        one, other = sv.simulate(model, x), sv.simulate(model, torch.where(hidden, torch.rand(16, 16), x))
    for name, track in one.items():
        assert torch.equal(track.values, other[name].values), name
    dense = sv.simulate(model, torch.where(hidden, torch.zeros(()), x))
    leaked = 0
    for name, track in one.of_kind("spike").items():
        if track.axes[-2:] != ("H", "W"):
            continue
        outside = ~spread(active, *track.values.shape[-2:])[0, 0]
        assert track.values[..., outside].sum() == 0, name
        leaked += int(dense[name].values[..., outside].sum(dtype=torch.long))
    assert leaked > 0  # an ordinary convolution fires there


def test_the_map_is_of_the_context_alone():
    model, x = allow_sparse(make_tiny()), torch.rand(2, 1, 16, 16)
    before = sv.simulate(model, x).output
    with visible(torch.zeros(2, 1, 4, 4, dtype=torch.bool)):
        assert sv.simulate(model, x)["stem.stages.0.spike"].values.sum() == 0
        with visible(None):
            assert torch.equal(sv.simulate(model, x).output, before)
    assert torch.equal(sv.simulate(model, x).output, before)


def test_a_network_that_is_no_autoencoder_knows_of_no_map():
    model, x = make_tiny(), torch.rand(2, 1, 16, 16)
    before = sv.simulate(model, x).output
    with visible(torch.zeros(2, 1, 4, 4, dtype=torch.bool)):
        assert torch.equal(sv.simulate(model, x).output, before)
    assert not any(layer.sparse for layer in model.modules() if isinstance(layer, Conv | Norm))


def test_two_threads_have_two_maps():
    """Both inside `visible` at the same time, each with a map of its own: each gets what it gets alone."""
    model, x = allow_sparse(make_tiny()), torch.rand(2, 1, 16, 16)
    maps = [torch.rand(2, 1, 4, 4) < share for share in (0.3, 0.7)]
    both_inside = threading.Barrier(2, timeout=60)

    def run(active: torch.Tensor, meet: bool) -> torch.Tensor:
        with visible(active):
            if meet:
                both_inside.wait()
            return sv.simulate(model, x, keep="").output

    alone = [run(active, False) for active in maps]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(run, maps, (True, True)))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True)) and not torch.equal(*alone)


def test_a_map_that_does_not_tile():
    with pytest.raises(ValueError, match="3 x 3 places does not tile 16 x 16"):
        spread(torch.ones(1, 1, 3, 3, dtype=torch.bool), 16, 16)
