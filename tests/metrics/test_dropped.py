"""What a random mask dropped, by the membranes of what was sent."""

from __future__ import annotations

import pytest
import torch
from support.networks import make_cnn, make_mst, make_small

import spikeviz as sv
from spikeviz.metrics import SPIKES
from spikeviz.metrics.dropped import came, dropped, passed, power_that_passes, sent
from spikeviz.metrics.spike_masking import masking_places

MaskSpikes = sv.interventions.MaskSpikes
SEEN = ("*", "*.sent")


@pytest.fixture(scope="module")
def snn():
    return sv.to_spiking(make_mst(), 4)


@pytest.fixture
def x():
    return torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))


def test_what_was_sent_times_the_mask_is_what_passes(snn, x):
    places = masking_places(snn)
    recording = sv.simulate(snn, x, MaskSpikes(0.4, at=tuple(p.name for p in places)), SEEN)
    table = dropped(recording, places)
    for row in table.itertuples():
        fired, kept = sent(recording, row.place), recording[f"{row.place}.mask"].values
        membrane = recording[f"{passed(row.place).removesuffix('spike')}membrane"]
        assert torch.equal(fired != 0, membrane.values >= membrane.threshold)
        assert torch.equal(fired * kept, recording[passed(row.place)].values)
        assert row.sent == int(fired.sum()) / 2 and row.kept == int((fired * kept).sum()) / 2
    assert 0.5 < table["kept"].sum() / table["sent"].sum() < 0.7


def test_two_masks_at_one_place_drop_as_their_product(snn, x):
    places = [place for place in masking_places(snn) if place.site == "MLP hidden"]
    at = tuple(place.name for place in places)
    table = dropped(sv.simulate(snn, x, (MaskSpikes(0.5, at=at), MaskSpikes(0.5, at=at)), SEEN), places)
    once = dropped(sv.simulate(snn, x, MaskSpikes(0.75, at=at), SEEN), places)
    for found in (table, once):
        spikes = 2 * found["sent"].sum()  # the table is a mean over two samples
        assert abs(found["kept"].sum() / found["sent"].sum() - 0.25) < 4 * (0.25 * 0.75 / spikes) ** 0.5


def test_without_masks_all_that_was_sent_passes(snn, x):
    table = dropped(sv.simulate(snn, x, keep=SPIKES), masking_places(snn))
    assert (table["sent"] == table["kept"]).all() and table["sent"].sum() > 0


def test_levels_and_integers_are_counted_as_their_spikes(x):
    for model in (make_mst(), make_small()):
        places = masking_places(model)
        recording = sv.simulate(model, x, MaskSpikes(0.4, at=tuple(p.name for p in places)), SEEN)
        for row in dropped(recording, places).itertuples():
            came_there, kept = recording[came(row.place)].values.long(), recording[f"{row.place}.mask"].values.long()
            kept = kept * came_there if recording[f"{row.place}.mask"].values.dtype == torch.bool else kept
            assert (row.sent, row.kept) == (int(came_there.sum()) / 2, int(kept.sum()) / 2) and row.sent > row.kept


def test_power_is_that_of_the_spikes_that_reach_convolutions(x):
    x = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    model = sv.to_spiking(make_cnn("resnet18"), 3)
    places = masking_places(model)
    r = sv.simulate(model, x, MaskSpikes(0.5, at=tuple(p.name for p in places)), SEEN)
    gone = sum(
        int(r[came(name)].values.sum() - r[name].values.sum())
        for name in (p.name for p in places)
        if "shortcut" not in name  # it reads what the convolution beside it reads
    )
    assert power_that_passes(r, places) == pytest.approx(sv.metrics.power(r) - gone / 2 / 1e-3)
    whole = sv.simulate(model, x)
    assert power_that_passes(whole, places) == sv.metrics.power(whole)
