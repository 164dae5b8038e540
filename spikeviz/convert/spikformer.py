"""The published checkpoints of Spikformer V1, in its three layouts."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from spikeviz.convert.formats import Format, Given, Rules, State, highest, is_scalar, rename
from spikeviz.models.spikformer import SpikformerConfig

_LINEAR = {"cifar": "linear", "dvs": "conv", "imagenet": "conv"}  # what a layout calls the weights of a token


def _configure(layout: str, default_heads: Callable[[int], int | None], steps: int):
    def configure(state: State, given: Given) -> SpikformerConfig:
        first, head = state["patch_embed.proj_conv.weight"], state["head.weight"]
        dim = head.shape[-1]
        depth = 1 + highest(state, r"block\.(\d+)\.")
        hidden = state[f"block.0.mlp.fc1_{_LINEAR[layout]}.weight"]
        heads = default_heads(dim) if given.heads is None else given.heads
        if heads is None:
            raise ValueError(f"heads cannot be read from the tensors, and none are published for D {dim}: give heads=.")
        return SpikformerConfig(
            layout,
            depth,
            dim,
            heads,
            num_classes=head.shape[0],
            in_channels=first.shape[1],
            image_size=None,
            time_steps=steps if given.time_steps is None else given.time_steps,
            mlp_ratio=hidden.shape[0] // dim,
        )

    return configure


def _grid_embedding(value: Tensor, config: SpikformerConfig) -> bool:
    """`[1, N, D]` with a square grid of N tokens."""
    if value.ndim != 3 or value.shape[0] != 1 or value.shape[2] != config.dim:
        return False
    tokens = value.shape[1]
    return round(tokens**0.5) ** 2 == tokens > 0


def _rules(linear: str) -> Rules:
    """Ours -> theirs; `linear` is what the layout calls the weights of a token."""

    def part(ours: str, weights: str) -> str:
        return weights if ours == "conv" else "bn"

    return (
        (
            r"^stem\.stages\.(\d)\.(conv|norm)\.",
            lambda m: f"patch_embed.proj_{part(m[2], 'conv')}{m[1] if m[1] != '0' else ''}.",
        ),
        (r"^stem\.rpe\.(conv|norm)\.", lambda m: f"patch_embed.rpe_{part(m[1], 'conv')}."),
        (
            r"^blocks\.(\d+)\.attn\.(\w+)\.(conv|norm)\.",
            lambda m: f"block.{m[1]}.attn.{m[2]}_{part(m[3], linear)}.",
        ),
        (
            r"^blocks\.(\d+)\.mlp\.(hidden|out)\.(conv|norm)\.",
            lambda m: f"block.{m[1]}.mlp.{'fc1' if m[2] == 'hidden' else 'fc2'}_{part(m[3], linear)}.",
        ),
    )


def _format(layout: str, steps: int, default_heads: Callable[[int], int | None], unused: str = "") -> Format:
    norms = r"block\.\d+\.norm[12]\.(weight|bias)"
    rules = _rules(_LINEAR[layout])
    return Format(
        "spikformer",
        _configure(layout, default_heads, steps),
        lambda key, _: rename(key, rules),
        f"{norms}|{unused}" if unused else norms,
        {r".*\.num_batches_tracked": is_scalar, "pos_embed": _grid_embedding},
    )


SPIKFORMER = {
    "spikformer-cifar10": _format("cifar", 4, {384: 12}.get),
    "spikformer-cifar10dvs": _format("dvs", 16, lambda _: 16, r"norm\.(weight|bias)"),
    "spikformer-imagenet": _format("imagenet", 4, {384: 12, 512: 8, 768: 12}.get),
}
