"""The one door: pure, safe in threads, and every intervention does what it says."""

import copy
import dataclasses
import re
import threading
from collections import OrderedDict
from types import SimpleNamespace

import pytest
import torch
from support.networks import make_small, make_tiny

import spikeviz as sv
from spikeviz.interventions import Bounds, Intervention, bounded_fields
from spikeviz.nn.attention import SSA
from spikeviz.probe import name_probes

FiringThreshold, MaskSpikes = sv.interventions.FiringThreshold, sv.interventions.MaskSpikes
SpikeLevels, TimeConstant = sv.interventions.SpikeLevels, sv.interventions.TimeConstant
TimeSteps = sv.interventions.TimeSteps
BINARY = (FiringThreshold(0.8), MaskSpikes(0.5), TimeConstant(3.0), TimeSteps(2))  # what a binary network may have
INTEGER = (MaskSpikes(0.5), SpikeLevels(2), TimeSteps(2))
ALL = (*BINARY, SpikeLevels(2))


def assert_same(a, b, but_interventions=False):
    """Two recordings have the same bits."""
    assert torch.equal(a.output, b.output) and torch.equal(a.logits_per_step, b.logits_per_step)
    assert list(a) == list(b)
    for name in a:
        assert torch.equal(a[name].values, b[name].values), name
        assert (a[name].axes, a[name].kind, a[name].scale) == (b[name].axes, b[name].kind, b[name].scale)
    assert but_interventions or a.interventions == b.interventions


def differs(a, b):
    return not torch.equal(a.output, b.output)


@pytest.fixture
def events():
    return torch.randint(0, 3, (4, 2, 2, 16, 16), generator=torch.Generator().manual_seed(3)).float()


# --- the recording ---


def test_what_a_recording_says(tiny, images, device):
    r = sv.simulate(tiny, images, seed=5)
    assert r.logits_per_step.shape == (3, 2, 3) and r.output.shape == (2, 3)
    assert torch.equal(r.output, r.logits_per_step.mean(0)) and torch.isfinite(r.output).all()
    assert torch.equal(r.logits_per_step, tiny(images.to(device)))
    assert (r.model, r.interventions, r.seed, r.milliseconds > 0) == ("tiny-cifar", (), 5, True)
    assert torch.device(r.device).type == device.type
    assert not r.output.requires_grad and not any(t.values.requires_grad for t in r.values())


def test_tracks_that_others_rely_on(tiny, images):
    r = sv.simulate(tiny, images)
    for place in ("attn.q.spike", "attn.k.spike", "attn.v.spike", "mlp.hidden.spike"):
        track = r[f"blocks.0.{place}"]
        assert (track.kind, track.axes, track.values.dtype) == ("spike", ("T", "B", "C", "H", "W"), torch.uint8)
        assert 0 < track.values.float().mean() < 1 and track.values.max() == 1
    assert r["blocks.0.attn.scores"].values.shape == (3, 2, 2, 16, 16)
    for name, track in r.of_kind("membrane").items():
        spikes = r[name.replace("membrane", "spike")].values
        assert torch.equal(track.values >= track.threshold, spikes == 1), name
    image = r["stem.stages.0.conv.input"]
    assert (image.axes, image.values.shape) == (("B", "C", "H", "W"), (2, 1, 16, 16))


def test_the_membrane_is_asked_for_or_not_with_the_same_bits(tiny, images):
    full = sv.simulate(tiny, images)
    for keep in ("", "*.spike", "*.membrane", ("*.left", "*.attn.scores")):
        assert torch.equal(sv.simulate(tiny, images, keep=keep).logits_per_step, full.logits_per_step)


def test_keep(tiny, images):
    assert len(sv.simulate(tiny, images, keep="")) == 0
    assert list(sv.simulate(tiny, images, keep="*.attn.scores")) == ["blocks.0.attn.scores"]
    assert list(sv.simulate(tiny, images, keep=("head.*", "stem.rpe.spike"))) == ["stem.rpe.spike", "head.input"]


