"""Parity with the published code: numbers measured on it, with weights that are a function of their key names."""

import json

import numpy as np
import pytest
import torch
from support.published import GOLDEN, compare_gradients, images, keyed, reference, weights

import spikeviz as sv
from spikeviz.convert.official import FORMATS

CASE = "spikformer_cifar_2_64"


def published_name(track):
    """Ours -> theirs: `blocks.0.attn.q.spike` -> `block.0.attn.q_lif`."""
    name = track.removesuffix(".spike")
    name = name.replace("stem.stages.0", "patch_embed.proj_lif").replace("stem.stages.", "patch_embed.proj_lif")
    name = name.replace("stem.rpe", "patch_embed.rpe_lif").replace("blocks.", "block.")
    name = name.replace("attn.out", "attn.attn_lif")
    name = name.replace("mlp.hidden", "mlp.fc1_lif").replace("mlp.out", "mlp.fc2_lif")
    for part in ("q", "k", "v", "proj"):
        name = name.replace(f"attn.{part}", f"attn.{part}_lif") if name.endswith(f"attn.{part}") else name
    return name


def publish(model, variant):
    """Our key -> the published one."""
    return lambda ours: FORMATS[variant].publish(ours, model.config)


class TestSpikformerCifar:
    @pytest.fixture()
    def model(self):
        return sv.from_official(weights(CASE), "spikformer-cifar10", heads=4)

    @pytest.fixture()
    def x(self):
        return images("cifar", (2, 3, 32, 32))

    def test_logits_and_spikes(self, model, x):
        expected = reference(CASE)
        recording = sv.simulate(model, x)
        assert recording.output.dtype == torch.float64
        assert np.abs(recording.output.numpy() - expected["eval_logits"]).max() < 1e-9
        seen = 0
        for name, track in recording.of_kind("spike").items():
            theirs = expected[f"spk/{published_name(name)}"]
            ours = track.values.long().flatten(1).sum(1).numpy()
            assert np.array_equal(ours, theirs), name
            seen += 1
        assert seen == sum(key.startswith("spk/") for key in expected.files)

    def test_training(self, model, x):
        expected, published = reference(CASE), publish(model, "spikformer-cifar10")
        model.train()
        logits = model(x).mean(0)
        assert np.abs(logits.detach().numpy() - expected["train_logits"]).max() < 1e-9
        weight = keyed.rng(f"loss:{CASE}", 5).standard_normal(logits.shape)
        (logits * torch.from_numpy(weight)).sum().backward()
        compare_gradients(CASE, model, published)
        buffers = {published(name): b.numpy() for name, b in model.named_buffers()}
        for key in expected.files:
            if key.startswith("train_buf/"):
                assert np.abs(buffers[key.removeprefix("train_buf/")] - expected[key]).max() < 1e-12


@pytest.mark.parametrize(
    ("case", "variant", "name", "shape"),
    [
        ("spikformer_cifar_4_384", "spikformer-cifar10", "spikformer-4-384", (1, 3, 32, 32)),
        ("spikformer_dvs_2_256", "spikformer-cifar10dvs", "spikformer-dvs-2-256", (2, 1, 2, 64, 64)),
        ("spikformer_imagenet_8_384", "spikformer-imagenet", "spikformer-8-384", (1, 3, 64, 64)),
    ],
)
def test_published_sizes_are_taken(case, variant, name, shape):
    """Every published key finds its place, the size is read from the tensors, and the network runs."""
    state = weights(case)
    model = sv.from_official(state, variant)
    spec = next(s for s in sv.list_models() if s.name == name)
    assert sum(p.numel() for p in model.parameters()) == spec.params
    assert sv.simulate(model, torch.rand(shape), keep="").output.shape == (1, spec.config.num_classes)
    buffers = {publish(model, variant)(name): b for name, b in model.named_buffers()}
    for key, *_ in json.loads((GOLDEN / f"keys_{case}.json").read_text()):
        if key.endswith("running_var"):
            assert torch.equal(buffers[key], state[key])


