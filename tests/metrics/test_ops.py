"""Operations by hand arithmetic, and against SpikingJelly's counters where their rules apply."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spikingjelly.activation_based.op_counter import DispatchCounterMode, MACCounter, SynOpCounter
from support.networks import make_tiny
from torch import nn

import spikeviz as sv
from spikeviz.metrics import ENERGY, OPERANDS, EnergyModel
from spikeviz.metrics.ops import fan_out
from spikeviz.nn.layers import Conv, Head, Product
from spikeviz.probe import name_probes


class Alone(nn.Module):
    """One layer as a network, so that `simulate` takes it."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.anchor = nn.Parameter(torch.zeros(1))  # `simulate` reads device and dtype from a parameter
        name_probes(self)

    def forward(self, x):
        y = self.layer(x)
        return y.flatten(-3) if y.ndim == 5 else y if y.ndim == 3 else y.flatten(1)[None]


class Attention(nn.Module):
    """Both orders of q k^T v on given activations `[3, T, B, heads, N, d]`."""

    def __init__(self, order, left=True, right=True):
        super().__init__()
        self.order = order
        self.first = Product(left, right)
        self.second = Product(False, right) if order == "(qk)v" else Product(left, False)
        self.anchor = nn.Parameter(torch.zeros(1))
        name_probes(self)

    def forward(self, qkv):
        q, k, v = qkv
        y = self.second(self.first(q, k.mT), v) if self.order == "(qk)v" else self.second(q, self.first(k.mT, v))
        return y.flatten(2)


def count(model, x, **options):
    return sv.metrics.operations(model, sv.simulate(model, x), **options)


def spike_at(*places, size, channels=1, steps=1):
    """One spike in channel 0 at each place, at step 0."""
    x = torch.zeros(steps, 1, channels, *size)
    for row, column in places:
        x[0, 0, 0, row, column] += 1
    return x


def sops(layer, x):
    table = count(Alone(layer), x)
    assert table.layer.tolist() == ["layer"] and table.MACs.tolist() == [0]
    return table.SOPs.item()


# --- convolutions ---


@pytest.mark.parametrize(
    ("place", "outputs"),
    [((0, 0), 4), ((0, 2), 6), ((2, 2), 9), ((3, 3), 4)],  # corner 2 x 2, edge 2 x 3, inside 3 x 3, corner
)
def test_a_spike_costs_what_it_reaches(place, outputs):
    assert sops(Conv(1, 5, 3), spike_at(place, size=(4, 4))) == outputs * 5  # 5 channels out


@pytest.mark.parametrize(
    ("size", "place", "outputs"),
    [
        ((5, 5), (0, 0), 1),  # outputs stand at 0, 2, 4 and see one place to each side: 0 is seen by one, both ways
        ((5, 5), (1, 1), 4),  # 1 is seen from 0 and from 2
        ((5, 5), (1, 2), 2),  # 1 from two, 2 from one
        ((4, 4), (3, 3), 1),  # outputs at 0, 2: the last place is seen from 2, though the kernel ends there
    ],
)
def test_stride_two(size, place, outputs):
    assert sops(Conv(1, 1, 3, stride=2), spike_at(place, size=size)) == outputs


def test_groups():
    # 4 channels in, 6 out, 2 groups: a spike reaches the 3 outputs of its group at 9 places
    assert sops(Conv(4, 6, 3, groups=2), spike_at((2, 2), size=(5, 5), channels=4)) == 27


@pytest.mark.parametrize(("place", "outputs"), [((1, 3), 4), ((0, 1), 2), ((2, 2), 1)])
def test_dilation(place, outputs):
    # kernel 3, dilation 2, padding 1 on 5 places: 3 outputs, output o sees o - 1, o + 1, o + 3.
    # 0 is seen by {1}, 1 by {2, 0}, 2 by {1}, 3 by {2, 0}: (1, 3) -> 2 * 2, (0, 1) -> 1 * 2, (2, 2) -> 1
    assert sops(Conv(1, 1, 3, dilation=2), spike_at(place, size=(5, 5))) == outputs


def test_one_by_one_is_a_linear_layer():
    assert sops(Conv(1, 7, 1), spike_at((0, 0), (2, 1), size=(3, 3))) == 2 * 7


def test_sums_of_spikes_count_as_their_value():
    # ADD residuals: 0 costs nothing, 1 in a corner 4, 2 inside 2 * 9
    assert sops(Conv(1, 1, 3), spike_at((0, 0), (2, 2), (2, 2), size=(5, 5))) == 4 + 18


def test_counts_beyond_a_byte_are_still_counts():
    # event frames may hold more than 255 events at a place
    assert sops(Conv(1, 1, 1), torch.full((1, 1, 1, 1, 1), 300.0)) == 300


