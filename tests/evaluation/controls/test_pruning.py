"""Other ways to drop channels: as many of them, the smallest by hand, and the errors of a comparison."""

from math import sqrt

import pytest
import torch
from support.networks import make_masked, make_tiny

import spikeviz as sv
from spikeviz.evaluation.controls.pruning import (
    LEARNED,
    NONE,
    SMALLEST,
    TRAINED_AS,
    PruningControl,
    heaviest_channels,
    learned_channels,
    networks,
    pruning_survey,
    random_channels,
    weight_norms,
    with_channels,
)
from spikeviz.interventions import MaskChannels

X = torch.rand(3, 6, 2, 16, 16, generator=torch.Generator().manual_seed(1)).round()
Y = torch.tensor([0, 1, 2, 0, 1, 2])


def test_as_many_channels_at_every_site():
    model = make_masked()
    learned = learned_channels(model, 0.6)
    assert {name: int((~kept).sum()) for name, kept in learned.items()} == dict(
        sv.metrics.mask_rates(model, 0.6).set_index("layer")["masked"]
    )
    for other in (random_channels(learned, 0), random_channels(learned, 1), heaviest_channels(model, learned)):
        assert all(int(other[name].sum()) == int(kept.sum()) for name, kept in learned.items())
    one, two = random_channels(learned, 0), random_channels(learned, 1)
    assert any(not torch.equal(one[name], two[name]) for name in learned)
    assert all(torch.equal(one[name], again) for name, again in random_channels(learned, 0).items())


def test_the_smallest_weights_go():
    """Of q and k together: 3 of q and 4 of k are a norm of 5."""
    model = make_masked()
    attn = model.blocks[0].attn
    with torch.no_grad():
        for layer, size in ((attn.q, 3.0), (attn.k, 4.0)):
            layer.conv.weight.fill_(0.0)
            layer.conv.weight[:, 0] = torch.arange(16).view(16, 1, 1) * size
    torch.testing.assert_close(weight_norms(model, "blocks.0.attn.mask_qk"), 5.0 * torch.arange(16))
    learned = {"blocks.0.attn.mask_qk": torch.arange(16) < 5}
    kept = heaviest_channels(model, learned)["blocks.0.attn.mask_qk"]
    assert kept.nonzero().flatten().tolist() == [11, 12, 13, 14, 15]


def test_a_new_network_keeps_what_it_is_told():
    model = make_masked()
    before = model.blocks[0].mlp.mask.value.clone()
    kept = random_channels(learned_channels(model, 0.6), 3)
    new = with_channels(model, kept)
    assert all(torch.equal(new.get_submodule(name).kept(), which) for name, which in kept.items())
    assert torch.equal(model.blocks[0].mlp.mask.value, before)


def test_each_network_is_a_run_of_its_own():
    model = make_masked()
    *_, (done, found) = pruning_survey(model, X, Y, X, 0.6, draws=2, batch=4)
    assert done == networks(2) * 6 and list(found.right) == [
        TRAINED_AS,
        LEARNED,
        SMALLEST,
        NONE,
        "random 1",
        "random 2",
    ]

    def right(network, *settings):
        return sv.simulate(network, X, settings, keep="").output.argmax(-1) == Y

    assert torch.equal(found.right[TRAINED_AS], right(model, MaskChannels(0.6)))
    again = sv.evaluation.reestimate_norm(model, X, MaskChannels(0.6))
    assert torch.equal(found.right[LEARNED], right(again, MaskChannels(0.6)))
    gone = sv.evaluation.reestimate_norm(model, X, MaskChannels(1.0))
    assert torch.equal(found.right[NONE], right(gone, MaskChannels(1.0)))
    assert found.dropped == dict(sv.metrics.mask_rates(model, 0.6).set_index("layer")["masked"])


def test_errors_on_paper():
    """Learned 4 of 4; draws 2 and 3 of 4: means of 0.5, 1, 1, 0 over the draws."""
    right = {LEARNED: [1, 1, 1, 1], SMALLEST: [1, 1, 1, 0], "random 1": [1, 1, 1, 0], "random 2": [0, 1, 1, 0]}
    control = PruningControl({name: torch.tensor(own).bool() for name, own in right.items()}, {})
    assert control.draws == [0.75, 0.5] and control.deviation == pytest.approx(0.25 / sqrt(2))
    difference, error = control.against_random
    differences = torch.tensor([0.5, 0.0, 0.0, 1.0], dtype=torch.float64)
    over_samples = float(differences.std(correction=0)) / 2
    assert difference == pytest.approx(0.375) and error == pytest.approx(sqrt(over_samples**2 + 0.125**2))
    assert control.against(SMALLEST) == (0.25, pytest.approx(sqrt(1 - 1 / 4) / 4))
    assert control.error(SMALLEST) == pytest.approx(sqrt(0.75 * 0.25 / 4))


def test_what_cannot_be_is_a_sentence():
    with pytest.raises(ValueError, match="no channel masks"):
        pruning_survey(make_tiny(), X, Y, X)
    with pytest.raises(ValueError, match="no channel is dropped"):
        pruning_survey(make_masked(), X, Y, X, 0.0)
    with pytest.raises(ValueError, match="make no accuracy"):
        pruning_survey(make_masked(), X, Y[:2], X, 0.6)
