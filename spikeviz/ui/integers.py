"""The figures of integer firing: what D does to errors, spikes, accuracy and cost, and whether integers are spikes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from spikeviz.interventions import SpikeLevels
from spikeviz.ui import cards, controls, jobs, runs
from spikeviz.ui.experiment import Experiment, Networks, Parameter, checkpoints, recall, remember, shown, taken

if TYPE_CHECKING:
    from spikeviz.cards import CheckpointCard
    from spikeviz.ui.lab import Lab, Run

PAPER = "E-SpikeFormer"
DEPTHS = (1, 2, 3, 4, 6, 8, 12, 16)
SURVEY_IMAGES = 512
ENERGY_IMAGES = 64
NEURONS = 6  # of a diagram
PATTERN_STEPS = 10


def _config(card: CheckpointCard) -> Any:
    from spikeviz.models.registry import SPECS

    spec = SPECS.get(card.model)
    return getattr(spec, "config", None)


def fires_integers(card: CheckpointCard) -> bool:
    """Whether a network fires integers, and D acts on it."""
    return getattr(_config(card), "neuron", "") == "integer"


NETWORKS = Networks(
    fires_integers,
    "fires binary spikes, so D does not act on it; of networks with integer neurons",
    "e-spikeformer-fashion-sfa4",
)


def siblings(card: CheckpointCard) -> dict[int, CheckpointCard]:
    """Networks that were trained like this one, at another D or the same, by D."""
    own, found = _config(card), {}
    for other in checkpoints().values():
        config = _config(other)
        if other.data == card.data and fires_integers(other) and replace(config, levels=own.levels) == own:
            found[config.levels] = other
    return dict(sorted(found.items()))


def vanilla(card: CheckpointCard) -> CheckpointCard | None:
    """The same architecture, trained with binary LIF neurons on the same data."""
    own = _config(card)
    for other in checkpoints().values():
        config = _config(other)
        if other.data == card.data and getattr(config, "neuron", "") == "lif":
            if replace(config, neuron=own.neuron, levels=own.levels, time_steps=own.time_steps) == own:
                return other
    return None


def depth(run: Run) -> int:
    """D, as the run has it."""
    levels = [i.D for i in run.experiment.interventions if isinstance(i, SpikeLevels)]
    return levels[0] if levels else _config(run.card).levels


def trained_at(now: Run) -> Experiment | None:
    """The network that was trained at the D of this run, as it was trained; None if that is this one, or none was."""
    other = siblings(now.card).get(depth(now))
    return None if other is None or other == now.card else Experiment(other.name, now.experiment.source)


def meanings(lab: Lab) -> None:
    """The two meanings of a moved D, by name."""
    own, wanted = _config(lab.now.card).levels, depth(lab.now)
    there = siblings(lab.now.card)
    if wanted == own:
        others = ", ".join(str(d) for d in there if d != own)
        more = f" Move D: B is then these weights with another D (what-if), A the network trained at that D ({others})."
        st.caption(f"**D = {own} is what this network was trained with.**" + (more if others else ""))
    elif wanted in there:
        st.caption(
            f"**Two meanings of D = {wanted}.** B, what-if: these weights, trained with D = {own}, clip at {wanted} and "
            f"divide by {wanted}. A, trained at that D: {there[wanted].name}. Only A has ever seen this D."
        )
    else:
        have = ", ".join(map(str, there))
        st.caption(f"**D = {wanted} is a what-if**: the weights are those of D = {own}. No network here was trained at "
                   f"D = {wanted} (there are D = {have}).")  # fmt: skip


# --- firing: spikes per step and neuron ---


def firing(lab: Lab) -> None:
    """NSFR of this image, spikes per neuron, and both over a test set beside the vanilla network."""
    from spikeviz.ui import spikes

    left, right = st.columns(2, gap="large")
    with left:
        spikes.nsfr(lab)
        st.caption(
            "Spikes per neuron, this image, all steps together: "
            + ", ".join(f"{name} **{float(run.numbers.nsfr.sum()):.3f}** ({run.said})" for name, run in lab.runs)
        )
        vanilla_against_sfa(lab)
    with right:
        spikes.rates(lab)


def vanilla_against_sfa(lab: Lab) -> None:
    """NSFR over a test set of this network and of the vanilla one (Fig. 9)."""
    run, other = lab.now, vanilla(lab.now.card)
    if other is None:
        st.caption(f"No vanilla network was trained on {run.card.data} to compare NSFR with (Fig. 9).")
        return
    from spikeviz.metrics import survey

    opened = runs.network(other.name, other.sha256)
    x, y = (part[:SURVEY_IMAGES] for part in runs.test_images(run.card.data))

    def work():
        pair = [
            survey(run.opened.model, x, y, run.experiment.interventions, run.experiment.seed),
            survey(opened.model, x, y),
        ]
        for mine, theirs in zip(*pair, strict=True):
            yield mine.images, (mine, theirs)

    key = f"fig 9 {run.card.sha256} {other.sha256} {run.experiment.but(source='')!r} {len(x)}"
    seconds = len(x) * (run.opened.milliseconds + opened.milliseconds) / 1000
    jobs.panel(
        key, f"Vanilla against SFA over {len(x):,} test images", len(x), work, partial(_fig_9, lab, other),
        label="Run both networks",
        note=f"This setting of {run.card.name}, and {other.name} as trained: about {seconds:.0f} s.",
    )  # fmt: skip


def _fig_9(lab: Lab, other: CheckpointCard, pair: tuple, job: jobs.Job) -> None:
    from spikeviz.figures.curves import nsfr_curve

    mine, theirs = pair
    sfa, plain = mine.nsfr.numpy(), theirs.nsfr.numpy()
    cards.figure(
        nsfr_curve(sfa, plain, (f"SFA, {lab.now.said}", f"vanilla, {len(plain)} x 1"),
                   title=f"NSFR, vanilla and SFA, {mine.images:,} test images", x="binary step"),
        f"{verdict(sfa, plain)} The first {mine.images:,} test images of {lab.now.card.data}: accuracy "
        f"{mine.accuracy:.3f} ± {mine.error:.3f} with SFA, {theirs.accuracy:.3f} ± {theirs.error:.3f} vanilla "
        f"({other.name}), {job.seconds:.0f} s. The paper, of its 10 M network on ImageNet: 0.39 and 0.96 spikes per "
        "neuron.",
        "E-SpikeFormer, sec. 5.3 and Fig. 9", page=f"{lab.page}_fig9",
        alt="NSFR by step, SFA: " + ", ".join(f"{v:.3f}" for v in sfa) + "; vanilla: "
        + ", ".join(f"{v:.3f}" for v in plain), files=job.over,
    )  # fmt: skip


def verdict(sfa: np.ndarray, plain: np.ndarray) -> str:
    """Whether these networks do what the paper reports, in words: SFA falls, vanilla does not, SFA fires less."""
    few, many = float(sfa.sum()), float(plain.sum())
    falls = len(sfa) > 1 and bool((np.diff(sfa) < 0).all())
    spread = (float(plain[1:].max()) - float(plain[1:].min())) / max(float(plain[1:].mean()), 1e-12) if len(plain) > 2 else 0.0
    one = (
        f"SFA falls at every step, from {sfa[0]:.3f} to {sfa[-1]:.3f}" if falls
        else "one step has nothing to fall to" if len(sfa) == 1
        else f"SFA does not fall at every step ({', '.join(f'{v:.3f}' for v in sfa)})"
    )  # fmt: skip
    other = "falls as well" if len(plain) > 1 and bool((np.diff(plain) < 0).all()) else "does not fall"
    settled = f" (from its second step on within {spread:.0%} of its mean; at the first, membranes start empty)"
    fewer = "SFA fires fewer spikes per neuron" if few < many else "SFA does not fire fewer spikes per neuron here"
    return f"Ours: {one}; vanilla {other}{settled if len(plain) > 2 else ''}; {fewer}: {few:.3f} against {many:.3f}."


# --- errors ---


def errors(lab: Lab) -> None:
    """Error curves against U at D, ties, and the error of every layer of the real network."""
    from spikeviz.figures import approximation as figures

    levels, neuron = depth(lab.now), _neuron(lab.now)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(
            rf"$C = \mathrm{{round}}(\mathrm{{clip}}(U, 0, {levels}))$, and $C / {levels}$ flows on. "
            rf"$\mathrm{{Err}} = \mathrm{{ReLU}}(U)/{levels} - C/{levels}$: at most $1/{2 * levels}$ = "
            rf"{1 / (2 * levels):.3f} for $U$ up to {levels}, and growing above."
        )
        for which, what in (
            ("forward", "Grey, dashed: Eq. 25 as printed, which compares U in spikes with a rate; read so, a larger D "
             "has the larger error. Blue: both as rates, where a larger D has the smaller one, as the paper says."),
            ("gradient", "Blue: the gradient of the published code, 1/D inside the window, whose integral ends at 1: "
             "no error above D. Grey: Eq. 28 as printed says 1 there; Eq. 27 with a window of height 1 gives "
             f"D − 1 = {levels - 1}."),
        ):  # fmt: skip
            curve = figures.error_curve(levels, which, neuron.rounding)
            source = "E-SpikeFormer, sec. 4.2, " + ("Eq. 23-25" if which == "forward" else "Eq. 26-28")
            lab.figure(curve, what, source, alt=f"{which} error of Fire_D against the membrane at D = {levels}")
        _ties(lab)
    with right:
        _layers(lab)


def _ties(lab: Lab) -> None:
    from spikeviz.figures import approximation as figures

    levels, neuron = depth(lab.now), _neuron(lab.now)
    at_tie, membranes = 0, _membranes(lab.now)
    for track in membranes.of_kind("membrane").values():
        u = track.values
        at_tie += int(((u > 0) & (u < levels) & (u - u.floor() == 0.5)).sum())
    apart = figures.ties(levels)
    text = "; ".join(
        f"U = {row['U']:g}: {row['half-even']:.0f} and {row['half-up']:.0f}, IF {row['IF, soft reset']:.0f}"
        for _, row in apart.iterrows()
    )
    lab.figure(
        figures.staircase(levels),
        f"Half-even and half-up, as published in the base and in the large sizes: {text}. Proposition 1 holds for "
        f"half-up; half-even fires one less at 0.5, 2.5, ... This network rounds {neuron.rounding}; of this image's "
        f"membranes {at_tie:,} lie exactly on a tie.",
        "E-SpikeFormer, sec. 4.1, Proposition 1",
        alt=f"Integers against the membrane by both roundings: {text}",
    )


def _layers(lab: Lab) -> None:
    from spikeviz.figures import approximation as figures
    from spikeviz.metrics import approximation_error

    tables = {name: approximation_error(run.opened.model, _membranes(run)) for name, run in lab.runs if fires_integers(run.card)}
    table = tables["B"]
    words = "; ".join(
        f"{name}: error {t['error'].mean():.4f}, of it clipped {t['clipping'].mean():.4f}, {t['relative'].mean():.1%} of "
        f"the mean rate, {t['clipped'].mean():.2%} of the neurons above D"
        for name, t in tables.items()
    )
    lab.figure(
        figures.relative_errors(table, lab.layer),
        f"This image, bars of B. Mean over layers, {words}.",
        "E-SpikeFormer, Definition 1, both sides as rates",
        alt="Relative approximation error of each layer: "
        + ", ".join(f"{row.layer} {row.relative:.1%}" for row in table.itertuples()),
    )
    sweep = _errors_by_depth(lab.now)
    lab.figure(
        figures.errors_by_depth(DEPTHS, *zip(*sweep, strict=True)),
        "The same image and weights (what-if) at each D, mean over layers. Clipping is what a larger D takes away. The "
        "share that is rounded grows: what flows on is divided by D, and the membranes behind it shrink. "
        + f"At D = {depth(lab.now)} of this setting: {table['relative'].mean():.1%}.",
        "E-SpikeFormer, sec. 4.2",
        alt="Rounding and clipping error against D: "
        + ", ".join(f"D {d}: {r:.3f} and {c:.3f}" for d, (r, c) in zip(DEPTHS, sweep, strict=True)),
    )


def _neuron(run: Run) -> Any:
    """One of its integer neurons: they are all alike."""
    from spikeviz.nn.integers import IntegerIF

    return next(m for m in run.opened.model.modules() if isinstance(m, IntegerIF))


def _membranes(run: Run):
    return _recorded(repr(run.experiment), run.card.sha256, run.experiment, run.opened.model, run.shown.pixels)


@st.cache_resource(max_entries=8, show_spinner=False)
def _recorded(key: str, sha256: str, _experiment: Experiment, _model: Any, _pixels: Any):
    """A forward pass with the membranes and spikes of all layers."""
    import spikeviz as sv
    from spikeviz.metrics import MEMBRANES

    return sv.simulate(_model, _pixels[None], _experiment.interventions, MEMBRANES, _experiment.seed)


def _errors_by_depth(run: Run) -> list[tuple[float, float]]:
    rest = run.experiment.set(SpikeLevels, None)
    return _depth_errors(repr(rest), run.card.sha256, rest, run.opened.model, run.shown.pixels)


@st.cache_resource(max_entries=32, show_spinner=False)
def _depth_errors(key: str, sha256: str, _rest: Experiment, _model: Any, _pixels: Any) -> list[tuple[float, float]]:
    """Rounding and clipping at each of `DEPTHS`, mean over layers of their share of the layer's mean rate."""
    import spikeviz as sv
    from spikeviz.metrics import MEMBRANES, approximation_error

    found = []
    for d in DEPTHS:
        interventions = _rest.set(SpikeLevels, SpikeLevels(d)).interventions
        table = approximation_error(_model, sv.simulate(_model, _pixels[None], interventions, MEMBRANES, _rest.seed))
        share = (table["relative"] / table["error"]).where(table["error"] > 0, 0.0)
        found.append((float((table["rounding"] * share).mean()), float((table["clipping"] * share).mean())))
    return found


