"""Masked autoencoders: patches, what is hidden, who hears of whom, and the loss."""

import pytest
import torch
from support.networks import awaken

import spikeviz as sv
from spikeviz.interventions import HidePatches
from spikeviz.models.espikeformer import ESpikeFormerConfig
from spikeviz.models.registry import name_probes
from spikeviz.models.spike_mae import MAEConfig, SpikeMAE
from spikeviz.models.spikformer_v2 import SpikformerV2Config
from spikeviz.nn.decoder import patchify, positions, unpatchify

SIDE, STATISTICS = 16, {"mean": (0.3,), "std": (0.4,)}
V2 = SpikformerV2Config(1, 16, 2, 3, 1, SIDE, 1, mlp_ratio=2, stages=2, **STATISTICS)
BASE = {"heads": 2, "mlp_ratio": 2, "strides": (2, 1, 2, 1), "conv_blocks": (1, 1, 1), **STATISTICS}
E_BASE = ESpikeFormerConfig("base", (4, 8, 8, 16), (1,), 3, 1, SIDE, **BASE)
ENCODERS = {"v2": V2, "e-spikeformer": E_BASE}


def make(encoder="v2", **changes):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        shape = {"decoder_dim": 16, "decoder_depth": 2, "decoder_heads": 2}
        model = name_probes(SpikeMAE(MAEConfig(ENCODERS[encoder], **shape | changes)))
        model.name = "small-mae"
        return awaken(model, torch.rand(4, 1, SIDE, SIDE))


@pytest.fixture(params=ENCODERS, scope="module")
def mae(request):
    return make(request.param)


