"""What dropping channels saves: parameters, operations, time; here and as the paper prints it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from spikeviz.display import plural
from spikeviz.views import data_sets
from spikeviz.views.channel_masks.networks import PEER, Compared, compared, peer, peer_card
from spikeviz.views.channel_masks.pruned import download
from spikeviz.views.channel_masks.settings import threshold
from spikeviz.views.energy.ways import three_ways
from spikeviz.views.view import Figure, Item, Note, Over, Progress, Row, Study

if TYPE_CHECKING:
    import pandas as pd

    from spikeviz.evaluation import Throughput
    from spikeviz.models.spec import PaperEnergy
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

ENERGY_SAMPLES = 64
SPEED_BATCH, ROUNDS = 32, 61
TABLES = "SDMFormer, sec. 4.3.1 and 4.3.2"
ENERGY_SOURCE = "after SDMFormer, sec. 4.3.2 (our setting)"


def cost(scene: Scene) -> Iterator[Item]:
    """Parameters, energy and speed, here and as the paper prints them; the pruned network as a file."""
    networks = compared(scene)
    yield Row(_pruned(scene, networks), _energies(scene, networks))


def _pruned(scene: Scene, networks: Sequence[Compared]) -> Iterator[Item]:
    yield _parameters_left(scene.now)
    yield from download(scene.now)
    yield _speed(scene.now, networks[-2:])


def _energies(scene: Scene, networks: Sequence[Compared]) -> Iterator[Item]:
    yield from _energy(scene, networks)
    yield _over_samples(scene.now, networks)
    yield _paper(scene.now)


def _parameters_left(run: Run) -> Figure:
    from spikeviz.metrics import parameters_left
    from spikeviz.metrics.channel_masks import REST, mask_sites
    from spikeviz.views.channel_masks.charts import parameters_chart, parameters_table

    card, spec, named = run.card, peer(run.card), mask_sites(run.model)
    left = parameters_left(run.model, threshold(run))
    sites = left[left["layer"] != REST]
    share = sites["left"].sum() / sites["parameters"].sum()
    words = (
        f"{card.model}, {card.data}: {share:.1%} of the parameters of the masked sites are left. Mask values are not "
        "counted: a pruned network has none."
    )
    if spec:
        words += (
            f" Against {spec.name}, the Spikformer of the same form with {spec.params:,} parameters: "
            f"{left['parameters'].sum() / spec.params:.2%} before pruning (LPE is smaller than RPE), "
            f"**{left['left'].sum() / spec.params:.2%}** after."
        )
    return Figure(
        parameters_chart(left, named),
        words,
        "after SDMFormer, sec. 4.3.1 (our setting)",
        "Parameters left: " + ", ".join(f"{named.get(r.layer, r.layer)} {r.left:,}" for r in left.itertuples()),
        "pruning",
        partial(parameters_table, left, named),
    )


def _paper(run: Run) -> Figure:
    """The two tables of the paper, apart from ours."""
    from spikeviz.views.channel_masks.charts import paper_chart, paper_table

    return Figure(
        paper_chart(),
        "SDMFormer over Spikformer, the authors' networks on their data; nothing here was computed by spikeviz. The "
        "abstract says that energy is cut by these numbers, the table calls them the ratio: this is the table. Ours, "
        f"above, is {run.card.model} on {run.card.data}: another size, other data, and a reconstruction, since the "
        "paper's equations are lost in the text we have.",
        TABLES,
        "Energy and parameters of SDMFormer over Spikformer, as printed in the paper",
        html=paper_table,
    )


def _energy(scene: Scene, networks: Sequence[Compared]) -> Iterator[Item]:
    from spikeviz.metrics import ENERGY
    from spikeviz.views.channel_masks.charts import costs_chart, costs_table

    card = scene.now.card
    if peer_card(card) is None:
        spec = peer(card)
        name = spec.name if spec else "Spikformer of the same form"
        yield Note(f"No Spikformer to compare energy with: there is no {name} here that was trained on {card.data}.")
    tables = [network.operations for network in networks]
    costs = _costs(networks, tables)
    yield Figure(
        costs_chart(costs, "Estimated energy, this input"),
        f"{ratio(costs)}; {_before_masks(scene.now, tables[-1])}. Masking alone silences channels that are still "
        f"computed. {ENERGY.mac_pj} pJ a MAC, {ENERGY.ac_pj} pJ a SOP ({ENERGY.source}), estimated from operation "
        "counts; no hardware was measured.",
        ENERGY_SOURCE,
        _in_words(costs),
        "SOP",
        partial(costs_table, costs, PEER),
    )
    first, last = networks[0], networks[-1]
    rule = _rule(scene.now)
    yield three_ways({first.name: first.run, last.name: last.run}, "Three ways of counting, this input", rule)


def _rule(run: Run) -> PaperEnergy | None:
    """By which all networks of the page are counted, where a paper's formula is: that of the masked network's paper."""
    return getattr(run.model, "paper_energy", None)


def _over_samples(run: Run, networks: Sequence[Compared]) -> Study:
    from spikeviz.evaluation.accuracy import energy_survey
    from spikeviz.evaluation.job import duration

    some = data_sets.some(run.card.data, ENERGY_SAMPLES)
    total, settings = len(some), [network.setting for network in networks]

    def work() -> Iterator[tuple[int, pd.DataFrame]]:
        for done, tables in energy_survey(settings, some.batch, run.experiment.seed, paper=_rule(run)):
            yield done, _surveyed(networks, tables)

    seconds = total * len(networks) * run.network.milliseconds / 1000
    return Study(
        f"energy {[network.run.card.sha256 for network in networks]} {run.experiment.but(source='')!r} {total}",
        f"Energy over {total} {run.samples}",
        total,
        work,
        partial(_measured, run),
        f"Run over {total} {run.samples.removeprefix('test ')}",
        f"{len(networks)} networks, at most {duration(seconds)}.",
        data=some.data,
    )


def _measured(run: Run, costs: pd.DataFrame, progress: Progress) -> Iterator[Item]:
    from spikeviz.views.channel_masks.charts import costs_chart, costs_table

    yield Figure(
        costs_chart(costs, f"Estimated energy, mean of {progress.done} {run.samples}"),
        f"{verdict(costs)} Mean over the first {progress.done} {run.samples} of {run.card.data}, ± standard error over "
        "these, of ratios paired; estimated, as above.",
        ENERGY_SOURCE,
        _in_words(costs),
        html=partial(costs_table, costs, PEER),
        over=Over(f"the first {progress.done} {run.samples} of {run.card.data}"),
    )


def _costs(networks: Sequence[Compared], tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One row a network: network, parameters, MACs, SOPs, picojoule; `tables` are its operations by layer."""
    import pandas as pd

    rows = [
        {"network": network.name, "parameters": network.parameters, **table.sum().to_dict()}
        for network, table in zip(networks, tables, strict=True)
    ]
    return pd.DataFrame(rows)


