"""Every size on a GPU without numbers: a forward pass never asks for one, and its recording once, at the end."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

import spikeviz as sv
from spikeviz.models.registry import assemble, build, find_spec
from spikeviz.nn.neurons import LIF
from spikeviz.nn.qcfs import ConvertedIF
from spikeviz.probe import Tape

if not torch.cuda.is_available():
    torch._C._ensureCUDADeviceGuardSet()  # as FakeTensorMode's own tests do where there is no GPU


def without_numbers(model: nn.Module) -> nn.Module:
    for module in model.modules():
        for kept in (module._parameters, module._buffers):
            for name, x in kept.items():
                if x is not None:
                    there = torch.empty(x.shape, dtype=x.dtype, device="cuda")
                    kept[name] = nn.Parameter(there, requires_grad=False) if isinstance(x, nn.Parameter) else there
    return model


def every_size() -> list:
    """Of each family the first size; all that learn their thresholds; the others are slow tests, alike but larger."""
    families, found = set[str](), []
    for spec in sv.list_models():
        slow = spec.family in families and not spec.family.startswith("mst")
        found.append(pytest.param(spec.name, marks=[pytest.mark.slow] if slow else []))
        families.add(spec.family)
    return found


@pytest.mark.parametrize("name", every_size())
def test_a_size_runs_on_cuda_and_asks_for_no_number(name):
    spec = find_spec(name)
    with torch.device("meta"):
        model = build(name).eval()
    frames = getattr(spec.config, "frames", 0) or spec.time_steps
    shape = (frames, 1, *spec.input) if spec.input[0] == 2 else (1, *spec.input)
    tape = Tape()
    with FakeTensorMode(), torch.no_grad():
        model, x = without_numbers(model), torch.empty(shape, device="cuda")
        with pytest.raises(DataDependentOutputException, match="_local_scalar_dense"), tape.rolling():
            y = model(x)  # what raises is the look at what was recorded, when the pass is over
    assert y.device.type == "cuda" and y.shape[1] == 1
    assert tape.tracks and {track.values.device.type for track in tape.tracks.values()} == {"cuda"}


class Operations(TorchDispatchMode):
    """Counts them by name."""

    def __init__(self):
        super().__init__()
        self.names = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names[str(func)] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("name", "settings", "kind", "operation"),
    [
        ("spikformer-fashion", {}, LIF, "sj_lif.forward.default"),
        ("mst-fashion", {"spiking": True}, ConvertedIF, "sj_if.forward.default"),
    ],
)
def test_neurons_of_a_gpu_are_one_operation_of_spikingjelly_each(name, settings, kind, operation):
    """Not a loop over steps: its kernels (CUDA, Triton) belong to these operations, and it takes the best there is."""
    spec = find_spec(name)
    with torch.device("meta"):
        model = assemble(spec.family, replace(spec.config, **settings), name).eval()
    with FakeTensorMode(), torch.no_grad():
        model, x = without_numbers(model), torch.empty((1, *spec.input), device="cuda")
        with Operations() as seen:
            model(x)
    assert seen.names[operation] == sum(isinstance(module, kind) for module in model.modules()) > 0
