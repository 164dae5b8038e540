"""`torch.compile`: one graph, and the numbers of the network as it is."""

import shutil

import pytest
import torch
from support.networks import make_masked, make_mst, make_small, make_tiny

import spikeviz as sv
from spikeviz.probe import Tape
from spikeviz.simulation import compiled

FRAMES = (3, 2, 2, 16, 16)
NETWORKS = {
    "spikformer": (make_tiny, (2, 1, 16, 16)),
    "e-spikeformer": (make_small, (2, 1, 16, 16)),
    "mst": (make_mst, (2, 1, 16, 16)),
    "spiking mst": (lambda: sv.to_spiking(make_mst(), 3), (2, 1, 16, 16)),
    "sdmformer": (make_masked, FRAMES),
}


@pytest.fixture(autouse=True)
def forgotten():
    yield
    torch.compiler.reset()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_one_graph_of_the_same_numbers(name):
    """The graph alone, without the compiler of its kernels."""
    make, shape = NETWORKS[name]
    model, x = make(), torch.rand(shape)
    x = x.round() if shape is FRAMES else x
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    found = compiled(model, backend)(x)
    assert len(graphs) == 1
    assert torch.allclose(found, sv.simulate(model, x).logits_per_step, atol=1e-6)


def test_it_is_not_looked_into(images):
    run = compiled(make_tiny(), "eager")
    with pytest.raises(RuntimeError, match="cannot be looked into"), Tape().rolling():
        run(images)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_compiled_kernels_have_the_same_numbers(images):
    model = make_small()
    found = compiled(model)(images)
    assert torch.allclose(found, sv.simulate(model, images).logits_per_step, atol=1e-6)
