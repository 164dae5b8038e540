"""What an image costs, counted in three ways: ours, that of the network's paper, and SpikingJelly's.

All three look at the weighted products alone (convolution, linear, q·k, attention·v): neurons, normalisation, pooling
and memory are in none. An energy is an estimate by `ENERGY` from counted operations; no hardware was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from math import nan
from typing import Any, cast

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor, nn

from spikeviz.metrics.firing import SPIKES, spikes_of_images
from spikeviz.metrics.ops import ENERGY, OPERANDS, Operand, count, dense_macs, operands, out_size
from spikeviz.models.spec import PaperEnergy
from spikeviz.nn.layers import Product
from spikeviz.recording import Recording

ENERGY_TRACKS = (*OPERANDS, *SPIKES)  # what `energy` needs to be kept
OURS, PAPER, SPIKINGJELLY = "spikeviz", "paper", "SpikingJelly"
FIRST, REAL, BY_SPIKES = "first convolution", "real values", "spikes"  # what a product reads
_VERSION = version("spikingjelly")
NUMBERS = ["MACs", "additions", "exponentials", "divisions", "spikes", "picojoule"]


def energy(
    model: nn.Module,
    recording: Recording,
    *,
    paper: PaperEnergy | None = None,
    per_layer: bool = False,
    per_image: bool = False,
) -> pd.DataFrame:
    """Operations and energy of one image in each way of counting. Mean over the batch.

    - "spikeviz": as `operations`: a spike costs an addition for each output it reaches (at an edge fewer), a sum of
      spikes as many as its value, a real value a MAC. Every number that goes into a softmax costs an exponential and a
      division; they are counted without an energy, since Horowitz 2014 prints none.
    - "paper": by the formula of the network's paper (`paper_energy` of the model): additions are rate x MACs of the
      dense product, padding included, where the rate is the mean of what the product reads, in spikes (of two sides
      that are both spikes the left one's). What reads real values behind the first convolution is in no paper's
      formula; it is MACs where those of the first convolution are. The Masked Spiking Transformer counts spikes alone,
      each at an energy alpha that is not known, so that it has no picojoule. Left out for a network without a formula.
    - "SpikingJelly": by the rules of `MACCounter` and `SynOpCounter` of the installed version, on what each product
      reads: additions where all of it is 0 or 1, else MACs of the dense product. Sums of spikes, integers, and spikes
      that are worth a threshold are real values to it.

    Args:
        model: that was recorded.
        recording: that kept `ENERGY_TRACKS`.
        paper: a formula in place of the model's own, to compare networks by one.
        per_layer: a row for each weighted product, in forward order; by a paper that counts spikes for each layer of
            neurons.
        per_image: a row for each image of the batch.

    Returns:
        way, with `per_layer` also layer (module path) and reads (`FIRST`, `REAL` or `BY_SPIKES`), with `per_image`
        also image (from 0); MACs, additions, exponentials, divisions, spikes (NaN where a way does not count them),
        picojoule (NaN where a way has none).

    Raises:
        ValueError: if the recording is of another model, or lacks an input.
    """
    batch = recording.output.shape[0]
    rows = list(_ours(model, recording))
    rule = paper or getattr(model, "paper_energy", None)
    if rule is not None:
        rows += _spikes_alone(recording) if rule.spikes else _by_rates(model, recording, rule)
    rows += _as_spikingjelly(model, recording)
    found = []
    for way, layer, reads, numbers in rows:
        each = {name: _each(values, batch) for name, values in numbers.items()}
        if "spikes" not in each:
            each["picojoule"] = [ENERGY.picojoule(m, a) for m, a in zip(each["MACs"], each["additions"], strict=True)]
        for image in range(batch):
            own = [each[name][image] if name in each else nan for name in NUMBERS]
            found.append((way, layer, reads, image, *own))
    table = pd.DataFrame(found, columns=["way", "layer", "reads", "image", *NUMBERS])
    keys = ["way", *(["layer", "reads"] if per_layer else []), *(["image"] if per_image else [])]
    added = table.groupby(keys, sort=False)[NUMBERS].sum(min_count=1).reset_index()
    if not per_image:
        added[NUMBERS] = added[NUMBERS] / batch
    return added


def energy_by_step(model: nn.Module, recording: Recording) -> Float[Tensor, "T B"]:
    """Picojoule of each image at each step, counted as in `operations`; what is computed once is at the first step.

    Raises:
        ValueError: as `operations`.
    """
    batch, counts = recording.output.shape[0], count(model, recording)
    steps = max((len(macs) for macs, _ in counts.values()), default=0)
    found = torch.zeros(steps, batch, dtype=torch.float64)
    for macs, sops in counts.values():
        joules = macs.double() * ENERGY.mac_pj + sops.double() * ENERGY.ac_pj
        found[: len(joules)] += joules if joules.shape[1] == batch else joules / batch
    return found


def ways(model: nn.Module, paper: PaperEnergy | None = None) -> dict[str, str]:
    """What each way of `energy` counts, in words, and its source, by its name."""
    rule = paper or getattr(model, "paper_energy", None)
    found = {OURS: "an addition for each output that a spike reaches, a MAC for a real value"}
    if rule is not None:
        found[PAPER] = f"{rule.rule} ({rule.source})"
    return found | {SPIKINGJELLY: f"additions where all inputs are 0 or 1, else MACs (SpikingJelly {_VERSION})"}


Counted = tuple[str, str, str, dict[str, Tensor]]  # way, layer, what it reads, numbers of each image


def _products(model: nn.Module, recording: Recording) -> Iterator[tuple[str, nn.Module, list[Operand], str]]:
    """Path, module, operands and kind of every weighted product."""
    for number, path in enumerate(count(model, recording)):
        read = operands(model, recording, path)
        real = not any(side.spikes for side in read)
        yield path, model.get_submodule(path), read, REAL if real and number else BY_SPIKES if number else FIRST


def _ours(model: nn.Module, recording: Recording) -> Iterator[Counted]:
    counts = count(model, recording)
    for path, module, read, reads in _products(model, recording):
        macs, sops = (total.sum(0) for total in counts[path])
        soft = torch.zeros_like(macs)
        if isinstance(module, Product) and module.softmax:
            soft = soft + len(read[0].values) * read[0].values[0, 0].numel()
        yield OURS, path, reads, {"MACs": macs, "additions": sops, "exponentials": soft, "divisions": soft}


def _by_rates(model: nn.Module, recording: Recording, rule: PaperEnergy) -> Iterator[Counted]:
    for path, module, read, reads in _products(model, recording):
        dense = dense_macs(module, read)
        spikes = next((side.values for side in read if side.spikes), None)
        if spikes is None:
            macs = torch.full(read[0].values.shape[1:2], len(read[0].values) * dense * rule.macs, dtype=torch.float64)
            yield PAPER, path, reads, {"MACs": macs, "additions": torch.zeros_like(macs)}
        else:
            additions = dense * spikes.double().flatten(2).mean(2).sum(0)
            yield PAPER, path, reads, {"MACs": torch.zeros_like(additions), "additions": additions}


def _spikes_alone(recording: Recording) -> Iterator[Counted]:
    for name, spikes in spikes_of_images(recording).items():
        yield PAPER, name.removesuffix(".spike"), BY_SPIKES, {"spikes": spikes}


def _as_spikingjelly(model: nn.Module, recording: Recording) -> Iterator[Counted]:
    for path, module, read, reads in _products(model, recording):
        flows = [side.flows for side in read]
        weight = None if isinstance(module, Product) else cast(Tensor, module.weight).detach().to(flows[0])
        found = [_by_counters(module, [x[:, image] for x in flows], weight) for image in range(flows[0].shape[1])]
        macs, additions = (torch.tensor(numbers) for numbers in zip(*found, strict=True))
        yield SPIKINGJELLY, path, reads, {"MACs": macs, "additions": additions}


def _by_counters(module: Any, read: list[Tensor], weight: Tensor | None) -> tuple[int, int]:
    """MACs and additions of one image by SpikingJelly's rules; `weight` is none of a `Product`.

    The rules are asked one by one: its `DispatchCounterMode`, which asks them of a whole pass, hooks every module of
    the process, those that other threads run as well.
    """
    from spikingjelly.activation_based.op_counter import MACCounter, SynOpCounter

    aten = torch.ops.aten
    arguments: tuple[Any, ...]
    if weight is None:
        left, right = (x.flatten(0, -3) for x in read)
        rule, out, arguments = aten.bmm.default, left @ right, (left, right)
    elif isinstance(module, nn.Conv2d):
        x = read[0].flatten(0, -4) if read[0].ndim > 4 else read[0]
        geometry: tuple[Any, ...] = (module.stride, module.padding, module.dilation)
        kernel: Any = module.kernel_size
        size = out_size((x.shape[-2], x.shape[-1]), kernel, *geometry)
        rule, out = aten.convolution.default, torch.empty(len(x), module.out_channels, *size, device="meta")
        arguments = (x, weight, None, *geometry, False, (0, 0), module.groups)
    else:
        x = read[0].flatten(0, -2)
        rule, out = aten.mm.default, torch.empty(len(x), module.out_features, device="meta")
        arguments = (x, weight.mT)
    macs, additions = (counter().count(rule, arguments, {}, out) for counter in (MACCounter, SynOpCounter))
    return macs, additions


def _each(numbers: Tensor, batch: int) -> list[float]:
    """Of each image; what was computed once for all of them is shared."""
    values = numbers.double().cpu()
    return (values if len(values) == batch else values.expand(batch) / batch).tolist()
