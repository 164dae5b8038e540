"""Three ways of counting energy by hand arithmetic, and SpikingJelly's against its own counters over a whole pass."""

from __future__ import annotations

import pytest
import torch
from spikingjelly.activation_based.op_counter import DispatchCounterMode, MACCounter, SynOpCounter
from support.networks import make_masked, make_mst, make_tiny
from torch import nn

import spikeviz as sv
from spikeviz.metrics import ENERGY_TRACKS, OPERANDS, energy, operations, ways
from spikeviz.models.spec import ALPHA, FIRST_AND_SOPS, LAYER_BY_LAYER, SOPS_ALONE
from spikeviz.nn.layers import Conv, Product
from spikeviz.probe import name_probes

NUMBERS = ["MACs", "additions", "picojoule"]
IMAGES = torch.tensor([[[[0.9, 0.2], [1.8, 0.0]]], [[[0.9, 0.2], [1.2, 0.0]]]])


class TwoLayers(nn.Module):
    """A 1x1 convolution of the image; of twice its output, in whole numbers, a 3x3 convolution to three channels at two
    steps: at the first none is more than 1.
    """

    paper_energy = FIRST_AND_SOPS

    def __init__(self):
        super().__init__()
        self.first, self.second = Conv(1, 1, 1, bias=False, real=True), Conv(1, 3, 3, bias=False)
        nn.init.constant_(self.first.weight, 0.5)
        name_probes(self)

    def forward(self, x):
        spikes = (2 * self.first(x)).round()
        return self.second(torch.stack([spikes.clamp(max=1), spikes])).flatten(2)


@pytest.fixture(scope="module")
def two():
    return TwoLayers()


def counted(model, x, **options):
    return energy(model, sv.simulate(model, x, keep=ENERGY_TRACKS), **options)


def numbers(table, way):
    """MACs, additions, picojoule of every row of a way, one after the other."""
    return table[table["way"] == way][NUMBERS].to_numpy().flatten().tolist()


# The first convolution has 4 places x 1 weight = 4 MACs. The second reads, of image 0, [1 0 / 1 0] then [1 0 / 2 0], of
# image 1 twice [1 0 / 1 0]; on a grid of 2 x 2 each place reaches 4 outputs in each of 3 channels, where the dense
# product has 4 places x 9 weights x 3 channels = 108 MACs a step.


def test_ours(two):
    # 5 spikes x 4 outputs x 3 channels = 60; 4 spikes: 48
    expected = [4, 60, 4 * 4.6 + 60 * 0.9, 4, 48, 4 * 4.6 + 48 * 0.9]
    assert numbers(counted(two, IMAGES, per_image=True), "spikeviz") == pytest.approx(expected)


def test_the_papers(two):
    # rates 2/4 and 3/4: 108 x 1.25 = 135; 2/4 twice: 108
    expected = [4, 135, 4 * 4.6 + 135 * 0.9, 4, 108, 4 * 4.6 + 108 * 0.9]
    assert numbers(counted(two, IMAGES, per_image=True), "paper") == pytest.approx(expected)
    alone = numbers(counted(two, IMAGES, per_image=True, paper=SOPS_ALONE), "paper")
    assert alone == pytest.approx([0, 135, 135 * 0.9, 0, 108, 108 * 0.9])


def test_spikingjellys(two):
    # image 0 has a 2, so that all of it is real to it: 108 MACs at each of 2 steps; image 1 is 0 and 1
    expected = [4 + 216, 0, 220 * 4.6, 4, 48, 4 * 4.6 + 48 * 0.9]
    assert numbers(counted(two, IMAGES, per_image=True), "SpikingJelly") == pytest.approx(expected)


def test_the_mean_of_a_batch_and_its_layers(two):
    table = counted(two, IMAGES)
    assert table["way"].tolist() == ["spikeviz", "paper", "SpikingJelly"]
    assert numbers(table, "spikeviz") == pytest.approx([4, 54, 4 * 4.6 + 54 * 0.9])
    assert numbers(table, "SpikingJelly") == pytest.approx([112, 24, 112 * 4.6 + 24 * 0.9])
    layers = counted(two, IMAGES, per_layer=True)
    assert layers[["layer", "reads"]].to_numpy().tolist() == 3 * [["first", "first convolution"], ["second", "spikes"]]
    assert layers["MACs"].tolist() == pytest.approx([4, 0, 4, 0, 4, 108])
    summed = layers.groupby("way", sort=False)[NUMBERS].sum()
    assert summed.to_numpy() == pytest.approx(table[NUMBERS].to_numpy())


def test_ours_is_operations(two):
    for model, x in ((two, IMAGES), (make_tiny(), torch.rand(2, 1, 16, 16))):
        r = sv.simulate(model, x, keep=ENERGY_TRACKS)
        mine, own = operations(model, r), energy(model, r, per_layer=True)
        own = own[own["way"] == "spikeviz"]
        assert own["layer"].tolist() == mine["layer"].tolist()
        assert own["MACs"].tolist() == pytest.approx(mine["MACs"].tolist())
        assert own["additions"].tolist() == pytest.approx(mine["SOPs"].tolist())
        assert own["picojoule"].tolist() == pytest.approx(mine["picojoule"].tolist())


