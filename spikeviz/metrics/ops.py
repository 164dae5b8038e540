"""Operations and energy, counted from the recorded inputs of every weighted product.

A weight times a real number is a multiply-accumulate (MAC). A spike multiplies nothing: it adds a weight to each output
that it reaches, one addition (SOP) for each, and a sum of spikes 2 costs two. SpikingJelly's `SynOpCounter` and
`MACCounter` count alike where inputs are binary or real; sums of spikes they take for real.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

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
    batch = recording.output.shape[0]
    counted = {path: [total.sum(1) for total in counts] for path, counts in count(model, recording).items()}
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


Counts = tuple[Int[Tensor, "T B"], Int[Tensor, "T B"]]  # MACs and SOPs of each image at each step


def count(model: nn.Module, recording: Recording) -> dict[str, Counts]:
    """Of every weighted product, by module path in forward order, MACs and SOPs of each image at each step.

    Raises:
        ValueError: as `operations`.
    """
    if recording.model != model_name(model):
        raise ValueError(f"this recording is of {recording.model}, not of {model_name(model)}.")
    paths = _weighted(model, recording)
    return {path: _count(model.get_submodule(path), operands(model, recording, path)) for path in paths}


@dataclass(frozen=True, eq=False)
class Operand:
    """One side of a weighted product that varies with the image.

    Attributes:
        track: what was recorded of it.
        spikes: whether it is counts of spikes, or real numbers.
    """

    track: Track
    spikes: bool

    @property
    def values(self) -> Tensor:
        """Counts of spikes, or real numbers, `[T, B, ...]`."""
        return self.track.values if "T" in self.track.axes else self.track.values[None]

    @property
    def flows(self) -> Tensor:
        """What the product reads: of spikes the counts times the value of one."""
        return self.track.flows if "T" in self.track.axes else self.track.flows[None]


def operands(model: nn.Module, recording: Recording, path: str) -> list[Operand]:
    """What the weighted product at `path` reads: one side, of a `Product` left and right."""
    module = model.get_submodule(path)
    tracks = {name: recording[f"{path}.{name}"] for name in _sides(path, module)}
    return [Operand(track, _spikes(getattr(module, name), track)) for name, track in tracks.items()]


def dense_macs(module: nn.Module, read: Sequence[Operand]) -> int:
    """MACs of the dense product of one image at one step, padding included."""
    values = read[0].values
    if isinstance(module, nn.Conv2d):
        height, width = out_size((values.shape[-2], values.shape[-1]), *_geometry(module))
        return prod(values.shape[2:-3]) * height * width * module.weight.numel()
    outputs = module.out_features if isinstance(module, nn.Linear) else read[1].values.shape[-1]
    return values[0, 0].numel() * outputs


def _weighted(model: nn.Module, recording: Recording) -> list[str]:
    """The weighted products of `model` in the order in which `recording` met them."""
    paths = {f"{path}.{operand}": path for path, module in model.named_modules() for operand in _sides(path, module)}
    if missing := [name for name in paths if name not in recording]:
        raise ValueError(
            f'operations need {missing[0]}, which was not kept; simulate with keep={OPERANDS} (or keep="*").'
        )
    return list(dict.fromkeys(paths[name] for name in recording if name in paths))


def _sides(path: str, module: nn.Module) -> tuple[str, ...]:
    if isinstance(module, Product):
        return ("left", "right")
    if not isinstance(module, (nn.Conv2d, nn.Linear)):
        return ()
    if not isinstance(getattr(module, "input", None), Probe):
        raise ValueError(f"{path} has no probe on its input, so its operations cannot be counted.")
    return ("input",)


def _count(module: nn.Module, read: Sequence[Operand]) -> Counts:
    if not any(side.spikes for side in read):
        macs = torch.full(read[0].values.shape[:2], dense_macs(module, read), dtype=torch.int64)
        return macs, torch.zeros_like(macs)
    if isinstance(module, nn.Conv2d):
        sops = _convolution(module, read[0].values)
    elif isinstance(module, nn.Linear):
        sops = _whole(read[0].values) * module.out_features
    else:
        sops = _product(*read)
    return torch.zeros_like(sops), sops


def _spikes(probe: Probe, track: Track) -> bool:
    """Whether this is spikes: whole numbers where whole numbers are meant (event frames may have been normalised)."""
    return track.values.dtype == torch.uint8 or (
        probe.counts and not bool((track.values < 0).any()) and torch.equal(track.values, track.values.round())
    )


def _convolution(layer: nn.Conv2d, values: Tensor) -> Int[Tensor, "T B"]:
    """Each spike as many as the outputs it reaches."""
    size = (values.shape[-2], values.shape[-1])
    reached = _whole(values, tuple(range(2, values.ndim - 2))) * fan_out(size, *_geometry(layer))
    return reached.flatten(2).sum(2) * (layer.out_channels // layer.groups)


def _product(left: Operand, right: Operand) -> Int[Tensor, "T B"]:
    """`[T, B, ..., rows, inner] @ [T, B, ..., inner, columns]`; both spikes: the sum of `left @ right`."""
    a, b = left.values, right.values
    if left.spikes and right.spikes:
        return (_whole(a, -2) * _whole(b, -1)).flatten(2).sum(2)
    return _whole(a) * b.shape[-1] if left.spikes else _whole(b) * a.shape[-2]


def _geometry(layer: nn.Conv2d) -> tuple[Any, ...]:
    return layer.kernel_size, layer.stride, layer.padding, layer.dilation


Pair = tuple[int, int]


@lru_cache(maxsize=256)
def fan_out(size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Int[Tensor, "H W"]:
    """How many places of the output of a convolution each place of its input reaches, for one output channel.

    A corner of a padded 3x3 convolution reaches 4 places, an edge 6, the inside 9.
    """
    out = out_size(size, kernel, stride, padding, dilation)
    spare = tuple(
        n - ((o - 1) * s - 2 * p + d * (k - 1) + 1)
        for n, o, k, s, p, d in zip(size, out, kernel, stride, padding, dilation, strict=True)
    )
    # the transposed convolution gives back to each input what every output took from it
    one_each, weights = torch.ones(1, 1, *out, device="cpu"), torch.ones(1, 1, *kernel, device="cpu")
    reached = conv_transpose2d(one_each, weights, None, stride, padding, spare, dilation=dilation)
    return reached[0, 0].round().long()


def out_size(size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    height, width = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )
    return height, width


def _whole(values: Tensor, over: int | tuple[int, ...] | None = None) -> Int[Tensor, "T B ..."]:
    """A sum of whole numbers, by default over everything but T and B, exact (`sum` of uint8 is int64), on the CPU."""
    over = tuple(range(2, values.ndim)) if over is None else over
    return (values if values.dtype == torch.uint8 else values.long()).sum(over).cpu()


def _padded(total: Int[Tensor, "T"], steps: int) -> Tensor:
    """As float64, with zeros at the steps after the last."""
    return torch.cat([total.double(), torch.zeros(steps - len(total), dtype=torch.float64)])
