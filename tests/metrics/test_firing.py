"""What fires, when and where: every expected number is worked out in a comment."""

import warnings

import pytest
import torch
from support.networks import make_mst, make_tiny

import spikeviz as sv
from spikeviz.metrics import MEMBRANES, SPIKES
from spikeviz.recording import Recording, Track

MAPS = ("T", "B", "C", "H", "W")


def recording(**tracks):
    """A recording of named tracks; `__` stands for a dot."""
    named = {name.replace("__", "."): track for name, track in tracks.items()}
    return Recording(named, torch.zeros(1, 2), torch.zeros(1, 1, 2), "by hand")


def spikes(values, shape, levels=1):
    return Track(torch.tensor(values, dtype=torch.uint8).view(shape), MAPS, "spike", 1 / levels, levels=levels)


# --- NSFR and rates ---


def test_nsfr_counts_every_neuron_the_same():
    # layer a: 4 neurons, 1 then 3 spikes; layer b: 1 neuron, 1 then 0 spikes. In all 5 neurons.
    # t 0: (1 + 1) / 5 = 0.4, t 1: (3 + 0) / 5 = 0.6. A mean over layers would give (1/4 + 1) / 2 = 0.625 at t 0.
    r = recording(a__spike=spikes([1, 0, 0, 0, 1, 1, 1, 0], (2, 1, 4, 1, 1)), b__spike=spikes([1, 0], (2, 1, 1, 1, 1)))
    assert sv.metrics.nsfr(r).tolist() == [0.4, 0.6]


def test_nsfr_is_the_mean_over_the_batch():
    # 2 samples of 2 neurons, 1 step: 2 + 1 spikes of 4 neurons
    assert sv.metrics.nsfr(recording(a__spike=spikes([1, 1, 1, 0], (1, 2, 2, 1, 1)))).tolist() == [0.75]


def test_integers_count_as_their_binary_steps():
    # D = 4, 2 steps, 2 neurons with the counts (3, 1) and then (0, 4): a spike at d = 1 .. C
    # t 0: d 1 both, d 2 and d 3 the first -> 1, 1/2, 1/2, 0;   t 1: the second at every d -> 1/2, 1/2, 1/2, 1/2
    r = recording(a__spike=spikes([3, 1, 0, 4], (2, 1, 2, 1, 1), levels=4))
    assert sv.metrics.nsfr(r).tolist() == [1.0, 0.5, 0.5, 0.0, 0.5, 0.5, 0.5, 0.5]
    # the sum over steps is the mean integer of a neuron: (3 + 1 + 0 + 4) / 2
    assert sv.metrics.nsfr(r).sum() == 4.0


def test_spikes_that_weigh_less_than_one_are_no_integers():
    # a binary spike may flow on as its threshold: 0.5 is D = 2 only where the track says so
    values = torch.tensor([1, 0], dtype=torch.uint8).view(1, 1, 2, 1, 1)
    one = Track(values, MAPS, "spike", 0.5)
    assert sv.metrics.nsfr(recording(a__spike=one)).tolist() == [0.5]
    assert sv.metrics.spike_maps(one).tolist() == [[[0.5]]] and sv.metrics.raster(one).length == 1
    two = Track(values, MAPS, "spike", 0.5, levels=2)
    assert sv.metrics.nsfr(recording(a__spike=two)).tolist() == [0.5, 0.0]


@pytest.mark.parametrize("levels", [2, 3, 8, 255])
def test_every_integer_counts_at_every_step_it_reaches(levels):
    # each count from 0 to D once: D + 1 - d of the D + 1 neurons reach d
    track = spikes(list(range(levels + 1)), (1, 1, levels + 1, 1, 1), levels=levels)
    expected = [(levels + 1 - d) / (levels + 1) for d in range(1, levels + 1)]
    assert sv.metrics.nsfr(recording(a__spike=track)).tolist() == expected
    assert sv.metrics.raster(track, limit=levels + 1).steps.tolist() == [
        d - 1 for d in range(1, levels + 1) for _ in range(levels + 1 - d)
    ]


