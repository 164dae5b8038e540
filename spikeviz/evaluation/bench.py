"""What recording costs, as ratios of works that take turns: other work of the machine then strikes all of them."""

from __future__ import annotations

import gc
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from statistics import median, quantiles
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from spikeviz.convert.to_spiking import to_spiking
from spikeviz.metrics import SPIKES
from spikeviz.models.registry import build
from spikeviz.nn.layers import Conv, FiringConv, Head, Product
from spikeviz.runtime import reuse_memory
from spikeviz.simulation import simulate

Work = Callable[[], object]
ROUNDS = 7
SEED = 0


@dataclass(frozen=True)
class Network:
    """One that is timed: name of its spec, side of its input, T, and whether that input is events."""

    name: str
    side: int
    steps: int
    events: bool = False


NETWORKS = (
    Network("spikformer-4-384", 32, 4),
    Network("e-spikeformer-s", 64, 1),
    Network("mst-cifar10", 32, 16),
    Network("sdmformer-2-256", 128, 8, events=True),
)
PEER = Network("spikformer-4-384", 32, 4)  # SpikingJelly's `spikformer_cifar10` is of this size


@dataclass(frozen=True)
class Ratio:
    """How many times as long one work takes as another.

    Attributes:
        what, over: the two works.
        network, batch, threads: what was run, how many samples at a time, with how many of torch's threads.
        rounds: in which both took their turn, after one that is not counted.
        milliseconds: of `what`, median.
        median, low, high: of the ratios of the rounds; low and high are their quartiles.
        most: what it should be at most; None where nothing is promised.
    """

    what: str
    over: str
    network: str
    batch: int
    threads: int
    rounds: int
    milliseconds: float
    median: float
    low: float
    high: float
    most: float | None = None

    @property
    def as_data(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        aim = "" if self.most is None else f", at most {self.most:g}{'' if self.median <= self.most else ': MISSED'}"
        return (
            f"{self.network}, batch {self.batch}, {self.threads} threads: {self.what} over {self.over} "
            f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f}{aim}), {self.milliseconds:.0f} ms"
        )


def machine() -> dict[str, Any]:
    """What was measured on: versions and processor."""
    names = ("torch", "spikingjelly", "spikeviz")
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def recording_costs(
    networks: Sequence[Network] = NETWORKS,
    batches: Sequence[int] = (32, 1),
    threads: Sequence[int] = (1, 2),
    rounds: int = ROUNDS,
) -> Iterator[Ratio]:
    """A recorded forward pass over its convolutions, linear layers and attention products alone, on the same inputs.

    Once with every spike recorded, once with every track kept.
    """
    reuse_memory()
    for network in networks:
        model = _awake(network)
        for batch in batches:
            x = _input(network, batch)
            alone = arithmetic(model, x)
            works = [lambda: simulate(model, x, keep=SPIKES), lambda: simulate(model, x, keep="*"), alone]  # noqa: B023
            for count in threads:
                with _threads(count):
                    spikes, everything, base = in_turns(works, rounds)
                own = ("convolutions and products", network.name, batch, count, rounds)
                yield _ratio("recorded", *own, spikes, base, 1.3 if batch == 1 else 1.2)
                yield _ratio("all tracks kept", *own, everything, base, 2.0)
            del alone, works
            gc.collect()


def against_peer(
    batches: Sequence[int] = (32, 1), threads: Sequence[int] = (1, 2), rounds: int = ROUNDS
) -> Iterator[Ratio]:
    """Our recorded Spikformer over SpikingJelly's own of that size, with its monitor of the same outputs."""
    from spikingjelly.activation_based import functional, monitor, neuron
    from spikingjelly.activation_based.model.spikformer import spikformer_cifar10

    torch.manual_seed(SEED)
    theirs, ours = awaken(spikformer_cifar10(), _input(PEER, 8)), _awake(PEER)
    functional.reset_net(theirs)
    kept = monitor.OutputMonitor(theirs, neuron.BaseNode)

    for batch in batches:
        x = _input(PEER, batch)

        def peer() -> None:
            kept.clear_recorded_data()
            functional.reset_net(theirs)
            with torch.no_grad():
                theirs(x)  # noqa: B023

        for count in threads:
            with _threads(count):
                own, other = in_turns([lambda: simulate(ours, x, keep=SPIKES), peer], rounds)  # noqa: B023
            what = ("recorded", "SpikingJelly's Spikformer with its monitor", PEER.name, batch, count, rounds)
            yield _ratio(*what, own, other, round(1 / 1.7, 2))


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


def in_turns(works: Sequence[Work], rounds: int) -> list[list[float]]:
    """Seconds of each work, one number a round; a first round is not counted."""
    seconds: list[list[float]] = [[] for _ in works]
    for number in range(rounds + 1):
        for own, work in zip(seconds, works, strict=True):
            start = time.perf_counter()
            work()
            if number:
                own.append(time.perf_counter() - start)
    return seconds


def _ratio(
    what: str,
    over: str,
    network: str,
    batch: int,
    threads: int,
    rounds: int,
    own: Sequence[float],
    base: Sequence[float],
    most: float | None = None,
) -> Ratio:
    ratios = [a / b for a, b in zip(own, base, strict=True)]
    low, middle, high = quantiles(ratios, n=4, method="inclusive") if rounds > 1 else ratios * 3
    times = (median(own) * 1e3, middle, low, high)
    return Ratio(what, over, network, batch, threads, rounds, *times, most)


def _awake(network: Network) -> nn.Module:
    """Fresh weights under which every layer fires, as those of a trained network do."""
    torch.manual_seed(SEED)
    model = awaken(build(network.name), _input(network, 8))
    return to_spiking(model, network.steps) if network.name.startswith("mst") else model


def _input(network: Network, batch: int) -> Tensor:
    generator = torch.Generator().manual_seed(SEED + 1)
    if network.events:
        frames = (network.steps, batch, 2, network.side, network.side)
        return torch.rand(frames, generator=generator).lt(0.05).float()
    return torch.rand(batch, 3, network.side, network.side, generator=generator)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _processor() -> str:
    """What the system calls it."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
