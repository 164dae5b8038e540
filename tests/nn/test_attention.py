"""What SSA is compared with (Spikformer V2, Table 1 and 6): maps by the paper's formulas, and what they cost."""

import pytest
import torch
from einops import rearrange
from support.networks import make_tiny
from torch.nn.functional import leaky_relu, relu

import spikeviz as sv

FORMULAS = {
    "identity": lambda q, k: 0.125 * q @ k.mT,
    "relu": lambda q, k: 0.125 * relu(q) @ relu(k).mT,
    "leaky-relu": lambda q, k: 0.125 * leaky_relu(q) @ leaky_relu(k).mT,
    "softmax": lambda q, k: (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1),
}


@pytest.fixture
def x():
    return torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("attention", FORMULAS)
@pytest.mark.parametrize("real_v", [False, True])
def test_the_map_is_the_papers(attention, real_v, x):
    model = make_tiny(attention=attention, real_v=real_v)
    r, ssa = sv.simulate(model, x), model.blocks[0].attn
    tokens = r["blocks.0.attn.q.conv.input"].flows
    q, k = (layer.norm(layer.conv(tokens)) for layer in (ssa.q, ssa.k))
    q, k = (rearrange(part, "t b (n d) h w -> t b n (h w) d", n=ssa.heads) for part in (q, k))
    torch.testing.assert_close(r["blocks.0.attn.scores"].values, FORMULAS[attention](q, k).detach())
    assert ("blocks.0.attn.v.spike" in r) is not real_v and "blocks.0.attn.q.spike" not in r
    assert r["blocks.0.attn.out.spike"].kind == "spike"  # what the map gives is spikes again


def test_costs(x):
    """Of q·k and attention·v SSA adds, the others multiply; spikes weighed by a real map are additions."""
    tables = {}
    for name, settings in {
        "ssa": {},
        "relu": {"attention": "relu"},
        "real": {"attention": "relu", "real_v": True},
    }.items():
        model = make_tiny(**settings)
        tables[name] = sv.metrics.operations(model, sv.simulate(model, x)).set_index("layer")
    qk, av = "blocks.0.attn.qk", "blocks.0.attn.av"
    assert tables["ssa"].loc[[qk, av], "MACs"].sum() == 0
    assert tables["relu"].loc[qk, "SOPs"] == 0 and tables["relu"].loc[qk, "MACs"] > 0
    assert tables["relu"].loc[av, "MACs"] == 0 and tables["real"].loc[av, "MACs"] > 0


def test_softmax_has_one_order(x):
    """q (k v) is not what softmax computes: the layout's order gives way."""
    model = make_tiny("imagenet", attention="softmax", pools=(1, 3))
    scores = sv.simulate(model, x)["blocks.0.attn.scores"].values
    assert torch.allclose(scores.sum(-1), torch.ones(()))