def _surveyed(networks: Sequence[Compared], tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One row a network: network, parameters, MACs, SOPs, picojoule with its standard error over samples; and in every
    way of counting its energy over that of the first network, with its error. `tables` are of single samples."""
    import pandas as pd

    from spikeviz.evaluation.accuracy import of_images
    from spikeviz.evaluation.pairs import PairedNumbers, mean_and_error
    from spikeviz.figures.cost import WAYS

    rows = []
    for network, table in zip(networks, tables, strict=True):
        mean, error = mean_and_error(of_images(table))
        macs, additions = (float(of_images(table, column=column).mean()) for column in ("MACs", "additions"))
        row = {"network": network.name, "parameters": network.parameters, "MACs": macs, "SOPs": additions}
        row |= {"picojoule": mean, "standard error": error}
        for way, words in WAYS.items():
            pair = PairedNumbers(of_images(table, way), of_images(tables[0], way))
            row[f"ratio, {words}"], row[f"error, {words}"] = pair.ratio
        rows.append(row)
    return pd.DataFrame(rows)


def verdict(costs: pd.DataFrame) -> str:
    """Energy of the pruned network over that of the first, in every way of counting, with its error."""
    from spikeviz.evaluation.pairs import SURE
    from spikeviz.figures.cost import WAYS

    first, last = costs.iloc[0], costs.iloc[-1]
    said = []
    for words in WAYS.values():
        found, error = last[f"ratio, {words}"], last[f"error, {words}"]
        if error is None or error != error:  # of a single sample
            said.append(f"{found:.2%} ({words})")
        else:
            alike = abs(found - 1) <= SURE * error
            said.append(f"**{found:.2%} ± {error:.2%}** ({words}{', no difference found' if alike else ''})")
    return f"The network {last['network']} takes {', '.join(said)} of the energy of {first['network']}."


def _in_words(costs: pd.DataFrame) -> str:
    return "Estimated energy: " + ", ".join(f"{r.network} {r.picojoule / 1e6:.2f} µJ" for r in costs.itertuples())


def ratio(costs: pd.DataFrame) -> str:
    """Energy of the pruned network over that of Spikformer, or else over that with all channels, in words."""
    first, last = costs.iloc[0], costs.iloc[-1]
    return (
        f"The network {last['network']} takes **{last['picojoule'] / first['picojoule']:.2%}** of the energy of "
        f"{first['network']}"
    )


def _before_masks(run: Run, operations: pd.DataFrame) -> str:
    """How much of a network's energy is spent before the first masked layer; `operations` are in forward order."""
    from spikeviz.metrics.channel_masks import masked_layers

    start = next(iter(masked_layers(run.model)))
    first = next(number for number, layer in enumerate(operations.index) if layer.startswith(f"{start}."))
    share = operations["picojoule"].iloc[:first].sum() / max(operations["picojoule"].sum(), 1e-12)
    return f"{share:.0%} of it is spent before {start}, which no mask touches"


def _speed(run: Run, networks: Sequence[Compared]) -> Study:
    some = data_sets.some(run.card.data, SPEED_BATCH)

    def work() -> Iterator[tuple[int, tuple[Throughput, str]]]:
        from spikeviz.evaluation import throughput
        from spikeviz.runtime import describe

        device = describe(next(run.model.parameters()).device)
        for so_far in throughput([network.setting for network in networks], some.batch, ROUNDS):
            yield so_far.rounds, (so_far, device)

    return Study(
        f"speed {run.card.sha256} {run.experiment.but(source='')!r}",
        "Measured speed",
        ROUNDS,
        work,
        partial(_timed, [network.name for network in networks]),
        "Measure",
        f"Masked and pruned in turns: {ROUNDS} rounds of {SPEED_BATCH} {run.samples}, after one not counted.",
        data=some.data,
    )


def _timed(names: Sequence[str], value: tuple[Throughput, str], _: Progress) -> Iterator[Item]:
    from spikeviz.evaluation.throughput import speed_text
    from spikeviz.views.channel_masks.charts import speed_chart

    found, device = value
    speed = speed_text(found.speedup(1)[1], found.interval(1))
    yield Figure(
        speed_chart(names, found),
        f"The pruned network against the masked one: {speed}; {plural(found.rounds, 'round')} in turns, batches of "
        f"{found.batch}, {device}. It is the speed of this machine at this moment, with whatever else it does. The "
        "paper prints 196.20 img/s for SDMFormer-2-256, on its machine.",
        "SDMFormer, sec. 4.4",
        f"Samples a second: {names[0]} {found.rate(0):.0f}, {names[1]} {found.rate(1):.0f}",
    )
