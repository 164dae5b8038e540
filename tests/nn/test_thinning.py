"""Of n spikes Binomial(n, 1 - r) pass: mean, variance, exact shares, gradient, and what binary spikes have of it."""

import math

import numpy as np
import pytest
import torch

import spikeviz as sv
from spikeviz.interventions import MaskSpikes
from spikeviz.nn.thinning import BASE, Thinning, cumulative

MANY = 100_000


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("ratio", [0.0, 0.25, 0.75, 1.0])
@pytest.mark.parametrize(("spikes", "most"), [(1, 16), (5, 16), (16, 16), (40, 64), (1500, 2000)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mean_and_variance_by_hand(ratio, spikes, most, dtype):
    """n (1 - r) and n r (1 - r), each within five of its standard errors."""
    x = torch.full((MANY,), spikes * 0.25, dtype=dtype)
    passed, kept = Thinning(ratio, 0.25, most).edit(x, seeded())
    mean, variance = spikes * (1 - ratio), spikes * ratio * (1 - ratio)
    assert passed.dtype == dtype and torch.equal(passed, kept * 0.25) and kept.max() <= spikes
    assert abs(kept.double().mean() - mean) <= 5 * math.sqrt(variance / MANY)
    # the fourth moment of a Binomial: variance of its variance
    fourth = variance * (1 + 3 * (spikes - 2) * ratio * (1 - ratio)) if spikes > 1 else variance
    error = math.sqrt(max(fourth - variance**2, 0) / MANY)
    assert abs(kept.double().var(unbiased=False) - variance) <= 5 * error + 1e-4


def test_shares_of_three_spikes_by_hand():
    """At r = 1/4 none, one, two, three of three pass with 1, 9, 27, 27 of 64."""
    table, first = cumulative(0.25, 0)
    assert first[3] == 0 and table[3, :3].tolist() == pytest.approx([1 / 64, 10 / 64, 37 / 64])
    _, kept = Thinning(0.25, 1.0, 3).edit(torch.full((MANY,), 3.0), seeded())
    counts = torch.bincount(kept, minlength=4) / MANY
    for share, wanted in zip(counts.tolist(), (1 / 64, 9 / 64, 27 / 64, 27 / 64), strict=True):
        assert abs(share - wanted) < 5 * math.sqrt(wanted * (1 - wanted) / MANY)


@pytest.mark.parametrize("digit", [0, 1, 2])
@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 1.0])
def test_tables_are_distributions(ratio, digit):
    table, first = cumulative(ratio, digit)
    assert table.shape[0] == len(first) == BASE and (np.diff(table) >= 0).all() and (table[:, -1] == 1).all()
    n = np.arange(BASE) * BASE**digit
    mean = first + (1 - table.astype(np.float64)).sum(1)  # the sum of P(more than k)
    assert np.allclose(mean, n * (1 - ratio), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.5, 1.0])
def test_of_binary_spikes_both_laws_are_the_same_bits(ratio):
    x = (torch.rand(3, 700, generator=seeded(1)) < 0.4).float()
    one, mask = Thinning(ratio).edit(x, seeded(5))
    many, kept = Thinning(ratio, 1.0, 50).edit(x, seeded(5))
    drawn = torch.rand(3, 700, generator=seeded(5))
    assert torch.equal(one, many) and torch.equal(mask, drawn >= ratio)
    assert torch.equal(kept, (x * mask).to(torch.uint8))


