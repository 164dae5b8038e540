"""Weights as safetensors beside their card. A file that does not fit its model is refused with a sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from spikeviz.cards import find_card
from spikeviz.convert.prune import kept_of, pruned
from spikeviz.models.registry import build


def auto_device(device: str | torch.device = "auto") -> torch.device:
    """ "auto" is CUDA where there is one, else Apple's MPS, else the CPU.

    Raises:
        ValueError: for a device this machine does not have.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        raise ValueError(f"this machine has no device {str(device)!r}; 'auto' takes the best it has.") from None
    return torch.device(device)


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
