"""Tiny networks that differ in one thing and are trained alike: what attention, stem and residual are worth."""

from __future__ import annotations

from dataclasses import replace

from spikeviz.models.spec import FASHION, ModelSpec, describe
from spikeviz.models.spikformer import SpikformerConfig
from spikeviz.models.spikformer_v2 import SpikformerV2Config
from spikeviz.nn.attention import Attention

SPS = SpikformerConfig("cifar", 2, 64, 4, 10, 1, 28, 4, pools=(1, 3), **FASHION)
SCS = SpikformerV2Config(2, 64, 4, 10, 1, 28, 4, stages=2, **FASHION)
TINY = "spikformer-fashion-tiny"
TINY_V2 = "spikformer-v2-fashion-tiny"
MAPS: dict[str, tuple[Attention, str]] = {
    TINY: ("ssa", "spiking self-attention"),
    f"{TINY}-identity": ("identity", "real queries and keys, whose product weighs the spikes of v as it is"),
    f"{TINY}-relu": ("relu", "real queries and keys after ReLU"),
    f"{TINY}-leaky-relu": ("leaky-relu", "real queries and keys after LeakyReLU"),
    f"{TINY}-softmax": ("softmax", "real queries and keys, softmax of their product"),
}


def _tiny(name: str, config: SpikformerConfig | SpikformerV2Config, params: int, what: str) -> ModelSpec:
    family = "spikformer" if isinstance(config, SpikformerConfig) else "spikformer-v2"
    notes = f"demo size, trained by spikeviz in several seeds, to compare: {what}; 7 x 7 tokens of 28 pixels"
    return describe(name, family, params, "counted", "", notes, config)


VARIANTS = (
    *(
        _tiny(name, replace(SPS, attention=form), 163_906, f"attention of Table 1, {what}")
        for name, (form, what) in MAPS.items()
    ),
    _tiny(TINY_V2, SCS, 480_138, "the stem of Spikformer V2 (SCS), residual sums"),
    _tiny(f"{TINY_V2}-iand", replace(SCS, residual="iand"), 480_138, "the stem of Spikformer V2 (SCS), IAND residuals"),
)
