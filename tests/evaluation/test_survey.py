"""A survey equals one big recording, batch by batch, and says what it cannot take."""

from importlib import import_module
from math import sqrt

import pytest
import torch
from support.networks import make_masked, make_tiny

import spikeviz as sv
from spikeviz.evaluation import Survey, masked_accuracy, survey
from spikeviz.evaluation.survey import batch_seed, right_under
from spikeviz.interventions import FiringThreshold, MaskChannels, MaskSpikes, TimeSteps
from spikeviz.metrics import SPIKES

MASK = MaskSpikes(0.5)
survey_module, masked_module = (import_module(f"spikeviz.evaluation.{name}") for name in ("survey", "masked_accuracy"))


@pytest.fixture
def x():
    return torch.rand(10, 1, 16, 16, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def y():
    return torch.arange(10) % 3


@pytest.mark.parametrize("batch", [1, 4, 10, 64])
@pytest.mark.parametrize("interventions", [(), (FiringThreshold(0.8), TimeSteps(2))])
def test_a_survey_ends_at_what_one_recording_of_all_images_says(tiny, x, y, batch, interventions):
    *_, last = survey(tiny, x, y, interventions, batch=batch)
    whole = sv.simulate(tiny, x, interventions, keep=SPIKES)
    expected = sv.metrics.nsfr(whole)
    assert last.nsfr.dtype == torch.float64 and last.nsfr.shape == expected.shape
    assert expected.min() > 0 and expected.max() < 1
    torch.testing.assert_close(last.nsfr, expected, rtol=0, atol=1e-12)
    right = int((whole.output.argmax(-1).cpu() == y).sum())
    assert (last.images, last.total, last.right, last.accuracy) == (10, 10, right, right / 10)


def test_every_batch_gives_the_totals_so_far_and_the_last_may_be_smaller(tiny, x, y):
    found = list(survey(tiny, x, y, batch=4))
    assert [s.images for s in found] == [4, 8, 10] and {s.total for s in found} == {10}
    for s in found:
        part = sv.simulate(tiny, x[: s.images], keep=SPIKES)
        torch.testing.assert_close(s.nsfr, sv.metrics.nsfr(part), rtol=0, atol=1e-12)
        assert s.right == (part.output.argmax(-1).cpu() == y[: s.images]).sum()
    # a small last batch weighs as much as its images: the plain mean of the three batches is another number
    batches = [sv.metrics.nsfr(sv.simulate(tiny, part, keep=SPIKES)) for part in x.split(4)]
    assert (torch.stack(batches).mean(0) - found[-1].nsfr).abs().max() > 1e-6


def test_events_are_split_along_their_second_axis():
    model = make_tiny(in_channels=2)
    events = torch.rand(3, 5, 2, 16, 16, generator=torch.Generator().manual_seed(3))
    *_, last = survey(model, events, torch.zeros(5, dtype=torch.long), batch=2)
    expected = sv.metrics.nsfr(sv.simulate(model, events, keep=SPIKES))
    assert last.images == 5
    torch.testing.assert_close(last.nsfr, expected, rtol=0, atol=1e-12)


def test_the_standard_error_is_that_of_a_share():
    # p = 0.9 of n = 100: sqrt(0.9 * 0.1 / 100) = sqrt(0.0009) = 0.03
    s = Survey(100, 1000, 90, torch.zeros(1, dtype=torch.float64))
    assert s.accuracy == 0.9 and s.error == pytest.approx(0.03, abs=1e-15)
    assert Survey(4, 4, 4, s.nsfr).error == 0.0 and Survey(4, 4, 1, s.nsfr).error == sqrt(0.25 * 0.75 / 4)


def test_random_masks_are_a_function_of_the_seed(tiny, x, y):
    first, again, other = ([s.nsfr for s in survey(tiny, x, y, MASK, seed=s, batch=4)] for s in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert all(not torch.equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("together", [1, 2, 4])
def test_batches_side_by_side_give_the_same_numbers(tiny, x, y, monkeypatch, together):
    """Masks are drawn by the number of a batch, whichever thread runs it."""
    one_by_one = list(survey(tiny, x, y, MASK, batch=3)), list(right_under(tiny, x, y, [(), (MASK,)], batch=3))
    for module in (survey_module, masked_module):
        monkeypatch.setattr(module, "at_once", lambda _: together)
    found = list(survey(tiny, x, y, MASK, batch=3)), list(right_under(tiny, x, y, [(), (MASK,)], batch=3))
    assert found[1] == one_by_one[1]
    for so_far, alone in zip(found[0], one_by_one[0], strict=True):
        assert (so_far.images, so_far.right) == (alone.images, alone.right) and torch.equal(so_far.nsfr, alone.nsfr)
    known = masked_accuracy(tiny, x, y, (MASK,), range(3), batch=4)
    assert [step and len(step.accuracies) for step in known] == [None, None, 1, None, None, 2, None, None, 3]


def test_a_batch_is_simulated_with_its_own_seed(tiny, x, y):
    # twice the same images: the second batch draws other masks
    twice = torch.cat([x[:4], x[:4]])
    first, both = survey(tiny, twice, y[:8], MASK, seed=7, batch=4)
    rates = [sv.metrics.nsfr(sv.simulate(tiny, x[:4], MASK, SPIKES, batch_seed(7, i))) for i in (0, 1)]
    assert torch.equal(first.nsfr, rates[0]) and not torch.equal(rates[0], rates[1])
    torch.testing.assert_close(both.nsfr, (rates[0] + rates[1]) / 2, rtol=0, atol=1e-12)


def test_batch_seeds_of_nearby_seeds_do_not_meet():
    assert batch_seed(7, 0) == 7 and batch_seed(7, 1) == 7 + 0x9E3779B1
    seeds = {batch_seed(seed, i) for seed in range(50) for i in range(200)}
    assert len(seeds) == 50 * 200 and max(seeds) < 2**32


def test_what_it_cannot_take_is_said_at_the_call(tiny, x, y, unchecked):
    with pytest.raises(ValueError, match="10 images and 9 labels"):
        survey(tiny, x, y[:9])
    with pytest.raises(ValueError, match="no images"):
        survey(tiny, x[:0], y[:0])
    with pytest.raises(ValueError, match=r"classes of its images, a tensor \[N\]"):
        survey(tiny, x, None)
    with pytest.raises(ValueError, match="batch must be at least 1 image, not 0"):
        survey(tiny, x, y, batch=0)
    with pytest.raises(ValueError, match=r"images \[N, C, H, W\]"):
        survey(tiny, x[0], y[:1])
    with pytest.raises(ValueError, match="nothing to act on"):
        next(survey(tiny, x, y, MaskSpikes(0.5, at="nowhere")))


def test_each_setting_gets_right_what_it_gets_right_alone():
    model = make_masked(num_classes=9)
    torch.nn.init.normal_(model.head.weight, std=9.0)  # so that little changes the answer
    frames = torch.rand(3, 10, 2, 16, 16, generator=torch.Generator().manual_seed(1)).lt(0.3).float()
    settings = [(MaskChannels(t),) for t in (0.0, 0.5, 0.9)]
    labels = sv.simulate(model, frames, settings[0], "").output.argmax(-1)
    settings.append((MaskSpikes(0.5, at=("blocks.1.mlp.hidden.spike",)),))
    found = list(right_under(model, frames, labels, settings, seed=4, batch=4))
    assert [done for done, _ in found] == [4, 8, 10]
    for place, rules in enumerate(settings):
        *_, alone = survey(model, frames, labels, rules, 4, 4)
        assert found[-1][1][place] == alone.right
    assert found[-1][1][0] == 10 and len(set(found[-1][1])) > 1


def test_what_does_not_belong_together():
    with pytest.raises(ValueError, match="0 settings, 10 samples and 10 labels"):
        next(right_under(make_masked(), torch.zeros(3, 10, 2, 16, 16), torch.zeros(10, dtype=torch.long), []))
