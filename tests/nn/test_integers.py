"""Integer neurons: both published roundings, their gradients, and the binary steps an integer stands for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spikingjelly.activation_based import neuron, surrogate
from spikingjelly.activation_based.layer import SpikeCountToBinary
from support.published import GOLDEN
from torch.nn.functional import conv2d, linear

from spikeviz.interventions import SpikeLevels
from spikeviz.nn.integers import LONGEST, IntegerIF, expand
from spikeviz.nn.neurons import IF
from spikeviz.probe import Tape

DEPTHS = (1, 2, 4, 8, 16)
ROUNDINGS = ("half-even", "half-up")


def currents(seed=0, shape=(3, 2, 40), dtype=torch.float64, spread=4.0):
    """With ties: a half of them are multiples of 1/2."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * spread + 1
    x[..., ::2] = (x[..., ::2] * 2).round() / 2
    return x.to(dtype)


def fire(values, levels, rounding):
    """Integers and gradients of one step."""
    x = torch.tensor(values, dtype=torch.float32).view(1, -1).requires_grad_()
    y = IntegerIF(levels, rounding)(x) * levels
    y.sum().backward()
    return y.flatten().tolist(), (x.grad.flatten() != 0).tolist()


# --- what one step fires ---


@pytest.mark.parametrize("name", ["base_D4", "base_D8", "base_head_norm1", "large_D4", "large_head_norm1"])
def test_measured_reference(name):
    # measured on the published quantisers; `head_norm1` is what the last head gets: C, not divided, at D = 4
    ref = np.load(GOLDEN / "ref_sdtv3_quant_ops.npz")
    ours = IntegerIF(8 if name == "base_D8" else 4, "half-even" if name.startswith("base") else "half-up")
    x = torch.from_numpy(ref[f"{name}/x"])[None].requires_grad_()
    y = ours(x) / (ours.unit().scale if "head" in name else 1)
    y.sum().backward()
    assert torch.equal(y[0].detach(), torch.from_numpy(ref[f"{name}/y"]))
    assert torch.equal(x.grad[0], torch.from_numpy(ref[f"{name}/dy"]))