# --- purity ---


@pytest.mark.parametrize(("make", "interventions"), [(make_tiny, ()), (make_tiny, BINARY), (make_small, INTEGER)])
def test_twice_the_same_bits(make, images, interventions, device):
    model = make().to(device)
    assert_same(sv.simulate(model, images, interventions, seed=1), sv.simulate(model, images, interventions, seed=1))


def test_a_batch_is_its_samples(images):
    model = make_tiny().double()  # a convolution may sum a larger batch in another order: float64 leaves room for it
    both = sv.simulate(model, images)
    for sample in range(2):
        alone = sv.simulate(model, images[sample : sample + 1])
        assert torch.allclose(both.output[sample], alone.output[0], atol=1e-9)
        assert torch.equal(
            both["blocks.0.mlp.out.spike"].values[:, sample], alone["blocks.0.mlp.out.spike"].values[:, 0]
        )


def test_four_threads_on_one_network(tiny, images):
    settings = [(FiringThreshold(0.6),), (MaskSpikes(0.5),), (TimeSteps(5), TimeConstant(1.5)), ()]
    solo = [sv.simulate(tiny, images, each, seed=2) for each in settings]
    assert all(differs(solo[3], other) for other in solo[:3])
    start, found = threading.Barrier(4), [[] for _ in settings]

    def work(number):
        start.wait()
        for _ in range(6):
            found[number].append(sv.simulate(tiny, images, settings[number], seed=2))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for expected, runs in zip(solo, found, strict=True):
        assert len(runs) == 6
        for run in runs:
            assert_same(run, expected)


@pytest.mark.parametrize(("make", "interventions"), [(make_tiny, BINARY), (make_small, INTEGER)])
def test_the_model_and_the_input_are_not_touched(images, make, interventions):
    model, x = make(), images.clone()
    before = copy.deepcopy(model.state_dict())
    attributes = {name: dict(vars(m)) for name, m in model.named_modules()}
    sv.simulate(model, x, interventions)
    assert torch.equal(x, images)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    for name, module in model.named_modules():
        assert vars(module).keys() == attributes[name].keys()
        assert all(vars(module)[k] is v for k, v in attributes[name].items()), name
    assert all(p.grad is None for p in model.parameters())


def test_a_network_in_train_mode_stays_there_and_gives_what_it_gives_in_eval(images):
    model = make_tiny()
    expected = sv.simulate(model, images)
    before = copy.deepcopy(model.train().state_dict())
    assert_same(sv.simulate(model, images), expected)
    assert all(m.training for m in model.modules())
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_a_part_in_train_mode_is_not_written_to_either(images):
    model = make_tiny()
    expected = sv.simulate(model, images, keep="")
    model.stem.train()
    before = copy.deepcopy(model.state_dict())
    assert torch.equal(sv.simulate(model, images, keep="").output, expected.output)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_an_exception_leaves_nothing_behind(tiny, images):
    expected = sv.simulate(tiny, images)
    with pytest.raises(ValueError):
        sv.simulate(tiny, torch.rand(1, 3, 16, 16), FiringThreshold(0.3))
    assert_same(sv.simulate(tiny, images), expected)
    assert torch.equal(tiny(images.to(next(tiny.parameters()).device)), expected.logits_per_step)


def test_float64_in_float64_out(images):
    model = make_tiny().double()
    assert sv.simulate(model, images).output.dtype == torch.float64


# --- interventions as values ---


def kinds():
    return [
        kind for kind in vars(sv.interventions).values() if isinstance(kind, type) and issubclass(kind, Intervention)
    ]


