"""How spikes are fired in time: patterns of a rate, T x D unrolling, execution with and without a clock."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeviz.display import plural
from spikeviz.views.address import Parameter, State
from spikeviz.views.experiment import Experiment
from spikeviz.views.integer_firing.networks import depth, vanilla
from spikeviz.views.view import Figure, Item, Option, Row

if TYPE_CHECKING:
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

NEURONS = 6  # of a diagram
PATTERN_STEPS = 10
RATE = 0.3  # of the paper's Fig. 3

Neuron = tuple[int, ...]  # channel, row, column


def rate_parameter(key: str) -> list[Parameter]:
    """`sfa_rate=0.3`: the rate whose firing patterns are shown, in tenths."""
    name = f"{key}_rate"

    def read(state: State, text: str | None) -> State:
        try:
            rate = RATE if text is None else float(text)
        except ValueError:
            raise ValueError("a rate is a number from 0 to 1.") from None
        if not 0 <= rate <= 1:
            raise ValueError("a rate is a number from 0 to 1.")
        return state.looking(name, _tenths(rate))

    def write(state: State) -> str | None:
        rate = state.look(name, RATE)
        return None if rate == RATE else f"{rate:.1f}"

    return [Parameter(name, read, write)]


def _tenths(rate: float) -> float:
    """A rate that ten steps can have."""
    return round(rate * PATTERN_STEPS) / PATTERN_STEPS


def patterns(scene: Scene) -> Iterator[Item]:
    """How a rate is fired, how a step unfolds into D, and how a chip runs it."""
    yield Row(_in_time(scene), _unrolling(scene))


def _in_time(scene: Scene) -> Iterator[Item]:
    yield from _firing_patterns(scene)
    yield from _execution(scene)


def _firing_patterns(scene: Scene) -> Generator[Item, Any, None]:
    from spikeviz.metrics.approximation import constant_train, random_train, spike_train
    from spikeviz.views.integer_firing.slots import Slots, raster_of, slots

    steps, seed = PATTERN_STEPS, scene.now.experiment.seed
    rate = yield Option(
        f"{scene.page.key}_rate",
        "Rate",
        RATE,
        low=0.0,
        high=1.0,
        step=1 / steps,
        form="slider",
        help=f"Spikes over {plural(steps, 'step')}, as in the paper's Fig. 3.",
    )
    rate = _tenths(rate)
    trains = {
        "ANN2SNN": constant_train(rate, steps),
        "direct": random_train(rate, steps, seed),
        "SFA": spike_train(rate * steps, steps),
    }
    diagram = Slots(
        f"a = {rate:.1f} over D = {steps}",
        "ANN2SNN: IF with soft reset, the rate as its input at every step. Direct training: as many spikes at steps "
        f"drawn at random (seed {seed}), as the paper draws it. SFA: IF with soft reset, {rate * steps:.0f} as its "
        "input at d = 1 alone: the spikes come first, then it rests.",
        np.stack(list(trains.values())),
        [str(d) for d in range(1, steps + 1)],
    )
    yield Figure(
        raster_of("Firing patterns", [diagram], list(trains), "step d", "way of firing"),
        "ANN2SNN and direct training have to wait for all steps to know the rate; SFA is done after its last spike.",
        "E-SpikeFormer, Fig. 3",
        f"{diagram.title}: " + ", ".join(f"{name} {plural(train.sum(), 'spike')}" for name, train in trains.items()),
        html=partial(slots, [diagram], list(trains)),
    )


def spread(scene: Scene) -> list[Neuron]:
    """Neurons of the layer, spread over what they fire: from those that fire most to a silent one."""
    track = scene.now.recording[f"{scene.layer}.spike"]
    total = track.values[:, 0].cpu().numpy().astype(np.int64).sum(0)
    order = np.argsort(-total, axis=None, kind="stable")
    active = int((total > 0).sum())
    chosen = order[np.unique(np.linspace(0, max(active, NEURONS - 1), NEURONS).astype(int).clip(max=total.size - 1))]
    return [tuple(int(i) for i in np.unravel_index(n, total.shape)) for n in chosen]


def _names(neurons: Sequence[Neuron]) -> list[str]:
    return [".".join(map(str, neuron)) for neuron in neurons]


def counts(run: Run, layer: str, neurons: Sequence[Neuron]) -> np.ndarray:
    """`[neurons, T]`: what they fire at each time step."""
    values = run.recording[f"{layer}.spike"].values[:, 0].cpu().numpy()
    return np.array([values[:, c, r, k] for c, r, k in neurons]).astype(np.int64)


def unfold(fired: np.ndarray, levels: int) -> np.ndarray:
    """Integers `[neurons, T]` as binary steps `[neurons, T*D]`."""
    import torch

    from spikeviz.nn.integers import expand

    return expand(torch.from_numpy(fired.T.copy()), levels).numpy().T


def _steps(count: int, each: int = 1) -> list[str]:
    """Names of slots: `t=1`, as many times as a time step has of them."""
    return [f"t={t}" for t in range(1, count + 1) for _ in range(each)]


def _unrolling(scene: Scene) -> Iterator[Item]:
    from spikeviz.views.integer_firing.slots import Slots, raster_of, slots

    run, levels = scene.now, depth(scene.now)
    neurons = spread(scene)
    fired = counts(run, scene.layer, neurons)
    steps = fired.shape[1]
    diagrams = []
    other = vanilla(run.card)
    if other is not None:
        plain = counts(scene.run(Experiment(other.name, run.experiment.source)), scene.layer, neurons)
        diagrams.append(
            Slots(
                f"(a) Vanilla, T x D = {plain.shape[1]} x 1: training and inference",
                f"{other.name}: binary spikes; the image is given again at every step.",
                plain,
                _steps(plain.shape[1]),
                [True] * plain.shape[1],
            )
        )
    diagrams += [
        Slots(
            f"(b) SFA training, {steps} step{'s' * (steps > 1)}: integers up to {levels}",
            "One pass is all that is computed, and all that a GPU has to remember for the gradient.",
            fired,
            _steps(steps),
            [True] * steps,
        ),
        Slots(
            f"(c) SFA inference, T x D = {steps} x {levels}: spikes",
            "The same integers as spikes: C of them, the first ones. The input is given once for each t.",
            unfold(fired, levels),
            _steps(steps, levels),
            [d == 0 for _ in range(steps) for d in range(levels)],
        ),
    ]
    names = _names(neurons)
    yield Figure(
        raster_of("T x D unrolling", diagrams, names),
        f"Real spikes of {len(neurons)} neurons of {run.network.words(scene.layer)} (channel, row, column), this "
        f"input, {run.status_text}: from the one that fires most to "
        f"{'the one that fires least' if fired[-1].any() else 'a silent one'}.",
        "E-SpikeFormer, Fig. 6",
        "; ".join(f"{diagram.title}, {plural(int(diagram.values.sum()), 'spike')}" for diagram in diagrams),
        html=partial(slots, diagrams, names),
    )


def _execution(scene: Scene) -> Iterator[Item]:
    from spikeviz.views.integer_firing.slots import Slots, raster_of, slots

    run, levels = scene.now, depth(scene.now)
    neurons = spread(scene)
    fired = counts(run, scene.layer, neurons)
    steps = fired.shape[1]
    binary, columns = unfold(fired, levels), _steps(steps, levels)
    # without a clock a burst takes as long as it has spikes, and a neuron waits for nothing but its own input
    burst = np.cumsum(binary, axis=1) - 1 + np.repeat(np.arange(steps), levels)
    spikes = int(binary.sum())
    diagrams = [
        Slots(
            f"Synchronous: a clock of {steps} x {levels} slots",
            f"Every neuron is looked at in every slot: {plural(binary.size, 'slot')} for {plural(spikes, 'spike')}.",
            binary,
            columns,
        ),
        Slots(
            "Asynchronous: bursts, no clock",
            f"A neuron fires its spikes at once and rests: {plural(spikes, 'event')}, nothing else is computed "
            "(dotted).",
            binary,
            columns,
            starts=np.maximum(burst, 0),
            idle=binary == 0,
        ),
    ]
    names = _names(neurons)
    yield Figure(
        raster_of("Execution with and without a clock", diagrams, names),
        f"The same real spikes of {run.network.words(scene.layer)}, {run.status_text}. A diagram of what a chip would "
        "do; no chip was measured. The paper draws it for T = D = 3: there is a preset.",
        "E-SpikeFormer, sec. 6.1 and Fig. 11",
        f"{plural(binary.size, 'slot')} with a clock, {plural(spikes, 'event')} without one",
        html=partial(slots, diagrams, names),
    )
