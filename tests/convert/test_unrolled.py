"""The spiking twin that is trained in place of a QCFS network."""

import pytest
import torch

import spikeviz as sv
from spikeviz.convert.to_spiking import unrolled

NAMES = ["mst-fashion", "mst-resnet18-fashion"]


@pytest.mark.parametrize("name", NAMES)
def test_what_the_twin_learns_the_network_learns(name):
    ann = sv.load(name, "cpu").train()
    x = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    before = {key: value.clone() for key, value in ann.state_dict().items()}
    twin = unrolled(ann, 3)
    assert {n: p.data_ptr() for n, p in twin.named_parameters()} == {n: p.data_ptr() for n, p in ann.named_parameters()}
    logits = twin(x)
    assert logits.shape == (3, 2, 10)
    with torch.no_grad():
        expected = sv.simulate(sv.to_spiking(ann, 3), x, keep="").logits_per_step
    torch.testing.assert_close(logits.detach(), expected, rtol=1e-4, atol=1e-4)
    logits.mean(0).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in ann.parameters())
    with torch.no_grad():
        for parameter in ann.parameters():
            parameter.sub_(parameter.grad, alpha=1e-3)
    for key, value in ann.state_dict().items():  # statistics stay, weights move
        moves = "running" not in key and "num_batches" not in key and dict(ann.named_parameters())[key].grad.any()
        assert torch.equal(value, before[key]) != bool(moves)
    moved = sv.simulate(sv.to_spiking(ann, 3), x, keep="").logits_per_step
    torch.testing.assert_close(twin(x).detach(), moved, rtol=1e-4, atol=1e-4)


def test_only_a_qcfs_network_has_a_twin():
    with pytest.raises(ValueError, match="no QCFS activations"):
        unrolled(sv.load("spikformer-fashion", "cpu"), 4)
