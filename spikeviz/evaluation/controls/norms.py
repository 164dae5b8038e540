"""Batch normalisation with the statistics of other data, or of the same data under interventions."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from math import ceil

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from spikeviz.data.catalog import as_batch, open_data
from spikeviz.evaluation.survey import batch_seed
from spikeviz.interventions import Intervention
from spikeviz.probe import Tape
from spikeviz.runtime import sent, threads_for
from spikeviz.simulation import model_name, weights_of

SAMPLES = 256  # training samples whose statistics are taken
BATCH = 64


def reestimate_norm(
    model: nn.Module,
    x: Tensor,
    interventions: Sequence[Intervention] | Intervention = (),
    seed: int = 0,
    batch: int = BATCH,
) -> nn.Module:
    """A new model whose BatchNorm statistics are those of `x` under the interventions; nothing else is changed.

    One pass, in which every normalisation is by the mean and variance of its batch, as in training; what is kept is
    the plain mean of these over the batches (torch's `momentum=None`). A layer so sees what the layers before it give
    with the statistics of `x`, and not with the old ones, as it will afterwards; with a single batch this is exact,
    with several up to how batches differ. Affine parameters stay. Neurons and masks run as in eval mode.

    Args:
        model: with BatchNorm; not written to.
        x: images `[N, C, H, W]` or event frames `[T, N, 2, H, W]`, as `simulate` takes them. 256 training samples do.
        interventions: applied left to right.
        seed: of random edits; batch i draws by `batch_seed(seed, i)`.
        batch: how many samples run at a time; they are split into equal batches of up to so many.

    Returns:
        In eval mode.

    Raises:
        ValueError: with a sentence, for a network without BatchNorm, no samples, or an intervention it cannot have.
    """
    interventions = (interventions,) if isinstance(interventions, Intervention) else tuple(interventions)
    if not has_norm(model):
        raise ValueError(f"{model_name(model)} has no BatchNorm: there are no statistics to estimate again.")
    if not isinstance(x, Tensor) or x.ndim not in (4, 5) or not x.shape[x.ndim - 4]:
        raise ValueError("statistics are of images [N, C, H, W] or event frames [T, N, 2, H, W], at least one.")
    if idle := [each for each in interventions if not each.acts_on(model)]:
        raise ValueError(f"{idle[0]} has nothing to act on in {model_name(model)}.")
    new = copy.deepcopy(model).eval()
    norms = [layer for layer in new.modules() if isinstance(layer, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.train().momentum = None
    weight, axis = next(new.parameters()), x.ndim - 4
    parts = x.tensor_split(ceil(x.shape[axis] / batch), axis)
    with torch.no_grad(), threads_for(float(parts[0].numel()) * weights_of(model)):
        for number, some in enumerate(parts):
            some = sent(some, weight.device, weight.dtype)
            for each in interventions:
                some = each.prepare(some, new)
            with Tape(interventions, "", batch_seed(seed, number)).rolling():
                new(some)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.eval().momentum = momentum
    return new


def has_norm(model: nn.Module) -> bool:
    """Whether a model has BatchNorm."""
    return any(isinstance(layer, _BatchNorm) for layer in model.modules())


def training_samples(data: str, count: int = SAMPLES) -> Tensor:
    """Samples of the training split, evenly spaced over it, as `simulate` takes them: at most `count`.

    Raises:
        FileNotFoundError: where there are none on this machine.
    """
    samples, _ = open_data(data, "train")
    step = max(1, len(samples) // count)
    return as_batch(torch.stack([samples[i] for i in range(0, len(samples), step)][:count]))
