"""BatchNorm statistics estimated again: torch's own cumulative means, what stays, and what cannot be."""

import copy

import pytest
import torch
from support.networks import make_masked, make_mst, make_tiny
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import spikeviz as sv
from spikeviz.interventions import MaskSpikes
from spikeviz.nn.channel_masks import find_masks

X = torch.rand(8, 1, 16, 16, generator=torch.Generator().manual_seed(5))


def statistics(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value for name, value in model.state_dict().items() if name.endswith(("_mean", "_var"))}


def test_they_are_torchs_running_statistics_without_momentum():
    model = make_tiny()
    new = sv.evaluation.reestimate_norm(model, X, batch=4)
    ours = copy.deepcopy(model)
    for layer in ours.modules():
        if isinstance(layer, _BatchNorm):
            layer.reset_running_stats()
            layer.momentum = None
    ours.train()
    with torch.no_grad():
        for some in X.split(4):
            ours(some)
    for name, value in statistics(new).items():
        torch.testing.assert_close(value, statistics(ours)[name])
    norms = [layer for layer in new.modules() if isinstance(layer, _BatchNorm)]
    assert norms and not new.training and all(layer.momentum is not None for layer in norms)


def test_the_first_layer_on_paper():
    """Of one batch the mean and the unbiased variance over samples, steps and places of what the convolution gives."""
    model = make_tiny()
    new = sv.evaluation.reestimate_norm(model, X)
    first = new.stem.stages[0]
    y = first.conv(new.intake(X)).transpose(0, 1).flatten(1).detach()
    torch.testing.assert_close(first.norm.running_mean, y.mean(1))
    torch.testing.assert_close(first.norm.running_var, y.var(1))


def test_only_statistics_are_changed():
    model = make_mst()
    before = copy.deepcopy(model.state_dict())
    new = sv.evaluation.reestimate_norm(model, 2 * X)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    moved = {name for name, value in new.state_dict().items() if not torch.equal(value, before[name])}
    assert moved and all(name.endswith(("running_mean", "running_var", "num_batches_tracked")) for name in moved)


def test_interventions_act_and_draw_by_the_seed():
    model, rule = make_mst(), MaskSpikes(0.5)
    plain, one, same, other = (
        statistics(sv.evaluation.reestimate_norm(model, X, *how)) for how in ((), (rule, 1), (rule, 1), ((rule,), 2))
    )
    changed = [name for name in plain if not torch.equal(plain[name], one[name])]
    assert changed and all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    first = next(iter(plain))  # lies before any mask
    assert torch.equal(plain[first], one[first])


def test_masks_stay_hard_and_events_have_time_in_front():
    model = make_masked()
    for mask in find_masks(model).values():
        mask.temperature = 1.0
    x = torch.rand(3, 4, 2, 16, 16).round()
    new = sv.evaluation.reestimate_norm(model, x)
    assert not any(mask.soft for mask in find_masks(new).values())
    assert sv.simulate(new, x, keep="").output.shape == (4, 3)


def test_what_cannot_be_is_a_sentence():
    with pytest.raises(ValueError, match="no BatchNorm"):
        sv.evaluation.reestimate_norm(make_mst(norm="layer"), X)
    with pytest.raises(ValueError, match="at least one"):
        sv.evaluation.reestimate_norm(make_mst(), X[:0])
    with pytest.raises(ValueError, match="nothing to act on"):
        sv.evaluation.reestimate_norm(make_mst(), X, sv.interventions.MaskChannels(0.5))