@pytest.mark.parametrize("levels", DEPTHS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("steps", [1, 4])
def test_bits_of_spikingjelly_forward_and_backward(levels, dtype, steps, device):
    if device.type == "mps" and dtype == torch.float64:
        pytest.skip("MPS has no float64")
    x = currents(shape=(steps, 2, 40), dtype=dtype).to(device).requires_grad_()
    y = x.detach().clone().requires_grad_()
    ours = IntegerIF(levels)
    # 1 - 1/tau is 1: nothing leaks
    node = neuron.ILIFNode(1e30, 1.0, surrogate.MultiLevelSpikeCount(levels), detach_reset=True, step_mode="m")
    spikes, expected = ours(x), node(y) / levels
    assert 0.05 < expected.mean() < 0.95 and spikes.dtype == dtype
    assert torch.equal(spikes, expected)
    weight = torch.randn(x.shape, generator=torch.Generator().manual_seed(9)).to(x)
    (spikes * weight).sum().backward()
    (expected * weight).sum().backward()
    assert torch.equal(x.grad, y.grad) and x.grad.any() and not x.grad.all()
    assert torch.equal(ours(y.detach()), ours(y.detach()))  # nothing is left over from the first call


def test_ties():
    values = [0.5, 1.5, 2.5, 3.5, 4.5, -0.5]
    assert fire(values, 8, "half-even")[0] == [0, 2, 2, 4, 4, 0]
    assert fire(values, 8, "half-up")[0] == [1, 2, 3, 4, 5, 0]


def test_ends_of_the_window():
    # at 0 and at D the base form has a gradient, the large form has none; just inside both, just outside neither
    inside = np.nextafter(np.float32([0, 4]), np.float32(2)).tolist()
    outside = np.nextafter(np.float32([0, 4]), np.float32([-1, 5])).tolist()
    values = [0.0, -0.0, 4.0, *inside, *outside]
    assert fire(values, 4, "half-even")[1] == [True, True, True, True, True, False, False]
    assert fire(values, 4, "half-up")[1] == [False, False, False, True, True, False, False]


def test_half_up_is_a_floor_of_a_sum():
    # the largest float32 below 0.5, plus 0.5, is 1 in float32: the published floor(x + 0.5) fires there, and so does a
    # binary neuron that was started at 0.5
    below = float(np.nextafter(np.float32(0.5), np.float32(0)))
    assert fire([below], 4, "half-up")[0] == [1] and fire([below], 4, "half-even")[0] == [0]
    assert IF()(torch.tensor([[below + 0.5]])).item() == 1


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("levels", [1, 2, 3, 8, 255])
def test_one_number_clips_and_divides(levels, rounding):
    ours = IntegerIF(levels, rounding)
    x = torch.linspace(-3, 2 * levels, 999).view(1, 3, 333).requires_grad_()
    y = ours(x)
    assert y.min() == 0 and y.max() == 1 and ours.unit() == (1 / levels, levels)
    assert len(y.unique()) == levels + 1
    y.sum().backward()
    assert x.grad.unique().tolist() == [0, pytest.approx(1 / levels)]


# --- more than one step ---


def test_soft_reset_keeps_the_rest():
    # D = 2, half-even.  X  0.75  0.75  5    -3    0.5   0.25
    #                     U  0.75  0.5   5.5   0.5  1.0   0.25
    #                     C  1     0     2     0    1     0       (0.5 -> 0; 5.5 is clipped to 2)
    #                     H -0.25  0.5   3.5   0.5  0.0   0.25
    x = torch.tensor([0.75, 0.75, 5.0, -3.0, 0.5, 0.25]).view(6, 1, 1)
    spikes, potential, threshold = IntegerIF(2).trace(x)
    assert potential.flatten().tolist() == [0.75, 0.5, 5.5, 0.5, 1.0, 0.25]
    assert (spikes * 2).flatten().tolist() == [1, 0, 2, 0, 1, 0]
    assert threshold == 0.5 and torch.equal(spikes, IntegerIF(2)(x))
    # half-up fires at the two ties as well: U 0.75 0.5 4.5 -0.5 0 0.25, C 1 1 2 0 0 0
    spikes, potential, _ = IntegerIF(2, "half-up").trace(x)
    assert potential.flatten().tolist() == [0.75, 0.5, 4.5, -0.5, 0.0, 0.25]
    assert (spikes * 2).flatten().tolist() == [1, 1, 2, 0, 0, 0]


@pytest.mark.parametrize("steps", [1, 5])
def test_a_trace_crosses_its_threshold_where_it_fires(steps):
    ours = IntegerIF(4, "half-up")
    x = currents(shape=(steps, 3, 50), dtype=torch.float32)
    spikes, potential, threshold = ours.trace(x)
    assert potential.shape == x.shape and (potential == threshold).any()
    assert torch.equal(potential >= threshold, spikes > 0)


def test_under_autocast_nothing_is_rounded_twice():
    # in bfloat16 254.6 is 255 and 255 + 0.5 is 256, which is more than D
    x = torch.tensor([[255.0, 300.0, 1.0]], dtype=torch.bfloat16)
    for rounding in ROUNDINGS:
        y = IntegerIF(255, rounding)(x)
        assert y.dtype == torch.bfloat16 and y[0, :2].tolist() == [1, 1]
    # 1/256 a step is lost in bfloat16 beside 0.9: charged 40 times it must fire once more than not at all
    x = torch.full((40, 1), 1 / 256, dtype=torch.bfloat16)
    x[0] = 0.40234375
    assert IntegerIF(4)(x).float().sum() * 4 == 1


# --- the binary steps ---


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-4, 20, width=32) | st.integers(-8, 40).map(lambda n: n / 2), min_size=1, max_size=30),
    st.sampled_from(DEPTHS),
)
def test_proposition_1(values, levels):
    """Half-up is IF with soft reset, threshold 1, started at 0.5, with input at d = 1 only; half-even but for ties."""
    x = torch.tensor(values)
    train = torch.zeros(levels, len(values))
    train[0] = x + 0.5  # a start at 0.5 is a current of 0.5 more
    spikes = IF()(train)
    up, even = (IntegerIF(levels, rounding)(x[None]) * levels for rounding in ("half-up", "half-even"))
    assert torch.equal(spikes, expand(up, levels))  # the same spikes, and first
    # floor(x + 0.5) and x rounded to even are apart where x + 0.5 is a whole odd number in floats, and below D
    whole = x + 0.5
    ties = (whole == whole.floor()) & (whole % 2 == 1) & (whole > 0) & (x < levels)
    assert torch.equal((up != even)[0], ties)
    assert torch.equal(expand(even, levels).sum(0), even[0])  # expanded by count, every integer is its spikes


def test_where_the_roundings_differ():
    x = torch.arange(0, 8.5, 0.25)[None]
    apart = (IntegerIF(8, "half-up")(x) != IntegerIF(8)(x))[0]
    assert x[0, apart].tolist() == [0.5, 2.5, 4.5, 6.5]


def test_spikes_come_first():
    # two steps of two neurons, D = 3: (2, 0) and (1, 3)
    steps = expand(torch.tensor([[2.0, 0.0], [1.0, 3.0]]), 3)
    assert steps.tolist() == [[1, 0], [1, 0], [0, 0], [1, 1], [0, 1], [0, 1]]
    assert expand(torch.tensor([[2, 0]], dtype=torch.uint8), 2).tolist() == [[1, 0], [1, 0]]


