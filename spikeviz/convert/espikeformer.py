"""The published checkpoints of E-SpikeFormer (Spike-Driven-Transformer-V3): base sizes and large sizes."""

from __future__ import annotations

from dataclasses import replace
from math import isqrt, prod
from typing import cast

import torch
from torch import Tensor

from spikeviz.convert.formats import Format, Given, Rules, State, highest, is_scalar, rename
from spikeviz.models.espikeformer import ESpikeFormerConfig
from spikeviz.models.spike_mae import MAEConfig

LEVELS = 4  # D is no tensor; the published code clamps at 4
SIDE = 224  # of the published autoencoders, where no table says it
DECODER_HEADS = 4  # no tensor either


def _configure(large: bool):
    def configure(state: State, given: Given) -> ESpikeFormerConfig:
        downs = ("1_1", "1_2", "2", "3") if large else ("1_1", "1_2", "2", "3", "4")
        convs = [state[f"downsample{name}.encode_conv.weight"] for name in downs]
        stages = ("block3",) if large else ("block3", "block4")
        layout = "base"
        if large:
            layout = "large-rep" if "block3.0.rep_conv.conv1.0.weight" in state else "large"
        hidden = state["block3.0.mlp.fc1_conv.weight"]
        return ESpikeFormerConfig(
            layout,
            widths=tuple(conv.shape[0] for conv in convs),
            depths=tuple(1 + highest(state, rf"{stage}\.(\d+)\.") for stage in stages),
            num_classes=state["head.weight"].shape[0],
            in_channels=convs[0].shape[1],
            image_size=None,
            time_steps=1 if given.time_steps is None else given.time_steps,
            levels=LEVELS,
            heads=8 if given.heads is None else given.heads,
            mlp_ratio=hidden.shape[0] // hidden.shape[1],
        )

    return configure


_STEM: Rules = (
    (r"^stem\.(conv|norm)\.", r"downsample1_1.\1."),
    (r"^stem\.stages\.(\d)\.down\.", lambda m: f"downsample{('1_2', '2', '3')[int(m[1])]}."),
    (r"^blocks\.\d+\.widen\.", "downsample4."),
    (r"^(downsample\w+)\.conv\.", r"\1.encode_conv."),
    (r"^(downsample\w+)\.norm\.", r"\1.encode_bn."),
    (r"^stem\.stages\.([01])\.blocks\.0\.", lambda m: f"ConvBlock1_{int(m[1]) + 1}.0."),
    (r"^stem\.stages\.2\.blocks\.(\d)\.", lambda m: f"ConvBlock2_{int(m[1]) + 1}.0."),
)
_MLP: Rules = (
    (r"\.mlp\.(input|hidden)\.", lambda m: f".mlp.fc{1 if m[1] == 'input' else 2}_"),
    (r"\.mlp\.(fc\d)_norm\.", r".mlp.\1_bn."),
)
_PARTS = {"expand": "1", "reduce": "2", "conv": "0", "norm": "1"}
_BASE: Rules = (
    (r"^(Conv\w+\.0)\.sep\.", r"\1.Conv."),
    (r"^(block\d\.\d+)\.local\.", r"\1.conv."),
    (r"\.([Cc]onv)\.(expand|reduce)\.(conv|norm)\.", lambda m: f".{m[1]}.pwconv{_PARTS[m[2]]}.{_PARTS[m[3]]}."),
    (r"\.([Cc]onv)\.depth\.(conv|norm)\.", lambda m: f".{m[1]}.dwconv.{_PARTS[m[2]]}."),
    (r"^(Conv\w+\.0)\.(expand|reduce)\.conv\.", lambda m: f"{m[1]}.conv{_PARTS[m[2]]}."),
    (r"^(Conv\w+\.0)\.(expand|reduce)\.norm\.", lambda m: f"{m[1]}.bn{_PARTS[m[2]]}."),
    (r"\.attn\.([qkv])\.(conv|norm)\.", lambda m: f".attn.{m[1]}_conv.{_PARTS[m[2]]}."),
    (r"\.attn\.out\.(conv|norm)\.", lambda m: f".attn.proj_conv.{_PARTS[m[1]]}."),
)
_LARGE: Rules = (
    (r"^(Conv\w+\.0)\.(expand|reduce)\.(conv|norm)\.", lambda m: f"{m[1]}.conv{_PARTS[m[2]]}.0.{_PARTS[m[3]]}."),
    (r"\.local\.conv\.", ".rep_conv."),
    (r"\.attn\.([qkv])\.", r".attn.\1_conv."),
    (r"\.attn\.out\.", ".attn.proj_conv."),
    (r"\.attn\.(\w_conv|proj_conv)\.norm\.", r".attn.\1.1."),
    (r"\.attn\.(\w_conv|proj_conv)\.conv\.", r".attn.\1.0."),
    (r"(_conv\.0|rep_conv)\.conv([12])\.", r"\1.conv\2.0."),
    (r"(_conv\.0|rep_conv)\.norm([12])\.", r"\1.conv\2.1."),
    (r"\.scale_(attn|mlp)\.factor$", lambda m: f".layer_scale{1 if m[1] == 'attn' else 2}"),
)