@settings(max_examples=30, deadline=None)
@given(
    size=st.tuples(st.integers(5, 9), st.integers(5, 9)),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
)
def test_fan_out_is_the_number_of_outputs_that_depend_on_a_place(size, kernel, stride, padding, dilation):
    reached = fan_out(size, (kernel,) * 2, (stride,) * 2, (padding,) * 2, (dilation,) * 2)
    one_at_each_place = torch.eye(size[0] * size[1]).view(-1, 1, *size)
    weight = torch.ones(1, 1, kernel, kernel)
    seen = nn.functional.conv2d(one_at_each_place, weight, None, stride, padding, dilation)
    assert torch.equal(reached, seen.flatten(1).sum(1).view(size).long())


# --- real inputs ---


def test_a_static_image_is_macs_once():
    # 4 x 6 places out, 3 x 3 x 2 weights for each of 5 channels: 24 * 18 * 5 = 2160, also at the edge, also for zeros
    model = Alone(Conv(2, 5, 3, real=True))
    table = count(model, torch.zeros(3, 2, 4, 6))
    assert (table.MACs.tolist(), table.SOPs.tolist()) == ([2160], [0])
    assert table.picojoule.item() == 2160 * 4.6


def test_macs_with_stride_and_groups():
    # 5 x 5 -> 3 x 3 places, 4 / 2 channels in * 9 weights * 6 channels out: 9 * 18 * 6 = 972, at each of 2 steps
    model = Alone(Conv(4, 6, 3, stride=2, groups=2, real=True))
    assert count(model, torch.rand(2, 1, 4, 5, 5)).MACs.item() == 2 * 972


def test_event_frames_that_were_normalised_are_real():
    frames = torch.full((2, 1, 1, 3, 3), 0.5)
    table = count(Alone(Conv(1, 1, 3)), frames)
    assert (table.MACs.item(), table.SOPs.item()) == (2 * 9 * 9, 0)
    negative = count(Alone(Conv(1, 1, 3)), -torch.ones(1, 1, 1, 3, 3))
    assert (negative.MACs.item(), negative.SOPs.item()) == (81, 0)


def test_head():
    # real vectors of 8 channels to 3 classes at 2 steps
    table = count(Alone(Head(8, 3)), torch.rand(2, 5, 8))
    assert (table.MACs.item(), table.SOPs.item()) == (2 * 8 * 3, 0)


# --- attention ---

Q = [[1, 0], [1, 1], [0, 0]]
K = [[1, 1], [0, 1], [1, 0]]
V = [[1, 0], [0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        # q k^T = [[1, 0, 1], [2, 1, 1], [0, 0, 0]], 6 coincidences; each of the 3 spikes of v is added to 3 rows: 9
        ("(qk)v", [6, 9]),
        # k^T v = [[2, 1], [1, 0]], 4 coincidences; each of the 3 spikes of q adds a row of 2 columns: 6
        ("q(kv)", [4, 6]),
    ],
)
def test_attention_in_either_order(order, expected):
    qkv = torch.tensor([Q, K, V], dtype=torch.float32).view(3, 1, 1, 1, 3, 2)
    table = count(Attention(order), qkv)
    assert table.layer.tolist() == ["first", "second"]
    assert (table.SOPs.tolist(), table.MACs.tolist()) == (expected, [0, 0])


def test_a_product_of_real_values_is_macs():
    # 3 rows * 2 inner * 3 columns, then 3 * 3 * 2, in each of 4 heads at each of 2 steps
    table = count(Attention("(qk)v", left=False, right=False), torch.rand(3, 2, 5, 4, 3, 2))
    assert (table.MACs.tolist(), table.SOPs.tolist()) == ([18 * 8, 18 * 8], [0, 0])


# --- a whole network ---


def test_rows_are_the_weighted_products_in_forward_order(tiny, images):
    table = count(tiny, images)
    assert list(table.columns) == ["layer", "MACs", "SOPs", "picojoule"]
    stem = [f"stem.stages.{n}.conv" for n in range(4)] + ["stem.rpe.conv"]
    attn = [f"blocks.0.attn.{n}" for n in ("q.conv", "k.conv", "v.conv", "qk", "av", "proj.conv")]
    assert table.layer.tolist() == [*stem, *attn, "blocks.0.mlp.hidden.conv", "blocks.0.mlp.out.conv", "head"]
    real = table.layer.isin([stem[0], "head"])
    assert (table.MACs[real] > 0).all() and (table.SOPs[real] == 0).all()
    assert (table.MACs[~real] == 0).all() and (table.SOPs[~real] > 0).all()


def test_the_other_order_has_its_own_rows(images):
    table = count(make_tiny("imagenet"), images)
    assert [n for n in table.layer if n.endswith((".kv", ".qa"))] == ["blocks.0.attn.kv", "blocks.0.attn.qa"]


def test_attention_of_a_network_is_what_its_spikes_say(tiny, images):
    r = sv.simulate(tiny, images)
    table = sv.metrics.operations(tiny, r).set_index("layer").SOPs
    q, k, v = (r[f"blocks.0.attn.{n}.spike"].flows.unflatten(2, (2, 8)).flatten(4) for n in "qkv")  # T B heads d N
    assert table["blocks.0.attn.qk"] == (q.mT @ k).sum().item() / 2
    assert table["blocks.0.attn.av"] == v.sum().item() * 16 / 2  # 16 tokens; mean over 2 images


