"""The one door: run a model on an input under interventions, and get a recording."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from contextlib import nullcontext
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from spikeviz.interventions import Intervention
from spikeviz.probe import Memory, Tape
from spikeviz.recording import Recording
from spikeviz.runtime import threads_for


def simulate(
    model: nn.Module,
    x: Tensor,
    interventions: Sequence[Intervention] | Intervention = (),
    keep: str | Sequence[str] = "*",
    seed: int | Sequence[int] = 0,
    memory: Memory | None = None,
) -> Recording:
    """Run `model` once and record what `keep` names.

    Pure: the same arguments give the same bits, the model is not written to, and several threads may share it. No
    gradient is kept. A model in train mode is run as a copy in eval mode.

    Args:
        model: from `build`, `load` or `from_official`.
        x: images `[B, C, H, W]` or event frames `[T, B, 2, H, W]`; taken to the model's device and dtype.
        interventions: applied left to right.
        keep: glob or globs of track names; "*" keeps all, "" only the output.
        seed: of every random edit. Several seeds run one sample as a batch, a row for each, and what lies before the
            first edited place only once; row i is the run with seed i alone, but for rounding.
        memory: of runs of this model on this input, under other interventions: what lies before the first changed place
            is taken from there (`spikeviz.probe.Memory`). It may be used by one thread at a time.

    Raises:
        ValueError: with a sentence, for an input the model does not take or an intervention it cannot have.
    """
    interventions = (interventions,) if isinstance(interventions, Intervention) else tuple(interventions)
    for i in interventions:
        if not isinstance(i, Intervention):
            raise ValueError(f"{i!r} is no intervention; spikeviz.interventions has them.")
        if not i.acts_on(model):
            raise ValueError(f"{i} has nothing to act on in {model_name(model)}.")
    if not isinstance(x, Tensor):
        raise ValueError(f"the input must be a torch.Tensor, not {type(x).__name__}.")
    if _in_training(model):
        model = copy.deepcopy(model).eval()
    weight = next(model.parameters())
    x = x.to(weight.device, weight.dtype)
    for i in interventions:
        x = i.prepare(x, model)
    seeds: tuple[int, ...] = () if isinstance(seed, int) else tuple(seed)
    if not isinstance(seed, int) and (not seeds or x.ndim < 4 or x.shape[x.ndim - 4] != 1):
        raise ValueError(f"{len(seeds)} seeds run one sample, each at least one; the input is {list(x.shape)}.")
    drawn_by = seed if isinstance(seed, int) else seeds
    tape = Tape(interventions, keep, drawn_by, memory)
    work = float(x.numel()) * weights_of(model)
    threads = threads_for(work) if x.device.type == "cpu" else nullcontext()
    start = time.perf_counter()
    with torch.no_grad(), threads, tape.rolling():
        logits = model(x)
    if weight.is_cuda:
        torch.cuda.synchronize(weight.device)
    elapsed = (time.perf_counter() - start) * 1e3
    tracks = tape.tracks
    if seeds:
        logits = logits.expand(-1, len(seeds), *logits.shape[2:])
        tracks = {name: track.of_batch(len(seeds)) for name, track in tracks.items()}
    return Recording(
        tracks,
        logits.mean(0),
        logits,
        model_name(model),
        interventions,
        drawn_by,
        elapsed,
        str(weight.device),
    )


def _in_training(model: nn.Module) -> bool:
    """Whether any part of it is in train mode; `modules()` takes ten times as long, as long as a small convolution."""
    parts = [model]
    while parts:
        part = parts.pop()
        if part.training:
            return True
        parts.extend(filter(None, part._modules.values()))
    return False


_WEIGHTS: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()


def weights_of(model: nn.Module) -> int:
    """How many parameters a model has; counted once."""
    if model not in _WEIGHTS:
        _WEIGHTS[model] = sum(p.numel() for p in model.parameters())
    return _WEIGHTS[model]


def model_name(model: nn.Module) -> str:
    """What a recording calls a model."""
    return getattr(model, "name", type(model).__name__)
