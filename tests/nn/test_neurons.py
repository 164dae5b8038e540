"""LIF and IF: the bits of SpikingJelly's nodes, exact ties, and a trace one can check by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spikingjelly.activation_based import neuron, surrogate

from spikeviz.nn.in_place import Affine
from spikeviz.nn.neurons import IF, LIF

RESETS = {"hard": 0.0, "soft": None}
GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def reference(ours):
    """SpikingJelly's node with the settings of one of our neurons."""
    options = {
        "v_threshold": ours.threshold,
        "v_reset": RESETS[ours.reset],
        "surrogate_function": surrogate.Sigmoid(4.0),
        "detach_reset": True,
        "step_mode": "m",
        "store_v_seq": True,
    }
    return neuron.LIFNode(tau=ours.tau, **options) if isinstance(ours, LIF) else neuron.IFNode(**options)


def currents(dtype, device, seed=0, grid=None):
    """`[8, 3, 40]`; with `grid` multiples of it, so that the membrane meets its threshold exactly."""
    if torch.device(device).type == "mps" and dtype == torch.float64:
        pytest.skip("MPS has no float64")
    x = torch.randn(8, 3, 40, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 1.5 + 0.5
    return (x if grid is None else (x / grid).round() * grid).to(device, dtype)


NEURONS = [
    *(LIF(threshold, tau, reset) for threshold in (1.0, 0.5) for tau in (2.0, 3.7) for reset in RESETS),
    *(IF(threshold, reset) for threshold in (1.0, 0.5) for reset in RESETS),
]


@pytest.mark.parametrize("ours", NEURONS, ids=lambda n: f"{type(n).__name__} {n.extra_repr()}")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("grid", [None, 0.125])
def test_bits_of_spikingjelly_forward_and_backward(ours, dtype, grid, device):
    x = currents(dtype, device, grid=grid).requires_grad_()
    y = x.detach().clone().requires_grad_()
    node = reference(ours)
    spikes, expected = ours(x), node(y)
    assert 0.05 < expected.mean() < 0.95
    assert spikes.dtype == dtype and torch.equal(spikes, expected)
    weight = torch.randn(x.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64).to(x)
    (spikes * weight).sum().backward()
    (expected * weight).sum().backward()
    assert torch.equal(x.grad, y.grad)
    assert torch.equal(ours(y.detach()), ours(y.detach()))  # nothing is left over from the first call


@pytest.mark.parametrize("ours", NEURONS, ids=lambda n: f"{type(n).__name__} {n.extra_repr()}")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("grid", [None, 0.125])
def test_the_same_bits_where_no_gradient_is_wanted(ours, dtype, grid, device):
    """By another path, which the CPU takes."""
    x = currents(dtype, device, seed=7, grid=grid)
    node = reference(ours)
    expected, traced = node(x), ours.trace(x)
    with torch.no_grad():
        spikes, membrane, threshold = ours.trace(x)
        assert torch.equal(ours(x), expected) and torch.equal(spikes, expected) and spikes.dtype == dtype
        assert torch.equal(membrane, traced[1]) and threshold == traced[2]
        assert torch.equal(ours.fire(x, ours.settings(), store_v_seq=True)[1], node.v_seq)


@pytest.mark.parametrize("name", ["lif1", "lif05", "if_soft"])
def test_measured_reference(name):
    # currents and spikes that were measured on the published neurons, see tests/golden
    ref = np.load(GOLDEN / "ref_ops.npz")
    ours = {"lif1": LIF(), "lif05": LIF(threshold=0.5), "if_soft": IF()}[name]
    x = torch.from_numpy(ref["lif/x"])[:, None]
    assert torch.equal(ours(x)[:, 0], torch.from_numpy(ref[f"{name}/spike"]))


def test_nine_numbers():
    # tau 2: H = V + (X - V) / 2 = (V + X) / 2, all exact in binary
    #   X    1.5    1.5    0   1    1     1      4      -1    2.5
    #   H    0.75   1.125  0   0.5  0.75  0.875  2.4375 -0.5  1.0
    #   S    0      1      0   0    0     0      1       0    1      (1.0 is exactly at the threshold)
    #   V    0.75   0      0   0.5  0.75  0.875  0      -0.5  0
    x = torch.tensor([1.5, 1.5, 0, 1, 1, 1, 4, -1, 2.5]).view(9, 1, 1)
    spikes, potential, threshold = LIF().trace(x)
    assert potential.flatten().tolist() == [0.75, 1.125, 0, 0.5, 0.75, 0.875, 2.4375, -0.5, 1.0]
    assert spikes.flatten().tolist() == [0, 1, 0, 0, 0, 0, 1, 0, 1]
    assert threshold == 1.0


def test_soft_reset_keeps_the_rest():
    # IF, soft:  X 0.75 0.75 0.5 1.5 -1;  H 0.75 1.5 1.0 1.5 -0.5;  S 0 1 1 1 0;  V 0.75 0.5 0 0.5 -0.5
    x = torch.tensor([0.75, 0.75, 0.5, 1.5, -1.0]).view(5, 1, 1)
    spikes, potential, _ = IF().trace(x)
    assert potential.flatten().tolist() == [0.75, 1.5, 1.0, 1.5, -0.5]
    assert spikes.flatten().tolist() == [0, 1, 1, 1, 0]
    # hard: V is 0 after a spike, so H 0.75 1.5 0.5 2.0 -1.0
    assert IF(reset="hard").trace(x)[1].flatten().tolist() == [0.75, 1.5, 0.5, 2.0, -1.0]


@pytest.mark.parametrize("threshold", [1.0, 0.5])
def test_exactly_at_the_threshold_it_fires(threshold, device):
    # one step from rest: H = X / 2; attention sums are multiples of 0.125, so this happens all the time
    at = torch.tensor([2 * threshold]).to(device)
    below = torch.nextafter(at, torch.zeros_like(at))
    assert LIF(threshold)(torch.stack([at, below]).T[None]).flatten().tolist() == [1, 0]
    assert IF(threshold)(torch.stack([at, below]).T[None] / 2).flatten().tolist() == [1, 0]


@pytest.mark.parametrize("ours", NEURONS, ids=lambda n: f"{type(n).__name__} {n.extra_repr()}")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("grid", [None, 0.125])
def test_the_trace_is_at_its_threshold_exactly_where_it_fires(ours, dtype, grid, device):
    x = currents(dtype, device, seed=3, grid=grid)
    spikes, potential, threshold = ours.trace(x)
    assert threshold == ours.threshold and potential.shape == x.shape
    assert torch.equal(spikes, ours(x))
    assert torch.equal((potential >= threshold).to(dtype), spikes)
    if grid and getattr(ours, "tau", 2.0) == 2.0:
        assert (potential == threshold).any()  # otherwise no tie was tested


@pytest.mark.parametrize("ours", NEURONS, ids=lambda n: f"{type(n).__name__} {n.extra_repr()}")
def test_the_trace_resets_to_the_membrane_of_spikingjelly(ours):
    x = currents(torch.float64, "cpu", seed=5)
    spikes, before, threshold = ours.trace(x)
    node = reference(ours)
    node(x)
    after = before * (1 - spikes) if ours.reset == "hard" else before - threshold * spikes
    assert torch.allclose(after, node.v_seq, rtol=0, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=12),
    st.floats(0.125, 3, width=32),
    st.floats(1.125, 8, width=32),
    st.sampled_from(["hard", "soft"]),
)
def test_trace_and_spikes_agree_for_any_currents(values, threshold, tau, reset):
    x = torch.tensor(values).view(-1, 1, 1)
    for ours in (LIF(threshold, tau, reset), IF(threshold, reset)):
        spikes, potential, _ = ours.trace(x)
        assert torch.equal(potential >= threshold, spikes == 1)
        assert torch.equal(spikes, ours(x))


