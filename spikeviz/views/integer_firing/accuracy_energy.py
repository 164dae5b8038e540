"""Accuracy, energy and spikes against D, and what training cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from math import sqrt
from typing import TYPE_CHECKING, Any

from spikeviz.artifacts.curves import DEPTHS
from spikeviz.views import data_sets, runs
from spikeviz.views.captions.chance import with_chance
from spikeviz.views.energy.ways import three_ways
from spikeviz.views.integer_firing.firing import SURVEY_IMAGES
from spikeviz.views.integer_firing.networks import (
    at_depth,
    depth,
    siblings_by_depth,
    time_steps,
    trained_depth,
    vanilla,
)
from spikeviz.views.networks.words import whole_test_set
from spikeviz.views.view import Figure, Item, Note, Over, Progress, Row, Study

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.evaluation.level_sweep import LevelPoint
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

Table = Sequence[dict[str, Any]]


def cost(scene: Scene) -> Iterator[Item]:
    """Accuracy, energy and spikes against D, of both meanings; and what training cost."""
    yield Row(_sweep(scene), _training_and_ways(scene))


def _training_and_ways(scene: Scene) -> Iterator[Item]:
    yield from _training(scene.now.card)
    named, plain = {_named(scene.now): scene.now}, vanilla(scene.now.card)
    if plain:
        other = scene.now.experiment.but(checkpoint=plain.name, interventions=())
        named = {f"vanilla {time_steps(plain)} x 1": scene.run(other), **named}
    yield three_ways(named, "Energy in three ways, this input")


def _named(run: Run) -> str:
    """`SFA 1 x 4`: steps of time and of integers."""
    return f"SFA {len(run.recording.logits_per_step)} x {depth(run)}"


def points(scene: Scene) -> list[LevelPoint]:
    """These weights at every D, the networks that were trained at one, and the vanilla network."""
    from spikeviz.evaluation.level_sweep import LevelPoint
    from spikeviz.interventions import SpikeLevels

    def point(meaning: str, d: int, card: CheckpointCard, interventions: tuple[Any, ...]) -> LevelPoint:
        return LevelPoint(meaning, d, card.name, runs.network(card).model, interventions)

    card, plain = scene.now.card, vanilla(scene.now.card)
    others = scene.now.experiment.without(SpikeLevels).interventions
    found = [point("what-if", d, card, at_depth(scene, d).interventions) for d in DEPTHS]
    found += [point("trained", d, other, others) for d, other in siblings_by_depth(card).items()]
    return [*found, point("vanilla", 1, plain, ())] if plain else found


def _sweep(scene: Scene) -> Iterator[Item]:
    from spikeviz.artifacts.cards import find_card
    from spikeviz.evaluation.job import duration
    from spikeviz.evaluation.level_sweep import level_sweep, units

    run, settings = scene.now, points(scene)
    some = data_sets.some(run.card.data, SURVEY_IMAGES)
    seed = run.experiment.seed

    def work() -> Iterator[tuple[int, Table]]:
        yield from level_sweep(settings, some.batch, some.labels, seed)

    cards = {point.network: find_card(point.network)[0] for point in settings}
    keys = [(p.meaning, p.levels, cards[p.network].sha256, p.interventions) for p in settings]
    different = {point.setting: cards[point.network] for point in settings}
    seconds = len(some) * sum(runs.network(card).milliseconds for card in different.values()) / 1000
    yield Study(
        f"sweep {keys!r} {seed} {len(some)}",
        "Accuracy and energy against D",
        units(settings, len(some)),
        work,
        partial(_swept, run),
        "Run all D",
        f"{len(different)} settings over {len(some):,} {run.samples} each, at most {duration(seconds)}.",
        idle=partial(_shipped, run),
        data=some.data,
    )


def _shipped(run: Run) -> Iterator[Item]:
    """The curve that ships, until one is measured."""
    from spikeviz.views.integer_firing.shipped import shipped_table

    try:
        table, curve = shipped_table(run.card)
    except ValueError as error:
        yield Note(str(error), "warning")
        return
    if curve is None:
        yield Note(f"No curve was computed yet of {run.card.name}: `spikeviz publish {run.card.name} --with curves`.")
        return
    yield from _figures(
        run,
        table,
        f"Precomputed by `{curve['command']}`, shipped: all {curve['samples']:,} {run.samples} of {run.card.data}, as "
        f"trained but for D (seed {curve['seed']}, {curve['device']}); Run measures the present setting",
        "As above; of the networks that were trained at another D over the first samples of their cards.",
    )


def _swept(run: Run, table: Table, progress: Progress) -> Iterator[Item]:
    if table:
        yield from _figures(
            run,
            table,
            f"The first {table[0]['images']:,} {run.samples} of {run.card.data}, seed {run.experiment.seed}, "
            f"{run.recording.device.upper()}",
            "Same samples as above.",
        )


def _figures(run: Run, table: Table, over: str, counted: str) -> Iterator[Item]:
    """Accuracy, energy and spikes of a table against D; over which samples, and over which the spikes were counted."""
    from spikeviz.evaluation.level_sweep import BATCH
    from spikeviz.figures.cost import by_depth
    from spikeviz.metrics import ENERGY

    own, images = trained_depth(run.card), table[0]["images"]
    few = f"{min(BATCH, images)} {run.samples} of {run.card.data}"
    networks = tuple(dict.fromkeys(row["network"] for row in table))
    here = next((row for row in table if row["meaning"] == "what-if" and row["D"] == own), None)
    words = {
        "accuracy": (
            f"{over}; ± standard error. The what-if curve belongs to one set of weights, "
            f"trained at D = {own}: {best(table, own)}. Every other point was trained once, at its D. "
            f"{whole_test_set(run.card)}",
            "after E-SpikeFormer, Table 5 (our setting)",
            3,
        ),
        "energy (µJ)": (
            f"Mean of {few}, ± standard error over these: {ENERGY.mac_pj} pJ a MAC, {ENERGY.ac_pj} pJ a SOP "
            f"({ENERGY.source}), estimated from operation counts; no hardware was measured. "
            f"{energy_verdict(table, own)}",
            "after E-SpikeFormer, sec. 5.1 (our setting)",
            2,
        ),
        "spikes per neuron": (f"NSFR summed over the steps. {counted}", "E-SpikeFormer, sec. 5.3", 2),
    }
    for column, (notice, source, digits) in words.items():
        at_own = f" Here: {here[column]:.{digits}f} at D = {own}." if here and column != "accuracy" else ""
        yield Figure(
            with_chance(by_depth(table, column), run.card.data) if column == "accuracy" else by_depth(table, column),
            notice + at_own,
            source,
            f"{column} against D: "
            + ", ".join(f"{r['meaning']} {r['T']} x {r['D']} {_value(r, column, digits)}" for r in table),
            over=Over(few if column == "energy (µJ)" else over, networks, "each point at its own D"),
        )


def energy_verdict(table: Table, own: int) -> str:
    """Whether these weights, at the D they were trained with, cost less than the vanilla network, told by the error
    over the same images; of networks whose images are not known one by one by the errors of both."""
    from spikeviz.evaluation.pairs import SURE, PairedNumbers

    column, error = "energy (µJ)", "energy error (µJ)"
    here = [row for row in table if row["meaning"] in ("what-if", "trained") and row["D"] == own]
    mine = next((row for row in here if row.get(error) is not None), here[0] if here else None)
    plain = next((row for row in table if row["meaning"] == "vanilla"), None)
    if mine is None or plain is None:
        return ""
    names = tuple(f"{name} {row['T']} x {row['D']}" for name, row in (("SFA", mine), ("vanilla", plain)))
    if "energies (µJ)" in mine and "energies (µJ)" in plain:
        pair = PairedNumbers(mine["energies (µJ)"], plain["energies (µJ)"], (names[0], names[1]))
        return f"Ours: {pair.verdict('costs more than', 'costs less than', 'µJ')}."
    apart, errors = mine[column] - plain[column], [row.get(error) for row in (mine, plain)]
    both = f"{mine[column]:.2f} against {plain[column]:.2f} µJ"
    if None in errors:
        return f"Ours: {names[0]} and {names[1]}: {both}; the error over images was not measured."
    whole = sqrt(sum(float(e or 0) ** 2 for e in errors))
    both += f", {apart:+.2f} ± {whole:.2f}"
    if abs(apart) <= SURE * whole:
        return f"Ours: no difference found between {names[0]} and {names[1]}: {both}."
    return f"Ours: {names[0]} costs {'more' if apart > 0 else 'less'} than {names[1]}: {both}."


def best(table: Table, own: int) -> str:
    """The what-if curve so far: its point at the D it was trained with, and its highest, told apart by their errors: in
    pairs where it is known which samples each got right, as of a curve that is measured now."""
    from spikeviz.evaluation.level_sweep import CORRECT
    from spikeviz.evaluation.pairs import SURE, paired

    what_if = [row for row in table if row["meaning"] == "what-if"]
    top = max(what_if, key=lambda row: row["accuracy"])
    here = next((row for row in what_if if row["D"] == own), None)
    highest = f"its highest so far is {_measured(top)}"
    if here is None or top is here:
        return highest
    if CORRECT in top and CORRECT in here:
        pair = paired(top[CORRECT], here[CORRECT], (f"D = {top['D']}", f"D = {own}"))
        return f"{highest}, against {_measured(here)}: {pair.verdict}"
    error = sqrt(top["standard error"] ** 2 + here["standard error"] ** 2)
    differs = top["accuracy"] - here["accuracy"] > SURE * error
    return f"{highest}, {'above' if differs else 'no difference found from'} {_measured(here)}"


def _value(row: dict[str, Any], column: str, digits: int) -> str:
    """As a number; an accuracy with its error."""
    error = f" ± {row['standard error']:.{digits}f}" if column == "accuracy" else ""
    return f"{row[column]:.{digits}f}{error}"


def _measured(row: dict[str, Any]) -> str:
    return f"{row['accuracy']:.3f} ± {row['standard error']:.3f} at D = {row['D']}"


def _training(card: CheckpointCard) -> Iterator[Item]:
    from spikeviz.data.catalog import find_data
    from spikeviz.views.integer_firing.charts import training_chart, training_table

    there, plain = siblings_by_depth(card), vanilla(card)
    rows = [trained(other) for other in there.values()] + ([trained(plain, "vanilla ")] if plain else [])
    alike = ", same recipe and seed" if trained_alike([*there.values(), *([plain] if plain else [])]) else ""
    words = (
        f"{find_data(card.data).title}, one training each{alike}, as the training loop recorded it "
        f"({card.training.get('device', '')}), and accuracy over {card.samples:,} test samples. CPU seconds count all "
        "threads; memory is the peak of the whole process, data included."
    )
    equal = there.get(time_steps(plain)) if plain else None  # of as many binary steps
    if equal:
        words += f" {against_vanilla(trained(equal), rows[-1])}"
    yield Figure(
        training_chart(rows),
        words,
        "after E-SpikeFormer, Fig. 7 (our setting)",
        "CPU seconds of an epoch: " + ", ".join(f"{r['T x D']} {r['CPU seconds per epoch']:,.0f}" for r in rows),
        html=partial(training_table, rows),
        over=Over("the training of each network", tuple(row["network"] for row in rows), "each at its own D"),
    )


def against_vanilla(sfa: dict[str, Any], plain: dict[str, Any]) -> str:
    """What an epoch of the vanilla network took against one of the SFA network of as many binary steps, and their
    accuracies by their errors."""
    from spikeviz.evaluation.pairs import SURE

    times = plain["CPU seconds per epoch"] / max(sfa["CPU seconds per epoch"], 1e-9)
    took = f"An epoch of {plain['T x D']} took {times:.1f} times the CPU seconds of one of SFA {sfa['T x D']}"
    if sfa["accuracy"] is None or plain["accuracy"] is None:
        return f"{took}; their accuracies are not both measured."
    gain = 100 * (sfa["accuracy"] - plain["accuracy"])
    error = 100 * sqrt(sum(row["accuracy"] * (1 - row["accuracy"]) / row["samples"] for row in (sfa, plain)))
    if abs(gain) > SURE * error:
        found = f"accuracy is {abs(gain):.2f} ± {error:.2f} points {'higher' if gain > 0 else 'lower'} with SFA"
    else:
        found = f"no difference in accuracy found (SFA {gain:+.2f} ± {error:.2f} points)"
    return f"{took}; {found}, each over {sfa['samples']:,} test samples, not paired."


def trained_alike(cards: Sequence[CheckpointCard]) -> bool:
    """Whether several networks were trained by one recipe, but for its name and that of the model; seed included."""
    recipes = [card.training.get("recipe") for card in cards]
    others = [{k: v for k, v in (recipe or {}).items() if k not in ("name", "model")} for recipe in recipes]
    return len(cards) > 1 and bool(others[0]) and all(other == others[0] for other in others)


def trained(card: CheckpointCard, kind: str = "") -> dict[str, Any]:
    """What training a network took."""
    from spikeviz.artifacts.checkpoints import skeleton
    from spikeviz.interventions import SpikeLevels

    training, model = card.training, skeleton(card)
    levels = trained_depth(card) if SpikeLevels.possible(model) else 1
    epochs = max(1, training.get("epochs", 1))
    return {
        "network": card.name,
        "T x D": f"{kind}{model.time_steps} x {levels}",
        "accuracy": card.accuracy,
        "samples": card.samples,
        "seconds": training.get("seconds", 0.0),
        "CPU seconds per epoch": training.get("cpu_seconds", 0.0) / epochs,
        "peak MB": training.get("peak_mb", 0),
        "epochs": epochs,
        "seed": card.seed,
    }
