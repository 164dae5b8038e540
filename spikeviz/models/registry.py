"""Every model by name: one table of published sizes and demo sizes, and `build`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import nn

from spikeviz.models import autoencoders
from spikeviz.models.cnn import CNN, CNNConfig
from spikeviz.models.espikeformer import ESpikeFormer, ESpikeFormerConfig
from spikeviz.models.mst import MST, MSTConfig
from spikeviz.models.sdmformer import SDMFormer, SDMFormerConfig
from spikeviz.models.spec import CIFAR10, FASHION, HEADS_OURS, IMAGENET, ModelSpec, describe
from spikeviz.models.spike_mae import MAEConfig, SpikeMAE
from spikeviz.models.spikformer import Spikformer, SpikformerConfig
from spikeviz.models.spikformer_v2 import SpikformerV2, SpikformerV2Config
from spikeviz.models.variants import VARIANTS
from spikeviz.probe import name_probes

FAMILIES: dict[str, Callable[[Any], nn.Module]] = {
    "spikformer": Spikformer,
    "spikformer-v2": SpikformerV2,
    "e-spikeformer": ESpikeFormer,
    "sdmformer": SDMFormer,
    "mst": MST,
    "mst-cnn": CNN,
    "spike-mae": SpikeMAE,
}
OVERRIDES = ("num_classes", "in_channels", "image_size", "time_steps")


def _spikformer(
    name: str, layout: str, depth: int, dim: int, heads: int, params: int, notes: str = "", paper: str = ""
) -> ModelSpec:
    base: dict[str, Any] = {
        "cifar": {"num_classes": 10, "in_channels": 3, "image_size": 32, "time_steps": 4, **CIFAR10},
        "dvs": {"num_classes": 10, "in_channels": 2, "image_size": 128, "time_steps": 16},
        "imagenet": {"num_classes": 1000, "in_channels": 3, "image_size": 224, "time_steps": 4, **IMAGENET},
    }[layout]
    tables = {"cifar": "Spikformer V2, Table 4", "dvs": "Spikformer V2, Table 5", "imagenet": "Spikformer V2, Table 2"}
    config = SpikformerConfig(layout, depth, dim, heads, **base)
    return describe(
        name, "spikformer", params, "published code, parameters that are used", paper or tables[layout], notes, config
    )


def _spikformer_v2(name: str, depth: int, dim: int, heads: int, params: int) -> ModelSpec:
    config = SpikformerV2Config(depth, dim, heads, 1000, 3, 224, 4, **IMAGENET)
    notes = f"no published code: the order of its layers is reconstructed, its printed size is reproduced; {HEADS_OURS}"
    paper = f"Spikformer V2, Table {2 if depth == 8 else 3}"
    return describe(name, "spikformer-v2", params, "counted", paper, notes, config)


def _sdmformer(name: str, depth: int, dim: int, heads: int, params: int) -> ModelSpec:
    base: dict[str, Any] = {"num_classes": 10, "in_channels": 2, "image_size": 128, "time_steps": 16}
    config = SDMFormerConfig("dvs", depth, dim, heads, **base)
    notes = "reconstruction: the paper's equations are lost; before pruning, with a spiking LPE and mask values"
    return describe(name, "sdmformer", params, "counted, mask values included", "SDMFormer, sec. 4.3", notes, config)


def _espikeformer(
    name: str,
    layout: str,
    widths: tuple[int, ...],
    depths: tuple[int, ...],
    params: int,
    params_from: str = "published code",
    notes: str = "",
    paper: str = "E-SpikeFormer, Table 1",
) -> ModelSpec:
    config = ESpikeFormerConfig(layout, widths, depths, 1000, 3, 224, **IMAGENET)
    return describe(name, "e-spikeformer", params, params_from, paper, notes, config)


def _espikeformer_fashion(name: str, what: str, **settings: Any) -> ModelSpec:
    widths, strides, blocks = (8, 16, 48, 64), (2, 1, 2, 1), (1, 1, 1)
    shape: dict[str, Any] = {"heads": 4, "strides": strides, "conv_blocks": blocks}
    config = ESpikeFormerConfig("base", widths, (1,), 10, 1, 28, **shape, **settings, **FASHION)
    notes = (
        f"demo size, trained by spikeviz: {what}; its stem has strides 2, 1, 2, 1 instead of 2, 2, 2, 2, which leaves "
        "7 x 7 tokens of 28 pixels, one block instead of two in its third stage, one attention block instead of six, "
        "and no stage after it"
    )
    return describe(name, "e-spikeformer", 338_842, "counted", "", notes, config)


def _dvs(name: str, form: type[SpikformerConfig], what: str, params: int, **settings: Any) -> ModelSpec:
    """Of 34 x 34 events; the stem shrinks after stages 1 to 3 and leaves 5 x 5 tokens of 40 pixels."""
    family = "sdmformer" if form is SDMFormerConfig else "spikformer"
    config = form("dvs", 2, 64, 4, 10, 2, 40, 8, pools=(1, 2, 3), **settings)
    notes = (
        f"demo size, trained by spikeviz: {what}; the stem shrinks after stages 1 to 3, to 5 x 5 tokens of 40 pixels"
    )
    return describe(name, family, params, "counted", "", notes, config)


def _sdmformer_dvs(name: str, what: str) -> tuple[ModelSpec, ModelSpec]:
    """With a spiking LPE, and as first reconstructed."""
    real = f"{what}; real values go into the second convolution of its LPE"
    return (
        _dvs(name, SDMFormerConfig, what, 132_298),
        _dvs(f"{name}-real-lpe", SDMFormerConfig, real, 132_170, lpe="real"),
    )


def _mst(name: str, params: int, paper: str, notes: str, config: Any) -> ModelSpec:
    family = "mst" if isinstance(config, MSTConfig) else "mst-cnn"
    said = "published code, and thresholds" if paper and family == "mst" else "counted, thresholds included"
    return describe(name, family, params, said, paper, f"{QCFS_NOTE}{notes}", config)


def _espikeformer_dvs(name: str, levels: int) -> ModelSpec:
    shape: dict[str, Any] = {"heads": 4, "strides": (2, 2, 2, 1), "conv_blocks": (1, 1, 1), "events": True}
    config = ESpikeFormerConfig("base", (8, 16, 32, 64), (1,), 10, 2, 40, time_steps=4, levels=levels, **shape)
    notes = (
        f"demo size, trained by spikeviz: simulated events, integers up to D = {levels} in each of 4 steps; its stem "
        "has strides 2, 2, 2, 1 instead of 2, 2, 2, 2, which leaves 5 x 5 tokens of 40 pixels, one block instead of "
        "two in its third stage, one attention block instead of six, and no stage after it"
    )
    return describe(name, "e-spikeformer", 228_498, "counted", "", notes, config)


CODE_ONLY = "E-SpikeFormer, published code; not in Table 1"
MST_CNN = "Masked Spiking Transformer, sec. 4.3, Table 3"
QCFS_NOTE = "a QCFS network; `to_spiking`, or a time_steps of its own, makes it spike; "
SWIN_T = (96, (2, 2, 6, 2), (3, 6, 12, 24))
LARGE = "the published large form, which is not the paper's Fig. 4: RepConv, LayerScale, two heads that are averaged, "
PUBLISHED = (
    _spikformer("spikformer-4-384", "cifar", 4, 384, 12, 9_324_730),
    _spikformer("spikformer-4-256", "cifar", 4, 256, 8, 4_155_178, HEADS_OURS),
    _spikformer("spikformer-2-384", "cifar", 2, 384, 12, 5_765_050),
    _spikformer("spikformer-dvs-2-256", "dvs", 2, 256, 16, 2_566_666),
    _spikformer("spikformer-dvs-1-512", "dvs", 1, 512, 16, 7_074_826, "peer of SDMFormer-1-512", "SDMFormer, sec. 4.3"),
    _spikformer("spikformer-8-384", "imagenet", 8, 384, 12, 16_816_024, HEADS_OURS),
    _spikformer("spikformer-6-512", "imagenet", 6, 512, 8, 23_373_352),
    _spikformer("spikformer-8-512", "imagenet", 8, 512, 8, 29_689_384),
    _spikformer("spikformer-10-512", "imagenet", 10, 512, 8, 36_005_416),
    _spikformer("spikformer-8-768", "imagenet", 8, 768, 12, 66_338_632, HEADS_OURS),
    _sdmformer("sdmformer-2-256", 2, 256, 16, 2_048_266),
    _sdmformer("sdmformer-1-512", 1, 512, 16, 4_986_378),
    _espikeformer("e-spikeformer-t", "base", (12, 24, 48, 96, 128), (6, 2), 2_702_048, paper=CODE_ONLY),
    _espikeformer("e-spikeformer-s", "base", (16, 32, 64, 128, 192), (6, 2), 5_105_608),
    _espikeformer("e-spikeformer-m", "base", (24, 48, 96, 192, 240), (6, 2), 10_023_112),
    _espikeformer("e-spikeformer-l", "base", (32, 64, 128, 256, 360), (6, 2), 18_987_504),
    _espikeformer(
        "e-spikeformer-52m",
        "base",
        (56, 112, 224, 448, 528),
        (6, 2),
        51_719_592,
        "counted; the paper says 52.0 M",
        "widths not published, reconstructed: 112, 224, 448, 528",
    ),
    _espikeformer(
        "e-spikeformer-83m",
        "large-rep",
        (64, 128, 256, 512),
        (12,),
        83_015_952,
        notes=LARGE + "a RepConv branch in every block; 82,502,952 parameters without the second head",
    ),
    _espikeformer(
        "e-spikeformer-173m",
        "large",
        (98, 196, 384, 768),
        (12,),
        171_740_714,
        notes=LARGE + "stem width 196, as fine-tuned (192 as pretrained); the paper's 173 M is its autoencoder's size",
    ),
    _spikformer_v2("spikformer-v2-8-384", 8, 384, 12, 29_111_272),
    _spikformer_v2("spikformer-v2-8-512", 8, 512, 8, 51_545_064),
    _spikformer_v2("spikformer-v2-12-512", 12, 512, 8, 64_177_128),
    _spikformer_v2("spikformer-v2-12-768", 12, 768, 12, 143_893_480),
    _spikformer_v2("spikformer-v2-16-768", 16, 768, 12, 172_278_760),
    *autoencoders.PUBLISHED,
    _mst(
        "mst-swin-t",
        28_332_638,
        "Masked Spiking Transformer, Table 1",
        "the ImageNet form, with BatchNorm in the MLP; softmax, position bias and residual stream stay real-valued",
        MSTConfig(*SWIN_T, 1000, 3, 224, mlp_norm=True, **IMAGENET),
    ),
    _mst(
        "mst-resnet18",
        11_173_979,
        MST_CNN,
        "standard widths for CIFAR; the paper does not print its own",
        CNNConfig("resnet18", 64, 10, 3, 32, **CIFAR10),
    ),
    _mst(
        "mst-vgg16",
        14_724_055,
        MST_CNN,
        "standard widths for CIFAR, average pooling, one linear layer; the paper does not print its own",
        CNNConfig("vgg16", 64, 10, 3, 32, **CIFAR10),
    ),
)
DEMO = (
    describe(
        "spikformer-fashion",
        "spikformer",
        646_522,
        "counted",
        "",
        "demo size, trained by spikeviz; the stem shrinks after stages 1 and 3, so that a laptop's CPU can train it",
        SpikformerConfig("cifar", 2, 128, 8, 10, 1, 28, 4, pools=(1, 3), **FASHION),
    ),
    *(
        _espikeformer_fashion(f"e-spikeformer-fashion-sfa{d}", f"integers up to D = {d} in one step", levels=d)
        for d in (1, 2, 4, 8)
    ),
    _dvs("spikformer-fashion-dvs", SpikformerConfig, "simulated events", 163_594),
    *_sdmformer_dvs("sdmformer-fashion-dvs", "simulated events, masks learned; a reconstruction"),
    *_sdmformer_dvs("sdmformer-nmnist", "masks learned; a reconstruction"),
    *(_espikeformer_dvs(f"e-spikeformer-fashion-dvs-d{d}", d) for d in (1, 4)),
    _espikeformer_fashion(
        "e-spikeformer-fashion-vanilla4",
        "the same architecture with binary LIF neurons, the image shown for T = 4 steps",
        neuron="lif",
        levels=1,
        time_steps=4,
    ),
    describe(
        "e-spikeformer-cifar-sfa4",
        "e-spikeformer",
        1_128_746,
        "counted",
        "",
        "demo size, trained by spikeviz: integers up to D = 4 in one step; its stem has strides 1, 2, 2, 1 instead of "
        "2, 2, 2, 2, which leaves 8 x 8 tokens of 32 pixels, one block instead of two in its third stage, and no stage "
        "after the three attention blocks",
        ESpikeFormerConfig(
            "base", (16, 32, 64, 96), (3,), 10, 3, 32, strides=(1, 2, 2, 1), conv_blocks=(1, 1, 1), **CIFAR10
        ),
    ),
    *VARIANTS,
    *autoencoders.DEMO,
    _mst(
        "mst-fashion",
        355_367,
        "",
        "demo size, trained by spikeviz: patches of 2, windows of 4 on 16, 8 and 4 tokens a side",
        MSTConfig(32, (1, 2, 1), (2, 4, 8), 10, 1, 32, patch=2, window=4, **FASHION),
    ),
    _mst(
        "mst-fashion-layernorm",
        355_367,
        "",
        "demo size, trained by spikeviz: mst-fashion with layer instead of batch normalisation, to compare what fires",
        MSTConfig(32, (1, 2, 1), (2, 4, 8), 10, 1, 32, patch=2, window=4, norm="layer", **FASHION),
    ),
    _mst(
        "mst-fashion-strict",
        354_485,
        "",
        "demo size, trained by spikeviz: mst-fashion with Eq. 6 and 7 as printed, spikes of the scores weigh the "
        "values, no softmax, no position bias",
        MSTConfig(32, (1, 2, 1), (2, 4, 8), 10, 1, 32, patch=2, window=4, softmax=False, **FASHION),
    ),
    _mst(
        "mst-cifar10",
        355_623,
        "",
        "demo size, trained by spikeviz: mst-fashion for three colours",
        MSTConfig(32, (1, 2, 1), (2, 4, 8), 10, 3, 32, patch=2, window=4, **CIFAR10),
    ),
    _mst(
        "mst-fashion-dvs",
        356_250,
        "",
        "demo size, trained by spikeviz: simulated events, 8 frames as 16 channels which a 1x1 convolution reduces to "
        "three; patches of 2, windows of 5 on 20, 10 and 5 tokens a side",
        MSTConfig(32, (1, 2, 1), (2, 4, 8), 10, 2, 40, patch=2, window=5, frames=8),
    ),
    _mst(
        "mst-resnet18-fashion",
        176_275,
        "",
        "demo size, trained by spikeviz: an eighth of the published width",
        CNNConfig("resnet18", 8, 10, 1, 32, **FASHION),
    ),
    _mst(
        "mst-vgg16-fashion",
        231_615,
        "",
        "demo size, trained by spikeviz: an eighth of the published width",
        CNNConfig("vgg16", 8, 10, 1, 32, **FASHION),
    ),
)
SPECS: dict[str, ModelSpec] = {spec.name: spec for spec in (*PUBLISHED, *DEMO)}


def list_models(family: str | None = None) -> list[ModelSpec]:
    """Every published size, then the demo sizes; of one family only if it is named.

    Raises:
        ValueError: for an unknown family.
    """
    if family is not None and family not in FAMILIES:
        raise ValueError(f"no family {family!r}; there are {', '.join(FAMILIES)}.")
    return [spec for spec in SPECS.values() if family in (None, spec.family)]


def find_spec(name: str) -> ModelSpec:
    """The spec of a name.

    Raises:
        ValueError: for an unknown name, with the names there are.
    """
    if name not in SPECS:
        raise ValueError(f"no model {name!r}; there are {', '.join(SPECS)}.")
    return SPECS[name]


def build(name: str, **overrides: Any) -> nn.Module:
    """A model with fresh weights, in train mode, on the current default device (also under `torch.device("meta")`).

    Args:
        name: of a spec.
        overrides: num_classes, in_channels, image_size, time_steps. A QCFS network with time_steps is a spiking one; of
            an autoencoder they are its encoder's, which is built without a classifier.

    Raises:
        ValueError: for an unknown name, an unknown override, or a value the model cannot have.
    """
    spec = find_spec(name)
    if unknown := set(overrides) - set(OVERRIDES):
        raise ValueError(f"build takes {', '.join(OVERRIDES)}, not {', '.join(sorted(unknown))}.")
    config = spec.config.encoder if isinstance(spec.config, MAEConfig) else spec.config
    if overrides.get("in_channels", config.in_channels) != config.in_channels:
        overrides |= {"mean": None, "std": None}  # the statistics belong to the channels of the original data
    if "time_steps" in overrides and hasattr(config, "spiking"):
        overrides["spiking"] = True
    config = replace(config, **overrides)
    if isinstance(spec.config, MAEConfig):
        config = replace(spec.config, encoder=config)
    return assemble(spec.family, config, name)


def assemble(family: str, config: Any, name: str) -> nn.Module:
    """A model of a config of one's own, its probes named; `name` is what recordings will call it."""
    model: Any = name_probes(FAMILIES[family](config))
    model.name, model.family = name, family
    return model