# --- equality ---


def equality(lab: Lab) -> None:
    """The same network run with integers and with binary spikes alone."""
    from spikeviz.figures.approximation import differences, equality_table

    run = lab.now
    found = _equality(repr(run.experiment), run.card.sha256, run.experiment, run.opened.model, run.shown.pixels)
    st.markdown(
        r"$W\,\frac{C}{D} + b \;=\; \frac{W}{D}\,(S_1 + S_2 + \dots + S_D) + b$, every $S_d$ binary, the bias once. "
        "Both runs are made now, through all layers to the logits."
    )
    neurons, spikes = int(found.layers["neurons"].sum()), int(found.layers["spikes"].sum())
    for column, (label, value, help) in zip(
        st.columns(4),
        (
            ("Logits, largest |difference|", f"{found.logits:.2e}", f"In {found.dtype}, over all classes"),
            ("Membranes, largest |difference|", f"{found.membrane:.2e}", f"In {found.dtype}, over all neurons and steps"),
            ("Integers that differ", f"{found.differ:,} of {neurons:,}", "Neurons that fired another integer"),
            ("Integers against their spikes", "exact" if not found.unequal else f"{found.unequal:,} differ",
             "Each integer is compared with the sum of its D binary steps, which are counted one by one"),
        ), strict=True,
    ):  # fmt: skip
        column.metric(label, value, help=help)
    if found.differ:
        st.caption(
            "Here the two runs part: a membrane lies so near to the middle between two integers that a rounding error "
            "of the floating point type decides which one is fired, and what follows differs. Both answers are as good."
        )
    lab.figure(
        differences(found.layers),
        f"{spikes:,} binary spikes, {neurons:,} integers. The sums are the same numbers in another order; what is left is "
        f"{found.dtype} rounding. With integers {found.milliseconds[0]:.0f} ms, with spikes {found.milliseconds[1]:.0f} "
        "ms, on a processor that gains nothing from zeros.",
        "E-SpikeFormer, Eq. 6, 7, 15-21",
        html=equality_table(found.layers),
    )


