"""Annotations are checked while tests run, shapes of tensors among them, and not where a test turns that off."""

import jaxtyping
import pytest
import torch

from spikeviz.nn.integers import expand
from spikeviz.nn.layers import Norm
from spikeviz.runtime import auto_device


def test_shapes_and_types_are_checked():
    with pytest.raises(jaxtyping.TypeCheckError, match=r"TB C H W"):
        Norm(3)(torch.rand(3, 4))
    with pytest.raises(jaxtyping.TypeCheckError):
        auto_device(0.5)
    assert expand(torch.tensor([[2], [1]]), 3).shape == (6, 1)  # T 2 times D 3, as its annotation says


def test_a_door_can_be_tried_with_what_it_does_not_take(unchecked):
    with pytest.raises(ValueError, match="no device"):
        auto_device("tpu")
    with pytest.raises(IndexError):
        Norm(3)(torch.rand(3, 4))
