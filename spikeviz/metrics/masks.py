"""What learned channel masks drop (SDMFormer, sec. 4.2)."""

from __future__ import annotations

import pandas as pd
import torch
from torch import nn

from spikeviz.nn.masks import TRAINED, find_masks


def mask_rates(model: nn.Module, threshold: float = TRAINED) -> pd.DataFrame:
    """How many channels each mask drops at `threshold`.

    Returns:
        layer (module path of the mask: `blocks.0.attn.mask_qk`, `.mask_v`, `blocks.0.mlp.mask`), channels, masked, rate
        (masked over channels), in forward order.

    Raises:
        ValueError: if the model has no masks, or the threshold is outside [0, 1].
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"a threshold is a number from 0 to 1, not {threshold}.")
    rows = []
    with torch.no_grad():
        for layer, mask in _masks(model).items():
            channels, masked = len(mask.value), int((~mask.kept(threshold)).sum())
            rows.append((layer, channels, masked, masked / channels))
    return pd.DataFrame(rows, columns=["layer", "channels", "masked", "rate"])


def mask_values(model: nn.Module) -> pd.DataFrame:
    """Every mask value: layer, channel, value (m), strength (sigmoid(5 m), what a threshold is compared with).

    Raises:
        ValueError: if the model has no masks.
    """
    rows = []
    with torch.no_grad():
        for layer, mask in _masks(model).items():
            pairs = zip(mask.value.tolist(), mask.strength().tolist(), strict=True)
            rows += [(layer, channel, value, strength) for channel, (value, strength) in enumerate(pairs)]
    return pd.DataFrame(rows, columns=["layer", "channel", "value", "strength"])


def _masks(model: nn.Module) -> dict:
    found = find_masks(model)
    if not found:
        raise ValueError(
            f"{getattr(model, 'name', 'this model')} has no channel masks; an SDMFormer that is not pruned has."
        )
    return found