@st.cache_resource(max_entries=32, show_spinner=False)
def _equality(key: str, sha256: str, _experiment: Experiment, _model: Any, _pixels: Any):
    from spikeviz.metrics import spike_driven_equality

    return spike_driven_equality(_model, _pixels[None], _experiment.interventions, _experiment.seed)


# --- patterns ---


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
        f"drawn at random (seed {seed}), which is how the paper thinks of it. SFA: IF with soft reset, {rate * steps:.0f} "
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
        "one that fires most to a silent one.",
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
            f"A neuron fires its {'/'.join(map(str, sorted(set(counts.flatten().tolist()))))} spikes at once and rests: "
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


# --- accuracy and cost ---


def cost(lab: Lab) -> None:
    """Accuracy, energy and spikes against D, of both meanings; and what training cost."""
    left, right = st.columns(2, gap="large")
    with left:
        _sweep(lab)
    with right:
        _training(lab)


def _sweep(lab: Lab) -> None:
    run = lab.now
    there, plain, seed = siblings(run.card), vanilla(run.card), run.experiment.seed
    others = tuple(i for i in run.experiment.interventions if not isinstance(i, SpikeLevels))
    points = [("what-if", d, run.card, (*others, SpikeLevels(d))) for d in DEPTHS]
    points += [("trained", d, card, others) for d, card in there.items()]
    points += [("vanilla", _config(plain).time_steps, plain, ())] if plain else []
    x, y = (part[:SURVEY_IMAGES] for part in runs.test_images(run.card.data))
    opened = {card.name: runs.network(card.name, card.sha256) for _, _, card, _ in points}

    def work():
        table = []
        for number, (kind, d, card, interventions) in enumerate(points):
            found = yield from _point(opened[card.name].model, x, y, interventions, seed, number, table)
            table = [*table, {"meaning": kind, "D": d, "network": card.name, **found}]
            yield number + 1, table

    key = f"sweep {[(k, d, c.sha256, i) for k, d, c, i in points]!r} {seed} {len(x)}"
    seconds = len(x) * sum(opened[c.name].milliseconds for _, _, c, _ in points) / 1000
    jobs.panel(
        key, "Accuracy and energy against D", len(points), work, partial(_draw_sweep, lab, len(x)), label="Run all D",
        note=f"{len(points)} settings over {len(x):,} test images each, about {jobs.duration(seconds)}.",
    )  # fmt: skip


