"""ResNet18 and VGG16 with QCFS: shapes, pooling as spikes, conversion, masking before convolutions."""

import pytest
import torch
from support.networks import make_cnn

import spikeviz as sv
from spikeviz.interventions import MaskSpikes
from spikeviz.models.cnn import _pooled

FORMS = ("resnet18", "vgg16")


@pytest.fixture(scope="module", params=FORMS)
def ann(request):
    return make_cnn(request.param)


@pytest.fixture
def x():
    return torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))


def test_sizes_of_maps(ann, x):
    r = sv.simulate(ann, x, keep="*.spike")
    sides = [track.values.shape[-1] for track in r.values()]
    channels = [track.values.shape[2] for track in r.values()]
    if ann.config.form == "resnet18":
        assert sides == [32, *[32] * 4, *[16] * 4, *[8] * 4, *[4] * 4] and len(r) == 17
        assert channels == [4, *[4] * 4, *[8] * 4, *[16] * 4, *[32] * 4]
    else:
        assert sides == [32, 32, 16, 16, 8, 8, 8, 4, 4, 4, 2, 2, 2]
        assert channels == [4, 4, 8, 8, 16, 16, 16, 32, 32, 32, 32, 32, 32]


def test_a_mean_of_spikes_is_spikes():
    counts = torch.randint(0, 2, (3, 2, 4, 8, 8)).float()
    threshold = torch.rand(1) + 0.5
    pooled = _pooled(counts * threshold, float(threshold))
    whole = counts.unflatten(-1, (4, 2)).unflatten(-3, (4, 2)).sum((-1, -3))
    assert torch.equal(pooled, whole * (float(threshold) / 4))


def test_conversion(ann, x):
    qcfs = sv.simulate(ann, x)
    error = {}
    for steps in (1, 4, 16):
        r = sv.simulate(sv.to_spiking(ann, steps), x)
        error[steps] = sv.metrics.conversion_error(qcfs, r)["relative"].mean()
        assert r.logits_per_step.shape == (steps, 2, 3)
    assert error[1] > error[4] > error[16]


def test_only_the_first_convolution_of_the_spiking_network_multiplies(ann, x):
    snn = sv.to_spiking(ann, 4)
    table = sv.metrics.operations(snn, sv.simulate(snn, x)).set_index("layer")
    assert set(table.index[table["MACs"] > 0]) == {"stem.conv", "head"}
    assert (table.drop(["stem.conv", "head"])["SOPs"] > 0).all()
    assert (sv.metrics.operations(ann, sv.simulate(ann, x))["SOPs"] == 0).all()


def test_masking_before_convolutions(ann, x):
    snn = sv.to_spiking(ann, 4)
    whole = sv.simulate(snn, x)
    assert torch.equal(whole.output, sv.simulate(snn, x, MaskSpikes(0.0, at="*.spike")).output)
    sums = []
    for ratio in (0.0, 0.5, 1.0):
        r = sv.simulate(snn, x, MaskSpikes(ratio, at="*.spike"))
        sums.append(sum(int(track.values.sum(dtype=torch.long)) for track in r.of_kind("spike").values()))
    assert sums[0] > sums[1] > sums[2] == 0
    with pytest.raises(ValueError, match="nothing to act on"):
        sv.simulate(snn, x, MaskSpikes(0.5))  # there is no attention


@pytest.mark.parametrize("spiking", [False, True])
def test_what_a_convolution_reads_is_masked_for_it_alone(x, spiking):
    """The identity shortcut beside it reads the same tensor whole; levels are thinned one by one."""
    ann = make_cnn("resnet18")
    model = sv.to_spiking(ann, 4) if spiking else ann
    rule = MaskSpikes(1.0, at="blocks.0.layer.conv.input")
    r, whole = sv.simulate(model, x, rule), sv.simulate(model, x)
    assert torch.equal(r["stem.spike"].values, whole["stem.spike"].values) and r["stem.spike"].values.any()
    assert not r["blocks.0.layer.conv.input"].values.any()
    block, fed = model.blocks[0], r["stem.spike"].flows
    layer = block.layer(torch.zeros_like(fed), scale=model.stem.scale)  # what is left without any input, and the stem
    alone = block.out(block.norm(block.conv(layer, block.layer.scale)) + fed)
    torch.testing.assert_close(r["blocks.0.out.spike"].flows, alone.detach(), atol=1e-6, rtol=0)
    half = sv.simulate(model, x, MaskSpikes(0.5, at="*.conv.input"), ("*", "*.sent"))
    came, kept = (half[f"blocks.0.conv.input.{what}"].values for what in ("sent", "mask"))
    assert came.dtype == torch.uint8 and 0.3 < kept.sum() / came.sum() < 0.7 and (kept <= came).all()
    assert "stem.conv.input.mask" not in half  # the image is no spikes
    with pytest.raises(ValueError, match="nothing to act on"):
        sv.simulate(model, x, MaskSpikes(0.5, at="stem.conv.input"))
    assert not any(name.endswith(".input.mask") for name in sv.simulate(model, x, MaskSpikes(0.5, at="*")))


def test_gradients_reach_every_parameter(ann, x):
    model = make_cnn(ann.config.form).train()
    model(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_events_are_refused(ann, unchecked):
    with pytest.raises(ValueError, match="this network takes images"):
        sv.simulate(ann, torch.rand(3, 2, 1, 32, 32))
