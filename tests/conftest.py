"""What several test files share: one thread, the devices of this machine, and a small network."""

import copy

import jaxtyping
import pytest
import torch
from support.gates import gates  # noqa: F401  (a fixture)
from support.networks import make_tiny
from support.without_data import no_data  # noqa: F401  (a fixture)

DEVICES = [
    "cpu",
    *(["cuda"] if torch.cuda.is_available() else []),
    *(["mps"] if torch.backends.mps.is_available() else []),
]


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module", autouse=True)
def seeded_file():
    """What a file draws depends on no other file that ran before it."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def seeded(seeded_file):
    """What a test draws depends on no other test."""
    torch.manual_seed(0)


@pytest.fixture(params=DEVICES)
def device(request):
    return torch.device(request.param)


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


@pytest.fixture
def unchecked():
    """Annotations are not checked: for what a door says to values of a wrong type."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)