def _point(model, x, y, interventions, seed, number, table):
    """One setting; yields after every batch, so that it can be cancelled."""
    import spikeviz as sv
    from spikeviz.metrics import OPERANDS, operations, survey

    last = None
    for last in survey(model, x, y, interventions, seed):
        yield number, table
    recording = sv.simulate(model, x[:ENERGY_IMAGES], interventions, OPERANDS, seed)
    energy = float(operations(model, recording)["picojoule"].sum())
    return {
        "accuracy": last.accuracy, "standard error": last.error, "images": last.images,
        "energy (uJ)": energy / 1e6, "spikes per neuron": float(last.nsfr.sum()),
    }  # fmt: skip


def _draw_sweep(lab: Lab, images: int, table: list[dict], job: jobs.Job) -> None:
    if not table:
        return
    from spikeviz.figures.cost import by_depth

    own = _config(lab.now.card).levels
    best = {(row["meaning"], row["D"]): row for row in table}
    here = best.get(("what-if", own))
    for column, digits, words, source in (
        ("accuracy", 3, f"The first {images:,} test images of {lab.now.card.data}, seed {lab.now.experiment.seed}, "
         f"{lab.now.recording.device.upper()}. The what-if curve belongs to one set of weights, best near D = {own}, "
         "with which they were trained; every other point was trained at its D.", "E-SpikeFormer, Table 5 in kind"),
        ("energy (uJ)", 2, f"Mean of {ENERGY_IMAGES} images: 4.6 pJ a MAC, 0.9 pJ a SOP (45 nm, Horowitz 2014), "
         "estimated from operation counts; no hardware was measured.", "E-SpikeFormer, sec. 5.1 in kind"),
        ("spikes per neuron", 2, "NSFR summed over the steps, same images as above.", "E-SpikeFormer, sec. 5.3"),
    ):  # fmt: skip
        said = f" Here: {here[column]:.{digits}f} at D = {own}." if here else ""
        cards.figure(
            by_depth(table, column), words + said, source, page=f"{lab.page}_sweep",
            alt=f"{column} against D: " + ", ".join(f"{r['meaning']} D {r['D']} {r[column]:.{digits}f}" for r in table),
            files=job.over,
        )  # fmt: skip


