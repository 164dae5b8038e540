"""Power in alpha-watts and accuracy at the ratios of the paper's Table 3, ours and the paper's side by side; energy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from spikeviz.views.random_masks.accuracy import tuned_for
from spikeviz.views.random_masks.curves import Curves, curves_of, points_of, precomputed, shipped_over
from spikeviz.views.random_masks.energy import energies
from spikeviz.views.random_masks.networks import attends, groups
from spikeviz.views.view import Figure, Item, Markup, Note, Row

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.views.scene import Scene

COMPARED = (0.0, 0.5, 0.75)  # ratios of the paper's Table 3
TABLE = "Masked Spiking Transformer, Eq. 10 and Table 3"


def power(scene: Scene) -> Iterator[Item]:
    """A table for each: precomputed of every network of this data set, and the paper's as printed."""
    found = groups(scene)
    curves = yield from curves_of([card for group in found for card in group])
    yield Row(_ours(scene, found, curves), _papers())
    yield from energies(scene)


def _ours(scene: Scene, found: list[list[CheckpointCard]], curves: Curves) -> Iterator[Item]:
    from spikeviz.views.random_masks.charts import power_chart, power_table

    rows, used = [], dict[str, list[dict]]()
    for group in found:
        site = "SA" if attends(group[0]) else "convolutions"
        points = points_of([card for card in group if tuned_for(card, site)], curves, "points", site)
        base = next((p["power"] for p in points.get(group[0].name, ()) if p["ratio"] == 0), None)
        used |= points
        rows += [
            point | {"network": name, "share": base and point["power"] / base}
            for name, own in points.items()
            for point in own
            if point["ratio"] in COMPARED
        ]
    if rows:
        yield Figure(
            power_chart(rows),
            "×: over the network that was not fine-tuned, unmasked. Masked: queries, keys and scores of a transformer, "
            f"what enters the convolutions of the others; power is of one seed. "
            f"{precomputed(scene.now, list(used), curves)}",
            TABLE,
            "Power: " + ", ".join(f"{row['network']} at {row['ratio']:.0%} {row['power'] / 1e6:.1f} M" for row in rows),
            "alpha-watt",
            partial(power_table, rows),
            shipped_over(scene.now, list(used), curves, "ratios of the paper's Table 3"),
        )


def _papers() -> Iterator[Item]:
    from spikeviz.views.random_masks.charts import paper_power

    yield Note("**The paper's Table 3, as printed**", "text")
    yield Markup(paper_power())
    yield Note(
        "Swin-T (27.6 M parameters), ResNet18 and VGG16 on CIFAR-10, fine-tuned at every ratio. Alpha is not known, "
        f"and the time is 1 ms whatever T: only ratios can be compared. *{TABLE}*"
    )
