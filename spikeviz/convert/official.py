"""Published checkpoint formats: their keys and shapes, read from the papers' released files.

Sizes are read from the tensors. What a state dict cannot tell (heads) has the published default or must be given.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from spikeviz.convert.espikeformer import E_SPIKEFORMER
from spikeviz.convert.fill import fill
from spikeviz.convert.formats import Format, Given, State
from spikeviz.convert.mst import MST
from spikeviz.convert.spikformer import SPIKFORMER
from spikeviz.models.registry import assemble

log = logging.getLogger(__name__)

FORMATS: dict[str, Format] = {**SPIKFORMER, **E_SPIKEFORMER, **MST}


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
        config = form.configure(state, Given(heads, image_size, time_steps))
    except KeyError as missing:
        raise ValueError(f"this is no {variant} checkpoint: it has no tensor {missing.args[0]!r}.") from None
    except IndexError:
        raise ValueError(f"this is no {variant} checkpoint: a weight has too few axes.") from None
    dtypes = {v.dtype for v in state.values() if v.is_floating_point()}
    dtype = max(dtypes, key=lambda d: torch.finfo(d).bits)
    kept: State = {}
    notes: list[str] = []
    wrong: list[str] = []
    for key, value in form.prepare(state).items():
        check = next((c for pattern, c in form.derived.items() if re.fullmatch(pattern, key)), None)
        if check is not None:
            if not check(value, config):
                wrong.append(f"{key} is {list(value.shape)}")
        elif re.fullmatch(form.unused, key):
            notes.append(key)
        else:
            kept[key] = value
    if wrong:
        raise ValueError(f"this {variant} checkpoint has buffers of another shape: {'; '.join(wrong)}.")
    model: Any = assemble(form.family, config, variant).to(dtype)
    own = {form.publish(key, config): (key, value.shape) for key, value in model.state_dict().items()}
    kept = {key: _as_shape(value, own[key][1]) if key in own else value for key, value in kept.items()}
    names = {ours: published for published, (ours, _) in own.items()}
    fill(model, kept, f"this {variant} checkpoint", names)
    if form.warning:
        warnings.warn(f"{variant}: {form.warning}.", stacklevel=2)
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


def _as_shape(value: Tensor, shape: torch.Size) -> Tensor:
    """A linear layer or a 1-D convolution of width 1 is a 1x1 convolution: `[O, I]`, `[O, I, 1]` -> `[O, I, 1, 1]`."""
    if len(shape) != 4 or value.ndim not in (2, 3) or tuple(value.shape[2:]) not in ((), (1,)):
        return value
    return value.reshape(*value.shape[:2], 1, 1)
