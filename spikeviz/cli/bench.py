"""What recording a forward pass costs on this machine, as ratios of works that take turns.

A recorded pass over its convolutions, linear layers and products alone, on the same inputs; and over SpikingJelly's own
Spikformer with its monitor. Ratios of one run can be compared, milliseconds of two machines cannot. It takes minutes,
and wants a machine that does nothing else.

Examples:
  spikeviz bench
  spikeviz bench --only spikformer-4-384 --batch 1 --rounds 15 --json
"""

from __future__ import annotations

import argparse
import logging
from itertools import chain

from spikeviz.cli import Result


def arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--only", default="", help="names of networks, with commas between them; peer is SpikingJelly")
    command.add_argument("--batch", default="32,1", help="samples of a pass, with commas between them")
    command.add_argument("--threads", default="1,2", help="of torch, with commas between them")
    command.add_argument("--rounds", type=int, default=7, help="turns of each work")


def run(options: argparse.Namespace) -> Result:
    from spikeviz.evaluation.bench import NETWORKS, against_peer, machine, recording_costs
    from spikeviz.runtime import reuse_memory

    reuse_memory()
    names = [network.name for network in NETWORKS]
    only = _words(options.only) or [*names, "peer"]
    if unknown := [word for word in only if word not in (*names, "peer")]:
        raise ValueError(f"--only takes {', '.join(names)}, peer, not {', '.join(unknown)}.")
    if options.rounds < 1:
        raise ValueError(f"a bench needs a round, not {options.rounds}.")
    sizes = (_numbers("--batch", options.batch), _numbers("--threads", options.threads), options.rounds)
    costs = recording_costs([network for network in NETWORKS if network.name in only], *sizes)
    found = []
    for ratio in chain(costs, against_peer(*sizes) if "peer" in only else ()):
        found.append(ratio)
        logging.getLogger("spikeviz").info("measured: %s, batch %d", ratio.network, ratio.batch)  # it takes minutes
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