def test_every_intervention_is_a_value_with_bounds(unchecked):
    offered = [kind for kind in kinds() if hasattr(kind, "title")]
    assert {type(i) for i in ALL} <= set(offered)
    for kind in offered:
        assert kind.title and kind.source and (bounded_fields(kind) or kind is sv.interventions.SpikeDriven)
        for f in bounded_fields(kind):
            b = f.metadata["bounds"]
            assert isinstance(b, Bounds) and b.help
            assert b.low <= b.slider[0] < b.slider[1] <= b.high and 0 < b.step <= b.slider[1] - b.slider[0]
            for value in (b.low, b.high, *b.slider):
                one, other = kind(**{f.name: value}), kind(**{f.name: value})
                assert one == other and hash(one) == hash(other)
                with pytest.raises(dataclasses.FrozenInstanceError):
                    setattr(one, f.name, value)
            for value in (b.low - 1, b.high + 1, float("nan"), float("inf"), "1", None, True):
                with pytest.raises(ValueError, match=rf"^{kind.__name__}\({f.name}=...\): .* is out of range, give a"):
                    kind(**{f.name: value})


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: TimeSteps(0), "TimeSteps(T=...): 0 is out of range, give a whole number from 1 to 1024."),
        (lambda: TimeSteps(2.5), "TimeSteps(T=...): 2.5 is out of range, give a whole number from 1 to 1024."),
        (lambda: FiringThreshold(0), "FiringThreshold(value=...): 0 is out of range, give a number from 0.01 to 100."),
        (lambda: SpikeLevels(0), "SpikeLevels(D=...): 0 is out of range, give a whole number from 1 to 255."),
        (lambda: SpikeLevels(256), "SpikeLevels(D=...): 256 is out of range, give a whole number from 1 to 255."),
        (lambda: TimeConstant(1), "TimeConstant(tau=...): 1 is out of range, give a number from 1.01 to 1000."),
        (lambda: MaskSpikes(1.5), "MaskSpikes(ratio=...): 1.5 is out of range, give a number from 0 to 1."),
    ],
)
def test_out_of_range_is_one_clear_sentence(make, sentence, unchecked):
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == sentence


def test_globs_are_kept_as_a_tuple():
    assert MaskSpikes(0.5, at="*.spike") == MaskSpikes(0.5, at=["*.spike"])
    assert MaskSpikes(0.5).at == ("*.attn.q.spike", "*.attn.k.spike", "*.attn.scores")
    assert len({MaskSpikes(0.5, at=["a"]), MaskSpikes(0.5, at="a")}) == 1


@pytest.mark.parametrize(
    "identity", [FiringThreshold(1.0), MaskSpikes(0.0), MaskSpikes(0.0, at="*"), TimeSteps(3), TimeConstant(2.0)]
)
def test_the_trained_point_is_the_identity_bitwise(tiny, images, identity):
    plain, same = sv.simulate(tiny, images, keep="*[!k]"), sv.simulate(tiny, images, identity, keep="*[!k]")
    assert_same(plain, same, but_interventions=True)  # *[!k] leaves out what ends in .mask


# --- what each does ---


def test_threshold_scales_every_neuron_and_keeps_the_ratio(tiny, images):
    r = sv.simulate(tiny, images, FiringThreshold(0.8))
    assert {t.threshold for t in r.of_kind("membrane").values()} == {0.8, 0.4}
    assert r["blocks.0.attn.out.membrane"].threshold == 0.4  # built with 0.5
    rates = [sv.metrics.nsfr(sv.simulate(tiny, images, FiringThreshold(v))).mean() for v in (0.5, 1.0, 2.0)]
    assert rates[0] > rates[1] > rates[2]
    twice = sv.simulate(tiny, images, (FiringThreshold(0.5), FiringThreshold(0.5)))
    assert torch.equal(twice.output, sv.simulate(tiny, images, FiringThreshold(0.25)).output)


def test_time_constant_is_the_leak(tiny, images):
    r = sv.simulate(tiny, images, TimeConstant(4.0))
    # from rest H = X / tau: at the first step, which sees the same current, the membrane of tau 4 is half that of tau 2
    plain = sv.simulate(tiny, images)
    first, slow = plain["stem.stages.0.membrane"].values[0], r["stem.stages.0.membrane"].values[0]
    assert torch.equal(slow, first / 2)
    assert differs(plain, r)


