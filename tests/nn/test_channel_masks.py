"""Learned channel masks: what they let pass, how they are pruned, and what is left."""

import warnings
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import make_masked, make_tiny

import spikeviz as sv
from spikeviz.artifacts.checkpoints import read_weights, save
from spikeviz.convert.fill import fill
from spikeviz.convert.prune import kept_of, pruned
from spikeviz.metrics import OPERANDS, mask_rates, mask_values, operations
from spikeviz.metrics.channel_masks import mask_sites, masked_layers
from spikeviz.metrics.channel_masks import site as in_words
from spikeviz.metrics.firing import spike_layers
from spikeviz.models.registry import assemble, find_spec
from spikeviz.nn.channel_masks import ChannelMask, Spread, find_masks

MaskChannels = sv.interventions.MaskChannels
THRESHOLDS = (0.0, 0.2, 0.5, 0.7, 0.93)


@pytest.fixture(scope="module")
def masked():
    return make_masked()


@pytest.fixture(scope="module")
def events():
    return torch.randint(0, 3, (3, 2, 2, 16, 16), generator=torch.Generator().manual_seed(0)).float()


# --- a mask ---


def test_a_mask_passes_channels_above_its_threshold():
    mask = ChannelMask(4, cost=1).eval()
    mask.value.data = torch.tensor([-1.0, -0.01, 0.01, 1.0])
    spikes = torch.ones(2, 1, 4, 3, 3)
    assert mask(spikes).mean((0, 1, 3, 4)).tolist() == [0, 0, 1, 1]  # 0.5: m > 0
    assert mask.kept(0.0).all() and not mask.kept(1.0).any()
    assert mask.strength().tolist() == pytest.approx(torch.sigmoid(5 * mask.value).tolist())


def test_a_soft_mask_scales_in_training_alone():
    mask = ChannelMask(2, cost=3)
    mask.value.data = torch.tensor([-0.2, 0.4])
    mask.temperature = 5.0
    spikes = torch.ones(1, 1, 2, 1, 1)
    assert mask.train()(spikes).flatten().tolist() == pytest.approx(torch.sigmoid(torch.tensor([-1.0, 2.0])).tolist())
    assert mask.penalty().item() == pytest.approx(3 * torch.sigmoid(torch.tensor([-1.0, 2.0])).sum().item())
    assert mask.eval()(spikes).flatten().tolist() == [0, 1]
    mask.temperature = None
    assert mask.train()(spikes).flatten().tolist() == [0, 1]


def test_soft_masks_become_hard_ones_as_the_temperature_rises():
    mask = ChannelMask(64, cost=1).train()
    with torch.no_grad():
        mask.value.copy_(torch.linspace(-2, 2, 64))
    hard = mask.kept().float()
    gaps = []
    for mask.temperature in (5.0, 50.0, 5000.0):
        gaps.append((mask(torch.ones(1, 1, 64, 1, 1)).flatten() - hard).abs().max().item())
    assert gaps == sorted(gaps, reverse=True) and gaps[-1] < 1e-3


@given(st.lists(st.integers(0, 15), min_size=1, max_size=16, unique=True), st.sampled_from([1, 2, 4, 8]))
def test_spread_channels_stay_in_their_head(channels, heads):
    channels = sorted(channels)
    spread = Spread(channels, 16, heads)
    x = torch.arange(1.0, len(channels) + 1).view(1, 1, -1, 1, 1)
    wide = spread(x)
    assert wide.shape[2] == spread.size and spread.size % heads == 0
    assert torch.equal(spread.gather(wide), x) and wide.sum() == x.sum()
    width = spread.size // heads
    for number, channel in enumerate(channels):
        place = (wide.flatten() == number + 1).nonzero().item()
        assert place // width == channel // (16 // heads)


# --- a network ---


def test_a_masked_channel_is_silent_and_the_residual_stream_keeps_its_channels(masked, events):
    r = sv.simulate(masked, events, MaskChannels(0.6))
    rates = mask_rates(masked, 0.6).set_index("layer")
    for block in ("blocks.0", "blocks.1"):
        for site, layers in (
            ("attn.mask_qk", ("attn.q", "attn.k")),
            ("attn.mask_v", ("attn.v", "attn.out")),
            ("mlp.mask", ("mlp.hidden",)),
        ):
            dropped = ~find_masks(masked)[f"{block}.{site}"].kept(0.6)
            assert dropped.any() and rates.loc[f"{block}.{site}", "masked"] == int(dropped.sum())
            for layer in layers:
                spikes = r[f"{block}.{layer}.spike"].values
                assert spikes[:, :, dropped].sum() == 0 and spikes[:, :, ~dropped].sum() > 0
        assert r[f"{block}.attn.proj.spike"].values.shape[2] == r[f"{block}.mlp.out.spike"].values.shape[2] == 16