# --- softmax ---


class Soft(nn.Module):
    """Attention of given activations `[3, T, B, heads, N, d]`, with a softmax or without."""

    def __init__(self, soft):
        super().__init__()
        self.qk, self.av = Product(True, True), Product(False, True, softmax=soft)
        self.anchor = nn.Parameter(torch.zeros(1))
        name_probes(self)

    def forward(self, qkv):
        q, k, v = qkv
        return self.av(self.qk(q, k.mT).softmax(-1), v).flatten(2)


@pytest.mark.parametrize("soft", [True, False])
def test_a_softmax_costs_an_exponential_and_a_division_for_each_score(soft):
    table = counted(Soft(soft), torch.randint(0, 2, (3, 2, 5, 4, 3, 6)).float(), per_layer=True)
    ours = table[table["way"] == "spikeviz"].set_index("layer")
    assert ours["exponentials"].tolist() == ours["divisions"].tolist() == [0, 2 * 4 * 3 * 3 * soft]
    assert ours["picojoule"].tolist() == pytest.approx((ours["MACs"] * 4.6 + ours["additions"] * 0.9).tolist())
    assert table[table["way"] == "SpikingJelly"]["exponentials"].isna().all()


def test_the_softmax_of_an_mst():
    model = make_mst()
    x = torch.rand(2, 1, 16, 16)
    for own, steps in ((model, 1), (sv.to_spiking(model, 3), 3)):
        r = sv.simulate(own, x, keep=ENERGY_TRACKS)
        scores = sum(t.values[0, 0].numel() for name, t in r.items() if name.endswith("attn.av.left"))
        ours = energy(own, r).set_index("way").loc["spikeviz"]
        assert ours["exponentials"] == ours["divisions"] == steps * scores > 0


# --- the papers' formulas ---


def test_every_family_has_the_formula_of_its_paper():
    rules = {"spikformer-fashion": SOPS_ALONE, "spikformer-v2-fashion": SOPS_ALONE}
    rules |= {"sdmformer-fashion-dvs": LAYER_BY_LAYER, "e-spikeformer-fashion-sfa4": FIRST_AND_SOPS}
    with torch.device("meta"):
        for name, rule in rules.items():
            assert sv.build(name).paper_energy == rule and rule.rule in ways(sv.build(name))["paper"]
        for name in ("mst-fashion", "mst-vgg16-fashion"):
            assert sv.build(name).paper_energy is None and sv.build(name, time_steps=4).paper_energy == ALPHA


def test_the_masked_spiking_transformer_counts_spikes_alone():
    model = sv.to_spiking(make_mst(), 4)
    r = sv.simulate(model, torch.rand(2, 1, 16, 16), keep=ENERGY_TRACKS)
    table = energy(model, r).set_index("way")
    assert (
        table.loc["paper", "spikes"] == pytest.approx(sv.metrics.power(r) * 1e-3) and table.loc["paper", "spikes"] > 0
    )
    assert table.loc["paper", ["MACs", "additions", "picojoule"]].isna().all()
    layers = energy(model, r, per_layer=True)
    assert layers[layers["way"] == "paper"]["spikes"].sum() == pytest.approx(table.loc["paper", "spikes"])
    with pytest.raises(ValueError, match="this recording kept no spikes"):
        energy(model, sv.simulate(model, torch.rand(2, 1, 16, 16), keep=OPERANDS))


def test_what_reads_real_values_is_named():
    x = torch.randint(0, 2, (3, 2, 2, 16, 16)).float()
    for lpe, real in (("spiking", ["head"]), ("real", ["stem.rpe.conv.pointwise", "head"])):
        table = counted(make_masked(lpe=lpe), x, per_layer=True)
        ours = table[table["way"] == "spikeviz"].set_index("layer")
        assert ours.index[ours["reads"] == "real values"].tolist() == real
        assert ours.index[ours["reads"] == "first convolution"].tolist() == ["stem.stages.0.conv"]
        paper = table[table["way"] == "paper"].set_index("layer")
        assert paper.index[paper["MACs"] > 0].tolist() == real  # events go into the first convolution


# --- SpikingJelly ---


@pytest.mark.parametrize("layout", ["cifar", "imagenet"])
def test_its_rules_one_by_one_are_its_counters_over_a_pass(layout):
    model, x = make_tiny(layout), torch.rand(1, 1, 16, 16)
    table = counted(model, x, per_layer=True)
    additions, macs = SynOpCounter(), MACCounter()
    with torch.no_grad(), DispatchCounterMode([additions, macs]):
        model(x)
    for row in table[table["way"] == "SpikingJelly"].itertuples():
        scope = f"Spikformer.{row.layer}"
        assert sum(additions.get_counts()[scope].values()) == row.additions, row.layer
        assert sum(macs.get_counts()[scope].values()) == row.MACs, row.layer


def test_the_ways_are_named_with_their_sources(two):
    words = ways(two)
    assert list(words) == ["spikeviz", "paper", "SpikingJelly"]
    assert "E-SpikeFormer" in words["paper"] and "2." in words["SpikingJelly"]
    assert "paper" not in ways(nn.Identity())
