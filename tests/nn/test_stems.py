"""The stems: what their pooling gives."""

import pytest
import torch
from torch.nn.functional import max_pool2d

from spikeviz.nn.stems import halved


@pytest.mark.parametrize("size", [(8, 8), (2, 6), (32, 16), (7, 8), (9, 5)])
def test_rows_then_columns_are_the_largest_of_nine(size):
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    before, expected = x.clone(), max_pool2d(x, 3, stride=2, padding=1)
    with torch.no_grad():
        assert torch.equal(halved(x), expected) and torch.equal(x, before)
    assert torch.equal(halved(x.requires_grad_()), expected)
