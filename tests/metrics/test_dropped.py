"""What a random mask dropped, by the membranes of what was sent."""

from __future__ import annotations

import pytest
import torch
from support.networks import make_mst

import spikeviz as sv
from spikeviz.metrics import SPIKES
from spikeviz.metrics.dropped import dropped, membrane, passed, sent
from spikeviz.metrics.spike_masking import masking_places

MaskSpikes = sv.interventions.MaskSpikes


@pytest.fixture(scope="module")
def snn():
    return sv.to_spiking(make_mst(), 4)


@pytest.fixture
def x():
    return torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))


def test_what_was_sent_times_the_mask_is_what_passes(snn, x):
    places = masking_places(snn)
    recording = sv.simulate(snn, x, MaskSpikes(0.4, at=tuple(p.name for p in places)))
    table = dropped(recording, places)
    for row in table.itertuples():
        fired, kept = sent(recording, row.place), recording[f"{row.place}.mask"].values
        assert torch.equal(fired & kept, recording[passed(row.place)].values != 0)
        assert row.sent == int(fired.sum()) / 2 and row.kept == int((fired & kept).sum()) / 2
    assert 0.5 < table["kept"].sum() / table["sent"].sum() < 0.7


def test_two_masks_at_one_place_drop_as_their_product(snn, x):
    places = [place for place in masking_places(snn) if place.site == "MLP hidden"]
    at = tuple(place.name for place in places)
    table = dropped(sv.simulate(snn, x, (MaskSpikes(0.5, at=at), MaskSpikes(0.5, at=at))), places)
    once = dropped(sv.simulate(snn, x, MaskSpikes(0.75, at=at)), places)
    for found in (table, once):
        spikes = 2 * found["sent"].sum()  # the table is a mean over two samples
        assert abs(found["kept"].sum() / found["sent"].sum() - 0.25) < 4 * (0.25 * 0.75 / spikes) ** 0.5


def test_without_membranes_all_that_was_sent_passes(snn, x):
    table = dropped(sv.simulate(snn, x, keep=SPIKES), masking_places(snn))
    assert (table["sent"] == table["kept"]).all() and table["sent"].sum() > 0
    assert membrane("blocks.0.attn.scores") == "blocks.0.attn.score.membrane"