@pytest.fixture
def x():
    return torch.rand(3, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def test_patches_and_back():
    x = torch.rand(2, 3, 8, 12)
    patches = patchify(x, 4)
    assert patches.shape == (2, 6, 48) and torch.equal(unpatchify(patches, 4, 2), x)
    assert torch.equal(patches[0, 4].view(4, 4, 3), x[0, :, 4:8, 4:8].movedim(0, -1))  # second row, second column


def test_positions_differ_and_are_bounded():
    table = positions(16, 3, 5)
    assert table.shape == (15, 16) and table.abs().max() <= 1 and len(table.unique(dim=0)) == 15
    assert torch.equal(table[0, 4:8], torch.ones(4))  # cos 0
    with pytest.raises(ValueError, match="multiple of 4"):
        positions(6, 2, 2)


def test_recording(mae, x):
    r = sv.simulate(mae, x, HidePatches(0.75))
    assert r.output.shape == x.shape and torch.equal(r["reconstruction"].values, r.output)
    assert r["patches"].values.shape == (3, 1, 4, 4) and (~r["patches"].values).flatten(1).sum(1).tolist() == [12] * 3
    mask = r["mask"].values
    assert mask.shape == (3, 1, SIDE, SIDE) and mask.dtype == torch.bool
    assert torch.equal(mask, r["patches"].values.repeat_interleave(4, -1).repeat_interleave(4, -2))
    assert not torch.equal(mask[0], mask[1])


def test_nothing_of_a_hidden_patch_is_heard(mae, x):
    rule = HidePatches(0.0, patches=(0, 5, 6, 15))
    mask = sv.simulate(mae, x, rule)["mask"].values
    other = torch.where(mask, x, torch.rand(SIDE, SIDE))
    one, two = sv.simulate(mae, x, rule), sv.simulate(mae, other, rule)
    assert torch.equal(one.output, two.output)
    leaky = make(sparse=False)
    assert torch.equal(sv.simulate(leaky, x, rule).output, sv.simulate(leaky, other, rule).output)


def test_token_i_moves_place_i_alone(mae, x):
    kept = torch.ones(3, 16, dtype=torch.bool)
    kept[:, 3] = False
    tokens = torch.randn(3, 16, mae.config.dim)
    before = mae.decoder.place(tokens, kept)
    for i in (0, 3, 7):
        moved = tokens.clone()
        moved[:, i] += 1
        changed = (mae.decoder.place(moved, kept) != before).any(-1)
        assert changed.nonzero()[:, 1].unique().tolist() == ([] if i == 3 else [i])
    alone = mae.decoder.place(tokens, kept)[:, 3] - mae.decoder.places[3]
    assert torch.allclose(alone, mae.decoder.mask_token[0].expand(3, -1), atol=1e-6)


def test_the_token_of_a_patch_stands_at_its_place(mae, x):
    """Alone in the dark, a patch speaks from its own place, and what it says depends on it."""
    for place in (1, 6, 13):
        kept = torch.zeros(3, 1, 4, 4, dtype=torch.bool)
        kept.view(3, 16)[:, place] = True
        tokens = mae.tokens(x, kept)
        assert tokens.abs().sum((0, 2)).nonzero().flatten().tolist() == [place]
        assert not torch.equal(tokens[0, place], tokens[1, place])


def test_the_loss_ignores_what_is_visible(mae, x):
    kept = torch.rand(3, 1, 4, 4) < 0.5
    by_hand = (mae.predict(x, kept) - patchify((x - 0.3) / 0.4, 4)).square().mean(-1)[~kept.flatten(1)].mean()
    assert torch.isclose(mae.loss(x, kept), by_hand)
    assert mae.loss(x, torch.ones_like(kept)) == 0
    mae.loss(x, kept).backward()
    assert mae.decoder.mask_token.grad.any()


def test_targets_of_patches():
    mae, x = make(target="patches"), torch.rand(2, 1, SIDE, SIDE)
    target = mae.target(x)
    assert torch.allclose(target.mean(-1), torch.zeros(2, 16), atol=1e-5)
    assert torch.allclose(target.var(-1), torch.ones(2, 16), atol=1e-3)
    assert torch.allclose(unpatchify(mae.in_units(target, x), 4, 4), x, atol=1e-5)


def test_pixels_are_in_the_images_own_units(mae, x):
    assert torch.allclose(unpatchify(mae.in_units(mae.target(x), x), 4, 4), x, atol=1e-6)


def test_other_sizes(mae):
    small = sv.simulate(mae, torch.rand(1, 1, 14, 14), HidePatches(0.5))  # framed
    large = sv.simulate(mae, torch.rand(1, 1, 40, 33), HidePatches(0.5))  # resized
    assert small.output.shape == small["mask"].values.shape == (1, 1, 14, 14)
    assert large.output.shape == large["mask"].values.shape == (1, 1, 40, 33)


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_all_and_nothing(mae, x, ratio):
    r = sv.simulate(mae, x, HidePatches(ratio))
    assert r.output.isfinite().all() and r["mask"].values.float().mean() == 1 - ratio
    if ratio == 1:  # nothing is known: every image gets the same answer
        assert torch.allclose(r.output[0], r.output[1])


def test_hidden_patches_are_drawn_by_the_seed(mae, x):
    a, b, c = (sv.simulate(mae, x, HidePatches(0.5), seed=s)["mask"].values for s in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_bad_input(mae, x, unchecked):
    with pytest.raises(ValueError, match="hides patch 16; there are 16"):
        sv.simulate(mae, x, HidePatches(0.0, patches=(16,)))
    with pytest.raises(ValueError, match="whole numbers from 0"):
        HidePatches(0.5, patches=(-1,))
    with pytest.raises(ValueError, match="out of range"):
        HidePatches(1.2)
    with pytest.raises(ValueError, match="nothing to act on"):
        sv.simulate(sv.build("spikformer-fashion"), torch.rand(1, 1, 28, 28), HidePatches(0.5))
    with pytest.raises(ValueError, match="takes images"):
        sv.simulate(mae, torch.rand(2, 1, 1, SIDE, SIDE))
    with pytest.raises(ValueError, match="ratio lies between 0 and 1"):
        MAEConfig(V2, ratio=1.0)


def test_effective_rank():
    assert sv.metrics.effective_rank(torch.eye(5)) == pytest.approx(5)
    assert sv.metrics.effective_rank(torch.outer(torch.rand(7), torch.rand(4))) == pytest.approx(1)
    two = torch.diag(torch.tensor([3.0, 1.0]))  # exp of the entropy of 3/4 and 1/4
    assert sv.metrics.effective_rank(two) == pytest.approx((4 / 3) ** 0.75 * 4**0.25)
    assert sv.metrics.effective_rank(torch.zeros(3, 3)) == 0
    z = torch.randn(2, 6, 4)
    assert 1 <= sv.metrics.effective_rank(z) <= 4
    with pytest.raises(ValueError, match="finite tokens"):
        sv.metrics.effective_rank(torch.tensor([[1.0, float("nan")]]))
