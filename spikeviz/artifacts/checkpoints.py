"""Weights as safetensors beside their card. A file that does not fit its model is refused with a sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from spikeviz.artifacts.cards import CheckpointCard, find_card
from spikeviz.convert.fill import fill
from spikeviz.convert.prune import kept_of, pruned
from spikeviz.models.registry import build
from spikeviz.runtime import auto_device, moved


def load(name: str, device: str | torch.device = "auto") -> nn.Module:
    """A shipped or user checkpoint as a model in eval mode, float32.

    Raises:
        ValueError: for an unknown name, a device there is none of, or a file that is not what its card says.
    """
    card, path = find_card(name)
    if sha256(path) != card.sha256:
        raise ValueError(f"{path.name} is not the file its card describes (its sha256 differs); get it again.")
    model: Any = stored(card.model, path)
    model.name = card.name
    return moved(model, auto_device(device))


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


def skeleton(card: CheckpointCard) -> nn.Module:
    """The form of a checkpoint's network, whole or pruned, without its weights: on the meta device, in eval mode.

    Whoever asks what a network can do needs no more; it takes milliseconds, and is made once for each file.

    Raises:
        ValueError: if there is no file of the checkpoint, or it is none.
    """
    return _skeleton(card.model, card.sha256, find_card(card.name)[1])


@lru_cache(maxsize=256)
def _skeleton(spec: str, _sha256: str, path: Path) -> nn.Module:
    with _opened(path) as file:
        kept = kept_of({name: file.get_tensor(name) for name in file.keys() if name.endswith(".kept")})  # noqa: SIM118
    with torch.device("meta"):
        model = build(spec)
        return (pruned(model, kept) if kept else model).eval()


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A safetensors file, of which nothing but the names is read yet.

    Raises:
        ValueError: if there is none, or it is none.
    """
    try:
        with safe_open(path, "pt") as file:
            yield file
    except FileNotFoundError:
        raise ValueError(f"there is no file {path.name}; a checkpoint is a .safetensors file and its card.") from None
    except SafetensorError as error:
        raise ValueError(f"{path.name} is not a safetensors file ({error}).") from None


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        ValueError: if there is none, or it is none.
    """
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


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
