"""What several test files share: one thread, the devices of this machine, small networks in which every layer fires."""

import copy

import pytest
import torch
from torch import nn

from spikeviz.models.registry import assemble
from spikeviz.models.spikformer import SpikformerConfig
from spikeviz.nn.layers import Norm

DEVICES = [
    "cpu",
    *(["cuda"] if torch.cuda.is_available() else []),
    *(["mps"] if torch.backends.mps.is_available() else []),
]


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(params=DEVICES)
def device(request):
    return torch.device(request.param)


def awaken(model: nn.Module, x: torch.Tensor) -> nn.Module:
    """Set normalisation so that every layer fires on `x`: fresh weights leave the deeper layers silent."""
    for module in model.modules():
        if isinstance(module, Norm):
            module.momentum = 1.0  # the statistics of the next pass are kept as they are
            nn.init.constant_(module.weight, 1.5)
            nn.init.constant_(module.bias, 1.0)
    with torch.no_grad():
        model.train()(x)
    return model.eval()


def make_tiny(layout: str = "cifar", **changes) -> nn.Module:
    """A Spikformer of one block and 16 channels, in eval mode, in which every layer fires."""
    settings = {"depth": 1, "dim": 16, "heads": 2, "num_classes": 3, "in_channels": 1, "image_size": 16}
    settings |= {"time_steps": 3, "pools": (1, 3), "mlp_ratio": 2} | changes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = assemble("spikformer", SpikformerConfig(layout, **settings), f"tiny-{layout}")
        side = settings["image_size"]
        return awaken(model, torch.rand(4, settings["in_channels"], side, side))


_TINY = {}


@pytest.fixture
def tiny(device):
    """A network on images, shared by all tests of a device: nothing may write to it."""
    if device not in _TINY:
        _TINY[device] = make_tiny().to(device)
    before = copy.deepcopy(_TINY[device].state_dict())
    yield _TINY[device]
    after = _TINY[device].state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before), "a test wrote to the shared network"
    assert not _TINY[device].training


@pytest.fixture
def images():
    return torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))
