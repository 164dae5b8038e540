"""How spikes are fired in time: patterns of a rate, T x D unrolling, execution with and without a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from spikeviz.ui.experiment import Experiment, Parameter, recall, remember, shown, taken
from spikeviz.ui.integers import depth, vanilla

if TYPE_CHECKING:
    from spikeviz.ui.lab import Lab, Run

NEURONS = 6  # of a diagram
PATTERN_STEPS = 10


def rate_parameter(page: str) -> Parameter:
    """`sfa_rate=0.30`: the rate whose firing patterns are shown."""
    name = f"{page}_rate"

    def read(text: str | None) -> None:
        try:
            rate = 0.3 if text is None else float(text)
        except ValueError:
            raise ValueError("a rate is a number from 0 to 1.") from None
        if not 0 <= rate <= 1:
            raise ValueError("a rate is a number from 0 to 1.")
        remember(name, round(rate * PATTERN_STEPS) / PATTERN_STEPS)

    def write() -> str | None:
        rate = recall(name, 0.3)
        return None if rate == 0.3 else f"{rate:.1f}"

    return Parameter(name, read, write)


def patterns(lab: Lab) -> None:
    """How a rate is fired, how a step unfolds into D, and how a chip runs it."""
    left, right = st.columns(2, gap="large")
    with left:
        _firing_patterns(lab)
        _execution(lab)
    with right:
        _unrolling(lab)


def _firing_patterns(lab: Lab) -> None:
    from spikeviz.figures.execution import Slots, raster_of, slots
    from spikeviz.metrics.approximation import constant_train, random_train, spike_train

    name, steps = f"{lab.page}_rate", PATTERN_STEPS
    rate, seed = recall(name, 0.3), lab.now.experiment.seed
    st.slider(
        "Rate", 0.0, 1.0, step=0.1, key=shown(f"{name} slider", rate), on_change=taken,
        args=(f"{name} slider", lambda new: remember(name, round(new, 1))),
        help=f"Spikes over {steps} steps, as in the paper's Fig. 3.",
    )  # fmt: skip
    trains = {
        "ANN2SNN": constant_train(rate, steps),
        "direct": random_train(rate, steps, seed),
        "SFA": spike_train(rate * steps, steps),
    }
    columns = [str(d) for d in range(1, steps + 1)]
    diagram = Slots(
        f"a = {rate:.1f} over D = {steps}",
        "ANN2SNN: IF with soft reset, the rate as its input at every step. Direct training: as many spikes at steps "
        f"drawn at random (seed {seed}), as the paper thinks of it. SFA: IF with soft reset, {rate * steps:.0f} "
        "as its input at d = 1 alone: the spikes come first, then it rests.",
        np.stack(list(trains.values())), columns,
    )  # fmt: skip
    lab.figure(
        raster_of("Firing patterns", [diagram], list(trains), "step d"),
        "ANN2SNN and direct training have to wait for all steps to know the rate; SFA is done after its last spike.",
        "E-SpikeFormer, Fig. 3",
        html=slots([diagram], list(trains)),
    )


def _places(lab: Lab) -> tuple[list[tuple[int, int, int]], list[str]]:
    """Neurons of the layer, spread over what they fire: from those that fire most to a silent one."""
    track = lab.now.recording[f"{lab.layer}.spike"]
    total = track.values[:, 0].cpu().numpy().astype(np.int64).sum(0)
    order = np.argsort(-total, axis=None, kind="stable")
    active = int((total > 0).sum())
    chosen = order[np.unique(np.linspace(0, max(active, NEURONS - 1), NEURONS).astype(int).clip(max=total.size - 1))]
    places = [tuple(int(i) for i in np.unravel_index(n, total.shape)) for n in chosen]
    return places, [".".join(map(str, place)) for place in places]


def _at(run: Run, layer: str, places: list[tuple[int, int, int]]) -> np.ndarray:
    """`[neurons, T]`: what they fire at each time step."""
    values = run.recording[f"{layer}.spike"].values[:, 0].cpu().numpy()
    return np.array([values[:, c, r, k] for c, r, k in places]).astype(np.int64)


def _unfold(counts: np.ndarray, levels: int) -> np.ndarray:
    """Integers `[neurons, T]` as binary steps `[neurons, T*D]`."""
    import torch

    from spikeviz.nn.integers import expand

    return expand(torch.from_numpy(counts.T.copy()), levels).numpy().T


def _unrolling(lab: Lab) -> None:
    from spikeviz.figures.execution import Slots, raster_of, slots

    run, levels = lab.now, depth(lab.now)
    places, names = _places(lab)
    counts = _at(run, lab.layer, places)
    steps = counts.shape[1]
    diagrams = []
    other = vanilla(run.card)
    if other is not None:
        from spikeviz.ui.opening import run as run_it

        plain = run_it(Experiment(other.name, run.experiment.source), run.shown, lab.layer)
        spikes = _at(plain, lab.layer, places)
        diagrams.append(Slots(
            f"(a) Vanilla, T x D = {spikes.shape[1]} x 1: training and inference",
            f"{other.name}: binary spikes; the image is given again at every step.",
            spikes, [f"t={t}" for t in range(1, spikes.shape[1] + 1)], [True] * spikes.shape[1],
        ))  # fmt: skip
    diagrams.append(Slots(
        f"(b) SFA training, {steps} step{'s' * (steps > 1)}: integers up to {levels}",
        "One pass is all that is computed, and all that a GPU has to remember for the gradient.",
        counts, [f"t={t}" for t in range(1, steps + 1)], [True] * steps,
    ))  # fmt: skip
    binary = _unfold(counts, levels)
    diagrams.append(Slots(
        f"(c) SFA inference, T x D = {steps} x {levels}: spikes",
        "The same integers as spikes: C of them, the first ones. The input is given once for each t.",
        binary, [f"t={t}" for t in range(1, steps + 1) for _ in range(levels)],
        [d == 0 for _ in range(steps) for d in range(levels)],
    ))  # fmt: skip
    lab.figure(
        raster_of("T x D unrolling", diagrams, names),
        f"Real spikes of {len(places)} neurons of {lab.layer} (channel, row, column), this image, {run.said}: from the "
        f"one that fires most to {'the one that fires least' if counts[-1].any() else 'a silent one'}.",
        "E-SpikeFormer, Fig. 6",
        html=slots(diagrams, names),
    )


def _execution(lab: Lab) -> None:
    from spikeviz.figures.execution import Slots, raster_of, slots

    run, levels = lab.now, depth(lab.now)
    places, names = _places(lab)
    counts = _at(run, lab.layer, places)
    steps = counts.shape[1]
    binary = _unfold(counts, levels)
    columns = [f"t={t}" for t in range(1, steps + 1) for _ in range(levels)]
    # without a clock a burst takes as long as it has spikes, and a neuron waits for nothing but its own input
    burst = np.cumsum(binary, axis=1) - 1 + np.repeat(np.arange(steps), levels)
    idle = binary == 0
    diagrams = [
        Slots(
            f"Synchronous: a clock of {steps} x {levels} slots",
            f"Every neuron is looked at in every slot: {binary.size} slots for {int(binary.sum())} spikes.",
            binary, columns,
        ),
        Slots(
            "Asynchronous: bursts, no clock",
            "A neuron fires its spikes at once and rests: "
            f"{int(binary.sum())} events, nothing else is computed (dotted).",
            binary, columns, starts=np.maximum(burst, 0), idle=idle,
        ),
    ]  # fmt: skip
    lab.figure(
        raster_of("Execution with and without a clock", diagrams, names),
        f"The same real spikes of {lab.layer}, {run.said}. A diagram of what a chip would do; no chip was measured. "
        "The paper draws it for T = D = 3: there is a preset.",
        "E-SpikeFormer, sec. 6.1 and Fig. 11",
        html=slots(diagrams, names),
    )
