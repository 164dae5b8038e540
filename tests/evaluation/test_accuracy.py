"""What networks cost over the same samples."""

from __future__ import annotations

import sys

import pandas as pd
import pytest
import torch
from support.networks import make_masked, make_mst, make_tiny

import spikeviz as sv
from spikeviz.evaluation.accuracy import energy_against_steps, energy_survey, measure_energy, of_images
from spikeviz.interventions import MaskChannels, TimeSteps
from spikeviz.models.spec import FIRST_AND_SOPS


def test_a_survey_is_what_one_pass_says_of_every_image():
    """Operations are per sample, so that batches of 4 and of 1 together are the pass of all 5."""
    model, x = make_masked(), torch.randint(0, 3, (3, 5, 2, 16, 16)).float()
    networks = [(model, (MaskChannels(0.7),)), (sv.prune_channels(model, 0.5), ())]
    (first, _), (second, tables) = energy_survey(networks, x, batch=4)
    assert (first, second) == (4, 5)
    for (network, settings), found in zip(networks, tables, strict=True):
        recording = sv.simulate(network, x, settings)
        whole = sv.metrics.energy(network, recording, per_image=True)
        found, whole = (table.sort_values(["way", "image"], ignore_index=True) for table in (found, whole))
        pd.testing.assert_frame_equal(found, whole)
        operations = sv.metrics.operations(network, recording)
        assert of_images(found).mean() == pytest.approx(operations["picojoule"].sum())
        assert of_images(found, column="additions").mean() == pytest.approx(operations["SOPs"].sum()) != 0


def test_all_networks_of_a_survey_can_be_counted_by_one_formula():
    model, x = make_tiny(), torch.rand(2, 1, 16, 16)
    (_, (own,)), (_, (other,)) = (next(energy_survey([(model, ())], x, paper=p)) for p in (None, FIRST_AND_SOPS))
    assert of_images(own, "paper", "MACs").tolist() == [0, 0] and (of_images(other, "paper", "MACs") > 0).all()
    assert of_images(own, "paper", "additions").tolist() == of_images(other, "paper", "additions").tolist()


def test_a_run_says_what_every_shorter_one_costs():
    model, x = sv.to_spiking(make_mst(), 4), torch.rand(3, 1, 16, 16)
    *_, (done, (found,)) = energy_against_steps([(model, (TimeSteps(5),))], x, batch=2)
    assert done == 3 and found.shape == (3, 5)
    for steps in (1, 3, 5):
        recording = sv.simulate(model, x, TimeSteps(steps))
        until = sv.metrics.operations(model, recording)["picojoule"].sum()
        assert found[:, steps - 1].mean() == pytest.approx(until)
    with pytest.raises(ValueError, match="needs a network"):
        next(energy_against_steps([], x))


def test_no_network_is_refused():
    with pytest.raises(ValueError, match="needs a network"):
        next(energy_survey([], torch.zeros(3, 1, 2, 16, 16)))


def test_a_card_holds_energy_in_every_way(monkeypatch):
    x = torch.rand(3, 1, 16, 16)
    room = sys.modules["spikeviz.evaluation.accuracy"]  # of the package `accuracy` is the function
    monkeypatch.setattr(room, "open_data", lambda *_: (x, torch.zeros(3)))
    model = make_tiny()
    found = measure_energy(model, "any")
    per_image = sv.metrics.energy(model, sv.simulate(model, x), per_image=True)
    assert found["samples"] == 3 and list(found["ways"]) == ["spikeviz", "paper", "SpikingJelly"]
    for way, own in found["ways"].items():
        joules = of_images(per_image, way)
        assert own["picojoule"] == pytest.approx(joules.mean(), abs=0.1)
        assert own["standard_error"] == pytest.approx(joules.std(ddof=1) / 3**0.5, abs=0.1)
        assert ("exponentials" in own) == (way == "spikeviz") and "spikes" not in own
