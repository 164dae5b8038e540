"""The published checkpoints of the Masked Spiking Transformer: CIFAR form, and ImageNet form with BN in the MLP."""

from __future__ import annotations

from math import isqrt

from torch import Tensor

from spikeviz.convert.formats import Format, Given, Rules, State, highest, is_scalar, rename
from spikeviz.models.mst import MSTConfig

LEVELS = 16  # L is no tensor; the published code trains with 16
SIDE = 224  # of the published networks


def _configure(mlp_norm: bool):
    def configure(state: State, given: Given) -> MSTConfig:
        patch = state["patch_embed.proj.weight"]
        stages = range(1 + highest(state, r"layers\.(\d+)\."))
        tables = [state[f"layers.{s}.blocks.0.attn.relative_position_bias_table"] for s in stages]
        hidden = state["layers.0.blocks.0.mlp.fc1.weight"]
        if given.heads not in (None, tables[0].shape[1]):
            raise ValueError(f"this checkpoint has {tables[0].shape[1]} heads in its first stage, not {given.heads}.")
        return MSTConfig(
            dim=patch.shape[0],
            depths=tuple(1 + highest(state, rf"layers\.{s}\.blocks\.(\d+)\.") for s in stages),
            heads=tuple(table.shape[1] for table in tables),
            num_classes=state["head.weight"].shape[0],
            in_channels=patch.shape[1],
            image_size=SIDE if given.image_size is None else given.image_size,
            time_steps=1 if given.time_steps is None else given.time_steps,
            spiking=given.time_steps is not None,
            patch=patch.shape[-1],
            window=(isqrt(tables[0].shape[0]) + 1) // 2,
            mlp_ratio=hidden.shape[0] // hidden.shape[1],
            levels=LEVELS,
            mlp_norm=mlp_norm,
            fits=False,
        )

    return configure


def _split(state: State) -> State:
    """q, k and v, which the published files keep in one matrix, as three tensors `...attn.qkv.weight[q]`."""
    found: State = {}
    for key, value in state.items():
        if ".attn.qkv." in key and value.ndim and value.shape[0] % 3 == 0:
            found |= {f"{key}[{name}]": part for name, part in zip("qkv", value.chunk(3), strict=True)}
        else:
            found[key] = value
    return found


_RULES: Rules = (
    (r"^stem\.conv\.", "patch_embed.proj."),
    (r"^stem\.norm\.", "patch_embed.norm."),
    (r"^stem\.neuron\.threshold$", "patch_embed.proj_if.up"),
    (r"\.downsample\.before\.", ".downsample.norm."),
    (r"\.downsample\.conv\.", ".downsample.reduction."),
    (r"\.downsample\.neuron\.threshold$", ".downsample.reduction_if.up"),
    (r"\.input\.norm\.", ".norm1."),
    (r"(blocks\.\d+)\.norm\.", r"\1.norm2."),
    (r"\.input\.neuron\.threshold$", ".shortcut1_if.up"),
    (r"\.middle\.neuron\.threshold$", ".shortcut2_if.up"),
    (r"\.attn\.bias$", ".attn.relative_position_bias_table"),
    (r"\.attn\.(q|k|v)\.conv\.(weight|bias)$", r".attn.qkv.\2[\1]"),
    (r"\.attn\.proj\.conv\.", ".attn.proj."),
    (r"\.attn\.(q|k|v|proj)\.neuron\.threshold$", r".attn.\1_if.up"),
    (r"\.attn\.score\.neuron\.threshold$", ".attn.attn_if.up"),
    (r"\.attn\.out\.neuron\.threshold$", ".attn.attn_v_if.up"),
    (r"\.mlp\.(hidden|out)\.", lambda m: f".mlp.{m[1]}{1 if m[1] == 'hidden' else 2}."),
    (r"\.mlp\.\w+(\d)\.conv\.", r".mlp.fc\1."),
    (r"\.mlp\.\w+(\d)\.norm\.", r".mlp.norm\1."),
    (r"\.mlp\.\w+(\d)\.neuron\.threshold$", r".mlp.fc\1_if.up"),
)


def _publish(key: str, config: MSTConfig) -> str:
    def block(match) -> str:
        number, stage = int(match[1]), 0
        while number >= config.depths[stage]:
            number, stage = number - config.depths[stage], stage + 1
        return f"layers.{stage - 1}.downsample." if match[2] else f"layers.{stage}.blocks.{number}."

    return rename(key, ((r"^blocks\.(\d+)\.(merge\.)?", block), *_RULES))


def _is_index(value: Tensor, config: MSTConfig) -> bool:
    return value.ndim == 2 and value.shape[0] == value.shape[1] <= config.window**4


def _is_mask(value: Tensor, config: MSTConfig) -> bool:
    """Of a grid that may be another one: it is computed anew."""
    return value.ndim == 3 and tuple(value.shape[1:]) == (config.window**2,) * 2


_DERIVED = {
    r".*\.num_batches_tracked": is_scalar,
    r".*\.relative_position_index": _is_index,
    r".*\.attn_mask": _is_mask,
}
MST = {
    variant: Format("mst", _configure(mlp_norm), _publish, "", _DERIVED, _split)
    for variant, mlp_norm in (("mst-cifar", False), ("mst-imagenet", True))
}