def test_steps_add_up_and_what_is_computed_once_is_in_step_0(tiny, images):
    r = sv.simulate(tiny, images, sv.interventions.TimeSteps(5), keep=OPERANDS)
    total, steps = sv.metrics.operations(tiny, r), sv.metrics.operations(tiny, r, per_step=True)
    assert list(steps.columns) == ["layer", "step", "MACs", "SOPs", "picojoule"]
    assert steps.step.tolist() == [0, 1, 2, 3, 4] * len(total)
    added = steps.groupby("layer", sort=False)[["MACs", "SOPs", "picojoule"]].sum()
    assert added.index.tolist() == total.layer.tolist()
    for column in added:
        assert added[column].tolist() == pytest.approx(total[column].tolist(), rel=1e-12)
    first = steps[steps.layer == "stem.stages.0.conv"].MACs.tolist()
    assert first == [16 * 16 * 9 * 2, 0, 0, 0, 0]  # one channel in, 16 / 8 out
    assert steps[steps.layer == "head"].MACs.tolist() == [16 * 3] * 5


def test_a_batch_is_the_mean_of_its_images(tiny, images):
    both = count(tiny, images)[["MACs", "SOPs", "picojoule"]].to_numpy()
    each = [count(tiny, images[i : i + 1])[["MACs", "SOPs", "picojoule"]].to_numpy() for i in range(2)]
    assert both == pytest.approx((each[0] + each[1]) / 2, rel=1e-12)


def test_masking_spikes_saves_operations(tiny, images):
    def additions(ratio):
        r = sv.simulate(tiny, images, sv.interventions.MaskSpikes(ratio), keep=OPERANDS)
        return sv.metrics.operations(tiny, r).set_index("layer").SOPs["blocks.0.attn.qk"]

    assert additions(0.0) > additions(0.5) > additions(1.0) == 0


@pytest.mark.parametrize("layout", ["cifar", "imagenet", "dvs"])
def test_equal_to_spikingjelly_where_its_rules_apply(layout, images):
    if layout == "dvs":
        model = make_tiny("dvs", in_channels=2)
        images = torch.randint(0, 2, (3, 2, 2, 16, 16), generator=torch.Generator().manual_seed(2)).float()
    else:
        model = make_tiny(layout)
    r = sv.simulate(model, images, keep=OPERANDS)
    ours = (sv.metrics.operations(model, r).set_index("layer")[["MACs", "SOPs"]] * 2).to_dict("index")  # of 2 images
    additions, macs = SynOpCounter(), MACCounter()
    with torch.no_grad(), DispatchCounterMode([additions, macs]):
        model(images)
    compared = []
    for layer, own in ours.items():
        if f"{layer}.input" in r and r[f"{layer}.input"].values.max() > 1 and own["SOPs"]:
            continue  # it takes sums of spikes for real values
        scope = f"Spikformer.{layer}"
        assert sum(additions.get_counts()[scope].values()) == own["SOPs"], layer
        assert sum(macs.get_counts()[scope].values()) == own["MACs"], layer
        compared.append(layer)
    left_out = ("blocks.0.attn.q.conv", "blocks.0.attn.k.conv", "blocks.0.attn.v.conv", "blocks.0.mlp.hidden.conv")
    assert [layer for layer in ours if layer not in compared] == list(left_out)


# --- energy, errors ---


def test_energy_is_a_value_with_a_source():
    assert (ENERGY.mac_pj, ENERGY.ac_pj) == (4.6, 0.9) and "45 nm" in ENERGY.source and "Horowitz" in ENERGY.source
    assert ENERGY.picojoule(10, 100) == pytest.approx(46 + 90)


def test_another_energy_model(tiny, images, monkeypatch):
    monkeypatch.setattr("spikeviz.metrics.ops.ENERGY", EnergyModel(2.0, 3.0, "made up"))
    table = count(tiny, images)
    assert table.picojoule.tolist() == (2 * table.MACs + 3 * table.SOPs).tolist()


def test_it_says_what_to_keep(tiny, images):
    for keep in ("", "*.spike", "*.input"):
        with pytest.raises(
            ValueError, match=r"was not kept; simulate with keep=\('\*\.input', '\*\.left', '\*\.right'\)"
        ):
            sv.metrics.operations(tiny, sv.simulate(tiny, images, keep=keep))


def test_a_recording_of_another_model(tiny, images):
    with torch.device("meta"):
        other = sv.build("spikformer-4-256")
    with pytest.raises(ValueError, match="this recording is of tiny-cifar, not of spikformer-4-256"):
        sv.metrics.operations(other, sv.simulate(tiny, images))


def test_a_layer_without_a_probe_is_not_passed_over():
    model = Alone(nn.Conv2d(1, 1, 1))
    with pytest.raises(ValueError, match="layer has no probe on its input"):
        count(model, torch.zeros(1, 1, 2, 2))