def test_loops_and_torch_draw_the_same():
    x = torch.randint(0, 2000, (4, 5000), generator=seeded(1)).double()
    for ratio in (0.1, 0.5, 0.9):
        _, loops = Thinning(ratio, 1.0, 2000).edit(x.float(), seeded(3))
        _, torchs = Thinning(ratio, 1.0, 2000).edit(x, seeded(3))
        assert torch.equal(loops, torchs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_is_the_share_that_passed(dtype):
    """k / n where n were sent; where none was, that of one spike: kept or not. Its mean is 1 - r."""
    x = torch.tensor([0.0, 1.0, 3.0, 8.0], dtype=dtype).repeat(4000, 1).requires_grad_()
    passed, kept = Thinning(0.25, 0.5, 16).edit(x, seeded())
    passed.backward(torch.full_like(x, 2.0))
    n = (x / 0.5).detach()
    assert torch.equal(x.grad[:, 1:], 2 * (kept.to(dtype) / n)[:, 1:])
    assert set(x.grad[:, 0].tolist()) == {0.0, 2.0}
    assert torch.allclose(x.grad.mean(0), torch.tensor(1.5, dtype=dtype), atol=0.05)


def test_soft_spikes_pass_as_they_are_or_not_at_all():
    """Under a soft channel mask a spike is worth less than one: it is still one spike."""
    x = torch.tensor([0.3, 0.7, 0.0]).repeat(1000, 1)
    passed, kept = Thinning(0.5).edit(x, seeded())
    assert torch.equal(passed, x * kept) and 0.4 < kept.float().mean() < 0.6


def test_a_law_that_there_is_not(unchecked):
    with pytest.raises(ValueError, match="a law is 'spikes' or 'whole', not 'all'"):
        MaskSpikes(0.5, law="all")
    assert MaskSpikes(0.5) == MaskSpikes(0.5, law="spikes") != MaskSpikes(0.5, law="whole")


@pytest.mark.parametrize("order", ["(qk)v", "q(kv)"])
def test_scores_of_spikes_are_thinned_coincidence_by_coincidence(order):
    from support.networks import make_small, make_tiny

    x = torch.rand(2, 1, 16, 16, generator=seeded(1))
    layout = {"(qk)v": "cifar", "q(kv)": "imagenet"}[order]
    networks = [make_tiny(layout, pools=(1, 3))] + ([make_small()] if order == "(qk)v" else [])
    for model in networks:
        r = sv.simulate(model, x, MaskSpikes(0.5, at="*.attn.scores"), ("*", "*.sent"))
        attn, q, k = model.blocks[0].attn, r["blocks.0.attn.q.spike"].values, r["blocks.0.attn.k.spike"].values
        q, k = (s.long().flatten(-2).unflatten(2, (attn.heads, -1)) for s in (q, k))
        met = torch.einsum("tbhdn,tbhdm->tbhnm", q, k)  # of counts: binary steps that meet
        came, kept = (r[f"blocks.0.attn.scores.{what}"].values.long() for what in ("sent", "mask"))
        assert torch.equal(came, met) and (kept <= came).all() and ((kept > 0) & (kept < came)).any()
        one = attn.scale * r["blocks.0.attn.q.spike"].scale * r["blocks.0.attn.k.spike"].scale
        assert torch.allclose(r["blocks.0.attn.scores"].values, kept * one)


def test_real_scores_are_dropped_as_a_whole():
    from support.networks import make_tiny

    x = torch.rand(2, 1, 16, 16, generator=seeded(1))
    r = sv.simulate(make_tiny(attention="softmax"), x, MaskSpikes(0.5, at="*.attn.scores"), ("*", "*.sent"))
    kept, came = (r[f"blocks.0.attn.scores.{what}"].values for what in ("mask", "sent"))
    assert kept.dtype == torch.bool and torch.equal(r["blocks.0.attn.scores"].values, came * kept)


def test_how_a_mask_is_told_does_not_depend_on_the_numbers():
    """Where nobody knows the most there can be it is told how many spikes were kept, also if no value is above one."""
    x = (torch.rand(3, 700, generator=seeded(1)) < 0.4).float()
    passed, kept = Thinning(0.3, 1.0, 1, known=False).edit(x, seeded(5))
    other, more = Thinning(0.3, 1.0, 9, known=False).edit(x, seeded(5))
    assert torch.equal(passed, other) and torch.equal(kept, more) and kept.dtype == torch.int32
    assert torch.equal(passed, kept.float()) and Thinning(0.3).edit(x, seeded(5))[1].dtype == torch.bool
