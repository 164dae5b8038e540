"""From learned channel masks to a network that is physically smaller and computes the same."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from spikeviz.models.registry import assemble
from spikeviz.nn.channel_masks import TRAINED, Kept, find_masks
from spikeviz.runtime import fetched, moved


def prune_channels(model: nn.Module, threshold: float = TRAINED) -> nn.Module:
    """A new model without the channels that `MaskChannels(threshold)` drops, with the outputs of the masked one.

    Exact: a dropped channel leaves with the weights that make it and those that read it, and nothing else reads it. The
    order of additions changes, and with it the last bits. Where a site would lose all its channels, its first one stays
    as a channel that never fires, with a warning.

    Args:
        model: with channel masks; it is not written to.
        threshold: 0 to 1, as of `MaskChannels`.

    Returns:
        In eval mode, on the model's device, of its dtype.

    Raises:
        ValueError: if the model has no masks, or the threshold is outside [0, 1].
    """
    if not find_masks(model):
        raise ValueError(f"{getattr(model, 'name', 'this model')} has no channel masks to prune by.")
    if not 0 <= threshold <= 1:
        raise ValueError(f"a threshold is a number from 0 to 1, not {threshold}.")
    weight, own = next(model.parameters()), cast(Any, model)
    blocks: list[Kept] = []
    silent: list[str] = []
    with torch.no_grad():
        passing = fetched({name: mask.kept(threshold) for name, mask in find_masks(model).items()})
        for number in range(len(own.blocks)):
            sites = ("attn.mask_qk", "attn.mask_v", "mlp.mask")
            found = {site: _channels(passing[f"blocks.{number}.{site}"]) for site in sites}
            silent += [f"blocks.{number}.{site}" for site, channels in found.items() if not channels]
            blocks.append(Kept(*(channels or (0,) for channels in found.values())))
    if silent:
        warnings.warn(f"no channel is left in {', '.join(silent)}: one stays that never fires.", stacklevel=2)
    small = pruned(model, tuple(blocks)).to(weight.dtype)
    state = fetched({name: value for name, value in model.state_dict().items() if ".mask" not in name})
    with torch.no_grad():
        for name, value in small.state_dict().items():
            if not name.endswith("kept"):
                value.copy_(_slice(name, state[name], blocks))
        for site in silent:
            _silence(small, site)
    return moved(small.eval(), weight.device)


def pruned(model: nn.Module, kept: tuple[Kept, ...]) -> nn.Module:
    """A network of the form that `kept` leaves of `model`, with fresh weights."""
    own: Any = model
    return assemble(own.family, replace(own.config, kept=kept), f"{own.name}-pruned")


def kept_of(state: Mapping[str, Tensor]) -> tuple[Kept, ...] | None:
    """Which channels a stored network kept; None if it is not a pruned one."""
    depth = sum(name.endswith("mlp.kept") for name in state)
    names = ("attn.spread_qk.kept", "attn.spread_v.kept", "mlp.kept")
    try:
        return tuple(Kept(*(tuple(state[f"blocks.{b}.{n}"].tolist()) for n in names)) for b in range(depth)) or None
    except KeyError as error:
        raise ValueError(f"the channels of a pruned network are not all there: {error.args[0]} is missing.") from None


def _channels(passing: Tensor) -> tuple[int, ...]:
    return tuple(passing.nonzero().flatten().tolist())


def _slice(name: str, whole: Tensor, blocks: list[Kept]) -> Tensor:
    """What is left of a tensor: rows of what makes kept channels, columns of what reads them."""
    parts = name.split(".")
    if parts[0] != "blocks" or not whole.ndim:
        return whole
    kept, site = blocks[int(parts[1])], parts[3]
    rows = {"q": kept.qk, "k": kept.qk, "v": kept.v, "hidden": kept.hidden}.get(site)
    if rows is not None:
        return whole[list(rows)]
    columns = {("attn", "proj"): kept.v, ("mlp", "out"): kept.hidden}.get((parts[2], site))
    return whole[:, list(columns)] if columns is not None and parts[-2:] == ["conv", "weight"] else whole


def _silence(model: nn.Module, site: str) -> None:
    """Make the one channel of a site never fire: its neurons get no current."""
    block, mask = site.rsplit(".mask", 1)
    layers = {"_qk": ("q", "k"), "_v": ("v",), "": ("hidden",)}[mask]
    for layer in layers:
        norm: Any = model.get_submodule(f"{block}.{layer}.norm")
        norm.weight.zero_()
        norm.bias.zero_()
