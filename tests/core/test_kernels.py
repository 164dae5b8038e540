"""The compiled loops against the operations of torch that they replace, bit for bit."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.nn.functional import max_pool2d

from spikeviz import kernels
from spikeviz.kernels import loops
from spikeviz.nn.in_place import Affine, fuses

SHAPES = [(1, 1, 1, 1, 1), (2, 3, 5, 7, 7), (1, 2, 3, 50, 50), (3, 1, 2100, 1, 1)]  # less than a block, and several


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (7, 7), (8, 5), (33, 64)], ids=str)
def test_pooling_is_that_of_torch(size):
    x = numbers(2, 3, *size)
    assert torch.equal(kernels.halve(x), max_pool2d(x, 3, stride=2, padding=1))
    turned = x.transpose(-1, -2)  # not in order in memory
    assert torch.equal(kernels.halve(turned), max_pool2d(turned, 3, stride=2, padding=1))


@pytest.mark.parametrize("scale", [1.0, 0.25, 1 / 3, 0.7310585])
def test_counts_are_packed_and_everything_else_is_not(scale):
    counts = torch.arange(256).repeat(20).float()
    packed = kernels.pack(counts * scale, scale)
    assert packed.dtype == torch.uint8 and torch.equal(packed.float(), counts)
    for place, wrong in ((0, 0.5), (5000, -1.0), (4999, 256.0), (17, float("nan")), (300, float("inf"))):
        x = counts * scale
        x[place] = wrong * scale
        assert kernels.pack(x, scale) is None


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_what_was_drawn_below_the_ratio_is_dropped(ratio):
    x, drawn = numbers(3, 700), torch.rand(3, 700, generator=torch.Generator().manual_seed(1))
    left, kept = kernels.thin(x, drawn, ratio)
    assert torch.equal(kept, drawn >= ratio) and torch.equal(left, torch.where(kept, x, 0.0))
    assert torch.equal(kernels.thin(x[:1].expand(3, -1), drawn, ratio)[0], torch.where(kept, x[:1], 0.0))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_normalisation_is_that_of_torch(shape):
    """Where torch makes a fused multiply-add; elsewhere its own is taken (`fuses`)."""
    if not fuses():
        pytest.skip("this build of torch normalises without a fused multiply-add")
    x, channels = numbers(*shape), shape[2]
    weight, bias, mean, spread = numbers(4, channels, seed=2)
    norm = Affine(weight, bias, mean, spread.abs() + 0.1, 1e-5)
    expected = norm.over_samples(x.flatten(0, 1)).view(shape)
    assert torch.equal(kernels.fire(x, 1.0, norm=norm, membrane=True)[2][0], expected[0])  # the first membrane
    own = x.clone()
    assert kernels.normalise(own, norm) is own and torch.equal(own, expected)


def test_several_threads_have_the_bits_of_one():
    x = numbers(2, 4, 16, 64, 64)
    assert x.numel() >= kernels.MANY
    alone, threads = kernels.fire(x, 0.5, tau=2.0, hard=True, counts=True, membrane=True), torch.get_num_threads()
    pooled = kernels.halve(x.flatten(0, 1))
    try:
        torch.set_num_threads(1 if threads > 1 else 3)
        other = kernels.fire(x, 0.5, tau=2.0, hard=True, counts=True, membrane=True)
        assert torch.equal(kernels.halve(x.flatten(0, 1)), pooled)
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(alone, other, strict=True)) and 0 < alone[0].mean() < 1


def test_nothing_in_is_nothing_out():
    for shape in ((0, 2, 3), (2, 0, 3), (2, 3, 0)):
        spikes, counts, membrane = kernels.fire(torch.empty(shape), 1.0, counts=True, membrane=True)
        assert spikes.shape == counts.shape == membrane.shape == shape


def test_where_nothing_can_be_kept_a_loop_is_compiled_anew(monkeypatch):
    def refuses(*args, cache=False):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return compile_(*args)

    compile_ = loops.cfunc
    monkeypatch.setattr(loops, "cfunc", refuses)
    fresh = loops.Kernel(loops.pack.body, "FBif")
    x, out = torch.ones(3), torch.zeros(3, dtype=torch.uint8)
    assert fresh(x.data_ptr(), out.data_ptr(), 3, 1.0) == 1 and out.tolist() == [1, 1, 1]


def test_two_that_come_first_wait_for_one_compilation(monkeypatch):
    compiled, compile_ = [], loops.cfunc
    monkeypatch.setattr(loops, "cfunc", lambda *args, **options: compiled.append(1) or compile_(*args, **options))
    fresh = loops.Kernel(loops.pack.body, "FBif")
    x, out = torch.ones(3), torch.zeros(3, dtype=torch.uint8)
    with ThreadPoolExecutor(4) as pool:
        given = (x.data_ptr(), out.data_ptr(), 3, 1.0)
        assert list(pool.map(lambda _: fresh(*given), range(8))) == [1] * 8
    assert compiled == [1]
