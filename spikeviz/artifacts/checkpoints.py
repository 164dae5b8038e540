"""Weights as safetensors beside their card. A file that does not fit its model is refused with a sentence."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from spikeviz.artifacts.cards import find_card
from spikeviz.convert.fill import fill
from spikeviz.convert.prune import kept_of, pruned
from spikeviz.models.registry import build
from spikeviz.runtime import auto_device


def load(name: str, device: str | torch.device = "auto") -> nn.Module:
    """A shipped or user checkpoint as a model in eval mode, float32.

    Raises:
        ValueError: for an unknown name, a device there is none of, or a file that is not what its card says.
    """
    card, path = find_card(name)
    if sha256(path) != card.sha256:
        raise ValueError(f"{path.name} is not the file its card describes (its sha256 differs); get it again.")
    model = stored(card.model, path)
    model.name = card.name
    return model.to(auto_device(device))


def stored(spec: str, path: Path) -> nn.Module:
    """The network of a file, whole or pruned, in eval mode on the CPU; `spec` is the model it was trained as.

    Raises:
        ValueError: if there is no such file, or it does not fit.
    """
    model, state = build(spec), read_weights(path)
    if kept := kept_of(state):
        model = pruned(model, kept)
    fill(model, state, path.name)
    return model.eval()


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        ValueError: if there is none, or it is none.
    """
    try:
        return load_file(path)
    except FileNotFoundError:
        raise ValueError(f"there is no file {path.name}; a checkpoint is a .safetensors file and its card.") from None
    except SafetensorError as error:
        raise ValueError(f"{path.name} is not a safetensors file ({error}).") from None


def save(model: nn.Module, path: Path, dtype: torch.dtype = torch.float32) -> str:
    """Write the weights of `model`, floats as `dtype`; returns the file's sha256."""
    state = {
        k: v.detach().to("cpu", dtype if v.is_floating_point() else v.dtype).contiguous()
        for k, v in model.state_dict().items()
        if not k.endswith("num_batches_tracked")
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path, metadata={"format": "pt"})
    return sha256(path)


def sha256(path: Path) -> str:
    """Of a file.

    Raises:
        ValueError: if there is none.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        raise ValueError(f"there is no file {path.name}; a checkpoint is a .safetensors file and its card.") from None