def test_more_threshold_drops_more(masked):
    rates = [mask_rates(masked, t)["masked"].sum() for t in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)]
    assert rates == sorted(rates) and rates[0] == 0 and rates[-1] == mask_rates(masked)["channels"].sum()


def test_the_trained_point_is_what_happens_without_an_intervention(masked, events):
    plain, trained, all_kept = (
        sv.simulate(masked, events, i).output for i in ((), MaskChannels(0.5), MaskChannels(0.0))
    )
    assert torch.equal(plain, trained) and not torch.equal(plain, all_kept)


def test_values_and_rates_are_tables(masked):
    values, rates = mask_values(masked), mask_rates(masked)
    assert list(rates.columns) == ["layer", "channels", "masked", "rate"]
    assert list(rates["layer"][:3]) == ["blocks.0.attn.mask_qk", "blocks.0.attn.mask_v", "blocks.0.mlp.mask"]
    assert (rates["rate"] == rates["masked"] / rates["channels"]).all()
    counted = (values["strength"] <= 0.5).groupby(values["layer"], sort=False).sum()
    assert counted.tolist() == rates["masked"].tolist()


# --- pruning ---


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize(
    ("layout", "lpe"), [("dvs", "spiking"), ("dvs", "real"), ("cifar", "spiking"), ("imagenet", "spiking")]
)
def test_a_pruned_network_computes_what_the_masked_one_does(layout, lpe, threshold):
    channels = 2 if layout == "dvs" else 1
    model = make_masked(layout, in_channels=channels, lpe=lpe).double()
    x = torch.rand(4, channels, 16, 16).double() if layout != "dvs" else torch.randint(0, 3, (3, 4, 2, 16, 16)).double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = sv.prune_channels(model, threshold)
    assert not find_masks(small) and not small.training and next(small.parameters()).dtype == torch.float64
    whole, part = sv.simulate(model, x, MaskChannels(threshold)), sv.simulate(small, x)
    assert (whole.output - part.output).abs().max() < 1e-9
    for name in ("blocks.1.attn.proj.spike", "blocks.1.mlp.out.spike"):
        assert torch.equal(whole[name].values, part[name].values)


def test_a_pruned_network_is_smaller_by_the_weights_of_its_channels(masked):
    small = sv.prune_channels(masked, 0.5)
    count = lambda model: sum(p.numel() for n, p in model.named_parameters() if ".mask" not in n)  # noqa: E731
    gone = 0
    for name, mask in find_masks(masked).items():
        per = {"mask_qk": 2 * (16 + 2), "mask_v": 16 + 2 + 16, "mask": 16 + 1 + 2 + 16}[name.rsplit(".", 1)[1]]
        gone += per * int((~mask.kept(0.5)).sum())  # weights, bias and normalisation that make it, weights that read it
    assert gone > 0 and count(small) == count(masked) - gone


def test_only_the_real_position_embedding_reads_real_values(events):
    """Of the stem: an image of spikes goes in, and into every weight of the spiking form go spikes."""
    for lpe, pointwise in (("spiking", "stem.rpe.pointwise.conv"), ("real", "stem.rpe.conv.pointwise")):
        model = make_masked(lpe=lpe)
        counted = operations(model, sv.simulate(model, events)).set_index("layer")
        real = counted.index[counted["MACs"] > 0].tolist()
        assert real == ["head"] if lpe == "spiking" else real == [pointwise, "head"]
        assert counted["SOPs"][pointwise.replace("pointwise", "depthwise")] > 0
        assert (counted["SOPs"][pointwise] > 0) == (lpe == "spiking")


def test_the_lighter_position_embedding_has_two_forms(masked):
    layers = [name for name in spike_layers(masked) if name.startswith("stem.rpe")]
    assert layers == ["stem.rpe.depthwise", "stem.rpe.pointwise"]
    assert [n for n in spike_layers(make_masked(lpe="real")) if n.startswith("stem.rpe")] == ["stem.rpe"]


def test_pruning_saves_operations(masked, events):
    small = sv.prune_channels(masked, 0.5)
    before, after = (
        operations(m, sv.simulate(m, events, keep=OPERANDS))[["MACs", "SOPs"]].sum() for m in (masked, small)
    )
    assert after["SOPs"] < before["SOPs"] and after["MACs"] == before["MACs"]


