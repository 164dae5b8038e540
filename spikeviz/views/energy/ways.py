"""What networks cost on one input, counted in three ways, and what reads real values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from spikeviz.views.layers.names import words
from spikeviz.views.view import Figure

if TYPE_CHECKING:
    import pandas as pd

    from spikeviz.models.spec import PaperEnergy
    from spikeviz.views.runs import Run

SOURCE = "4.6 pJ a MAC, 0.9 pJ an addition: Horowitz 2014, 45 nm; no hardware was measured"
REAL_SHARE = 0.01  # of the energy, from which a product that reads real values is named


def by_layer(run: Run, paper: PaperEnergy | None = None) -> pd.DataFrame:
    """`spikeviz.metrics.energy` of a run, layer by layer; by `paper`, or by the formula of its network's paper."""
    from spikeviz.metrics import energy

    model = run.model
    return run.once(("energy", paper), lambda recording: energy(model, recording, paper=paper, per_layer=True))


def three_ways(named: Mapping[str, Run], title: str, paper: PaperEnergy | None = None) -> Figure:
    """Energy of several networks on one input in three ways side by side, MACs and additions apart.

    Args:
        named: runs by the name that their network has here.
        title: of the figure.
        paper: a formula by which all are counted, in place of each one's own.
    """
    from spikeviz.figures.cost import ways_chart, ways_table
    from spikeviz.metrics import ways

    rows = totals(named, paper)
    name, run = list(named.items())[-1]
    rules = ways(run.model, paper)
    said = "; ".join(f"{what}: {rule}" for what, rule in zip(("ours", *_others(rules)), rules.values(), strict=True))
    return Figure(
        ways_chart(rows, title),
        f"This input. {real_values(name, run, paper)} Ways of counting: {said}.",
        SOURCE,
        "Estimated energy: " + ", ".join(_in_words(row) for row in rows.itertuples()),
        "MAC",
        partial(ways_table, rows),
    )


def totals(named: Mapping[str, Run], paper: PaperEnergy | None = None) -> pd.DataFrame:
    """A row for each network and way of counting: what `energy` has of an image, and the network's name."""
    import pandas as pd

    from spikeviz.metrics.energy_ways import NUMBERS

    tables = []
    for name, run in named.items():
        table = by_layer(run, paper).groupby("way", sort=False)[NUMBERS].sum(min_count=1).reset_index()
        table.insert(0, "network", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def real_values(name: str, run: Run, paper: PaperEnergy | None = None) -> str:
    """Where the energy of a network goes, as we count it: the first convolution, what reads real values, spikes; and
    what a softmax adds to that."""
    from spikeviz.metrics.energy_ways import FIRST, OURS, REAL

    table = by_layer(run, paper)
    ours = table[table["way"] == OURS]
    whole = max(float(ours["picojoule"].sum()), 1e-12)
    first = ours[ours["reads"] == FIRST].iloc[0]
    kind = "MACs of the image" if first["MACs"] else "additions of events"
    said = f"{first['picojoule'] / whole:.1%} first convolution ({kind})"
    real, in_words = ours[ours["reads"] == REAL], words(list(ours["layer"]))
    if len(real):
        shares = (real.set_index("layer")["picojoule"] / whole).sort_values(ascending=False)
        most = [f"{in_words[layer]} {share:.1%}" for layer, share in shares.items() if share >= REAL_SHARE][:3]
        layers = "; ".join([f"{len(real)} layers", *([", ".join(most)] if most else [])])
        said += f", {shares.sum():.1%} products of real values ({layers})"
    text = f"Energy of {name} as we count it: {said}, the rest spikes."
    soft = float(ours["exponentials"].sum())
    return text + (f" Its softmax adds {soft:,.0f} exponentials and as many divisions, {WITHOUT}." if soft else "")


WITHOUT = "which are in no energy, since the source prints none"


def _others(rules: Mapping[str, str]) -> list[str]:
    from spikeviz.figures.cost import WAYS

    return [WAYS[way] for way in list(rules)[1:]]


def _in_words(row: object) -> str:
    from spikeviz.figures.cost import WAYS

    network, way, joules = (getattr(row, column) for column in ("network", "way", "picojoule"))
    known = f"{joules / 1e6:.2f} µJ" if joules == joules else "not known"
    return f"{network}, {WAYS[way]} {known}"
