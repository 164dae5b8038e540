"""The one door: run a model on an input under interventions, and get a recording."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from spikeviz.interventions import Intervention
from spikeviz.memory import Memory
from spikeviz.probe import Tape, is_looked_into
from spikeviz.recording import Recording
from spikeviz.runtime import coming, sent, threads_for
from spikeviz.turns import turn
from spikeviz.unread import Reads


def simulate(
    model: nn.Module,
    x: Tensor,
    interventions: Sequence[Intervention] | Intervention = (),
    keep: str | Sequence[str] = "*",
    seed: int | Sequence[int] = 0,
    memory: Memory | None = None,
    *,
    precision: torch.dtype | None = None,
    to_cpu: bool = False,
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
            is taken from there (`spikeviz.memory.Memory`). It may be used by one thread at a time.
        precision: `torch.bfloat16` or `torch.float16` for what torch runs in it under autocast; by default that of the
            weights. Membranes stay float32.
        to_cpu: whether the recording is taken to the CPU, in the wait that a GPU's run ends with; without a memory.

    Raises:
        ValueError: with a sentence, for an input the model does not take or an intervention it cannot have.
    """
    interventions = (interventions,) if isinstance(interventions, Intervention) else tuple(interventions)
    for i in interventions:
        if not isinstance(i, Intervention):
            raise ValueError(f"{i!r} is no intervention; spikeviz.interventions has them.")
        if not i.acts_on(model):
            raise ValueError(f"{i} has nothing to act on in {model_name(model)}.")
    if to_cpu and memory is not None:
        raise ValueError("a memory keeps tracks where they were made: to_cpu is for runs without one.")
    if precision not in (None, torch.bfloat16, torch.float16):
        raise ValueError(f"precision is torch.bfloat16, torch.float16 or None, not {precision}.")
    if not isinstance(x, Tensor):
        raise ValueError(f"the input must be a torch.Tensor, not {type(x).__name__}.")
    if _in_training(model):
        model = copy.deepcopy(model).eval()
    weight = next(model.parameters())
    x = sent(x, weight.device, weight.dtype)
    for i in interventions:
        x = i.prepare(x, model)
    seeds: tuple[int, ...] = () if isinstance(seed, int) else tuple(seed)
    if not isinstance(seed, int) and (not seeds or x.ndim < 4 or x.shape[x.ndim - 4] != 1):
        raise ValueError(f"{len(seeds)} seeds run one sample, each at least one; the input is {list(x.shape)}.")
    drawn_by = seed if isinstance(seed, int) else seeds
    reads = Reads(True, to_cpu) if memory is None else memory.reads
    start = time.perf_counter()
    with turn(str(x.device)):
        tape, logits, output = _run(
            model, x, lambda: Tape(interventions, keep, drawn_by, memory, reads), len(seeds), precision
        )
    elapsed = (time.perf_counter() - start) * 1e3
    tracks = tape.tracks
    if seeds:
        tracks = {name: track.of_batch(len(seeds)) for name, track in tracks.items()}
    return Recording(
        tracks,
        output,
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


def _run(
    model: nn.Module, x: Tensor, make: Callable[[], Tape], rows: int, precision: torch.dtype | None
) -> tuple[Tape, Tensor, Tensor]:
    """A pass, again where it has to be: its tape, the logits of every step, and their mean."""
    small = threads_for(float(x.numel()) * weights_of(model)) if x.device.type == "cpu" else nullcontext()
    mixed = nullcontext() if precision is None else torch.autocast(x.device.type, precision)
    again = True
    with torch.no_grad(), small, mixed:
        while again:
            tape = make()
            with tape.rolling():
                logits = model(x)
                logits = logits.expand(-1, rows, *logits.shape[2:]) if rows else logits
                output = logits.mean(0)
                if tape.reads.to_cpu:
                    logits, output = coming(logits), coming(output)
            again = tape.reads.again
    if x.is_cuda and not tape.reads.waited:
        torch.cuda.synchronize(x.device)
    return tape, logits, output


def compiled(model: nn.Module, backend: str | Callable = "inductor") -> Callable[[Tensor], Tensor]:
    """`model` by `torch.compile`, for passes that nobody looks into: the logits of every step, without a gradient.

    Each shape of input is compiled when it first comes, which takes from seconds to minutes; on a CPU a C++ compiler
    does it. Spikes are those of `model`, whatever the order of additions leaves of their currents; probes cost nothing.

    Args:
        model: from `build`, `load` or `from_official`.
        backend: of `torch.compile`.

    Returns:
        Takes what `simulate` takes, to where and as what the weights are.

    Raises:
        RuntimeError: if it is called where a tape is active: to record or to edit is what `simulate` is for.
    """
    run, weight = torch.compile(model, backend=backend, dynamic=False), next(model.parameters())

    @torch.no_grad()
    def forward(x: Tensor) -> Tensor:
        if is_looked_into():
            raise RuntimeError("a compiled network cannot be looked into: simulate(model, x) can.")
        return run(sent(x, weight.device, weight.dtype))

    return forward


_WEIGHTS: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()


def weights_of(model: nn.Module) -> int:
    """How many parameters a model has; counted once."""
    if model not in _WEIGHTS:
        _WEIGHTS[model] = sum(p.numel() for p in model.parameters())
    return _WEIGHTS[model]


def model_name(model: nn.Module) -> str:
    """What a recording calls a model."""
    return getattr(model, "name", type(model).__name__)
