"""Networks that are timed: their layers awake, their arithmetic alone, their neurons by separate operations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from spikeviz.convert.to_spiking import to_spiking
from spikeviz.evaluation.bench.ratios import Work
from spikeviz.models.registry import build, find_spec
from spikeviz.nn.integers import IntegerIF
from spikeviz.nn.layers import Conv, FiringConv, Head, Product
from spikeviz.nn.neurons import BinaryNeuron
from spikeviz.nn.qcfs import QCFS
from spikeviz.simulation import simulate

SEED = 0


@dataclass(frozen=True)
class Network:
    """One that is timed: name of its spec, side of its input, T, and whether that input is events."""

    name: str
    side: int
    steps: int
    events: bool = False


def awake(network: Network, spiking: bool = True) -> nn.Module:
    """Fresh weights under which every layer fires, as those of a trained network do; of QCFS as it spikes."""
    torch.manual_seed(SEED)
    model = awaken(build(network.name), input_of(network, 8))
    return to_spiking(model, network.steps) if spiking and network.name.startswith("mst") else model


def input_of(network: Network, batch: int) -> Tensor:
    generator = torch.Generator().manual_seed(SEED + 1)
    if network.events:
        frames = (network.steps, batch, 2, network.side, network.side)
        return torch.rand(frames, generator=generator).lt(0.05).float()
    channels = find_spec(network.name).input[0]
    return torch.rand(batch, channels, network.side, network.side, generator=generator)


def awaken(model: nn.Module, x: Tensor) -> nn.Module:
    """Set normalisation so that every layer fires on `x`: fresh weights leave the deeper layers silent."""
    # on a real residual stream every branch would add its bias, and the last layers would fire all they can
    streaming = any(isinstance(module, FiringConv) for module in model.modules())
    for norm in model.modules():
        if isinstance(norm, _BatchNorm):
            norm.momentum = 1.0  # the statistics of the next pass are kept as they are
            nn.init.constant_(norm.weight, 1.5)
            nn.init.constant_(norm.bias, 0.0 if streaming else 1.0)
    with torch.no_grad():
        model.train()(x)
    return model.eval()


def arithmetic(model: nn.Module, x: Tensor) -> Work:
    """The convolutions, linear layers and products of activations of a pass, with torch alone, on what they read."""
    calls: list[Work] = []

    def hear(module: nn.Module, given: tuple[Any, ...]) -> None:
        if isinstance(module, Product):
            left, right = given[:2]
            calls.append(lambda: left @ right)
        elif isinstance(module, Head):
            tokens = given[0]
            calls.append(lambda: F.linear(tokens, module.weight, module.bias))
        elif isinstance(module, Conv):
            maps = given[0] if given[0].ndim == 4 else given[0].flatten(0, -4)
            options: dict[str, Any] = {name: getattr(module, name) for name in ("stride", "padding", "groups")}
            calls.append(lambda: F.conv2d(maps, module.weight, module.bias, **options))

    handles = [m.register_forward_pre_hook(hear) for m in model.modules() if isinstance(m, Conv | Head | Product)]
    try:
        simulate(model, x, keep="")
    finally:
        for handle in handles:
            handle.remove()

    def run() -> None:
        with torch.no_grad():
            for call in calls:
                call()

    return run


def separate(model: nn.Module) -> nn.Module:
    """`model`, whose neurons take their steps by operations of torch and SpikingJelly; changed in place."""
    for neuron in model.modules():
        if isinstance(neuron, BinaryNeuron | IntegerIF | QCFS):
            neuron.forward = partial(_separately, neuron)  # type: ignore[method-assign]
    return model


def _separately(neuron: BinaryNeuron | IntegerIF | QCFS, x: Tensor) -> Tensor:
    if isinstance(neuron, BinaryNeuron):
        return neuron.fire(x, neuron.settings())[0]
    return neuron.plain(x) if isinstance(neuron, QCFS) else neuron.fire(x)[0]