def _publish(key: str, config: ESpikeFormerConfig) -> str:
    def stage(match) -> str:
        number = int(match[1])
        first = config.depths[0]
        return f"block3.{number}." if number < first else f"block4.{number - first}."

    inner = _BASE if config.layout == "base" else _LARGE
    return rename(key, (*_STEM, (r"^blocks\.(\d+)\.", stage), *_MLP, *inner))


def _configure_mae(state: State, given: Given) -> MAEConfig:
    """The published autoencoder hides half of the patches, and predicts them normalised each by itself."""
    encoder = _configure(large=True)(state | {"head.weight": state["norm.weight"][:1]}, given)
    table = state.get("decoder_pos_embed")
    side = SIDE if table is None else isqrt(table.shape[1]) * prod(encoder.strides)
    return MAEConfig(
        replace(encoder, image_size=side if given.image_size is None else given.image_size),
        decoder_dim=state["decoder_embed.weight"].shape[0],
        decoder_depth=1 + highest(state, r"decoder_blocks\.(\d+)\."),
        decoder_heads=DECODER_HEADS,
        ratio=0.5,
        target="patches",
    )


def _unscaled(state: State) -> State:
    """The published autoencoder has no LayerScale: factors of 1."""
    ends = {".attn.proj_conv.1.weight": ".layer_scale1", ".mlp.fc2_bn.weight": ".layer_scale2"}
    ones = {
        key.removesuffix(end) + scale: torch.ones_like(value)
        for key, value in state.items()
        for end, scale in ends.items()
        if key.endswith(end)
    }
    return ones | state


_DECODER: Rules = (
    (r"^decoder\.(embed|norm)\.", r"decoder_\1."),
    (r"^decoder\.predict\.", "decoder_pred."),
    (r"^decoder\.mask_token$", "mask_token"),
    (r"^decoder\.blocks\.(\d+)\.(qkv|proj)\.", r"decoder_blocks.\1.attn.\2."),
    (r"^decoder\.blocks\.(\d+)\.(fc\d)\.", r"decoder_blocks.\1.mlp.\2."),
    (r"^decoder\.blocks\.", "decoder_blocks."),
)


def _publish_mae(key: str, config: MAEConfig) -> str:
    if key.startswith("encoder."):
        return _publish(key.removeprefix("encoder."), cast(ESpikeFormerConfig, config.encoder))
    return rename(key, _DECODER)


def _is_table(value: Tensor, _: MAEConfig) -> bool:
    """Positions, `[1, N, C]` or `[1, C, N]`, of a grid that may be another one: they are computed anew."""
    return value.ndim == 3 and value.shape[0] == 1


MISPLACED = (
    "the published decoder never puts its mask token where patches are hidden, and permutes the visible ones; here a "
    "token stands at its own place, as the paper says: what these weights reconstruct is not what they were trained to"
)
_DERIVED = {r".*\.num_batches_tracked": is_scalar}
E_SPIKEFORMER = {
    "sdt-v3-base": Format("e-spikeformer", _configure(large=False), _publish, "", _DERIVED),
    "sdt-v3-large": Format("e-spikeformer", _configure(large=True), _publish, "", _DERIVED),
    "sdt-v3-mae": Format(
        "spike-mae",
        _configure_mae,
        _publish_mae,
        "",
        _DERIVED | {r"(decoder_)?pos_embed": _is_table},
        prepare=_unscaled,
        warning=MISPLACED,
    ),
}
