"""E-SpikeFormer as a network: D under an intervention, its tracks, its operations, its two heads."""

import copy
import threading

import pytest
import torch
from spikingjelly.activation_based.op_counter import DispatchCounterMode, SynOpCounter
from support.networks import make_small, make_tiny

import spikeviz as sv
from spikeviz.metrics import OPERANDS, SPIKES
from spikeviz.models.espikeformer import LAYOUTS
from spikeviz.models.registry import SPECS
from spikeviz.nn.attention import SDSA
from spikeviz.nn.integers import IntegerIF, expand
from spikeviz.nn.layers import Conv
from spikeviz.probe import Tape, name_probes

SpikeLevels, TimeSteps = sv.interventions.SpikeLevels, sv.interventions.TimeSteps


@pytest.fixture(scope="module", params=LAYOUTS)
def small(request):
    """A network of each layout, D = 4: nothing may write to it."""
    model = make_small(request.param)
    before = copy.deepcopy(model.state_dict())
    yield model
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


# --- D ---


def test_tracks_are_counts_worth_one_over_d(small, images):
    for d in (1, 3, 4, 8):
        r = sv.simulate(small, images, SpikeLevels(d))
        for name, track in r.of_kind("spike").items():
            assert (track.values.dtype, track.scale, track.levels) == (torch.uint8, 1 / d, d), name
            assert 0 < track.values.max() <= d, name
        counts = [t.values.max().item() for t in r.of_kind("spike").values()]
        assert max(counts) == d  # somebody fires all it may
        assert r.logits_per_step.shape == (1, 2, 3) and torch.isfinite(r.output).all()


def test_the_trained_d_is_the_identity_bitwise_and_another_is_not(small, images):
    plain, same, other = (sv.simulate(small, images, i) for i in ((), SpikeLevels(4), SpikeLevels(5)))
    assert torch.equal(plain.output, same.output) and list(plain) == list(same)
    assert all(torch.equal(plain[name].values, same[name].values) for name in plain)
    assert not torch.equal(plain.output, other.output)
    # the last of two is the one that holds
    assert torch.equal(sv.simulate(small, images, (SpikeLevels(4), SpikeLevels(5))).output, other.output)


def test_what_flows_is_what_the_track_says(small, images):
    r = sv.simulate(small, images, SpikeLevels(3))
    for name, track in r.items():
        if name.endswith(".conv.input") and name.removesuffix("conv.input") + "spike" in r and ".attn." not in name:
            assert torch.equal(track.values, r[name.removesuffix("conv.input") + "spike"].values), name
    q = r["blocks.0.attn.q.spike"]
    assert q.flows.max() == 1 and torch.equal(q.flows, q.values * (1 / 3))


def test_nsfr_of_all_binary_steps_comes_from_one_pass(small, images):
    for d, t in ((1, 1), (4, 1), (8, 1), (3, 2)):
        r = sv.simulate(small, images, (SpikeLevels(d), TimeSteps(t)), keep=SPIKES)
        rate = sv.metrics.nsfr(r)
        assert rate.shape == (t * d,)
        tracks = r.of_kind("spike").values()
        neurons = sum(track.values[0].numel() for track in tracks)
        # by the definition: the binary steps of every track, added up
        steps = [expand(track.values, d).flatten(1).sum(1, dtype=torch.float64) for track in tracks]
        assert torch.allclose(rate, sum(steps) / neurons, rtol=0, atol=1e-15)
        # and so its sum is the mean integer of a neuron
        total = sum(track.values.sum().item() for track in tracks)
        assert rate.sum().item() == pytest.approx(total / neurons, rel=1e-12)
        for step in range(t):
            within = rate[step * d : (step + 1) * d]
            assert (within.diff() <= 0).all()  # spikes come first
    rates = sv.metrics.firing_rates(r)
    assert rates.step.max() == 5 and len(rates) == 6 * len(r)


def test_integers_grow_with_d_but_only_up_to_what_there_is(images):
    model = make_small()
    first = [
        sv.simulate(model, images, SpikeLevels(d), keep="stem.stages.0.blocks.0.sep.expand.*")
        for d in (1, 2, 4, 100, 255)
    ]
    potential = first[0]["stem.stages.0.blocks.0.sep.expand.membrane"]
    assert potential.threshold == 0.5
    for d, r in zip((1, 2, 4, 100, 255), first, strict=True):
        # the first neurons see the same currents whatever D is, and fire what Eq. 5 says
        assert torch.equal(r["stem.stages.0.blocks.0.sep.expand.membrane"].values, potential.values)
        expected = potential.values.clamp(0, d).round()
        assert torch.equal(r["stem.stages.0.blocks.0.sep.expand.spike"].values.float(), expected)
    assert torch.equal(
        first[3]["stem.stages.0.blocks.0.sep.expand.spike"].values,
        first[4]["stem.stages.0.blocks.0.sep.expand.spike"].values,
    )


