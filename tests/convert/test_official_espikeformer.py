"""E-SpikeFormer against numbers of its published code, and its two checkpoint formats."""

import json

import numpy as np
import pytest
import torch
from support.published import GOLDEN, compare_gradients, images, keyed, reference, weights

import spikeviz as sv
from spikeviz.convert.official import FORMATS
from spikeviz.interventions import HidePatches
from spikeviz.models.registry import SPECS

BASE, LARGE = "sdtv3_base_t_at32", "sdtv3_large_base_small"
TABLES = {"pos_embed", "decoder_pos_embed"}  # of an autoencoder
CASES = {
    # reference -> keys, variant, input, how the published code calls the last neurons
    BASE: ("sdtv3_base_t", "sdt-v3-base", ("sdt32", (2, 3, 32, 32)), "spike"),
    LARGE: ("sdtv3_large_base_small", "sdt-v3-large", ("sdtL", (2, 3, 64, 64)), "lif"),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """The name of a reference, its model, and its input."""
    keys, variant, x, _ = CASES[request.param]
    return request.param, sv.from_official(weights(keys), variant), images(*x)


def publish(model, variant):
    return lambda ours: FORMATS[variant].publish(ours, model.config)


def test_logits_and_spikes(case):
    name, model, x = case
    expected, last = reference(name), CASES[name][3]
    r = sv.simulate(model, x)
    assert r.output.dtype == torch.float64 and r.logits_per_step.shape[0] == 1
    assert np.abs(r.output.numpy() - expected["eval_logits"]).max() < 1e-9
    ours = {layer: t.values.long().sum().item() for layer, t in r.of_kind("spike").items()}
    theirs = {key.removeprefix("spk/"): expected[key].item() for key in expected.files if key.startswith("spk/")}
    assert len(ours) == len(theirs)
    # forward order on both sides; theirs are sums of C / 4, and of C in front of the last head, which is not divided
    for (layer, counts), (published, total) in zip(ours.items(), theirs.items(), strict=True):
        assert counts == total * (1 if published == last else 4), (layer, published)
    places = {layer.removesuffix(".spike"): published for layer, published in zip(ours, theirs, strict=True)}
    assert places["blocks.1.attn.q"] == "block3.1.attn.q_lif".replace("lif", last)
    assert places["blocks.1.attn.out"] == "block3.1.attn.attn_lif".replace("lif", last)
    assert places["blocks.1.mlp.hidden"] == "block3.1.mlp.fc2_lif".replace("lif", last)


def test_training(case):
    name, model, x = case
    variant, expected = CASES[name][1], reference(name)
    model = sv.from_official(weights(CASES[name][0]), variant).train()
    logits = model.logits(x)
    loss = 0.0
    for head, of_head in enumerate(logits):
        assert np.abs(of_head[0].detach().numpy() - expected[f"train_logits{head}"]).max() < 1e-9
        weight = keyed.rng(f"loss{head}:{name}", 5).standard_normal(of_head[0].shape)
        loss = loss + (of_head[0] * torch.from_numpy(weight)).sum()
    assert len(logits) == sum(key.startswith("train_logits") for key in expected.files)
    loss.backward()
    compare_gradients(name, model, publish(model, variant))


def test_the_output_of_two_heads_is_their_mean(case):
    name, model, x = case
    with torch.no_grad():
        logits = model.logits(x)
        assert torch.equal(model(x), sum(logits) / len(logits))
    assert len(logits) == (2 if name == LARGE else 1)


@pytest.mark.parametrize(
    ("keys", "variant", "spec"),
    [
        ("sdtv3_base_t", "sdt-v3-base", "e-spikeformer-t"),
        ("sdtv3_large_12_768", "sdt-v3-large", "e-spikeformer-173m"),
    ],
)
def test_every_published_key_finds_its_place(keys, variant, spec):
    """Sizes are read from the tensors: the stem of the fine-tuned 12-768 is 196 wide."""
    rows = json.loads((GOLDEN / f"keys_{keys}.json").read_text())
    with torch.device("meta"):
        model = sv.from_official({key: torch.empty(shape) for key, shape, *_ in rows}, variant)
    assert sum(p.numel() for p in model.parameters()) == SPECS[spec].params
    ours, published = model.config, SPECS[spec].config
    for setting in ("layout", "widths", "depths", "heads", "mlp_ratio", "levels", "num_classes", "conv_blocks"):
        assert getattr(ours, setting) == getattr(published, setting), setting
    assert {publish(model, variant)(key) for key in model.state_dict()} == {key for key, *_ in rows}


def test_the_form_without_a_branch_of_its_own():
    model = sv.from_official(weights("sdtv3_large_large_small"), "sdt-v3-large")
    assert model.config.layout == "large" and model.blocks[0].local is None
    assert sv.simulate(model, torch.randn(1, 3, 48, 32), keep="").output.shape == (1, 10)


def test_the_autoencoder():
    """Every tensor finds its place but the positions, which are computed; the person who reads it is warned."""
    rows = json.loads((GOLDEN / "keys_sdtv3_mae_small.json").read_text())
    state = weights("sdtv3_mae_small")  # without what is computed
    state |= {key: torch.zeros(shape) for key, shape, *_ in rows if key in TABLES}
    with pytest.warns(UserWarning, match="^sdt-v3-mae: the published decoder never puts its mask token"):
        model = sv.from_official(state, "sdt-v3-mae")
    config = model.config
    assert (config.encoder.layout, config.grid, config.decoder_dim, config.decoder_depth) == ("large-rep", 14, 32, 2)
    assert (config.ratio, config.target, config.encoder.widths) == (0.5, "patches", (8, 16, 32, 64))
    ours = {publish(model, "sdt-v3-mae")(key): value for key, value in model.state_dict().items()}
    added = ours.keys() - {key for key, *_ in rows}
    assert added == {f"block3.{n}.layer_scale{i}" for n in (0, 1) for i in (1, 2)}
    assert all((ours[key] == 1).all() for key in added)
    assert ours.keys() - added | TABLES == {key for key, *_ in rows}
    qkv = "decoder_blocks.1.attn.qkv.weight"
    assert torch.equal(model.decoder.blocks[1].qkv.weight, state[qkv])
    r = sv.simulate(model, torch.randn(1, 3, 224, 224), HidePatches(0.5), keep="mask")
    assert r.output.shape == (1, 3, 224, 224) and r.output.isfinite().all()
    with pytest.warns(UserWarning):
        assert sv.from_official(state, "sdt-v3-mae", image_size=64).config.grid == 4
    del state[qkv]
    with pytest.raises(ValueError, match=rf"missing {qkv}"):
        sv.from_official(state, "sdt-v3-mae")


def test_settings_of_a_person_come_first(case):
    name, *_ = case
    keys, variant, _, _ = CASES[name]
    model = sv.from_official(weights(keys), variant, heads=4, time_steps=2)
    assert model.config.heads == 4 and model.time_steps == 2
    with pytest.raises(ValueError, match=r"dim \d+ is not divisible by heads 7"):
        sv.from_official(weights(keys), variant, heads=7)


class TestBadCheckpoints:
    """What is wrong is said in one sentence, with the published keys."""

    @pytest.fixture()
    def state(self, case):
        return dict(weights(CASES[case[0]][0]))

    @pytest.fixture()
    def variant(self, case):
        return CASES[case[0]][1]

    def test_wrappers_and_dtype(self, state, variant):
        small = {key: value.float() for key, value in state.items()}
        for wrapped in ({"model": small}, {"module." + key: value for key, value in small.items()}):
            model = sv.from_official(wrapped, variant)
            assert {p.dtype for p in model.parameters()} == {torch.float32} and model.import_notes == ()

    @pytest.mark.parametrize(
        "key", ["block3.1.attn.q_conv.1.bias", "downsample3.encode_bn.running_var", "block3.0.mlp.fc2_bn.bias"]
    )
    def test_missing(self, state, variant, key):
        del state[key]
        with pytest.raises(ValueError, match=rf"does not fit .*: missing {key}\.$"):
            sv.from_official(state, variant)

    @pytest.mark.parametrize("key", ["block3.0.attn.extra", "ConvBlock1_1.1.conv1.weight", "pos_embed", "nonsense"])
    def test_unexpected(self, state, variant, key):
        state[key] = torch.zeros(3)
        with pytest.raises(ValueError, match=rf"does not fit .*: unexpected {key}\.$"):
            sv.from_official(state, variant)

    def test_shape(self, state, variant):
        state["head.bias"] = torch.zeros(7)
        with pytest.raises(ValueError, match=r"head\.bias is \[7\] instead of \[\d+\]\.$"):
            sv.from_official(state, variant)

    def test_what_sizes_are_read_from(self, state, variant):
        with pytest.raises(ValueError, match=r"no tensor 'downsample2\.encode_conv\.weight'"):
            sv.from_official({k: v for k, v in state.items() if k != "downsample2.encode_conv.weight"}, variant)
        without = {k: v for k, v in state.items() if not k.startswith("block3.") or "mlp.fc1_conv.weight" in k}
        with pytest.raises(ValueError, match=r"missing block3\.0\."):
            sv.from_official(without, variant)
        with pytest.raises(ValueError, match="a weight has too few axes"):
            sv.from_official(state | {"downsample1_1.encode_conv.weight": torch.zeros(3)}, variant)

    def test_derived(self, state, variant):
        key = "block3.0.attn.q_conv.1.num_batches_tracked"
        sv.from_official(state | {key: torch.tensor(5)}, variant)
        with pytest.raises(ValueError, match=r"buffers of another shape: .*num_batches_tracked is \[2\]"):
            sv.from_official(state | {key: torch.zeros(2)}, variant)

    def test_the_other_variant(self, state, variant):
        other = "sdt-v3-large" if variant == "sdt-v3-base" else "sdt-v3-base"
        with pytest.raises(ValueError, match=r"downsample4|missing"):
            sv.from_official(state, other)


def test_odd_sizes(case):
    _, model, _ = case
    assert sv.simulate(model, torch.randn(1, 3, 16, 48), keep="").output.shape[0] == 1
    with pytest.raises(ValueError, match="multiples of 16"):
        sv.simulate(model, torch.randn(1, 3, 40, 32))
