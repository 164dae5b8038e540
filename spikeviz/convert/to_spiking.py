"""From a network trained with QCFS to a spiking one (Masked Spiking Transformer, sec. 3.1 and 3.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from spikeviz.models.registry import assemble
from spikeviz.nn.qcfs import QCFS

MOST = 1024  # time steps
SHOWN = {"mst": 16, "mst-cnn": 32}  # T at which a family is shown and compared: its demo sizes know enough by then


def to_spiking(ann: nn.Module, time_steps: int) -> nn.Module:
    """A new spiking network with the weights of a QCFS network: every activation becomes IF neurons.

    Every neuron fires at its activation's learned threshold, resets by subtraction, and starts from half of it. With a
    constant input a layer's mean over T = L steps is its QCFS; behind the first layer inputs come and go, and the mean
    is close to it.

    Args:
        ann: from `build`, `load` or `from_official`; it is not written to.
        time_steps: T, 1 to 1024.

    Returns:
        In eval mode, on the device and of the dtype of `ann`.

    Raises:
        ValueError: if the network has no QCFS activations, or T is out of range.
    """
    name = getattr(ann, "name", type(ann).__name__)
    if not any(isinstance(module, QCFS) for module in ann.modules()):
        raise ValueError(f"{name} has no QCFS activations to become neurons; an MST that is not spiking yet has.")
    if isinstance(time_steps, bool) or time_steps != int(time_steps) or not 1 <= time_steps <= MOST:
        raise ValueError(f"time_steps is a whole number from 1 to {MOST}, not {time_steps!r}.")
    weight = next(ann.parameters())
    own: Any = ann
    config = replace(own.config, spiking=True, time_steps=int(time_steps))
    with torch.device(weight.device):
        snn = assemble(own.family, config, f"{name}-T{int(time_steps)}").to(weight.dtype)
    snn.load_state_dict(ann.state_dict())
    return snn.eval()


def unrolled(ann: nn.Module, time_steps: int) -> nn.Module:
    """The spiking twin of a QCFS network, to be trained step by step: its weights are those of `ann`, not copies.

    What it learns `ann` learns. Normalisation keeps the statistics of `ann`: those of single steps are of spikes, whose
    variance a QCFS network does not have. Raises as `to_spiking`.
    """
    twin = to_spiking(ann, time_steps).train()
    for name, value in (*ann.named_parameters(), *ann.named_buffers()):
        path, _, called = name.rpartition(".")
        setattr(twin.get_submodule(path), called, value)
    for module in twin.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
    return twin
