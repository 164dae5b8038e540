"""Errors of integers against membranes, and integers against spikes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.networks import make_small, make_tiny

import spikeviz as sv
from spikeviz.metrics import MEMBRANES, OPERANDS, approximation_error, spike_driven_equality
from spikeviz.metrics import approximation as sfa
from spikeviz.nn.integers import IntegerIF

SpikeDriven, SpikeLevels, TimeSteps = (
    getattr(sv.interventions, n) for n in ("SpikeDriven", "SpikeLevels", "TimeSteps")
)
ROUNDINGS = ("half-even", "half-up")
membranes = st.lists(st.integers(-80, 400).map(lambda n: n / 16), min_size=1, max_size=30)  # ties among them


@pytest.fixture(scope="module")
def small():
    return make_small()


@pytest.fixture(scope="module")
def picture():
    return torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))


# --- one neuron ---


@given(membranes, st.integers(1, 20), st.sampled_from(ROUNDINGS))
def test_the_curves_fire_what_the_neuron_fires(u, levels, rounding):
    fired = IntegerIF(levels, rounding)(torch.tensor(u, dtype=torch.float64)[None]) * levels
    assert np.array_equal(sfa.fire(np.array(u), levels, rounding), fired[0].round().numpy())


@given(membranes, st.integers(1, 20))
def test_soft_reset_fires_the_half_up_integer_first_spikes_first(u, levels):
    """Proposition 1, by a neuron that is simulated step by step."""
    for value in u:
        train = sfa.spike_train(value, levels)
        assert train.sum() == sfa.fire(np.array([value]), levels, "half-up")[0]
        assert (np.diff(train) <= 0).all()


def test_half_even_differs_from_the_neuron_at_every_second_tie_and_nowhere_else():
    u = np.arange(0, 8, 1 / 16)
    apart = sfa.fire(u, 8) != np.array([sfa.spike_train(v, 8).sum() for v in u])
    assert u[apart].tolist() == [0.5, 2.5, 4.5, 6.5]


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("levels", [1, 2, 4, 8, 16])
def test_errors_as_rates_fall_with_d(levels, rounding):
    u = np.arange(-32, 16 * levels + 1) / 16
    assert np.abs(sfa.forward_error(u, levels, rounding)).max() == pytest.approx(1 / (2 * levels))
    assert np.abs(sfa.gradient_error(u, levels, rounding)).max() == pytest.approx(1 / (2 * levels))
    above = np.array([levels + 1.0, levels + 4.0])
    assert sfa.forward_error(above, levels) == pytest.approx((above - levels) / levels)
    assert sfa.gradient_error(above, levels) == pytest.approx([0, 0])


def test_errors_as_printed():
    """Eq. 25 and 28 by hand, at D = 4: 0 below 0, U - round(U) / 4 inside, U - 1 and 1 above."""
    u = np.array([-1.0, 0.25, 1.0, 2.75, 4.0, 6.0])
    assert sfa.forward_error_printed(u, 4) == pytest.approx([0, 0.25, 0.75, 2.0, 3.0, 5.0])
    assert sfa.gradient_error_printed(u, 4) == pytest.approx([0, 0.25, 0.75, 2.0, 1.0, 1.0])


def test_the_gradient_error_is_that_of_the_neurons_own_gradient():
    """The gradient of `IntegerIF`, summed up from far below, minus what it fires."""
    levels, step = 4, 1 / 512
    u = torch.arange(-1 + step / 2, 6, step, dtype=torch.float64)[None].requires_grad_()
    IntegerIF(levels)(u).sum().backward()
    integral = (u.grad[0] * step).cumsum(0).numpy()
    at = u.detach()[0].numpy() + step / 2
    fired = sfa.fire(at, levels) / levels
    assert integral - fired == pytest.approx(sfa.gradient_error(at, levels), abs=1e-3)


@given(st.integers(0, 10), st.integers(0, 5))
def test_patterns_fire_their_rate(tenths, seed):
    rate = tenths / 10
    trains = sfa.constant_train(rate, 10), sfa.random_train(rate, 10, seed), sfa.spike_train(rate * 10, 10)
    assert [t.sum() for t in trains] == [tenths] * 3
    assert all(set(t.tolist()) <= {0.0, 1.0} for t in trains)
    assert (np.diff(trains[2]) <= 0).all()


# --- a network ---


@pytest.mark.parametrize("d", [1, 4, 8])
def test_error_of_a_layer_by_hand(small, picture, d):
    r = sv.simulate(small, picture, (SpikeLevels(d), TimeSteps(2)), keep=MEMBRANES)
    table = approximation_error(small, r)
    assert (table["D"] == d).all()
    assert list(table["layer"]) == [n.removesuffix(".spike") for n in r if n.endswith(".spike")]
    row = table.set_index("layer").loc["blocks.0.mlp.hidden"]
    u = r["blocks.0.mlp.hidden.membrane"].values.double().numpy().ravel()
    error = np.abs(sfa.forward_error(u, d))
    assert row["error"] == pytest.approx(error.mean())
    assert row["clipping"] == pytest.approx(np.where(u > d, error, 0).mean())
    assert row["rounding"] + row["clipping"] == pytest.approx(row["error"])
    assert row["clipped"] == pytest.approx((u > d).mean())
    assert row["relative"] == pytest.approx(error.mean() / (np.maximum(u, 0).mean() / d))


def test_a_larger_d_clips_less(small, picture):
    clipped = [
        approximation_error(small, sv.simulate(small, picture, SpikeLevels(d), keep=MEMBRANES))["clipped"].mean()
        for d in (1, 2, 4, 8, 16)
    ]
    assert clipped == sorted(clipped, reverse=True) and clipped[0] > clipped[-1]


def test_errors_are_of_integer_neurons(picture):
    binary = make_tiny()
    with pytest.raises(ValueError, match="fires binary spikes: an approximation error is that of integer neurons"):
        approximation_error(binary, sv.simulate(binary, picture))
    with pytest.raises(ValueError, match="fires binary spikes already"):
        spike_driven_equality(binary, picture)


def test_errors_need_membranes(small, picture):
    with pytest.raises(ValueError, match=r"has not both membrane and spike of .*; keep="):
        approximation_error(small, sv.simulate(small, picture, keep="*.spike"))


# --- integers are spikes ---


@pytest.mark.parametrize("layout", ["base", "large-rep", "large"])
@pytest.mark.parametrize("d", [1, 2, 4, 8, 16])
def test_a_whole_network_runs_on_spikes(layout, d, picture):
    """In float64 both runs agree to rounding, in every logit and membrane, and fire the same integers."""
    model = make_small(layout).double()
    found = spike_driven_equality(model, picture, (SpikeLevels(d),))
    assert found.logits < 1e-12 and found.membrane < 1e-11 and found.differ == 0 and found.unequal == 0
    assert found.dtype == "float64"
    whole = sv.simulate(model, picture, SpikeLevels(d), keep="*.spike")
    assert found.layers["spikes"].sum() == sum(int(t.values.sum()) for t in whole.values())


def test_spike_driven_runs_are_other_sums(small, picture):
    """The test above would pass if `SpikeDriven` did nothing: it must run a product for every binary step."""
    calls = []
    conv = small.get_submodule("blocks.0.mlp.hidden.conv")
    original = conv._conv_forward
    conv._conv_forward = lambda x, w, b: calls.append((x.detach().clone(), b)) or original(x, w, b)
    try:
        sv.simulate(small, picture, SpikeDriven(), keep="")
    finally:
        del conv._conv_forward
    assert len(calls) > 1 and all(set(x.unique().tolist()) <= {0.0, 1.0} and b is None for x, b in calls)
    r = sv.simulate(small, picture, keep="blocks.0.mlp.hidden.spike")
    assert torch.equal(
        sum(x for x, _ in calls).view_as(r["blocks.0.mlp.hidden.spike"].values),
        r["blocks.0.mlp.hidden.spike"].values.float(),
    )


def test_spike_driven_keeps_every_operation_count(small, picture):
    plain, driven = (
        sv.metrics.operations(small, sv.simulate(small, picture, i, keep=OPERANDS)) for i in ((), (SpikeDriven(),))
    )
    assert plain["layer"].tolist() == driven["layer"].tolist()
    assert plain[["MACs", "SOPs"]].to_numpy() == pytest.approx(driven[["MACs", "SOPs"]].to_numpy(), rel=1e-3)


def test_spike_driven_leaves_binary_networks_as_they_are(picture):
    """Sums of spikes of its residual stream are counts as well; the rest is one step already."""
    model = make_tiny().double()
    plain, driven = (sv.simulate(model, picture, i) for i in ((), (SpikeDriven(),)))
    assert (plain.output - driven.output).abs().max() < 1e-12


def test_gradients_of_both_paths_agree(picture):
    from spikeviz.probe import Tape

    grads = []
    for edits in ((), (SpikeDriven(),)):
        model = make_small().double()
        with Tape((SpikeLevels(4), *edits), keep="").rolling():
            model(picture.double()).square().sum().backward()
        grads.append({n: p.grad for n, p in model.named_parameters()})
    assert set(grads[0]) == set(grads[1]) and len(grads[0]) > 20
    for name, grad in grads[0].items():
        assert torch.allclose(grad, grads[1][name], rtol=1e-8, atol=1e-10), name