def _training(lab: Lab) -> None:
    from spikeviz.figures.cost import training_chart, training_table

    there = siblings(lab.now.card)
    plain = vanilla(lab.now.card)
    rows = [_trained(card, f"1 x {d}") for d, card in there.items()]
    rows += [_trained(plain, f"{_config(plain).time_steps} x 1, vanilla")] if plain else []
    device = lab.now.card.training.get("device", "")
    words = f"As the training loop recorded it, {device}, same recipe and seed."
    by_setting = {row["T x D"]: row for row in rows}
    first, last = by_setting.get("1 x 4"), rows[-1] if plain else None
    if first and last:
        gain = (first["accuracy"] - last["accuracy"]) * 100
        words += (
            f" An epoch of vanilla 4 x 1 took {last['seconds per epoch'] / first['seconds per epoch']:.1f} times as long as "
            f"one of SFA 1 x 4, whose accuracy is {abs(gain):.2f} points {'above' if gain > 0 else 'below'} it."
        )
    lab.figure(
        training_chart(rows),
        words + " Memory is the peak of the whole process, data included.",
        "E-SpikeFormer, Fig. 7 in kind",
        html=training_table(rows),
    )


def _trained(card: CheckpointCard, setting: str) -> dict[str, Any]:
    training = card.training
    epochs = max(1, training.get("epochs", 1))
    return {
        "network": card.name, "T x D": setting, "accuracy": card.accuracy, "samples": card.samples,
        "seconds": training.get("seconds", 0.0), "seconds per epoch": training.get("seconds", 0.0) / epochs,
        "peak MB": training.get("peak_mb", 0), "epochs": epochs, "seed": card.seed,
    }  # fmt: skip


PARTS = {
    "firing": "Firing",
    "error": "Errors",
    "equality": "Integers = spikes?",
    "patterns": "Patterns and chips",
    "cost": "Accuracy and cost",
}
DRAW = {"firing": firing, "error": errors, "equality": equality, "patterns": patterns, "cost": cost}
