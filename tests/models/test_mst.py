"""The Masked Spiking Transformer: windows, shifts, conversion, masking, and what cannot be."""

import itertools

import pytest
import torch
from support.networks import SMALL_MST, make_mst
from torch import nn

import spikeviz as sv
from spikeviz.interventions import MaskSpikes, TimeSteps
from spikeviz.models.mst import MSTConfig
from spikeviz.models.registry import assemble
from spikeviz.nn.qcfs import QCFS
from spikeviz.nn.windows import WindowAttention, relative_places, strangers

SEEN = ("*", "*.sent")


@pytest.fixture(scope="module")
def ann():
    return make_mst()


@pytest.fixture
def x():
    return torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shift", [0, 2])
def test_windows_and_back(shift):
    attn = WindowAttention(8, 2, 8, 4, shift, QCFS, spiking=False)
    x = torch.rand(3, 2, 8, 8, 8)
    parts = attn._windows(x)
    assert parts.shape == (3, 2, 4 * 2, 16, 4)
    assert torch.equal(attn._grid(parts, 8), x)
    if not shift:  # the second window of the first row, the second head
        assert torch.equal(parts[0, 0, 3], x[0, 0, 4:, :4, 4:8].flatten(1).T)


def test_relative_places_by_hand():
    places, w = relative_places(3), 3
    for (a, (y0, x0)), (b, (y1, x1)) in itertools.product(enumerate(itertools.product(range(w), repeat=2)), repeat=2):
        assert places[a, b] == (y0 - y1 + w - 1) * (2 * w - 1) + x0 - x1 + w - 1
    assert places.max() == (2 * w - 1) ** 2 - 1


@pytest.mark.parametrize("grid, window, shift", [(8, 4, 2), (14, 7, 3), (6, 3, 1), (8, 4, 0)])
def test_strangers_by_brute_force(grid, window, shift):
    """Two tokens of a shifted window are strangers where, before the shift, they lay out of a window's reach."""
    found = strangers(grid, window, shift)
    rows = [(place + shift) % grid for place in range(grid)]  # where a place of the shifted grid comes from
    for number, (wy, wx) in enumerate(itertools.product(range(0, grid, window), repeat=2)):
        tokens = [(rows[wy + y], rows[wx + x]) for y in range(window) for x in range(window)]
        for a, b in itertools.product(range(window**2), repeat=2):
            apart = any(abs(p - q) >= window for p, q in zip(tokens[a], tokens[b], strict=True))
            assert found[number, a, b] == apart, (number, tokens[a], tokens[b])


def test_what_a_stranger_holds_changes_nothing():
    attn = WindowAttention(8, 2, 8, 4, 2, QCFS, spiking=False).eval()
    scores = torch.rand(1, 1, 8, 16, 16)
    weights = attn._weights(scores).unflatten(2, (4, 2))
    assert weights[0, 0].masked_select(attn.unseen[:, None].expand(4, 2, 16, 16)).max() < 1e-30
    assert torch.allclose(weights.sum(-1), torch.ones(()))
    strict = WindowAttention(8, 2, 8, 4, 2, QCFS, spiking=False, softmax=False).eval()
    kept = strict._weights(scores).unflatten(2, (4, 2))[0, 0]
    assert kept.masked_select(strict.unseen[:, None].expand(4, 2, 16, 16)).max() == 0 and strict.bias is None


def test_conversion_makes_a_new_network(ann, x):
    before = {key: value.clone() for key, value in ann.state_dict().items()}
    snn = sv.to_spiking(ann, 8)
    assert snn.time_steps == 8 and snn.name == "small-mst-T8" and not snn.training
    assert all(torch.equal(value, before[key]) for key, value in ann.state_dict().items())
    assert {p.data_ptr() for p in snn.parameters()}.isdisjoint(p.data_ptr() for p in ann.parameters())
    r = sv.simulate(snn, x)
    assert r.logits_per_step.shape == (8, 2, 3) and set(r["stem.spike"].values.unique().tolist()) == {0, 1}