def test_time_steps_of_an_image(tiny, images):
    r = sv.simulate(tiny, images, TimeSteps(7))
    assert r.logits_per_step.shape[0] == 7 and r["stem.rpe.spike"].values.shape[0] == 7
    plain = sv.simulate(tiny, images)
    assert torch.equal(r["stem.stages.0.spike"].values[:3], plain["stem.stages.0.spike"].values)
    one = sv.simulate(tiny, images, TimeSteps(1))
    assert one.logits_per_step.shape[0] == 1


def test_time_steps_of_events_shows_the_first_frames(events):
    model = make_tiny("dvs", in_channels=2)
    plain, two = sv.simulate(model, events), sv.simulate(model, events, TimeSteps(2))
    assert plain.logits_per_step.shape[0] == 4 and two.logits_per_step.shape[0] == 2
    assert_same(two, sv.simulate(model, events[:2]), but_interventions=True)
    with pytest.raises(ValueError, match="these events have 4 frames; give T up to that"):
        sv.simulate(model, events, TimeSteps(5))


def test_events_bring_their_own_time(events):
    model = make_tiny("dvs", in_channels=2, time_steps=3)
    r = sv.simulate(model, events)
    assert r["stem.stages.0.conv.input"].values.shape == (4, 2, 2, 16, 16)
    assert torch.equal(r["stem.stages.0.conv.input"].flows, events)


def test_mask_spikes_drops_its_share_and_says_which(tiny, images):
    r = sv.simulate(tiny, images, MaskSpikes(0.3), seed=4)
    for name in ("blocks.0.attn.q.spike", "blocks.0.attn.k.spike", "blocks.0.attn.scores"):
        mask = r[f"{name}.mask"]
        assert (mask.kind, mask.axes) == ("mask", r[name].axes)
        assert not r[name].values[mask.values == 0].any()
        if name.endswith("scores"):  # how many of the coincidences of each
            assert mask.values.dtype == torch.int32 and mask.values.max() > 1
            continue
        n = mask.values.numel()
        assert mask.values.dtype == torch.bool
        assert (
            abs(mask.values.float().mean().item() - 0.7) < 5 * (0.3 * 0.7 / n) ** 0.5
        )  # five deviations of a binomial
    assert [name for name in r if name.endswith(".mask")] == [
        "blocks.0.attn.q.spike.mask",
        "blocks.0.attn.k.spike.mask",
        "blocks.0.attn.scores.mask",
    ]
    # upstream of the first masked place nothing changes: what is kept there are the spikes that were there
    plain = sv.simulate(tiny, images)["blocks.0.attn.q.spike"].values
    mask = r["blocks.0.attn.q.spike.mask"].values.to(plain.device)
    assert torch.equal(r["blocks.0.attn.q.spike"].values, plain * mask)
    # a mask is fresh at every step and for every sample
    assert not torch.equal(mask[0], mask[1]) and not torch.equal(mask[:, 0], mask[:, 1])


def test_all_spikes_masked(tiny, images):
    r = sv.simulate(tiny, images, MaskSpikes(1.0))
    assert not r["blocks.0.attn.q.spike"].values.any() and not r["blocks.0.attn.out.spike"].values.any()


def test_a_mask_is_a_function_of_the_seed_and_the_place(tiny, images):
    a, b, other = (sv.simulate(tiny, images, MaskSpikes(0.5), seed=s) for s in (1, 1, 2))
    name = "blocks.0.attn.q.spike.mask"
    assert_same(a, b)
    assert not torch.equal(a[name].values, other[name].values)
    fewer = sv.simulate(tiny, images, MaskSpikes(0.5, at="*.attn.k.spike"), keep="*.mask", seed=1)
    assert torch.equal(fewer["blocks.0.attn.k.spike.mask"].values, a["blocks.0.attn.k.spike.mask"].values)
    assert not torch.equal(a[name].values, a["blocks.0.attn.k.spike.mask"].values)
    # the ratio only moves the cut through the same numbers: what 0.5 keeps, 0.2 keeps as well
    less = sv.simulate(tiny, images, MaskSpikes(0.2), keep="*.mask", seed=1)
    assert (less[name].values >= a[name].values).all()


