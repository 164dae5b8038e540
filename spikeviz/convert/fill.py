"""Copying tensors into a model, with a sentence where they do not fit."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def fill(model: nn.Module, state: Mapping[str, Tensor], source: str, names: Mapping[str, str] | None = None) -> None:
    """Copy `state` into `model`, key by key, whatever floating dtype it is stored in.

    Args:
        model: written to.
        state: its tensors.
        source: what an error calls them.
        names: the model's keys -> those of `state`, where they differ.

    Raises:
        ValueError: that lists what is missing, unexpected or of another shape, by the keys of `state`.
    """
    own = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    own = {(names or {}).get(k, k): v for k, v in own.items()}
    wrong = [f"missing {k}" for k in own if k not in state]
    wrong += [f"unexpected {k}" for k in state if k not in own and not k.endswith("num_batches_tracked")]
    wrong += [
        f"{k} is {list(state[k].shape)} instead of {list(own[k].shape)}"
        for k in own
        if k in state and state[k].shape != own[k].shape
    ]
    if wrong:
        shown = "; ".join(wrong[:6]) + (f"; and {len(wrong) - 6} more" if len(wrong) > 6 else "")
        raise ValueError(f"{source} does not fit {getattr(model, 'name', 'this model')}: {shown}.")
    with torch.no_grad():
        for key, value in own.items():
            value.copy_(state[key])
