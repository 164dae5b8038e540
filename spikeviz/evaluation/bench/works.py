"""What is timed over what."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from spikeviz.evaluation.bench.networks import SEED, Network, arithmetic, awake, awaken, input_of, separate
from spikeviz.evaluation.bench.ratios import Ratio, in_turns, ratio_of, threads_of
from spikeviz.interventions import MaskChannels, MaskSpikes
from spikeviz.memory import Memory
from spikeviz.metrics import SPIKES
from spikeviz.nn.channel_masks import find_masks
from spikeviz.runtime import autocast
from spikeviz.simulation import compiled, simulate

ROUNDS = 7
NETWORKS = (
    Network("spikformer-4-384", 32, 4),
    Network("e-spikeformer-s", 64, 1),
    Network("mst-cifar10", 32, 16),
    Network("sdmformer-2-256", 128, 8, events=True),
)
MASKED = Network("mst-fashion", 28, 16)
CURVE = Network("sdmformer-fashion-dvs", 34, 8, events=True)
POINTS = 21  # of a curve
TRAINED = tuple(Network(name, 28, 1) for name in ("spikformer-fashion", "e-spikeformer-fashion-sfa4", "mst-fashion"))
PEER = Network("spikformer-4-384", 32, 4)  # SpikingJelly's `spikformer_cifar10` is of this size


def recording_costs(
    networks: Sequence[Network] = NETWORKS,
    batches: Sequence[int] = (32, 1),
    threads: Sequence[int] = (1, 2),
    rounds: int = ROUNDS,
) -> Iterator[Ratio]:
    """A recorded forward pass over its convolutions, linear layers and attention products alone, on the same inputs.

    Once with every spike recorded, once with every track kept.
    """
    for network in networks:
        model = awake(network)
        for batch in batches:
            x = input_of(network, batch)
            alone = arithmetic(model, x)
            works = [lambda: simulate(model, x, keep=SPIKES), lambda: simulate(model, x, keep="*"), alone]  # noqa: B023
            for count in threads:
                with threads_of(count):
                    spikes, everything, base = in_turns(works, rounds)
                own = ("convolutions and products", network.name, batch, count, rounds)
                yield ratio_of("recorded", *own, spikes, base, 1.3 if batch == 1 else 1.2)
                yield ratio_of("all tracks kept", *own, everything, base, 2.0)
            del alone, works
            gc.collect()


def against_peer(
    batches: Sequence[int] = (32, 1), threads: Sequence[int] = (1, 2), rounds: int = ROUNDS
) -> Iterator[Ratio]:
    """Our recorded Spikformer over SpikingJelly's own of that size, with its monitor of the same outputs."""
    from spikingjelly.activation_based import functional, monitor, neuron
    from spikingjelly.activation_based.model.spikformer import spikformer_cifar10

    torch.manual_seed(SEED)
    theirs, ours = awaken(spikformer_cifar10(), input_of(PEER, 8)), awake(PEER)
    functional.reset_net(theirs)
    kept = monitor.OutputMonitor(theirs, neuron.BaseNode)

    for batch in batches:
        x = input_of(PEER, batch)

        def peer() -> None:
            kept.clear_recorded_data()
            functional.reset_net(theirs)
            with torch.no_grad():
                theirs(x)  # noqa: B023

        for count in threads:
            with threads_of(count):
                own, other = in_turns([lambda: simulate(ours, x, keep=SPIKES), peer], rounds)  # noqa: B023
            what = ("recorded", "SpikingJelly's Spikformer with its monitor", PEER.name, batch, count, rounds)
            yield ratio_of(*what, own, other, round(1 / 1.7, 2))


def against_compiled(
    batches: Sequence[int] = (32, 1), threads: Sequence[int] = (1, 2), rounds: int = ROUNDS
) -> Iterator[Ratio]:
    """Our recorded Spikformer over the same network by `torch.compile`, which records nothing; nothing is yielded where
    there is no C++ compiler. Compiling takes minutes.
    """
    if shutil.which("g++") is None:
        return
    ours = awake(PEER)
    for count in threads:
        for batch in batches:
            x = input_of(PEER, batch)
            with threads_of(count):  # a compiled network has its number of threads built in
                run = compiled(ours)
                own, other = in_turns([lambda: simulate(ours, x, keep=SPIKES), lambda: run(x)], rounds)  # noqa: B023
            yield ratio_of("recorded", "the same by torch.compile", PEER.name, batch, count, rounds, own, other)


def several_runs(threads: Sequence[int] = (1, 2), rounds: int = ROUNDS) -> Iterator[Ratio]:
    """What runs that belong together take: ten seeds of a random mask over one, a curve over its points one by one."""
    spiking, x = awake(MASKED), input_of(MASKED, 1)
    one, ten = (partial(simulate, spiking, x, MaskSpikes(0.5), "", seed=seed) for seed in (SEED, tuple(range(10))))
    masked, events = awake(CURVE), input_of(CURVE, 8)
    for mask in find_masks(masked).values():
        nn.init.normal_(mask.value, std=0.3)  # fresh ones are alike: a curve would have one step

    def curve(memory: Memory | None = None) -> None:
        for point in range(POINTS):
            simulate(masked, events, MaskChannels(point / (POINTS - 1)), "", memory=memory)

    for count in threads:
        with threads_of(count):
            seeds, single = in_turns([ten, one], rounds)
            remembering, anew = in_turns([lambda: curve(Memory()), curve], rounds)
        yield ratio_of("ten seeds of a random mask", "one", MASKED.name, 1, count, rounds, seeds, single, 4.0)
        what = (f"a threshold curve of {POINTS} points", "its points one by one")
        yield ratio_of(*what, CURVE.name, 8, count, rounds, remembering, anew, 0.25)


def training_steps(batch: int = 64, threads: Sequence[int] = (1, 2), rounds: int = ROUNDS) -> Iterator[Ratio]:
    """A training step (forward, backward, AdamW) over the same one whose neurons are separate operations of torch; both
    in bfloat16 where this machine multiplies it.
    """
    for network in TRAINED:
        x = input_of(network, batch)
        y = torch.randint(0, 10, (batch,), generator=torch.Generator().manual_seed(SEED))

        def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
            with autocast(torch.device("cpu")):
                loss = F.cross_entropy(model(x).mean(0), y)  # noqa: B023
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

        models = awake(network, spiking=False).train(), separate(awake(network, spiking=False)).train()
        works = [partial(step, model, torch.optim.AdamW(model.parameters())) for model in models]
        for count in threads:
            with threads_of(count):
                ours, plain = in_turns(works, rounds)
            what = ("a training step", "that of separate operations")
            yield ratio_of(*what, network.name, batch, count, rounds, ours, plain, round(1 / 1.4, 2))
