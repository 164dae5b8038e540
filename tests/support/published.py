"""Weights and numbers of the published code, see tests/golden: a function of the key names, no published code."""

import importlib.util
from pathlib import Path

import numpy as np
import torch

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def _load():
    spec = importlib.util.spec_from_file_location("keyed_weights", GOLDEN / "keyed_weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


keyed = _load()


def weights(case):
    """The published state dict of a case, float64."""
    state = keyed.state_from_keys(str(GOLDEN / f"keys_{case}.json"))
    return {key: torch.from_numpy(np.asarray(value)) for key, value in state.items()}


def images(name, shape):
    return torch.from_numpy(keyed.input_tensor(name, shape))


def reference(case):
    return np.load(GOLDEN / f"ref_{case}.npz")


def compare_gradients(case, model, publish):
    """Every parameter's gradient against the measured one; `publish`: our key -> theirs.

    A bias in front of a normalisation has the gradient 0, of which both sides hold the rounding errors: a difference
    counts against the largest gradient of the network as well.
    """
    expected = {key: value for key, value in reference(case).items() if key.startswith("grad/")}
    largest = max(np.abs(value).max() for value in expected.values())
    for name, parameter in model.named_parameters():
        key = publish(name)
        probe = keyed.grad_probe(key, parameter.grad.numpy())
        assert np.allclose(probe, expected.pop(f"grad/{key}"), rtol=1e-7, atol=1e-12 * largest), key
    assert not expected
