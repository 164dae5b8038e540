"""What is lost where a membrane becomes an integer: error curves, ties, and the error of every layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from spikeviz.artifacts.curves import DEPTHS
from spikeviz.views.integer_firing.networks import NETWORKS, at_depth, depth, with_membranes
from spikeviz.views.view import Figure, Item, Note, Row

if TYPE_CHECKING:
    import pandas as pd

    from spikeviz.nn.integers import IntegerIF
    from spikeviz.recording import Recording
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene


def errors(scene: Scene) -> Iterator[Item]:
    """Error curves against U at D, ties, and the error of every layer of the real network."""
    yield Row(_curves(scene), _network(scene))


def _curves(scene: Scene) -> Iterator[Item]:
    from spikeviz.views.integer_firing.charts import error_curve

    levels, neuron = depth(scene.now), _neuron(scene.now)
    yield Note(
        rf"$C = \mathrm{{round}}(\mathrm{{clip}}(U, 0, {levels}))$, and $C / {levels}$ flows on. "
        rf"$\mathrm{{Err}} = \mathrm{{ReLU}}(U)/{levels} - C/{levels}$: at most $1/{2 * levels}$ = "
        rf"{1 / (2 * levels):.3f} for $U$ up to {levels}, and growing above.",
        "text",
    )
    words = {
        "forward": (
            "Grey, dashed: Eq. 25 as printed, which compares U in spikes with a rate; read so, a larger D has the "
            "larger error. Blue: both as rates, where a larger D has the smaller one, as the paper says.",
            "Eq. 23-25",
        ),
        "gradient": (
            "Blue: the gradient of the published code, 1/D inside the window, whose integral ends at 1: no error above "
            "D. Grey: Eq. 28 as printed says 1 there; Eq. 27 with a window of height 1 gives "
            f"D − 1 = {levels - 1}.",
            "Eq. 26-28",
        ),
    }
    for which, (notice, equations) in words.items():
        yield Figure(
            error_curve(levels, which, neuron.rounding),
            notice,
            f"E-SpikeFormer, sec. 4.2, {equations}",
            f"{which} error of Fire_D against the membrane at D = {levels}",
        )
    yield _ties(scene)


def _neuron(run: Run) -> IntegerIF:
    """One of its integer neurons: they are all alike."""
    from spikeviz.nn.integers import IntegerIF

    return next(m for m in run.model.modules() if isinstance(m, IntegerIF))


def _ties(scene: Scene) -> Figure:
    from spikeviz.views.integer_firing.charts import staircase, ties

    levels = depth(scene.now)
    at_tie = with_membranes(scene.now).once(f"ties {levels}", lambda recording: membranes_at_ties(recording, levels))
    text = "; ".join(
        f"U = {row['U']:g}: {row['half-even']:.0f} and {row['half-up']:.0f}, IF {row['IF, soft reset']:.0f}"
        for _, row in ties(levels).iterrows()
    )
    return Figure(
        staircase(levels),
        f"Half-even and half-up, as published in the base and in the large sizes: {text}. Proposition 1 holds for "
        f"half-up; half-even fires one less at 0.5, 2.5, ... This network rounds {_neuron(scene.now).rounding}; of "
        f"this input's membranes {at_tie:,} lie exactly on a tie.",
        "E-SpikeFormer, sec. 4.1, Proposition 1",
        f"Integers against the membrane by both roundings: {text}",
    )


def membranes_at_ties(recording: Recording, levels: int) -> int:
    """How many membranes lie exactly between two integers that can be fired."""
    found = 0
    for track in recording.of_kind("membrane").values():
        u = track.values
        found += int(((u > 0) & (u < levels) & (u - u.floor() == 0.5)).sum())
    return found


def layer_errors(run: Run) -> pd.DataFrame:
    """`spikeviz.metrics.approximation_error` of a run."""
    from spikeviz.metrics import approximation_error

    model = run.model
    return with_membranes(run).once("layer errors", lambda recording: approximation_error(model, recording))


def _network(scene: Scene) -> Iterator[Item]:
    from spikeviz.views.integer_firing.charts import errors_by_depth, relative_errors

    tables = {name: layer_errors(run) for name, run in scene.runs if NETWORKS.suits(run.card)}
    table = tables["B"]
    words = "; ".join(
        f"{name}: error {t['error'].mean():.4f}, of it clipped {t['clipping'].mean():.4f}, {t['relative'].mean():.1%} "
        f"of the mean rate, {t['clipped'].mean():.2%} of the neurons above D"
        for name, t in tables.items()
    )
    yield Figure(
        relative_errors(table, scene.layer, scene.now.network.words),
        f"This input, bars of B. Mean over layers, {words}.",
        "E-SpikeFormer, Definition 1, both sides as rates",
        "Relative approximation error of each layer: "
        + ", ".join(f"{row.layer} {row.relative:.1%}" for row in table.itertuples()),
    )
    sweep = [shares(layer_errors(scene.run(at_depth(scene, d)))) for d in DEPTHS]
    (first_rounded, first_clipped), (last_rounded, last_clipped) = sweep[0], sweep[-1]
    yield Figure(
        errors_by_depth(DEPTHS, *zip(*sweep, strict=True)),
        f"The same input and weights (what-if) at each D, mean over layers; what flows on is divided by D, so that the "
        f"membranes behind it change as well. From D = {DEPTHS[0]} to {DEPTHS[-1]} clipping goes from "
        f"{first_clipped:.1%} to {last_clipped:.1%} of the mean rate, rounding from {first_rounded:.1%} to "
        f"{last_rounded:.1%}. Both together at D = {depth(scene.now)} of this setting: {table['relative'].mean():.1%}.",
        "E-SpikeFormer, sec. 4.2",
        "Rounding and clipping error against D: "
        + ", ".join(f"D {d}: {r:.3f} and {c:.3f}" for d, (r, c) in zip(DEPTHS, sweep, strict=True)),
    )


def shares(table: pd.DataFrame) -> tuple[float, float]:
    """Rounding and clipping, mean over layers of their share of the layer's mean rate."""
    scale = (table["relative"] / table["error"]).where(table["error"] > 0, 0.0)
    return float((table["rounding"] * scale).mean()), float((table["clipping"] * scale).mean())