def test_a_track_without_time_is_one_step():
    track = Track(torch.tensor([[1, 0, 0, 1]], dtype=torch.uint8), ("B", "C"), "spike")
    assert sv.metrics.nsfr(recording(a__spike=track)).tolist() == [0.5]


def test_only_spikes_are_neurons():
    r = recording(
        a__spike=spikes([1, 0], (1, 1, 2, 1, 1)),
        a__membrane=Track(torch.ones(1, 1, 9, 1, 1), MAPS, "membrane"),
        a__conv__input=Track(torch.ones(1, 1, 9, 1, 1), MAPS, "feature"),
    )
    assert sv.metrics.nsfr(r).tolist() == [0.5]


def test_rates_of_layers_weigh_up_to_nsfr(tiny, images):
    r = sv.simulate(tiny, images, keep=SPIKES)
    rates = sv.metrics.firing_rates(r)
    assert list(rates.columns) == ["layer", "step", "rate"]
    assert rates.layer.unique().tolist() == list(r)
    assert rates.step.tolist() == [0, 1, 2] * len(r)
    assert rates.rate.between(0, 1).all() and (rates.groupby("layer").rate.sum() > 0).all()
    neurons = {name: t.values[0, 0].numel() for name, t in r.items()}
    weight = rates.layer.map(neurons)
    network = (rates.rate * weight).groupby(rates.step).sum() / sum(neurons.values())
    assert sv.metrics.nsfr(r).tolist() == pytest.approx(network.tolist(), abs=1e-12)


def test_layers_of_different_length_have_no_common_rate():
    r = recording(a__spike=spikes([1, 0], (2, 1, 1, 1, 1)), b__spike=spikes([1], (1, 1, 1, 1, 1)))
    with pytest.raises(ValueError, match=r"a.spike has 2 steps and b.spike has 1"):
        sv.metrics.nsfr(r)


@pytest.mark.parametrize("metric", [sv.metrics.nsfr, sv.metrics.firing_rates])
def test_without_spikes_it_says_what_to_keep(metric, tiny, images):
    with pytest.raises(ValueError, match=r"kept no spikes; simulate with keep=\('\*\.spike',\)"):
        metric(sv.simulate(tiny, images, keep=""))


# --- maps ---


def test_spike_maps_are_means_over_channels():
    # T 1, B 2, C 2, H 1, W 3; sample 1: channel 0 fires at 0 and 2, channel 1 at 2
    track = spikes([0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1], (1, 2, 2, 1, 3))
    assert sv.metrics.spike_maps(track, sample=1).tolist() == [[[0.5, 0.0, 1.0]]]
    assert sv.metrics.spike_maps(track).sum() == 0


def test_maps_of_integers():
    # D 2, one channel, two places with the counts 2 and 1: both at d 1, the first at d 2
    track = spikes([2, 1], (1, 1, 1, 1, 2), levels=2)
    assert sv.metrics.spike_maps(track).tolist() == [[[1.0, 1.0]], [[1.0, 0.0]]]


def test_a_map_needs_spikes_on_a_grid(tiny, images):
    r = sv.simulate(tiny, images)
    with pytest.raises(ValueError, match="a spike map needs spikes with the axes T B C H W, not Track"):
        sv.metrics.spike_maps(r["blocks.0.attn.scores"])
    with pytest.raises(ValueError, match="there is no sample 2: this recording has 2, from 0"):
        sv.metrics.spike_maps(r["stem.rpe.spike"], sample=2)


# --- raster ---


def test_raster_lists_every_spike_by_time():
    # 2 steps, 3 neurons: neuron 2 at step 0, neurons 0 and 2 at step 1
    r = sv.metrics.raster(spikes([0, 0, 1, 1, 0, 1], (2, 1, 3, 1, 1)))
    assert (r.steps.tolist(), r.rows.tolist(), r.neurons.tolist()) == ([0, 1, 1], [2, 0, 2], [0, 1, 2])
    assert (r.total, r.length) == (3, 2)