def test_the_membrane_is_not_rounded_under_autocast():
    # 1/256 a step is lost in bfloat16 beside 0.9, whose steps there are 1/256: charged 40 times it must cross 1
    x = torch.full((40, 1, 1), 1 / 256, dtype=torch.bfloat16)
    x[0] = 0.90234375
    assert IF()(x).float().sum() == 1


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: LIF(threshold=0), "threshold must be above 0, not 0"),
        (lambda: IF(threshold=-1), "threshold must be above 0, not -1"),
        (lambda: LIF(threshold=float("nan")), "threshold must be above 0, not nan"),
        (lambda: LIF(tau=1), "tau must be above 1, not 1"),
        (lambda: LIF(tau=float("nan")), "tau must be above 1"),
        (lambda: LIF(reset="zero"), "reset is 'hard' or 'soft', not 'zero'"),
        (lambda: IF(reset=None), "reset is 'hard' or 'soft', not None"),
    ],
)
def test_bad_arguments(make, sentence, unchecked):
    with pytest.raises(ValueError, match=sentence):
        make()


@pytest.mark.parametrize("ours", NEURONS, ids=lambda n: f"{type(n).__name__} {n.extra_repr()}")
@pytest.mark.parametrize("still", [False, True], ids=["moving", "still"])
@pytest.mark.parametrize("grid", [(), (1, 1), (3, 5), (50, 50)], ids=str)
def test_what_is_observed_is_what_is_traced(ours, still, grid):
    """Counts and membranes as they come out, of one block of numbers or of many, of currents made on the way."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(6, 2, 7, *grid, generator=generator) * 1.5 + 0.5
    x = x[0].expand(x.shape) if still else x
    weight, bias, mean, variance = torch.rand(4, 7, generator=generator) + 0.5
    norm = Affine(weight, bias - 0.7, mean - 0.5, variance, 1e-5)
    normal = norm.over_steps(x)
    spikes, potential, threshold = ours(normal), ours.trace(normal.clone().requires_grad_())[1], ours.threshold
    with torch.no_grad():
        fired = ours.observe(x, norm, counts=True, membrane=True)
        alone = ours.observe(normal)
    assert torch.equal(fired.spikes, spikes) and torch.equal(alone.spikes, spikes)
    assert fired.counts.dtype == torch.uint8 and torch.equal(fired.counts.float(), spikes)
    assert torch.equal(fired.membrane, potential.detach()) and fired.threshold == threshold
    assert alone.counts is None and alone.membrane is None
    assert 0.02 < spikes.mean() < 0.98


@pytest.mark.parametrize("ours", NEURONS, ids=lambda n: f"{type(n).__name__} {n.extra_repr()}")
def test_a_closed_channel_sends_nothing_and_keeps_its_membrane(ours):
    x = torch.randn(5, 2, 6, 4, 4, generator=torch.Generator().manual_seed(4)) + 0.5
    gate = torch.tensor([True, False, True, True, False, False])
    with torch.no_grad():
        open_, closed = ours.observe(x, counts=True, membrane=True), ours.observe(x, gate=gate, counts=True)
        watched = ours.observe(x, gate=gate, counts=True, membrane=True)
    expected = open_.spikes * gate[:, None, None]
    assert open_.spikes[:, :, ~gate].any() and expected.any()
    for found in (closed, watched, ours.observe(x.clone().requires_grad_(), gate=gate)):
        assert torch.equal(found.spikes, expected)
    assert torch.equal(closed.counts.float(), expected) and torch.equal(watched.counts.float(), expected)
    assert torch.equal(watched.membrane, open_.membrane)


def test_under_autocast_spikes_keep_the_type_and_gradients_come_back_in_it():
    x = currents(torch.bfloat16, "cpu").requires_grad_()
    spikes = LIF()(x)
    assert spikes.dtype == torch.bfloat16 and torch.equal(spikes.float(), LIF()(x.float()))
    spikes.sum().backward()
    assert x.grad.dtype == torch.bfloat16 and x.grad.abs().max() > 0