def test_the_first_layer_is_equal_at_t_of_l(ann, x):
    """Its current is constant: the mean of T = L steps is QCFS."""
    qcfs, spikes = sv.simulate(ann, x)["stem.spike"], sv.simulate(sv.to_spiking(ann, 8), x)["stem.spike"]
    mean = spikes.values.double().mean(0) * spikes.scale
    assert torch.allclose(mean, qcfs.values[0].double() * qcfs.scale, atol=1e-6)


def test_conversion_error_of_every_layer(ann, x):
    """It falls until what is left is the quantisation that the neurons of a long run do not share."""
    qcfs = sv.simulate(ann, x)
    tables = {t: sv.metrics.conversion_error(qcfs, sv.simulate(sv.to_spiking(ann, t), x)) for t in (1, 4, 8, 16)}
    mean = {t: table["relative"].mean() for t, table in tables.items()}
    assert mean[1] > mean[4] > mean[16] > 0
    assert tables[8].set_index("layer").loc["stem.spike", "error"] < 1e-6
    assert list(tables[8]["layer"]) == list(qcfs.of_kind("spike"))
    by_hand = qcfs["blocks.2.merge.spike"].values.double().mean() * qcfs["blocks.2.merge.spike"].scale
    assert tables[1].set_index("layer").loc["blocks.2.merge.spike", "qcfs"] == pytest.approx(by_hand.item())
    with pytest.raises(ValueError, match="needs the spikes of a QCFS network"):
        sv.metrics.conversion_error(qcfs, sv.simulate(ann, x, keep=""))
    with pytest.raises(ValueError, match="in one recording"):
        sv.metrics.conversion_error(qcfs, sv.simulate(sv.to_spiking(ann, 4), x[:1]))


def test_t_is_moved_in_the_spiking_network_alone(ann, x):
    snn = sv.to_spiking(ann, 8)
    assert torch.equal(
        sv.simulate(snn, x, TimeSteps(5), keep="").logits_per_step,
        sv.simulate(sv.to_spiking(ann, 5), x, keep="").logits_per_step,
    )
    with pytest.raises(ValueError, match="nothing to act on"):
        sv.simulate(ann, x, TimeSteps(5))


@pytest.mark.parametrize("spiking", [False, True])
def test_random_spike_masking(ann, x, spiking):
    model = sv.to_spiking(ann, 8) if spiking else ann
    whole, none = sv.simulate(model, x), sv.simulate(model, x, MaskSpikes(0.0))
    assert torch.equal(whole.logits_per_step, none.logits_per_step)
    half = sv.simulate(model, x, MaskSpikes(0.5), SEEN)
    for name in ("blocks.0.attn.q.spike", "blocks.1.attn.k.spike", "blocks.0.attn.scores"):
        kept, came = half[f"{name}.mask"].values, half[f"{name}.sent"].values
        assert kept.shape == half[name].values.shape == came.shape
        if spiking:
            assert kept.dtype == torch.bool and abs(kept.double().mean() - 0.5) < 5 * (0.25 / kept.numel()) ** 0.5
            assert (half[name].values[~kept] == 0).all() and torch.equal(half[name].values, came * kept)
        else:  # of every level, how many of its spikes
            assert kept.dtype == torch.uint8 and torch.equal(kept, half[name].values) and (kept <= came).all()
            total = came.double().sum()
            assert abs(kept.double().sum() / total - 0.5) < 5 * (0.25 / total) ** 0.5
            assert name.endswith("scores") or ((kept > 0) & (kept < came)).any()
    if spiking:
        masks = half["blocks.0.attn.q.spike.mask"].values
        assert not torch.equal(masks[0], masks[1])  # anew at every step
    gone = sv.simulate(model, x, MaskSpikes(1.0))
    assert gone["blocks.0.attn.scores"].values.sum() == 0 and gone.output.isfinite().all()
    assert not torch.equal(half.output, sv.simulate(model, x, MaskSpikes(0.5), seed=1).output)