def test_looking_changes_no_bit(small, images):
    for d in (3, 4, 7):
        plain = sv.simulate(small, images, SpikeLevels(d), keep="")
        for keep in ("*", "*.scores", "*.membrane", OPERANDS):
            assert torch.equal(sv.simulate(small, images, SpikeLevels(d), keep=keep).output, plain.output), (d, keep)


def test_looking_at_scores_keeps_the_order_of_the_product():
    # sevenths are no binary fractions: q (k^T v) and (q k^T) v differ in their last bits
    attention = SDSA(16, 2, 0.125, "q(kv)", lambda: IntegerIF(7))
    name_probes(attention)
    q, k, v = torch.randint(0, 8, (3, 1, 2, 16, 5, 5), generator=torch.Generator().manual_seed(1)) * (1 / 7)
    plain = attention.attend(q, k, v)
    with Tape(keep="scores").rolling() as tape:
        seen = attention.attend(q, k, v)
    with Tape([sv.interventions.MaskSpikes(0.0, at="scores")], keep="").rolling():
        edited = attention.attend(q, k, v)
    assert torch.equal(seen, plain) and "scores" in tape.tracks
    assert torch.allclose(edited, plain) and not torch.equal(edited, plain)


def test_edited_scores_flow_on(small, images):
    masked = sv.simulate(small, images, sv.interventions.MaskSpikes(1.0, at="*.attn.scores"))
    assert not masked["blocks.0.attn.scores"].values.any() and not masked["blocks.0.attn.out.spike"].values.any()
    assert sv.simulate(small, images)["blocks.0.attn.out.spike"].values.any()


def test_threads_with_their_own_d(small, images):
    expected = {d: sv.simulate(small, images, SpikeLevels(d)).output for d in (1, 2, 5, 8)}
    found = {}

    def run(d):
        found[d] = [sv.simulate(small, images, SpikeLevels(d)).output for _ in range(5)]

    threads = [threading.Thread(target=run, args=(d,)) for d in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(output, expected[d]) for d in expected for output in found[d])


def test_d_is_for_integer_networks_and_thresholds_for_binary_ones(images):
    vanilla, integer = make_small(neuron="lif", levels=1, time_steps=4), make_small()
    for model, possible, impossible in (
        (vanilla, (sv.interventions.FiringThreshold(0.8), sv.interventions.TimeConstant(3.0)), (SpikeLevels(2),)),
        (integer, (SpikeLevels(2),), (sv.interventions.FiringThreshold(0.8), sv.interventions.TimeConstant(3.0))),
    ):
        plain = sv.simulate(model, images, keep="").output
        for i in possible:
            assert not torch.equal(sv.simulate(model, images, i, keep="").output, plain)
        for i in impossible:
            with pytest.raises(ValueError, match=r"^.* has nothing to act on in small-base\.$"):
                sv.simulate(model, images, i)
    with pytest.raises(ValueError, match=r"^SpikeLevels\(D=4\) has nothing to act on in tiny-cifar\.$"):
        sv.simulate(make_tiny(), images, SpikeLevels(4))


@pytest.mark.parametrize("d", [0, 256, -1, 2.5, "4", None, True])
def test_d_out_of_range(d, unchecked):
    with pytest.raises(ValueError, match=r"^SpikeLevels\(D=...\): .* out of range, give a whole number from 1 to 255"):
        SpikeLevels(d)


def test_t_times_d_out_of_range(small, images):
    assert sv.simulate(small, images, (TimeSteps(4), SpikeLevels(255)), keep="").logits_per_step.shape[0] == 4
    with pytest.raises(ValueError, match=r"^T 16 x D 255 is 4080 binary steps; at most 1024 are run: lower T or D\.$"):
        sv.simulate(small, images, (TimeSteps(16), SpikeLevels(255)))


# --- time ---


