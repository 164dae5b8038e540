"""Two settings over the same samples: what each gets right alone, and the comparison of it."""

import pytest
import torch

import spikeviz as sv
from spikeviz.evaluation.pairs import compare, paired
from spikeviz.evaluation.survey import survey
from spikeviz.interventions import MaskSpikes, TimeSteps


def test_it_is_what_the_two_do_by_themselves():
    model = sv.load("spikformer-fashion", "cpu")
    x, y = sv.load_data("fashion", "val", 20)
    rules = (TimeSteps(1),)
    *early, last = compare((model, (), 0), (model, rules, 0), x, y, ("T 4", "T 1"), batch=8)
    right = [sv.simulate(model, x, rule, keep="").output.argmax(-1) == y for rule in ((), rules)]
    assert last == paired(*right, ("T 4", "T 1")) and [pair.samples for pair in early] == [8, 16]
    assert early[0] == paired(*(each[:8] for each in right), ("T 4", "T 1"))


def test_masks_are_those_of_a_survey():
    """Each setting draws by its own seed, batch by batch."""
    model = sv.load("spikformer-fashion", "cpu")
    x, y = sv.load_data("fashion", "val", 12)
    rules = (MaskSpikes(0.9),)
    *_, found = compare((model, rules, 3), (model, rules, 4), x, y, batch=6)
    for accuracy, seed in ((found.first, 3), (found.second, 4)):
        *_, alone = survey(model, x, y, rules, seed, 6)
        assert accuracy == alone.accuracy


def test_events_have_time_first():
    model = sv.load("spikformer-fashion-dvs", "cpu")
    x, y = sv.load_data("fashion-dvs", "val", 4)
    *_, found = compare((model, (), 0), (model, (), 0), x.transpose(0, 1), y, batch=3)
    assert found.samples == 4 and found.difference == 0


def test_what_does_not_belong_together():
    model = sv.build("spikformer-fashion").eval()
    setting = (model, (), 0)
    for x, y in (
        (torch.zeros(2, 1, 28, 28), torch.zeros(3, dtype=int)),
        (torch.zeros(2, 28, 28), torch.zeros(2, dtype=int)),
    ):
        with pytest.raises(ValueError, match="do not belong together"):
            compare(setting, setting, x, y)


def test_an_autoencoder_has_no_accuracy():
    setting = (sv.load("spikformer-v2-mae-fashion", "cpu"), (), 0)
    x, y = sv.load_data("fashion", "val", 2)
    with pytest.raises(ValueError, match="no accuracy to compare"):
        next(compare(setting, setting, x, y))