def test_a_whole_activation_is_dropped_by_the_published_law(ann, x):
    """Of binary spikes both laws are the same bits; of levels the whole one keeps all or none."""
    snn = sv.to_spiking(ann, 8)
    one, all_of_it = (sv.simulate(snn, x, MaskSpikes(0.5, law=law)) for law in ("spikes", "whole"))
    assert torch.equal(one.logits_per_step, all_of_it.logits_per_step)
    assert all(torch.equal(track.values, all_of_it[name].values) for name, track in one.items())
    r = sv.simulate(ann, x, MaskSpikes(0.5, law="whole"), SEEN)
    for name in ("blocks.0.attn.q.spike", "blocks.0.attn.scores"):
        kept, came = r[f"{name}.mask"].values, r[f"{name}.sent"].values
        assert kept.dtype == torch.bool and torch.equal(r[name].values, came * kept) and came.max() > 1
    assert not torch.equal(r.output, sv.simulate(ann, x, MaskSpikes(0.5)).output)


def test_spikes_of_scores_are_counted(ann, x):
    snn = sv.to_spiking(ann, 8)
    counted = sv.metrics.firing_rates(sv.simulate(snn, x, keep=sv.metrics.SPIKES))["layer"].unique().tolist()
    assert "blocks.0.attn.score.spike" in counted and "blocks.0.mlp.hidden.spike" in counted


def test_operations(ann, x):
    """Levels of QCFS are real numbers; of the spiking network only what is real by nature is."""
    real = sv.metrics.operations(ann, sv.simulate(ann, x))
    assert (real["SOPs"] == 0).all()
    snn = sv.to_spiking(ann, 8)
    table = sv.metrics.operations(snn, sv.simulate(snn, x)).set_index("layer")
    with_macs = set(table.index[table["MACs"] > 0])
    assert with_macs == {"stem.conv", "blocks.2.merge.conv", "head"}
    assert (table.loc["blocks.0.attn.qk", "SOPs"] > 0) and (table.loc["blocks.0.attn.av", "SOPs"] > 0)


def test_the_stricter_form_has_no_real_attention(x):
    model = make_mst(softmax=False)
    snn = sv.to_spiking(model, 8)
    assert sv.simulate(snn, x)["blocks.0.attn.av.left"].values.dtype == torch.uint8
    assert not any("attn.bias" in name for name, _ in model.named_parameters())


def test_layer_normalisation(x):
    model = make_mst(norm="layer")
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    assert sv.simulate(model, x).output.isfinite().all()


def test_events_become_channels(x):
    model = make_mst(in_channels=2, frames=4)
    events = torch.randint(0, 3, (4, 2, 2, 16, 16)).float()
    snn = sv.to_spiking(model, 6)
    assert sv.simulate(snn, events).logits_per_step.shape == (6, 2, 3)
    assert sv.simulate(snn, events, TimeSteps(3)).logits_per_step.shape == (3, 2, 3)
    with pytest.raises(ValueError, match="events as 4 frames"):
        sv.simulate(model, events[:3])
    with pytest.raises(ValueError, match="events as 4 frames"):
        sv.simulate(model, torch.rand(2, 2, 16, 16))


def test_gradients_reach_every_parameter(x):
    model = make_mst().train()
    model(x).square().sum().backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not without


def test_bad_input(ann, x, unchecked):
    for steps in (0, -1, 1025, 2.5, True):
        with pytest.raises(ValueError, match="whole number from 1 to 1024"):
            sv.to_spiking(ann, steps)
    with pytest.raises(ValueError, match="has no QCFS activations"):
        sv.to_spiking(sv.build("spikformer-fashion"), 8)
    with pytest.raises(ValueError, match="has no QCFS activations"):
        sv.to_spiking(sv.to_spiking(ann, 4), 8)
    with pytest.raises(ValueError, match="MaskSpikes"):
        sv.simulate(ann, x, MaskSpikes(0.5, at="*.nowhere"))
    with pytest.raises(ValueError, match="not event frames"):
        sv.simulate(assemble("mst", MSTConfig(**SMALL_MST | {"in_channels": 2}), "two"), torch.rand(3, 1, 2, 16, 16))
    with pytest.raises(ValueError, match="windows of 4 do not tile"):
        MSTConfig(**SMALL_MST | {"image_size": 12})
    with pytest.raises(ValueError, match="8 channels, not divisible by 3 heads"):
        MSTConfig(**SMALL_MST | {"heads": (3, 2)})