def test_a_site_without_channels_still_runs(masked, events):
    with pytest.warns(
        UserWarning, match=r"no channel is left in blocks\.0\.attn\.mask_qk.*: one stays that never fires"
    ):
        small = sv.prune_channels(masked.double(), 1.0)
    masked.float()
    r = sv.simulate(small, events)
    assert r["blocks.0.attn.q.spike"].values.sum() == r["blocks.1.mlp.hidden.spike"].values.sum() == 0
    whole = sv.simulate(make_masked().double(), events, MaskChannels(1.0))
    assert (whole.output - r.output).abs().max() < 1e-9


def test_a_pruned_network_is_stored_and_read_again(masked, events, tmp_path):
    small = sv.prune_channels(masked, 0.5)
    save(small, tmp_path / "small.safetensors")
    state = read_weights(tmp_path / "small.safetensors")
    assert kept_of(state) == small.config.kept and kept_of(masked.state_dict()) is None
    again = pruned(masked, kept_of(state))
    fill(again, state, "small.safetensors")
    assert torch.equal(sv.simulate(again.eval(), events).output, sv.simulate(small, events).output)


def test_what_cannot_be_pruned(masked):
    with pytest.raises(ValueError, match="tiny-cifar has no channel masks to prune by"):
        sv.prune_channels(make_tiny(), 0.5)
    with pytest.raises(ValueError, match=r"a threshold is a number from 0 to 1, not 1\.5"):
        sv.prune_channels(masked, 1.5)
    with pytest.raises(ValueError, match="has no channel masks; an SDMFormer that is not pruned has"):
        mask_rates(sv.prune_channels(masked, 0.5))
    with pytest.raises(ValueError, match="has nothing to act on"):
        sv.simulate(make_tiny(), torch.rand(1, 1, 16, 16), MaskChannels(0.5))


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 1), st.integers(0, 5))
def test_pruned_is_masked_at_any_threshold(threshold, seed):
    model = make_masked(depth=1, seed=seed).double()
    x = torch.randint(0, 2, (2, 1, 2, 16, 16), generator=torch.Generator().manual_seed(seed)).double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = sv.prune_channels(model, threshold)
    assert (sv.simulate(model, x, MaskChannels(threshold)).output - sv.simulate(small, x).output).abs().max() < 1e-9


# --- the paper's accounting ---


@pytest.mark.parametrize(
    ("name", "lpe", "whole", "light"),
    [
        ("2-256", "spiking", 2_566_666, 0.2032),
        ("2-256", "real", 2_566_666, 0.2034),
        ("1-512", "spiking", 7_074_826, None),
    ],
)
def test_sizes(name, lpe, whole, light):
    with torch.device("meta"):
        plain, spec = sv.build(f"spikformer-dvs-{name}"), find_spec(f"sdmformer-{name}")
        model = assemble(spec.family, replace(spec.config, lpe=lpe), spec.name)
    count = lambda m: sum(p.numel() for n, p in m.named_parameters() if ".mask" not in n)  # noqa: E731
    assert count(plain) == whole
    saved = (whole - count(model)) / whole
    assert light is None or saved == pytest.approx(light, abs=5e-5)  # the paper's 20.3 %


@pytest.mark.parametrize(("ratio", "share"), [(0.4088, 0.37), (0.4269, 0.40), (0.3793, 0.31)])
def test_printed_ratios_need_the_channels_that_facts_say(ratio, share):
    """Sec. 4.3.1, 2-256: keeping about `share` of all masked channels leaves the printed share of Spikformer."""
    with torch.device("meta"):
        model = sv.build("sdmformer-2-256")
    inside = sum(len(mask.value) * _cost(name, 256) for name, mask in find_masks(model).items())
    rest = sum(p.numel() for n, p in model.named_parameters() if ".mask" not in n) - inside
    assert (rest + share * inside) / 2_566_666 == pytest.approx(ratio, abs=0.01)


def _cost(name, dim):
    return {"mask_qk": 2 * (dim + 2), "mask_v": 2 * dim + 2, "mask": 2 * dim + 3}[name.rsplit(".", 1)[1]]


def test_masks_say_what_they_mask(masked):
    assert set(masked_layers(masked).items()) == {
        (f"blocks.{block}.{layer}", f"blocks.{block}.{mask}")
        for block in range(2)
        for layer, mask in (
            ("attn.q", "attn.mask_qk"),
            ("attn.k", "attn.mask_qk"),
            ("attn.v", "attn.mask_v"),
            ("mlp.hidden", "mlp.mask"),
        )
    }
    found = mask_sites(masked)
    assert list(found.values())[:3] == ["block 0, Q/K", "block 0, V", "block 0, MLP"]
    assert found == {name: in_words(name) for name in found}  # as a stored history is labelled