def test_an_image_has_one_step_and_a_vanilla_network_shows_it_t_times(images):
    vanilla = make_small(neuron="lif", levels=1, time_steps=4)
    r = sv.simulate(vanilla, images)
    assert r.logits_per_step.shape[0] == 4 and sv.metrics.nsfr(r).shape == (4,)
    assert {(t.scale, t.levels, t.values.max().item()) for t in r.of_kind("spike").values()} == {(1.0, 1, 1)}
    assert r["stem.conv.input"].axes == ("B", "C", "H", "W")  # the first convolution of an image is computed once
    assert r["stem.stages.0.blocks.0.sep.expand.spike"].values.shape[0] == 4


def test_more_steps_of_an_integer_network_keep_the_rest(small, images):
    r = sv.simulate(small, images, TimeSteps(3))
    place = "stem.stages.0.blocks.0." + ("sep.expand" if small.config.layout == "base" else "expand")
    potential, spikes = r[f"{place}.membrane"].values, r[f"{place}.spike"].values.float()
    current = potential[0]
    for step in (1, 2):
        # U[t] = U[t-1] - C[t-1] + X, the same current of an image at every step
        assert torch.equal(potential[step], current + (potential[step - 1] - spikes[step - 1]))


def test_events_bring_their_time_and_are_counted():
    model = make_small(events=True, in_channels=2)
    events = torch.randint(0, 3, (5, 2, 2, 16, 16), generator=torch.Generator().manual_seed(3)).float()
    r = sv.simulate(model, events)
    assert r.logits_per_step.shape == (5, 2, 3) and sv.metrics.nsfr(r).shape == (20,)
    first = sv.metrics.operations(model, r).iloc[0]
    assert first.MACs == 0 and first.SOPs > 0
    image = sv.metrics.operations(make_small(), sv.simulate(make_small(), torch.ones(1, 1, 16, 16))).iloc[0]
    assert image.SOPs == 0 and image.MACs == 8 * 8 * 49 * 4  # an image is real, even where every pixel is 1


def test_images_of_another_size_and_dtype(small):
    assert sv.simulate(small, torch.rand(1, 1, 14, 13), keep="").output.shape == (1, 3)
    double = copy.deepcopy(small).double()
    r = sv.simulate(double, torch.rand(2, 1, 16, 16), SpikeLevels(3))
    assert r.output.dtype == torch.float64
    assert {t.values.dtype for t in r.of_kind("spike").values()} == {torch.uint8}


# --- operations ---


def by_layer(model, recording):
    return (sv.metrics.operations(model, recording).set_index("layer") * recording.output.shape[0]).round(6)


def heads_of(track, heads=2):
    return track.values.long().unflatten(2, (heads, -1)).flatten(4)  # T B heads d N


@pytest.mark.parametrize("d", [1, 3, 4, 8])
def test_operations_of_integers(small, images, d):
    r = sv.simulate(small, images, SpikeLevels(d))
    table = by_layer(small, r)
    layout = LAYOUTS[small.config.layout]
    assert table.index[0] == "stem.conv" and table.index[-1] == ("head_kd" if layout.two_heads else "head")
    # a real image: 8 x 8 places, 49 weights, 4 channels, two images
    assert table.loc["stem.conv"].tolist()[:2] == [2 * 8 * 8 * 49 * 4, 0]
    real = {"stem.conv", *(("head",) if layout.two_heads else ()), *(n for n in table.index if n.endswith(".conv2"))}
    assert set(table.index[table.MACs > 0]) == real and set(table.index[table.SOPs == 0]) == real
    # a 1x1 convolution adds each integer, C additions, to every output channel
    hidden = r["blocks.0.mlp.hidden.spike"].values.sum().item()
    assert table.SOPs["blocks.0.mlp.hidden.conv"] == hidden * 16
    source, wide = r["blocks.0.attn.input.spike"].values.sum().item(), 24 if layout.rep else 16
    assert table.SOPs["blocks.0.attn.q.conv" + (".conv1" if layout.rep else "")] == source * wide
    # of q k^T (or k^T v) every coincidence of a binary step of one with one of the other: products of the integers;
    # of the second product every spike meets what it is multiplied by
    q, k, v = (heads_of(r[f"blocks.0.attn.{name}.spike"]) for name in "qkv")
    if layout.order == "(qk)v":
        assert table.SOPs["blocks.0.attn.qk"] == (q.mT @ k).sum().item()
        assert table.SOPs["blocks.0.attn.av"] == v.sum().item() * 16  # each is added to 16 tokens
    else:
        assert table.SOPs["blocks.0.attn.kv"] == (k @ v.mT).sum().item()
        assert table.SOPs["blocks.0.attn.qa"] == q.sum().item() * 8  # each adds a row of 8 channels
    last = "head_kd" if layout.two_heads else "head"
    assert table.SOPs[last] == r["readout.spike"].values.sum().item() * 3


