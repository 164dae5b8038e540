"""Published checkpoint formats: their keys and shapes, read from the papers' released files.

Sizes are read from the tensors. What a state dict cannot tell (heads) has the published default or must be given.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spikeviz.checkpoints import fill
from spikeviz.models.registry import assemble
from spikeviz.models.spikformer import SpikformerConfig

log = logging.getLogger(__name__)
State = dict[str, Tensor]


@dataclass(frozen=True)
class Format:
    """One published format.

    Attributes:
        family: of the registry.
        configure: (tensors, heads, image_size, time_steps) -> the family's config.
        rename: published key -> ours, patterns applied in order.
        unused: tensors that the published files hold and never use; dropped with a note.
        derived: buffers that are recomputed: pattern -> (tensor, config) -> whether its shape is right.
    """

    family: str
    configure: Callable[[State, int | None, int | None, int | None], Any]
    rename: tuple[tuple[str, Any], ...]
    unused: str
    derived: Mapping[str, Callable[[Tensor, Any], bool]]


def from_official(
    state_dict: Mapping[str, Any],
    variant: str,
    *,
    heads: int | None = None,
    image_size: int | None = None,
    time_steps: int | None = None,
) -> nn.Module:
    """A published checkpoint as a model of ours, in eval mode.

    The model takes the values it is given (no normalisation, no range) in any size that its strides divide, and has the
    floating dtype of the tensors.

    Args:
        state_dict: the published keys, bare or in their wrapper (`{"state_dict": ...}`, `{"model": ...}`).
        variant: a key of `FORMATS`.
        heads: of the attention, where they are not the published default.
        image_size: needed only where a grid is fixed.
        time_steps: T, else the published one.

    Raises:
        ValueError: for an unknown variant, and for missing, unexpected or misshapen tensors, which it lists.
    """
    if variant not in FORMATS:
        raise ValueError(f"no variant {variant!r}; there are {', '.join(FORMATS)}.")
    form = FORMATS[variant]
    state = _unwrap(state_dict, variant)
    try:
        config = form.configure(state, heads, image_size, time_steps)
    except KeyError as missing:
        raise ValueError(f"this is no {variant} checkpoint: it has no tensor {missing.args[0]!r}.") from None
    dtypes = {v.dtype for v in state.values() if v.is_floating_point()}
    dtype = max(dtypes, key=lambda d: torch.finfo(d).bits)
    kept: State = {}
    notes: list[str] = []
    wrong: list[str] = []
    for key, value in state.items():
        check = next((c for pattern, c in form.derived.items() if re.fullmatch(pattern, key)), None)
        if check is not None:
            if not check(value, config):
                wrong.append(f"{key} is {list(value.shape)}")
        elif re.fullmatch(form.unused, key):
            notes.append(key)
        else:
            kept[_renamed(key, form.rename)] = value
    if wrong:
        raise ValueError(f"this {variant} checkpoint has buffers of another shape: {'; '.join(wrong)}.")
    model = assemble(form.family, config, variant).to(dtype)
    shapes = {k: v.shape for k, v in model.state_dict().items()}
    fill(model, {k: _as_shape(v, shapes.get(k)) for k, v in kept.items()}, f"this {variant} checkpoint")
    model.import_notes = tuple(f"{key} is never used and was left out" for key in notes)
    if notes:
        log.info("left out %d tensors that %s never uses: %s", len(notes), variant, ", ".join(notes))
    return model.eval()


def _unwrap(state_dict: Mapping[str, Any], variant: str) -> State:
    """The bare tensors, without a wrapper and without the `module.` of a parallel run."""
    for wrapper in ("state_dict", "model"):
        if isinstance(state_dict, Mapping) and isinstance(state_dict.get(wrapper), Mapping):
            state_dict = state_dict[wrapper]
    if not isinstance(state_dict, Mapping) or not state_dict:
        raise ValueError(f"from_official takes a state dict, not {type(state_dict).__name__}; read the file first.")
    strangers = [str(k) for k, v in state_dict.items() if not (isinstance(k, str) and isinstance(v, Tensor))]
    if strangers:
        raise ValueError(f"this is no {variant} checkpoint: no tensors stand under {', '.join(strangers[:6])}.")
    if all(k.startswith("module.") for k in state_dict):
        state_dict = {k.removeprefix("module."): v for k, v in state_dict.items()}
    if not any(v.is_floating_point() for v in state_dict.values()):
        raise ValueError(f"this is no {variant} checkpoint: it holds no weights.")
    return dict(state_dict)


def _renamed(key: str, rules: tuple[tuple[str, Any], ...]) -> str:
    for pattern, ours in rules:
        key = re.sub(pattern, ours, key)
    return key


def _as_shape(value: Tensor, shape: torch.Size | None) -> Tensor:
    """A linear layer or a 1-D convolution of width 1 is a 1x1 convolution: `[O, I]`, `[O, I, 1]` -> `[O, I, 1, 1]`."""
    if shape is None or len(shape) != 4 or value.ndim not in (2, 3) or tuple(value.shape[2:]) not in ((), (1,)):
        return value
    return value.reshape(*value.shape[:2], 1, 1)


# Spikformer V1 --------------------------------------------------------------------------------------------------------

_STAGE = re.compile(r"block\.(\d+)\.")


def _spikformer_config(layout: str, default_heads: Callable[[int], int | None], steps: int):
    def configure(state: State, heads: int | None, image_size: int | None, time_steps: int | None) -> SpikformerConfig:
        first, head = state["patch_embed.proj_conv.weight"], state["head.weight"]
        dim = head.shape[-1]
        hidden = next(v for k, v in state.items() if re.fullmatch(r"block\.0\.mlp\.fc1_(linear|conv)\.weight", k))
        depth = 1 + max(int(m[1]) for m in map(_STAGE.match, state) if m)
        heads = default_heads(dim) if heads is None else heads
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
            time_steps=steps if time_steps is None else time_steps,
            mlp_ratio=hidden.shape[0] // dim,
        )

    def checked(state: State, heads: int | None, image_size: int | None, time_steps: int | None) -> SpikformerConfig:
        try:
            return configure(state, heads, image_size, time_steps)
        except (StopIteration, IndexError):
            raise KeyError("block.0.mlp.fc1_linear.weight / fc1_conv.weight") from None

    return checked


def _scalar(value: Tensor, _: Any) -> bool:
    return value.ndim == 0


def _grid_embedding(value: Tensor, config: SpikformerConfig) -> bool:
    """`[1, N, D]` with a square grid of N tokens."""
    if value.ndim != 3 or value.shape[0] != 1 or value.shape[2] != config.dim:
        return False
    tokens = value.shape[1]
    return round(tokens**0.5) ** 2 == tokens > 0


_SPIKFORMER_KEYS = (
    (r"^patch_embed\.proj_(conv|bn)(\d?)\.", lambda m: f"stem.stages.{m[2] or 0}.{_part(m[1])}."),
    (r"^patch_embed\.rpe_(conv|bn)\.", lambda m: f"stem.rpe.{_part(m[1])}."),
    (r"^block\.(\d+)\.attn\.(q|k|v|proj)_(linear|conv|bn)\.", lambda m: f"blocks.{m[1]}.attn.{m[2]}.{_part(m[3])}."),
    (r"^block\.(\d+)\.mlp\.fc1_(linear|conv|bn)\.", lambda m: f"blocks.{m[1]}.mlp.hidden.{_part(m[2])}."),
    (r"^block\.(\d+)\.mlp\.fc2_(linear|conv|bn)\.", lambda m: f"blocks.{m[1]}.mlp.out.{_part(m[2])}."),
)


def _part(published: str) -> str:
    return "norm" if published == "bn" else "conv"


def _spikformer(layout: str, steps: int, default_heads: Callable[[int], int | None], unused: str = "") -> Format:
    norms = r"block\.\d+\.norm[12]\.(weight|bias)"
    return Format(
        "spikformer",
        _spikformer_config(layout, default_heads, steps),
        _SPIKFORMER_KEYS,
        f"{norms}|{unused}" if unused else norms,
        {r".*\.num_batches_tracked": _scalar, "pos_embed": _grid_embedding},
    )


FORMATS: dict[str, Format] = {
    "spikformer-cifar10": _spikformer("cifar", 4, {384: 12}.get),
    "spikformer-cifar10dvs": _spikformer("dvs", 16, lambda _: 16, r"norm\.(weight|bias)"),
    "spikformer-imagenet": _spikformer("imagenet", 4, {384: 12, 512: 8, 768: 12}.get),
}
