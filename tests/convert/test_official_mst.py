"""The Masked Spiking Transformer against numbers of its published code, and its two checkpoint formats."""

import re
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from support.published import images, keyed, reference, weights

import spikeviz as sv
from spikeviz.convert.official import FORMATS
from spikeviz.interventions import Intervention
from spikeviz.models.mst import MST

CASE, STEPS, INPUT = "mst_small_cifar", 8, ("mst", (2, 3, 56, 56))
EXACT = 1e-8


@pytest.fixture(scope="module")
def state():
    return weights(CASE)


@pytest.fixture(scope="module")
def ann(state):
    return sv.from_official(state, "mst-cifar", image_size=56)


@pytest.fixture(scope="module")
def x():
    return images(*INPUT)


def places(model) -> dict[str, str]:
    """Where neurons stand: published name -> the name of our track."""
    found = {}
    for name, _ in model.named_parameters():
        if name.endswith("neuron.threshold"):
            published = FORMATS["mst-cifar"].publish(name, model.config).removesuffix(".up")
            ours = name.removesuffix(".neuron.threshold")
            found[published] = f"{ours}.spike"
    return found


def totals(recording, name) -> np.ndarray:
    """What flows on at each step, summed."""
    track = recording[name]
    return (track.values.double() * track.scale).flatten(1).sum(1).numpy()


def test_as_a_qcfs_network(ann, x):
    expected = reference(CASE)
    r = sv.simulate(ann, x)
    assert r.logits_per_step.shape == (1, 2, 10) and r.output.dtype == torch.float64
    assert np.abs(r.output.numpy() - expected["qcfs_logits"]).max() < EXACT
    known = {key.removeprefix("act/"): expected[key] for key in expected.files if key.startswith("act/")}
    assert known.keys() == places(ann).keys()
    for published, ours in places(ann).items():
        assert totals(r, ours) == pytest.approx(known[published], rel=1e-6), published  # they were stored as float32
        assert r[ours].values.dtype == torch.uint8 and r[ours].values.max() <= 16


def test_as_a_spiking_network_step_by_step(ann, state, x):
    expected = reference(CASE)
    snn = sv.to_spiking(ann, STEPS)
    r = sv.simulate(snn, x)
    assert np.abs(r.logits_per_step.numpy() - expected["snn_logits_per_step"]).max() < EXACT
    for published, ours in places(snn).items():
        assert totals(r, ours) == pytest.approx(expected[f"snn_sum/{published}"][:, 0], rel=1e-6), published
        assert r[ours].values.max() == 1 and r[ours].levels == 1
    read = sv.from_official(state, "mst-cifar", image_size=56, time_steps=STEPS)
    assert torch.equal(sv.simulate(read, x, keep="").logits_per_step, r.logits_per_step)


@dataclass(frozen=True)
class Drawn(Intervention):
    """The masks of the published run at one place of one block: drawn in its order, laid out as ours."""

    model: MST
    place: str
    number: int  # of the block
    blocks: int
    site: int  # q, k, scores

    @classmethod
    def possible(cls, model):
        return True

    def edits(self, name, kind):
        return name == self.place

    def edit(self, x, generator):
        attn = self.model.get_submodule(re.sub(r"\.(q\.spike|k\.spike|scores)$", "", self.place))
        steps, batch = x.shape[:2]
        tokens, heads = attn.window**2, attn.heads
        windows = x[0, 0].numel() // (x.shape[2] * tokens) if self.site < 2 else x.shape[2] // heads
        inner = x.shape[2] // heads if self.site < 2 else tokens
        kept = []
        for t in range(steps):
            draw = keyed.rng(f"rsm:{t * 3 * self.blocks + 3 * self.number + self.site}", 21)
            kept.append(torch.from_numpy(draw.random((batch * windows, heads, tokens, inner)) > 0.5))
        kept = torch.stack(kept).unflatten(1, (batch, windows)).flatten(2, 3)  # [T, B, windows * heads, N, ...]
        kept = attn._grid(kept, x.shape[-2]) if self.site < 2 else kept
        return x * kept, kept


def test_random_spike_masking_with_the_published_draws(ann, x):
    expected = reference(f"{CASE}_rsm50")
    for model, known in (
        (ann, expected["qcfs_logits"][None]),
        (sv.to_spiking(ann, STEPS), expected["snn_logits_per_step"]),
    ):
        blocks = [f"blocks.{number}" for number in range(model.config.depth)]
        edits = [
            Drawn(model, f"{block}.attn.{place}", number, len(blocks), site)
            for number, block in enumerate(blocks)
            for site, place in enumerate(("q.spike", "k.spike", "scores"))
        ]
        assert np.abs(sv.simulate(model, x, edits, keep="").logits_per_step.numpy() - known).max() < EXACT


def test_gradients(state, x):
    expected = reference(CASE)
    model = sv.from_official(state, "mst-cifar", image_size=56).train()
    logits = model(x)[0]
    assert np.abs(logits.detach().numpy() - expected["train_logits"]).max() < EXACT
    weight = keyed.rng(f"loss:{CASE}", 5).standard_normal(logits.shape)
    (logits * torch.from_numpy(weight)).sum().backward()
    known = {key.removeprefix("grad/"): expected[key] for key in expected.files if key.startswith("grad/")}
    largest = max(np.abs(value).max() for value in known.values())
    ours = {FORMATS["mst-cifar"].publish(name, model.config): p.grad for name, p in model.named_parameters()}
    for key in [key for key in ours if key.endswith("[q]")]:  # one matrix there
        parts = [ours.pop(key.replace("[q]", f"[{name}]")) for name in "qkv"]
        ours[key.removesuffix("[q]")] = torch.cat(parts)
    assert ours.keys() == known.keys()
    for key, gradient in ours.items():
        probe = keyed.grad_probe(key, gradient.numpy())
        assert np.allclose(probe, known[key], rtol=1e-7, atol=1e-12 * largest), key


@pytest.mark.parametrize(
    "case, variant, size", [("mst_small_imagenet", "mst-imagenet", 56), ("mst_swin_t_cifar10", "mst-cifar", 224)]
)
def test_other_published_key_lists_fill_a_model(case, variant, size):
    model = sv.from_official(weights(case), variant, image_size=size)
    assert not model.training and model.config.image_size == size
    assert (model.blocks[0].mlp.hidden.norm is not None) == (variant == "mst-imagenet")


def test_what_does_not_fit_is_listed(state):
    lacking = {key: value for key, value in state.items() if not key.endswith("attn.qkv.bias")}
    with pytest.raises(ValueError, match=r"missing layers\.0\.blocks\.0\.attn\.qkv\.bias"):
        sv.from_official(lacking, "mst-cifar", image_size=56)
    with pytest.raises(ValueError, match="unexpected nonsense"):
        sv.from_official(state | {"nonsense": torch.zeros(1)}, "mst-cifar", image_size=56)
    with pytest.raises(ValueError, match="windows of 7 do not tile"):
        sv.from_official(state, "mst-cifar", image_size=40)
    with pytest.raises(ValueError, match="has 2 heads in its first stage"):
        sv.from_official(state, "mst-cifar", image_size=56, heads=4)
    wrong = state | {"layers.0.blocks.0.attn.relative_position_index": torch.zeros(3, 4)}
    with pytest.raises(ValueError, match="buffers of another shape"):
        sv.from_official(wrong, "mst-cifar", image_size=56)
    model = sv.from_official(state, "mst-cifar", image_size=56)
    with pytest.raises(ValueError, match="multiples of 56"):
        sv.simulate(model, torch.rand(1, 3, 32, 32))