class TestBadCheckpoints:
    """What is wrong is said in one sentence, with the keys."""

    @pytest.fixture()
    def state(self):
        return fake_state(dim=32, depth=1)

    def test_the_fake_is_good(self, state):
        model = sv.from_official(state, "spikformer-cifar10", heads=4)
        assert model.import_notes == ()
        assert sv.from_official({"state_dict": state, "arch": "x"}, "spikformer-cifar10", heads=4)
        assert sv.from_official({"model": state}, "spikformer-cifar10", heads=4)
        assert sv.from_official({f"module.{k}": v for k, v in state.items()}, "spikformer-cifar10", heads=4)

    def test_dtype_follows(self, state):
        for dtype in (torch.float32, torch.float64):
            model = sv.from_official({k: v.to(dtype) for k, v in state.items()}, "spikformer-cifar10", heads=4)
            assert {p.dtype for p in model.parameters()} == {dtype}

    def test_unused_is_noted(self, state):
        state["block.0.norm1.weight"] = torch.ones(32)
        model = sv.from_official(state, "spikformer-cifar10", heads=4)
        assert len(model.import_notes) == 1 and "block.0.norm1.weight" in model.import_notes[0]

    def test_missing(self, state):
        del state["block.0.attn.q_bn.bias"]
        with pytest.raises(ValueError, match=r"missing block\.0\.attn\.q_bn\.bias"):
            sv.from_official(state, "spikformer-cifar10", heads=4)

    def test_unexpected(self, state):
        state["block.0.attn.extra"] = torch.zeros(3)
        with pytest.raises(ValueError, match=r"unexpected block\.0\.attn\.extra"):
            sv.from_official(state, "spikformer-cifar10", heads=4)

    def test_shape(self, state):
        state["block.0.attn.q_linear.weight"] = torch.zeros(32, 31)
        with pytest.raises(ValueError, match="instead of"):
            sv.from_official(state, "spikformer-cifar10", heads=4)

    def test_derived(self, state):
        state["block.0.attn.q_bn.num_batches_tracked"] = torch.tensor(3)
        sv.from_official(state, "spikformer-cifar10", heads=4)
        state["block.0.attn.q_bn.num_batches_tracked"] = torch.zeros(2)
        with pytest.raises(ValueError, match="num_batches_tracked"):
            sv.from_official(state, "spikformer-cifar10", heads=4)

    def test_position_embedding(self, state):
        state["pos_embed"] = torch.zeros(1, 64, 32)
        sv.from_official(state, "spikformer-cifar10", heads=4)
        for shape in ((1, 64, 31), (1, 60, 32), (64, 32)):
            with pytest.raises(ValueError, match="pos_embed"):
                sv.from_official(state | {"pos_embed": torch.zeros(shape)}, "spikformer-cifar10", heads=4)

    def test_heads(self, state):
        with pytest.raises(ValueError, match="give heads="):
            sv.from_official(state, "spikformer-cifar10")
        with pytest.raises(ValueError, match="not divisible"):
            sv.from_official(state, "spikformer-cifar10", heads=5)

    @pytest.mark.parametrize("junk", [{}, {"a": 1}, {"epoch": 3, "x": torch.zeros(2)}, [1], {"a": torch.zeros(2)}])
    def test_junk(self, junk, unchecked):
        with pytest.raises(ValueError, match=r"checkpoint|state dict"):
            sv.from_official(junk, "spikformer-imagenet")

    def test_variant(self, state):
        with pytest.raises(ValueError, match="there are spikformer-cifar10"):
            sv.from_official(state, "resnet")

    def test_odd_sizes(self, state):
        model = sv.from_official(state, "spikformer-cifar10", heads=4)
        assert sv.simulate(model, torch.randn(1, 3, 40, 24), keep="").output.shape == (1, 10)
        with pytest.raises(ValueError, match=r"multiples of 4"):
            sv.simulate(model, torch.randn(1, 3, 30, 32))


def fake_state(dim, depth):
    """Random tensors under the published keys of the CIFAR layout."""
    state = {}

    def bn(name, channels):
        for key in ("weight", "bias", "running_mean"):
            state[f"{name}.{key}"] = torch.randn(channels)
        state[f"{name}.running_var"] = torch.rand(channels) + 0.5

    widths = (3, dim // 8, dim // 4, dim // 2, dim)
    for stage, suffix in enumerate(("", "1", "2", "3")):
        state[f"patch_embed.proj_conv{suffix}.weight"] = torch.randn(widths[stage + 1], widths[stage], 3, 3)
        bn(f"patch_embed.proj_bn{suffix}", widths[stage + 1])
    state["patch_embed.rpe_conv.weight"] = torch.randn(dim, dim, 3, 3)
    bn("patch_embed.rpe_bn", dim)
    for block in range(depth):
        for layer, size in (
            *((f"attn.{p}", (dim, dim)) for p in ("q", "k", "v", "proj")),
            ("mlp.fc1", (4 * dim, dim)),
            ("mlp.fc2", (dim, 4 * dim)),
        ):
            state[f"block.{block}.{layer}_linear.weight"] = torch.randn(size)
            state[f"block.{block}.{layer}_linear.bias"] = torch.randn(size[0])
            bn(f"block.{block}.{layer}_bn", size[0])
    state["head.weight"], state["head.bias"] = torch.randn(10, dim), torch.randn(10)
    return state
