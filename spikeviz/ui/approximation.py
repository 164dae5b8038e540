"""What integers stand for: errors against membranes, and equality with spikes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.interventions import SpikeLevels
from spikeviz.ui.integers import DEPTHS, depth, fires_integers

if TYPE_CHECKING:
    from torch import Tensor, nn

    from spikeviz.metrics import Equality
    from spikeviz.nn.integers import IntegerIF
    from spikeviz.recording import Recording
    from spikeviz.ui.experiment import Experiment
    from spikeviz.ui.lab import Lab, Run


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

    tables = {
        name: approximation_error(run.opened.model, _membranes(run))
        for name, run in lab.runs
        if fires_integers(run.card)
    }
    table = tables["B"]
    words = "; ".join(
        f"{name}: error {t['error'].mean():.4f}, of it clipped {t['clipping'].mean():.4f}, {t['relative'].mean():.1%} "
        f"of the mean rate, {t['clipped'].mean():.2%} of the neurons above D"
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
    (first_rounded, first_clipped), (last_rounded, last_clipped) = sweep[0], sweep[-1]
    lab.figure(
        figures.errors_by_depth(DEPTHS, *zip(*sweep, strict=True)),
        f"The same image and weights (what-if) at each D, mean over layers. From D = {DEPTHS[0]} to {DEPTHS[-1]} what "
        f"is clipped goes from {first_clipped:.1%} to {last_clipped:.1%} of the mean rate, what is rounded from "
        f"{first_rounded:.1%} to {last_rounded:.1%}: what flows on is divided by D, so that the membranes behind it "
        f"change with D as well. At D = {depth(lab.now)} of this setting: {table['relative'].mean():.1%}.",
        "E-SpikeFormer, sec. 4.2",
        alt="Rounding and clipping error against D: "
        + ", ".join(f"D {d}: {r:.3f} and {c:.3f}" for d, (r, c) in zip(DEPTHS, sweep, strict=True)),
    )


def _neuron(run: Run) -> IntegerIF:
    """One of its integer neurons: they are all alike."""
    from spikeviz.nn.integers import IntegerIF

    return next(m for m in run.opened.model.modules() if isinstance(m, IntegerIF))


def _membranes(run: Run) -> Recording:
    return _recorded(repr(run.experiment), run.card.sha256, run.experiment, run.opened.model, run.shown.batch)


@st.cache_resource(max_entries=8, show_spinner=False)
def _recorded(key: str, sha256: str, _experiment: Experiment, _model: nn.Module, _batch: Tensor) -> Recording:
    """A forward pass with the membranes and spikes of all layers."""
    import spikeviz as sv
    from spikeviz.metrics import MEMBRANES

    return sv.simulate(_model, _batch, _experiment.interventions, MEMBRANES, _experiment.seed)


def _errors_by_depth(run: Run) -> list[tuple[float, float]]:
    rest = run.experiment.set(SpikeLevels, None)
    return _depth_errors(repr(rest), run.card.sha256, rest, run.opened.model, run.shown.batch)


@st.cache_resource(max_entries=32, show_spinner=False)
def _depth_errors(
    key: str, sha256: str, _rest: Experiment, _model: nn.Module, _batch: Tensor
) -> list[tuple[float, float]]:
    """Rounding and clipping at each of `DEPTHS`, mean over layers of their share of the layer's mean rate."""
    import spikeviz as sv
    from spikeviz.metrics import MEMBRANES, approximation_error

    found = []
    for d in DEPTHS:
        interventions = _rest.set(SpikeLevels, SpikeLevels(d)).interventions
        table = approximation_error(_model, sv.simulate(_model, _batch, interventions, MEMBRANES, _rest.seed))
        share = (table["relative"] / table["error"]).where(table["error"] > 0, 0.0)
        found.append((float((table["rounding"] * share).mean()), float((table["clipping"] * share).mean())))
    return found


def equality(lab: Lab) -> None:
    """The same network run with integers and with binary spikes alone."""
    from spikeviz.figures.approximation import differences, equality_table

    run = lab.now
    found = _equality(repr(run.experiment), run.card.sha256, run.experiment, run.opened.model, run.shown.batch)
    st.markdown(
        r"$W\,\frac{C}{D} + b \;=\; \frac{W}{D}\,(S_1 + S_2 + \dots + S_D) + b$, every $S_d$ binary, the bias once. "
        "Both runs are made now, through all layers to the logits."
    )
    neurons, spikes = int(found.layers["neurons"].sum()), int(found.layers["spikes"].sum())
    for column, (label, value, help) in zip(
        st.columns(4),
        (
            ("Logits, largest |difference|", f"{found.logits:.2e}", f"{found.dtype}, all classes"),
            ("Membranes, largest |difference|", f"{found.membrane:.2e}", f"{found.dtype}, all neurons and steps"),
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
        f"{spikes:,} binary spikes, {neurons:,} integers. The sums are the same numbers in another order; what is left "
        f"is {found.dtype} rounding. With integers {found.milliseconds[0]:.0f} ms, with spikes "
        f"{found.milliseconds[1]:.0f} ms, on a processor that gains nothing from zeros.",
        "E-SpikeFormer, Eq. 6, 7, 15-21",
        html=equality_table(found.layers),
    )


@st.cache_resource(max_entries=32, show_spinner=False)
def _equality(key: str, sha256: str, _experiment: Experiment, _model: nn.Module, _batch: Tensor) -> Equality:
    from spikeviz.metrics import spike_driven_equality

    return spike_driven_equality(_model, _batch, _experiment.interventions, _experiment.seed)
