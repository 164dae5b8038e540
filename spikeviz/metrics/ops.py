"""Operations and energy, counted from the recorded inputs of every weighted product.

A weight times a real number is a multiply-accumulate (MAC). A spike multiplies nothing: it adds a weight to each output
that it reaches, one addition (SOP) for each, and a sum of spikes 2 costs two. SpikingJelly's `SynOpCounter` and
`MACCounter` count alike where inputs are binary or real; sums of spikes they take for real.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any, cast

import pandas as pd
import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d

from spikeviz.nn.layers import Product
from spikeviz.probe import Probe
from spikeviz.recording import Recording, Track
from spikeviz.simulation import model_name

OPERANDS = ("*.input", "*.left", "*.right")  # what `operations` needs to be kept


@dataclass(frozen=True)
class EnergyModel:
    """Energy of one 32-bit operation.

    Energy is estimated from operation counts: no hardware was measured, and memory is left out.

    Attributes:
        mac_pj: picojoule of a multiply-accumulate.
        ac_pj: picojoule of an addition.
        source: where these numbers are from.
    """

    mac_pj: float = 4.6
    ac_pj: float = 0.9
    source: str = "45 nm, Horowitz 2014 (ISSCC)"

    def picojoule(self, macs: float, sops: float) -> float:
        """`macs * mac_pj + sops * ac_pj`."""
        return macs * self.mac_pj + sops * self.ac_pj


ENERGY = EnergyModel()


def operations(model: nn.Module, recording: Recording, per_step: bool = False) -> pd.DataFrame:
    """Operations of one image, a row for each weighted product (convolution, linear, q·k, attention·v), in order.

    Neurons, normalisation, pooling, biases and additions are not counted. Mean over the batch.

    - Spikes and sums of spikes in: SOPs, each spike as many as the outputs it reaches (at an edge fewer).
    - Real values in: MACs of the dense layer, padding included.
    - A product of two activations: SOPs if one side is spikes (both: their coincidences), else MACs.

    Args:
        model: that was recorded.
        recording: that kept `OPERANDS`.
        per_step: a row for each layer and step; what is computed once (a static image's first convolution) is in
            step 0.

    Returns:
        layer (module path), with `per_step` also step (from 0), MACs, SOPs, picojoule (an estimate by `ENERGY`).

    Raises:
        ValueError: if the recording is of another model, or lacks an input.
    """
    if recording.model != model_name(model):
        raise ValueError(f"this recording is of {recording.model}, not of {model_name(model)}.")
    batch = recording.output.shape[0]
    counted = {path: _count(model, path, recording) for path in _weighted(model, recording)}
    steps = max((len(macs) for macs, _ in counted.values()), default=0)
    rows = []
    for path, pair in counted.items():
        macs, sops = (_padded(total, steps) / batch for total in pair)
        if not per_step:
            macs, sops = macs.sum(0, keepdim=True), sops.sum(0, keepdim=True)
        for step, (m, s) in enumerate(zip(macs.tolist(), sops.tolist(), strict=True)):
            rows.append((path, step, m, s, ENERGY.picojoule(m, s)))
    table = pd.DataFrame(rows, columns=["layer", "step", "MACs", "SOPs", "picojoule"])
    return table if per_step else table.drop(columns="step")


Counts = tuple[Int[Tensor, "T"], Int[Tensor, "T"]]  # (MACs, SOPs) of the whole batch at each step


def _weighted(model: nn.Module, recording: Recording) -> list[str]:
    """The weighted products of `model` in the order in which `recording` met them."""
    paths = {f"{path}.{operand}": path for path, module in model.named_modules() for operand in _operands(path, module)}
    if missing := [name for name in paths if name not in recording]:
        raise ValueError(
            f'operations need {missing[0]}, which was not kept; simulate with keep={OPERANDS} (or keep="*").'
        )
    return list(dict.fromkeys(paths[name] for name in recording if name in paths))


def _operands(path: str, module: nn.Module) -> tuple[str, ...]:
    if isinstance(module, Product):
        return ("left", "right")
    if not isinstance(module, (nn.Conv2d, nn.Linear)):
        return ()
    if not isinstance(getattr(module, "input", None), Probe):
        raise ValueError(f"{path} has no probe on its input, so its operations cannot be counted.")
    return ("input",)


def _count(model: nn.Module, path: str, recording: Recording) -> Counts:
    module = model.get_submodule(path)
    if isinstance(module, Product):
        return _product(
            recording[f"{path}.left"],
            recording[f"{path}.right"],
            _spikes(module.left, recording[f"{path}.left"]),
            _spikes(module.right, recording[f"{path}.right"]),
        )
    track, layer = recording[f"{path}.input"], cast(Any, module)
    spikes = _spikes(layer.input, track)
    return (_convolution if isinstance(module, nn.Conv2d) else _linear)(layer, track, spikes)


def _spikes(probe: Probe, track: Track) -> bool:
    """Whether this is spikes: whole numbers where whole numbers are meant (event frames may have been normalised)."""
    return track.values.dtype == torch.uint8 or (
        probe.counts and not bool((track.values < 0).any()) and torch.equal(track.values, track.values.round())
    )


def _convolution(layer: nn.Conv2d, track: Track, spikes: bool) -> Counts:
    values = _with_time(track)
    size = (values.shape[-2], values.shape[-1])
    geometry: tuple[Any, ...] = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    if not spikes:
        height, width = _out_size(size, *geometry)
        return _dense(len(values), prod(values.shape[1:-3]) * height * width * layer.weight.numel())
    channels = layer.out_channels // layer.groups
    reached = _whole(values, tuple(range(1, values.ndim - 2))) * fan_out(size, *geometry)
    return _sparse(reached.flatten(1).sum(1) * channels)


def _linear(layer: nn.Linear, track: Track, spikes: bool) -> Counts:
    values = _with_time(track)
    if not spikes:
        return _dense(len(values), values[0].numel() * layer.out_features)
    return _sparse(_whole(values) * layer.out_features)


def _product(left: Track, right: Track, left_spikes: bool, right_spikes: bool) -> Counts:
    """`[T, ..., rows, inner] @ [T, ..., inner, columns]`; both spikes: the sum of `left @ right`."""
    a, b = _with_time(left), _with_time(right)
    rows, columns = a.shape[-2], b.shape[-1]
    if left_spikes and right_spikes:
        met = _whole(a, -2) * _whole(b, -1)
        return _sparse(met.flatten(1).sum(1))
    if left_spikes:
        return _sparse(_whole(a) * columns)
    if right_spikes:
        return _sparse(_whole(b) * rows)
    return _dense(len(a), a[0].numel() * columns)


Pair = tuple[int, int]


@lru_cache(maxsize=256)
def fan_out(size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Int[Tensor, "H W"]:
    """How many places of the output of a convolution each place of its input reaches, for one output channel.

    A corner of a padded 3x3 convolution reaches 4 places, an edge 6, the inside 9.
    """
    out = _out_size(size, kernel, stride, padding, dilation)
    spare = tuple(
        n - ((o - 1) * s - 2 * p + d * (k - 1) + 1)
        for n, o, k, s, p, d in zip(size, out, kernel, stride, padding, dilation, strict=True)
    )
    # the transposed convolution gives back to each input what every output took from it
    one_each, weights = torch.ones(1, 1, *out, device="cpu"), torch.ones(1, 1, *kernel, device="cpu")
    reached = conv_transpose2d(one_each, weights, None, stride, padding, spare, dilation=dilation)
    return reached[0, 0].round().long()


def _out_size(size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    height, width = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )
    return height, width


def _with_time(track: Track) -> Tensor:
    return track.values if "T" in track.axes else track.values[None]


def _whole(values: Tensor, over: int | tuple[int, ...] | None = None) -> Int[Tensor, "T ..."]:
    """A sum of whole numbers, by default over everything but T, exact (`sum` of uint8 is int64) and on the CPU."""
    over = tuple(range(1, values.ndim)) if over is None else over
    return (values if values.dtype == torch.uint8 else values.long()).sum(over).cpu()


def _dense(steps: int, macs: int) -> Counts:
    return torch.full((steps,), macs, dtype=torch.int64), torch.zeros(steps, dtype=torch.int64)


def _sparse(sops: Int[Tensor, "T"]) -> Counts:
    return torch.zeros_like(sops), sops


def _padded(total: Int[Tensor, "T"], steps: int) -> Tensor:
    """As float64, with zeros at the steps after the last."""
    return torch.cat([total.double(), torch.zeros(steps - len(total), dtype=torch.float64)])