def test_masks_are_the_same_whatever_is_looked_at(tiny, images):
    seen = sv.simulate(tiny, images, MaskSpikes(0.5), seed=3)
    unseen = sv.simulate(tiny, images, MaskSpikes(0.5), keep="", seed=3)
    assert torch.equal(seen.output, unseen.output)


def test_membranes_are_no_spikes_and_are_not_masked(tiny, images):
    r = sv.simulate(tiny, images, MaskSpikes(0.5, at="*"))
    assert not [name for name in r if name.endswith(".membrane.mask")]
    assert not [name for name in r if name.endswith(".input.mask")]


def test_two_masks_of_one_place_are_both_in_what_is_recorded(tiny, images):
    twice = (MaskSpikes(0.5, at="*.attn.q.spike"), MaskSpikes(0.5, at="*.attn.q.spike"))
    r = sv.simulate(tiny, images, twice, keep="*.mask")
    # a spike flows on where both draws kept it: a quarter of 1536 places, five deviations of a binomial are 0.055
    assert abs(r["blocks.0.attn.q.spike.mask"].values.float().mean().item() - 0.25) < 0.055


class Counting(torch.nn.Module):
    """No neuron, no attention, no time."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, x):
        return (self.weight * x).flatten(1)[None]


@pytest.mark.parametrize("intervention", ALL)
def test_an_intervention_with_nothing_to_act_on(intervention):
    with pytest.raises(ValueError, match=re.escape(f"{intervention} has nothing to act on in Counting.")):
        sv.simulate(Counting(), torch.ones(1, 1, 2, 2), intervention)


@pytest.mark.parametrize("glob", ["*.attn.qq.spike", "*.membrane", ()])
def test_a_glob_that_names_no_place_is_refused(tiny, images, glob):
    with pytest.raises(ValueError, match=r"MaskSpikes.* nothing to act on"):
        sv.simulate(tiny, images, MaskSpikes(0.5, at=glob))


def test_a_glob_of_its_own_is_enough(images):
    model = torch.nn.Sequential(make_tiny().stem.stages[0], torch.nn.Flatten(2))
    r = sv.simulate(name_probes(model), images[None], MaskSpikes(0.5, at="*.spike"))
    assert r["0.spike.mask"].values.any()


def test_whole_numbers_may_come_as_floats(events, unchecked):
    model = make_tiny("dvs", in_channels=2)
    assert sv.simulate(model, events, TimeSteps(2.0)).logits_per_step.shape[0] == 2


# --- the door ---


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (torch.rand(1, 3, 16, 16), r"takes 1 channel\(s\), the input \[1, 3, 16, 16\] has 3"),
        (torch.rand(16, 16), r"takes images \[B, C, H, W\] or events .* not a tensor.* \[16, 16\]"),
        (torch.rand(1, 16, 16), r"takes images \[B, C, H, W\] or events .* not a tensor.* \[1, 16, 16\]"),
        (torch.rand(0, 1, 16, 16), r"the input \[0, 1, 16, 16\] is empty"),
        (torch.rand(1, 1, 0, 16), r"the input \[1, 1, 0, 16\] is empty"),
        ([[0.0]], "the input must be a torch.Tensor, not list"),
    ],
)
def test_what_is_no_input(tiny, x, sentence, unchecked):
    with pytest.raises(ValueError, match=sentence) as caught:
        sv.simulate(tiny, x)
    assert "\n" not in str(caught.value)


def test_what_is_no_intervention(tiny, images, unchecked):
    with pytest.raises(ValueError, match=r"0\.5 is no intervention; spikeviz\.interventions has them"):
        sv.simulate(tiny, images, (0.5,))
    assert_same(sv.simulate(tiny, images, MaskSpikes(0.5)), sv.simulate(tiny, images, [MaskSpikes(0.5)]))


@pytest.mark.parametrize("size", [12, 14, 16, 20, 61])
def test_images_of_other_sizes_are_framed_or_resized(tiny, size):
    r = sv.simulate(tiny, torch.rand(1, 1, size, size), keep="stem.stages.0.conv.input")
    assert r["stem.stages.0.conv.input"].values.shape == (1, 1, 16, 16)


def test_without_a_size_of_its_own_a_network_takes_what_its_stem_divides(tiny):
    model = copy.deepcopy(tiny)  # as a published checkpoint is: no framing, no resizing
    model.intake.size = None
    assert sv.simulate(model, torch.rand(1, 1, 8, 24)).output.shape == (1, 3)
    with pytest.raises(ValueError, match=r"height and width of the input \[1, 1, 10, 16\] must be multiples of 4"):
        sv.simulate(model, torch.rand(1, 1, 10, 16))


def test_bytes_are_taken_to_the_dtype_of_the_network(tiny):
    x = torch.randint(0, 2, (1, 1, 16, 16), dtype=torch.uint8)
    assert torch.equal(sv.simulate(tiny, x).output, sv.simulate(tiny, x.float()).output)


# --- the two orders of attention ---


def in_a_block(attention):
    """Attention alone as a network, under the name it has in one."""
    block = torch.nn.Sequential(OrderedDict(attn=attention))
    return name_probes(torch.nn.Sequential(OrderedDict(block=block)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [0.125, 0.25])
def test_both_orders_of_attention_give_the_same_bits(dtype, scale, device):
    if device.type == "mps" and dtype == torch.float64:
        pytest.skip("MPS has no float64")
    torch.manual_seed(0)
    first, second = (in_a_block(SSA(32, 4, scale, order, qkv_bias=False)) for order in ("(qk)v", "q(kv)"))
    for norm in (m for m in first.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        torch.nn.init.constant_(norm.weight, 3.0)
    second.load_state_dict(first.state_dict())
    first, second = (m.to(device, dtype).eval() for m in (first, second))
    x = torch.randint(0, 3, (3, 2, 32, 6, 6)).to(device, dtype)
    expected = sv.simulate(first, x)
    assert 0.02 < expected["block.attn.out.spike"].values.float().mean() < 0.98
    ran = [sv.simulate(second, x, keep=keep) for keep in ("", "*", "*.scores", ("*.left", "*.right"))]
    for r in ran:
        assert torch.equal(r.logits_per_step, expected.logits_per_step)
    for name in ("scores", "out.membrane", "out.spike", "proj.spike"):
        name = f"block.attn.{name}"
        assert torch.equal(ran[1][name].values, expected[name].values), name
    # edited scores act alike in both orders
    masked = [sv.simulate(m, x, MaskSpikes(0.5, at="*.attn.scores"), keep="", seed=1) for m in (first, second)]
    assert torch.equal(masked[0].output, masked[1].output) and differs(masked[0], expected)


@pytest.mark.parametrize("error", [OSError, AttributeError, TypeError])
def test_memory_is_reused_only_where_the_system_can(monkeypatch, error):
    """Without a mallopt nothing happens; with one, both settings are made."""
    from spikeviz import runtime

    made = []
    monkeypatch.setattr(runtime.ctypes, "CDLL", lambda _: SimpleNamespace(mallopt=lambda *a: made.append(a)))
    runtime.reuse_memory()
    assert made == [(-4, 0), (-1, 2**31 - 1)]

    def none(_):
        raise error

    monkeypatch.setattr(runtime.ctypes, "CDLL", none)
    runtime.reuse_memory()