@pytest.mark.parametrize("levels", DEPTHS)
def test_expansion_of_spikingjelly(levels):
    x = torch.randint(0, levels + 1, (3, 2, 7), generator=torch.Generator().manual_seed(1)).double().requires_grad_()
    y = x.detach().clone().requires_grad_()
    ours, theirs = expand(x, levels), SpikeCountToBinary(levels, always_convert=True)(y)
    assert torch.equal(ours, theirs)
    weight = torch.randn(ours.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    (ours * weight).sum().backward()
    (theirs * weight).sum().backward()
    assert torch.allclose(x.grad, y.grad, rtol=0, atol=1e-15)


def weights_of(layer):
    """(weight, bias, input currents, function of input and weight without bias)."""
    generator = torch.Generator().manual_seed(4)
    if layer == "linear":
        shape, x = (5, 12), currents(1, (1, 3, 12))
        run = linear
    else:
        shape, x = (5, 4, 3, 3), currents(2, (1, 3, 4, 6, 6))

        def run(maps, weight):
            return conv2d(maps.flatten(0, 1), weight, stride=2, padding=1).unflatten(0, maps.shape[:2])

    weight = torch.randn(shape, generator=generator, dtype=torch.float64)
    bias = torch.randn(5, generator=generator, dtype=torch.float64)
    return weight, bias.view(-1, 1, 1) if layer == "conv" else bias, x, run


@pytest.mark.parametrize("layer", ["linear", "conv"])
@pytest.mark.parametrize("levels", DEPTHS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_integers_are_their_binary_steps(layer, levels, rounding):
    """Eq. 7: W C / D + b is the sum over d of (W / D) S[d], plus b once; forward and backward."""
    *start, x, run = weights_of(layer)
    ours = IntegerIF(levels, rounding)

    def grow(path):
        weight, bias, current = (value.clone().requires_grad_() for value in (*start, x))
        out = path(ours(current), weight, bias)
        (out * out.detach().cos()).sum().backward()
        return out.detach(), weight.grad, bias.grad, current.grad

    def whole(rate, weight, bias):
        return run(rate, weight) + bias

    def stepwise(rate, weight, bias):
        return run(expand(rate * levels, levels), weight / levels).sum(0, keepdim=True) + bias

    def bias_at_every_step(rate, weight, bias):
        return (run(expand(rate * levels, levels), weight / levels) + bias).sum(0, keepdim=True)

    for one, other in zip(grow(whole), grow(stepwise), strict=True):
        assert one.any() and torch.allclose(one, other, rtol=1e-12, atol=1e-12)
    wrong = grow(bias_at_every_step)[0]
    assert torch.allclose(grow(whole)[0], wrong) == (levels == 1)


# --- under interventions, and what cannot be ---


def test_an_intervention_sets_d():
    ours, x = IntegerIF(4), currents(dtype=torch.float32)
    with Tape([SpikeLevels(2), SpikeLevels(7)], keep="").rolling():
        inside, unit = ours(x), ours.unit()
    assert unit == (1 / 7, 7) and ours.levels == 4 and ours.unit() == (1 / 4, 4)
    assert torch.equal(inside, IntegerIF(7)(x)) and not torch.equal(inside, ours(x))


def test_too_many_steps():
    assert IntegerIF(255)(torch.zeros(4, 1)).shape == (4, 1)
    assert LONGEST == 1024
    with pytest.raises(ValueError, match=r"^T 5 x D 255 is 1275 binary steps; at most 1024 are run: lower T or D\.$"):
        IntegerIF(255)(torch.zeros(5, 1))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: IntegerIF(0), r"levels \(D\) must be a whole number from 1 to 255, not 0"),
        (lambda: IntegerIF(256), r"levels \(D\) must be a whole number from 1 to 255, not 256"),
        (lambda: IntegerIF(2.5), r"levels \(D\) must be a whole number from 1 to 255, not 2.5"),
        (lambda: IntegerIF(float("nan")), r"levels \(D\) must be a whole number from 1 to 255, not nan"),
        (lambda: IntegerIF(4, "floor"), "rounding is 'half-even' or 'half-up', not 'floor'"),
    ],
)
def test_bad_arguments(make, sentence, unchecked):
    with pytest.raises(ValueError, match=sentence):
        make()


@pytest.mark.parametrize("rounding", ["half-even", "half-up"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["rows", "channels last"])
def test_a_training_step_has_the_numbers_of_separate_steps(rounding, dtype, steps, layout):
    """By the compiled loops, on a CPU, in any layout, under autocast as well."""
    ours = IntegerIF(4, rounding)
    generator = torch.Generator().manual_seed(5)
    x = (torch.randn(steps * 3, 7, 5, 5, generator=generator) * 3).to(dtype).contiguous(memory_format=layout)
    came = torch.randn(steps, 3, 7, 5, 5, generator=generator).to(dtype)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    given, separate = ours(a.unflatten(0, (steps, 3))), ours.fire(b.unflatten(0, (steps, 3)))[0]
    assert torch.equal(given, separate) and given.dtype == dtype and given.unique().numel() == 5
    (given * came).sum().backward()
    (separate * came).sum().backward()
    torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=0)
    assert a.grad.abs().max() > 0
