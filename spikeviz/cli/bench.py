"""What recording a forward pass costs on this machine, as ratios of works that take turns.

A recorded pass over its convolutions, linear layers and products alone, on the same inputs; over SpikingJelly's own
Spikformer with its monitor (peer); ten seeds and a curve over single runs (several); a training step over that of
separate operations (training). Where it is asked for, and there is a C++ compiler, over the same network by
torch.compile (compiled), which takes minutes.

Ratios of one run can be compared, milliseconds of two machines cannot. It takes minutes, and wants a machine that does
nothing else.

Examples:
  spikeviz bench
  spikeviz bench --only spikformer-4-384 --batch 1 --rounds 15 --json
"""

from __future__ import annotations

import argparse
import logging
from functools import partial
from itertools import chain
from typing import Any

from spikeviz.cli import Result

OTHERS = ("peer", "several", "training", "compiled")  # the last takes minutes to compile: where it is asked for


def arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--only", default="", help=f"names of networks, with commas between them, or {', '.join(OTHERS)}"
    )
    command.add_argument("--batch", default="32,1", help="samples of a pass, with commas between them")
    command.add_argument("--threads", default="1,2", help="of torch, with commas between them")
    command.add_argument("--rounds", type=int, default=7, help="turns of each work")


def run(options: argparse.Namespace) -> Result:
    from spikeviz.evaluation.bench import works
    from spikeviz.evaluation.bench.ratios import machine
    from spikeviz.runtime import reuse_memory

    reuse_memory()
    names = [network.name for network in works.NETWORKS]
    only = _words(options.only) or [*names, *OTHERS[:-1]]
    if unknown := [word for word in only if word not in (*names, *OTHERS)]:
        raise ValueError(f"--only takes {', '.join((*names, *OTHERS))}, not {', '.join(unknown)}.")
    if options.rounds < 1:
        raise ValueError(f"a bench needs a round, not {options.rounds}.")
    batches, rest = _numbers("--batch", options.batch), (_numbers("--threads", options.threads), options.rounds)
    networks = [network for network in works.NETWORKS if network.name in only]
    others: dict[str, Any] = {
        "peer": partial(works.against_peer, batches),
        "compiled": partial(works.against_compiled, batches),
        "several": works.several_runs,
        "training": works.training_steps,
    }
    found = []
    costs = works.recording_costs(networks, batches, *rest)
    for ratio in chain(costs, *(run(threads=rest[0], rounds=rest[1]) for name, run in others.items() if name in only)):
        found.append(ratio)
        logging.getLogger("spikeviz").info("%s", ratio)  # it takes minutes
    where = machine()
    data = {"machine": where, "ratios": [ratio.as_data for ratio in found]}
    lines = [str(ratio) for ratio in found] + [", ".join(f"{name} {value}" for name, value in where.items())]
    return Result(data, "\n".join(lines))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(name: str, text: str) -> list[int]:
    words = _words(text)
    if not words or not all(word.isdecimal() and int(word) for word in words):
        raise ValueError(f"{name} takes whole numbers from 1, with commas between them, not {text!r}.")
    return [int(word) for word in words]