def test_raster_is_bounded_and_spread():
    track = spikes([1] * 10, (1, 1, 10, 1, 1))
    r = sv.metrics.raster(track, limit=4)
    assert r.neurons.tolist() == [0, 2, 5, 7]  # 0, 10/4, 20/4, 30/4, rounded down
    assert r.rows.tolist() == [0, 1, 2, 3] and r.total == 10
    with pytest.raises(ValueError, match="at least 1 neuron, not 0"):
        sv.metrics.raster(track, limit=0)
    with pytest.raises(ValueError, match="a raster needs spikes"):
        sv.metrics.raster(Track(torch.zeros(1, 1, 1, 1, 1), MAPS, "membrane"))


def test_raster_holds_all_spikes_of_a_real_layer(tiny, images):
    track = sv.simulate(tiny, images)["blocks.0.mlp.hidden.spike"]
    r = sv.metrics.raster(track, sample=1, limit=10_000)
    again = torch.zeros(3, r.total)
    again[r.steps, r.neurons[r.rows]] = 1
    assert torch.equal(again, track.values[:, 1].flatten(1).float().cpu())


# --- membrane ---


def test_membrane_trace_crosses_its_threshold_where_it_fires(tiny, images):
    r = sv.simulate(tiny, images, keep=MEMBRANES)
    for layer, threshold in (("blocks.0.attn.q", 1.0), ("blocks.0.attn.out", 0.5)):
        for neuron in range(20):
            trace = sv.metrics.membrane_trace(r, layer, neuron, sample=1)
            assert trace.threshold == threshold
            assert torch.equal(trace.potential >= threshold, trace.spikes == 1)


def test_a_neuron_by_place_and_by_number(tiny, images):
    # attn.q of the tiny network: 16 channels on a 4 x 4 grid; channel 2, row 1, column 3 is 2 * 16 + 1 * 4 + 3 = 39
    r = sv.simulate(tiny, images, sv.interventions.FiringThreshold(0.7))
    by_number = sv.metrics.membrane_trace(r, "blocks.0.attn.q", 39)
    by_place = sv.metrics.membrane_trace(r, "blocks.0.attn.q", (2, 1, 3))
    assert by_number.neuron == by_place.neuron == (2, 1, 3)
    assert torch.equal(by_number.potential, by_place.potential)
    assert torch.equal(by_number.potential, r["blocks.0.attn.q.membrane"].values[:, 0, 2, 1, 3].cpu())
    assert by_number.threshold == 0.7


def test_a_trace_that_is_not_there(tiny, images):
    r = sv.simulate(tiny, images)
    for neuron in (-1, 256, (2, 1), (2, 1, 4), (-1, 0, 0)):
        with pytest.raises(ValueError, match=r"neurons of shape \[16, 4, 4\], 256 of them; there is no neuron"):
            sv.metrics.membrane_trace(r, "blocks.0.attn.q", neuron)
    with pytest.raises(ValueError, match="there is no sample -1"):
        sv.metrics.membrane_trace(r, "blocks.0.attn.q", 0, sample=-1)
    with pytest.raises(ValueError, match=r"no blocks.0.attn.q.membrane; keep it with"):
        sv.metrics.membrane_trace(sv.simulate(tiny, images, keep=SPIKES), "blocks.0.attn.q", 0)


def test_a_masked_spike_does_not_flow_though_its_membrane_crossed(images):
    model = make_tiny()
    r = sv.simulate(model, images, sv.interventions.MaskSpikes(1.0, at="*.attn.q.spike"))
    crossed = (r["blocks.0.attn.q.membrane"].values >= 1).flatten(2)[:, 0].any(0).nonzero()[0].item()
    trace = sv.metrics.membrane_trace(r, "blocks.0.attn.q", crossed)
    assert trace.potential.max() >= 1 and trace.spikes.sum() == 0


@pytest.mark.parametrize(("metric", "name"), [(sv.metrics.nsfr, "NSFR"), (sv.metrics.power, "power")])
def test_activations_are_no_spikes(metric, name):
    """Of a QCFS network a sentence says so; of what it becomes, and of integers, none does."""
    ann, x = make_mst(), torch.rand(1, 1, 16, 16)
    with pytest.warns(UserWarning, match=f"sends activations, not spikes, so its {name} is .*; sv.to_spiking"):
        metric(sv.simulate(ann, x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metric(sv.simulate(sv.to_spiking(ann, 2), x))
        metric(sv.simulate(make_tiny(), x))
