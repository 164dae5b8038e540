"""What learned channel masks drop (SDMFormer, sec. 4.2)."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from spikeviz.nn.channel_masks import TRAINED, ChannelMask, find_masks
from spikeviz.recording import Track
from spikeviz.runtime import fetched

SITES = {"mask_qk": "Q/K", "mask_v": "V", "mask": "MLP"}  # of the masks of our blocks, by the last part of their path
REST = "everything else"


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
        passing = fetched({layer: mask.kept(threshold) for layer, mask in _masks(model).items()})
    for layer, kept in passing.items():
        channels, masked = len(kept), int((~kept).sum())
        rows.append((layer, channels, masked, masked / channels))
    return pd.DataFrame(rows, columns=["layer", "channels", "masked", "rate"])


def mask_values(model: nn.Module) -> pd.DataFrame:
    """Every mask value: layer, channel, value (m), strength (sigmoid(5 m), what a threshold is compared with).

    Raises:
        ValueError: if the model has no masks.
    """
    rows = []
    with torch.no_grad():
        both = {layer: torch.stack([mask.value, mask.strength()], 1) for layer, mask in _masks(model).items()}
    for layer, pairs in fetched(both).items():
        rows += [(layer, channel, *pair) for channel, pair in enumerate(pairs.tolist())]
    return pd.DataFrame(rows, columns=["layer", "channel", "value", "strength"])


def site(mask: str) -> str:
    """A mask of a stored history in words, where there is no network to ask: `blocks.0.attn.mask_qk` is `block 0, Q/K`.

    `mask_sites` says the same of a network.
    """
    *_, block, _, last = mask.split(".")
    return f"block {block}, {SITES[last]}"


def mask_sites(model: nn.Module) -> dict[str, str]:
    """Every mask of a network in words, by module path in forward order: its block, and the site it masks."""
    return {name: f"block {name.split('.')[-3]}, {mask.site}" for name, mask in _masks(model).items()}


def masked_layers(model: nn.Module) -> dict[str, str]:
    """The layers whose spikes pass a mask, and that mask: `blocks.0.attn.q`: `blocks.0.attn.mask_qk`."""
    return {_beside(name, layer): name for name, mask in _masks(model).items() for layer in mask.made_by}


def parameters_left(model: nn.Module, threshold: float = TRAINED) -> pd.DataFrame:
    """How many parameters `prune_channels(model, threshold)` leaves, without making that network.

    A channel leaves with all that makes it (weights, bias, normalisation) and with the weights that read it. A site
    that would lose all of its channels keeps one, which never fires. Mask values are not counted.

    Returns:
        layer (module path of the mask; `REST` in the last row, for what no mask touches), channels, kept, parameters
        (before), left (after).

    Raises:
        ValueError: if the model has no masks, or the threshold is outside [0, 1].
    """
    rates = mask_rates(model, threshold)
    masks = _masks(model)
    whole = sum(p.numel() for p in model.parameters()) - sum(mask.value.numel() for mask in masks.values())
    rows = []
    for layer, channels, masked in rates[["layer", "channels", "masked"]].itertuples(index=False):
        each = _channel_parameters(model, layer, masks[layer])
        rows.append((layer, channels, channels - masked, each * channels, each * max(channels - masked, 1)))
    rest = whole - sum(row[3] for row in rows)
    rows.append((REST, 0, 0, rest, rest))
    return pd.DataFrame(rows, columns=["layer", "channels", "kept", "parameters", "left"])


def _channel_parameters(model: nn.Module, name: str, mask: ChannelMask) -> int:
    """Parameters of one channel of a mask: its share of the layers that make it, and a column of the one that reads."""
    made: list[Any] = [model.get_submodule(_beside(name, layer)) for layer in mask.made_by]
    each = sum(sum(p.numel() for p in layer.parameters()) // layer.conv.out_channels for layer in made)
    if not mask.read_by:
        return each
    reader: Any = model.get_submodule(_beside(name, mask.read_by))
    return each + reader.conv.out_channels


def _beside(name: str, layer: str) -> str:
    """The module path of a layer in the module that holds the mask `name`."""
    return f"{name.rpartition('.')[0]}.{layer}"


def channel_rates(track: Track) -> Float[Tensor, "B C"]:
    """Spikes per neuron and step of every channel, for each sample: mean over time and places, float64, on the CPU."""
    return track.values.double().mean((0, 3, 4)).cpu()


def explained(rates: Float[Tensor, "N C"], classes: Int[Tensor, "N"]) -> Float[Tensor, "C"]:
    """How much of the variance of a channel's rate between samples lies between classes, 0 to 1 (eta squared).

    1: the class alone says how much a channel fires; near (classes - 1) / (N - 1) it says nothing. 0 where a channel
    fires alike on every sample.
    """
    mean = rates.mean(0)
    between = torch.zeros_like(mean)
    for number in classes.unique():
        own = rates[classes == number]
        between += len(own) * (own.mean(0) - mean) ** 2
    total = ((rates - mean) ** 2).sum(0)
    return torch.where(total > 0, between / total.clamp_min(1e-12), torch.zeros_like(mean)).clamp(0, 1)


def _masks(model: nn.Module) -> dict[str, ChannelMask]:
    found = find_masks(model)
    if not found:
        raise ValueError(
            f"{getattr(model, 'name', 'this model')} has no channel masks; an SDMFormer that is not pruned has."
        )
    return found
