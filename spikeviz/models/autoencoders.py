"""The sizes of masked autoencoders, and the encoders that a classifier shares with them."""

from __future__ import annotations

from typing import Any

from spikeviz.models.espikeformer import ESpikeFormerConfig
from spikeviz.models.spec import CIFAR10, FASHION, IMAGENET, ModelSpec, describe
from spikeviz.models.spike_mae import MAEConfig
from spikeviz.models.spikformer_v2 import SpikformerV2Config

FASHION_ENCODER = SpikformerV2Config(2, 32, 4, 10, 1, 28, 1, stages=2, **FASHION)


def _published(name: str, params: int, paper: str, encoder: Any, ratio: float, notes: str) -> ModelSpec:
    config = MAEConfig(encoder, ratio=ratio, target="patches")
    notes = f"an autoencoder, its decoder 4 x 256, targets normalised patch by patch; {notes}"
    return describe(name, "spike-mae", params, "counted", paper, notes, config)


def _large(name: str, params: int, layout: str, widths: tuple[int, ...], notes: str) -> ModelSpec:
    encoder = ESpikeFormerConfig(layout, widths, (12,), 1000, 3, 224, **IMAGENET)
    return _published(
        name, params, "E-SpikeFormer, sec. 3.4", encoder, 0.5, f"the published large form, with its LayerScale; {notes}"
    )


def _cifar(name: str, levels: int, what: str) -> ModelSpec:
    shape: dict[str, Any] = {"heads": 4, "strides": (2, 2, 1, 1), "conv_blocks": (1, 1, 1), "levels": levels}
    encoder = ESpikeFormerConfig("base", (8, 16, 32, 64), (1,), 10, 3, 32, **shape, **CIFAR10)
    notes = (
        f"demo size, trained by spikeviz: {what}; 8 x 8 patches of 4 pixels, the encoder's strides are 2, 2, 1, 1 "
        "instead of 2, 2, 2, 2; decoder 2 x 64 instead of 4 x 256, targets are pixels as they are"
    )
    config = MAEConfig(encoder, decoder_dim=64, decoder_depth=2)
    return describe(name, "spike-mae", 335_424, "counted", "", notes, config)


PUBLISHED = (
    _published(
        "spikformer-v2-mae-12-512",
        67_149_568,
        "Spikformer V2, sec. 4.2",
        SpikformerV2Config(12, 512, 8, 1000, 3, 224, 1, **IMAGENET),
        0.75,
        "no published code, and the order of the encoder's layers is reconstructed",
    ),
    _large(
        "spike-mae-12-512", 85_476_416, "large-rep", (64, 128, 256, 512), "83 million parameters when it classifies"
    ),
    _large("spike-mae-12-768", 173_594_336, "large", (96, 192, 384, 768), "stem width 192, as pretrained"),
)
DEMO = (
    describe(
        "spikformer-v2-fashion",
        "spikformer-v2",
        121_290,
        "counted",
        "",
        "demo size, trained by spikeviz: T = 1, two stages in its stem instead of four, which leaves 7 x 7 tokens of "
        "28 pixels; its encoder is that of spikformer-v2-mae-fashion",
        FASHION_ENCODER,
    ),
    describe(
        "spikformer-v2-mae-fashion",
        "spike-mae",
        179_728,
        "counted",
        "",
        "demo size, trained by spikeviz: an autoencoder with the encoder of spikformer-v2-fashion; 7 x 7 patches of "
        "4 pixels, decoder 2 x 48 instead of 4 x 256, targets are pixels as they are",
        MAEConfig(FASHION_ENCODER, decoder_dim=48, decoder_depth=2),
    ),
    _cifar("spike-mae-cifar", 4, "integers up to D = 4 in one step"),
    _cifar("spike-mae-cifar-binary", 1, "binary spikes, D = 1 in one step, and the same in everything else"),
)