@pytest.mark.parametrize("kernel", [{"kernel": 3, "stride": 2}, {"kernel": 7, "groups": 8}, {"kernel": 1}])
def test_additions_of_integers_are_those_of_their_binary_steps(kernel):
    """SpikingJelly counts the D binary steps, which are spikes to it; the integers themselves it would not."""
    layer = Conv(8, 8, bias=False, **kernel)
    counts = torch.randint(0, 5, (1, 2, 8, 7, 7), generator=torch.Generator().manual_seed(1)).float()

    class Alone(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x / 4, 1 / 4).flatten(2)

    model = Alone()
    layer.input.name = "layer.input"
    ours = sv.metrics.operations(model, sv.simulate(model, counts)).SOPs.item() * 2
    counter = SynOpCounter()
    with torch.no_grad(), DispatchCounterMode([counter]):
        layer(expand(counts, 4))
    assert ours == counter.get_total() > 0


def test_energy_falls_with_fewer_levels(images):
    model = make_small()
    energy = [
        sv.metrics.operations(model, sv.simulate(model, images, SpikeLevels(d), keep=OPERANDS)).picojoule.sum()
        for d in (1, 4)
    ]
    assert energy[0] < energy[1]


# --- names, demo sizes ---


def test_names_of_places_stay():
    model = sv.build("e-spikeformer-fashion-sfa4").eval()
    firing = ["membrane", "spike", "conv.input"]
    block = [f"{part}.{p}" for part in ("sep.expand", "sep.depth", "sep.reduce", "expand", "reduce") for p in firing]
    stem = ["stem.conv.input"]
    for stage in range(3):
        stem += [f"stem.stages.{stage}.blocks.0.{p}" for p in block] + [f"stem.stages.{stage}.down.{p}" for p in firing]
    local = [f"local.{part}.{p}" for part in ("expand", "depth", "reduce") for p in firing]
    attn = ["attn.input.membrane", "attn.input.spike"]
    attn += [f"attn.{n}.{p}" for n in "qkv" for p in ("conv.input", "membrane", "spike")]
    attn += ["attn.qk.left", "attn.qk.right", "attn.scores", "attn.av.left", "attn.av.right"]
    attn += [f"attn.out.{p}" for p in firing] + [f"mlp.{n}.{p}" for n in ("input", "hidden") for p in firing]
    blocks = [f"blocks.0.{p}" for p in local + attn]
    expected = [*stem, *blocks, "readout.membrane", "readout.spike", "head.input"]
    assert list(sv.simulate(model, torch.rand(1, 1, 28, 28))) == expected


def test_base_sizes_widen_before_their_second_stage():
    with torch.device("meta"):
        blocks = sv.build("e-spikeformer-t").blocks
    assert [number for number, block in enumerate(blocks) if block.widen is not None] == [6] and len(blocks) == 8
    conv = blocks[6].widen.conv
    assert (conv.in_channels, conv.out_channels, conv.stride) == (96, 128, (1, 1))


@pytest.mark.parametrize(
    ("name", "tokens", "d", "steps"),
    [
        ("e-spikeformer-fashion-sfa1", 49, 1, 1),
        ("e-spikeformer-fashion-sfa2", 49, 2, 1),
        ("e-spikeformer-fashion-sfa4", 49, 4, 1),
        ("e-spikeformer-fashion-sfa8", 49, 8, 1),
        ("e-spikeformer-fashion-vanilla4", 49, 1, 4),
        ("e-spikeformer-cifar-sfa4", 64, 4, 1),
    ],
)
def test_demo_sizes(name, tokens, d, steps):
    spec, model = SPECS[name], sv.build(name).eval()
    assert spec.demo and spec.params < (0.5e6 if "fashion" in name else 3e6) and spec.time_steps == steps
    assert "strides" in spec.notes and "instead of 2, 2, 2, 2" in spec.notes
    r = sv.simulate(model, torch.rand(1, *spec.input))
    assert r["blocks.0.attn.scores"].values.shape[-1] == tokens
    assert sv.metrics.nsfr(r).shape == (steps * d,)


def test_reconstructed_and_deviating_sizes_say_so():
    assert "reconstructed" in SPECS["e-spikeformer-52m"].notes
    for name in ("e-spikeformer-83m", "e-spikeformer-173m"):
        assert "not the paper's Fig. 4" in SPECS[name].notes
