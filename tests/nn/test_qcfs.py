"""QCFS and the neuron it becomes: values and gradients of the published code, and equality for a constant input."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.published import reference

import spikeviz as sv
from spikeviz.models.cnn import CNNConfig
from spikeviz.models.registry import assemble, find_spec
from spikeviz.nn.qcfs import QCFS, ConvertedIF

CASES = {"L16_up2.0": (16, 2.0), "L4_up1.5": (4, 1.5), "L8_up8.0": (8, 8.0)}


def qcfs(levels, threshold) -> QCFS:
    layer = QCFS(levels).double()
    layer.threshold.data.fill_(threshold)
    return layer


def converted(threshold) -> ConvertedIF:
    layer = ConvertedIF().double()
    layer.threshold.data.fill_(threshold)
    return layer


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case):
    ref, layer = reference("qcfs_ops"), qcfs(*CASES[case])
    x = torch.from_numpy(ref["x"]).requires_grad_()
    y = layer(x)
    assert np.abs(y.detach().numpy() - ref[f"{case}/y"]).max() < 1e-12
    with torch.no_grad():
        assert torch.equal(layer(x), y)  # by another path, which keeps nothing for gradients
    (y * torch.from_numpy(ref[f"{case}/w"])).sum().backward()
    assert np.abs(x.grad.numpy() - ref[f"{case}/dx"]).max() < 1e-12
    assert layer.threshold.grad.item() == pytest.approx(ref[f"{case}/dup"].item(), rel=1e-10)


@pytest.mark.parametrize("case", CASES)
def test_the_spiking_neuron(case):
    ref, layer = reference("qcfs_ops"), converted(CASES[case][1])
    x = torch.from_numpy(ref["x"]).expand(16, -1)
    assert np.abs(layer(x).detach().numpy() - ref[f"{case}/snn"]).max() < 1e-12
    traced = layer.trace(x)
    with torch.no_grad():  # by another path
        assert all(torch.equal(one, other) for one, other in zip(layer.trace(x)[:2], traced[:2], strict=True))


@given(
    st.lists(st.floats(-4, 12, allow_nan=False), min_size=1, max_size=30),
    st.integers(1, 32),
    st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0]),
)
def test_equal_for_a_constant_input(values, levels, threshold):
    """T = L steps of a constant current: the mean is QCFS exactly where the sums are exact numbers."""
    x = (torch.tensor(values, dtype=torch.float64) * 1024).round() / 1024 * levels  # so that x / th * L has no rounding
    x = x / levels if levels & (levels - 1) == 0 else x
    ann, snn = qcfs(levels, threshold)(x[None]), converted(threshold)(x.expand(levels, -1))
    assert torch.allclose(snn.mean(0), ann[0], atol=1e-12)


def test_levels_and_steps_are_kept_as_whole_numbers():
    layer = qcfs(4, 1.5)
    x = torch.linspace(-1, 3, 33, dtype=torch.float64)[None]
    y, membrane, threshold = layer.trace(x)
    assert torch.equal(membrane, x) and threshold == 1.5 and layer.unit().scale == 1.5 / 4
    counts = y / layer.unit().scale
    assert torch.equal(counts, counts.round()) and counts.min() == 0 and counts.max() == 4
    neuron = converted(1.5)
    spikes, before, threshold = neuron.trace(x.expand(6, -1))
    assert torch.equal(spikes, neuron(x.expand(6, -1))) and neuron.unit().scale == 1.5
    assert torch.equal(spikes > 0, before >= threshold)  # the trace crosses its threshold where it fires
    assert torch.equal(before[0], 0.5 + x[0] / 1.5)


def test_levels_as_an_intervention():
    """A network that quantises in other levels is the one that was built with them."""
    fine, coarse = (assemble("mst-cnn", CNNConfig("resnet18", 2, 10, 1, 32, levels=n), "small").eval() for n in (16, 4))
    coarse.load_state_dict(fine.state_dict())
    x, levels = torch.rand(2, 1, 32, 32), sv.interventions.QuantisationLevels
    plain, other, same = (sv.simulate(fine, x, i, keep="*.spike") for i in ((), levels(4), levels(16)))
    built = sv.simulate(coarse, x, keep="*.spike")
    assert torch.equal(other.output, built.output) and torch.equal(same.output, plain.output)
    assert not torch.equal(other["stem.spike"].values, plain["stem.spike"].values)
    assert all(other[n].scale == built[n].scale and torch.equal(other[n].values, built[n].values) for n in built)
    with pytest.raises(ValueError, match="has nothing to act on"):
        sv.simulate(sv.to_spiking(fine, 4), x, levels(4))


@pytest.mark.parametrize("name", ["mst-fashion", "mst-vgg16-fashion"])
def test_after_one_step_it_knows_what_one_level_tells(name):
    """The first step of a converted network is its QCFS network in one level, layer by layer."""
    torch.manual_seed(0)
    ann = sv.build(name).double().eval()
    x = torch.rand(2, *find_spec(name).input, dtype=torch.float64)
    first = sv.simulate(sv.to_spiking(ann, 1), x, keep="*.spike")
    level = sv.simulate(ann, x, sv.interventions.QuantisationLevels(1), keep="*.spike")
    assert torch.allclose(first.output, level.output, atol=1e-12)
    assert all(torch.equal(first[place].values, level[place].values) for place in first)
    assert first["stem.spike"].values.any()


def test_bad_levels():
    with pytest.raises(ValueError, match="1 level or more, not 0"):
        QCFS(0)
