"""Accuracy against the ratio of random masks (Fig. 5) and against the number of masked blocks (Fig. 6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from spikeviz.views.captions.chance import with_chance
from spikeviz.views.random_masks.curves import (
    Curves,
    curves_of,
    in_words,
    measured_now,
    points_of,
    precomputed,
    shipped_over,
    with_first,
)
from spikeviz.views.random_masks.laws import laws
from spikeviz.views.random_masks.networks import (
    NETWORKS,
    attends,
    converted,
    family,
    groups,
    kind,
    masks_trained_under,
    tuned_under,
)
from spikeviz.views.random_masks.passing import passing
from spikeviz.views.random_masks.settings import first_alone, masked, masks_of, where
from spikeviz.views.view import Figure, Item, Note, Row

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.views.scene import Scene

RATIOS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
BLOCKS_AT = 0.75  # ratio of the paper's Fig. 6
FIG_5, FIG_6 = "Masked Spiking Transformer, sec. 4.3 and Fig. 5", "Masked Spiking Transformer, sec. 4.3 and Fig. 6"
PANELS = {"SA": "self-attention", "MLP": "MLP hidden layer", "convolutions": "every convolution"}


def accuracy(scene: Scene) -> Iterator[Item]:
    """Precomputed curves of every network of this data set, then the present setting measured now."""
    found = groups(scene)
    curves = yield from curves_of([card for group in found for card in group])
    panels = [panel for group in found for site in PANELS for panel in _panel(scene, group, curves, site)]
    if panels:
        yield Row(panels[::2], panels[1::2])
    yield from _below(scene, curves)
    if len(found[0]) == 1:
        name = found[0][0].name
        yield Note(f"No network fine-tuned under masks is here of {name}: only the one before is drawn.")
    yield from _against_ratio(scene)
    if converted(scene.now.card):
        yield from laws(scene)
    yield Row(_blocks(scene, curves), _against_blocks(scene))


def tuned_for(card: CheckpointCard, site: str) -> bool:
    """Whether curves of a site are about a network: one that was fine-tuned under masks of it, or under none."""
    from spikeviz.artifacts.checkpoints import skeleton
    from spikeviz.metrics.spike_masking import masked_sites

    rules = masks_trained_under(card)
    hidden = "MLP hidden" in masked_sites(skeleton(card), rules)
    return not rules or site == "convolutions" or (site == "MLP") == hidden


def _panel(scene: Scene, group: Sequence[CheckpointCard], curves: Curves, site: str) -> Iterator[Figure]:
    from spikeviz.views.random_masks.charts import accuracy_chart

    points = points_of([card for card in group if tuned_for(card, site)], curves, "points", site)
    if not points:
        return
    tuned = [f"{c.name} under {tuned_under(c)}" for c in group if masks_trained_under(c) and c.name in points]
    fine = f"Fine-tuned: {'; '.join(tuned)}. " if tuned else ""
    title = f"{kind(group[0])}, {PANELS[site]}: accuracy against ratio"
    yield Figure(
        with_chance(accuracy_chart(title, "ratio", points, x_range=(-0.02, 1.02)), group[0].data),
        f"{_ends(points)} {fine}{precomputed(scene.now, list(points), curves)}",
        FIG_5,
        in_words(points, "ratio"),
        "RSM",
        over=shipped_over(scene.now, list(points), curves, f"masks at {PANELS[site]}, each at several ratios"),
    )


def _below(scene: Scene, curves: Curves) -> Iterator[Item]:
    """Of the present network's own curves."""
    card = scene.now.card
    for site in PANELS:
        points = points_of([card], curves, "points", site).get(card.name)
        if points:
            curve, where_masked = curves[card.name], f"masks at {PANELS[site]}"
            of = f"{card.name}, {where_masked}, the first {curve['samples']:,} {scene.now.samples}, T = {curve['T']}"
            over = shipped_over(scene.now, [card.name], curves, f"{where_masked}, each at several ratios")
            yield from passing(f"{PANELS[site]} of {card.name}", points, of, FIG_5, over)


def _ends(points: dict[str, list[dict[str, Any]]]) -> str:
    """Accuracy at the least and the largest ratio of every curve, in words."""
    low, high = (end(p["ratio"] for own in points.values() for p in own) for end in (min, max))
    named = [f"{name} {_mean(own, low)} to {_mean(own, high)}" for name, own in points.items()]
    return f"From ratio {low:g} to {high:g}: {', '.join(named)}."


def _mean(points: Sequence[dict[str, Any]], ratio: float) -> str:
    from spikeviz.views.random_masks.charts import drawn_error

    found = next((p for p in points if p["ratio"] == ratio), None)
    return f"{found['mean']:.3f} ± {drawn_error(found):.3f}" if found else "(not computed)"


def _against_ratio(scene: Scene) -> Iterator[Item]:
    """The present setting first, then other ratios at the same places and T."""
    from spikeviz.interventions import MaskSpikes

    own = masks_of(scene.now)[0]
    ratios = [own.ratio, *(ratio for ratio in RATIOS if ratio != own.ratio)]
    points = [(ratio, with_first(scene, MaskSpikes(ratio, at=own.at))) for ratio in ratios]
    what = f"{where(scene.now)}, this ratio first{first_alone(scene)}"
    yield from measured_now(scene, "ratio", points, "Accuracy against ratio, measured now", FIG_5, what)


def _blocks(scene: Scene, curves: Curves) -> Iterator[Item]:
    from spikeviz.views.random_masks.charts import accuracy_chart

    card = scene.now.card
    points = points_of(family(card, NETWORKS.names()), curves, "blocks")
    if points:
        yield Figure(
            with_chance(accuracy_chart("Accuracy against the number of masked blocks", "blocks", points), card.data),
            f"Self-attention of the first blocks is masked, ratio {BLOCKS_AT}. "
            f"{precomputed(scene.now, list(points), curves)} The paper, twelve blocks on CIFAR-100: a slight loss for "
            "the first 2 to 5, saturation at 9 or 10.",
            FIG_6,
            in_words(points, "blocks"),
            over=shipped_over(scene.now, list(points), curves, f"ratio {BLOCKS_AT}, masks in self-attention"),
        )
    elif not attends(card):
        yield Note("This network has no transformer blocks, which the paper's Fig. 6 is about.")


def _against_blocks(scene: Scene) -> Iterator[Item]:
    """Masks in the first blocks only, at the present ratio (0.75 if that is 0) and sites."""
    from spikeviz.interventions import MaskSpikes
    from spikeviz.metrics.spike_masking import masking_places

    own = masks_of(scene.now)[0]
    ratio = own.ratio or BLOCKS_AT
    places = masked((own,), masking_places(scene.now.model))
    blocks = list(dict.fromkeys(place.block for place in places))
    firsts = [tuple(place.name for place in places if place.block in blocks[:n]) for n in range(1, len(blocks) + 1)]
    points = [(float(n), with_first(scene, MaskSpikes(ratio, at=at))) for n, at in enumerate(firsts, 1)]
    if points:
        what = f"the first of the chosen {len(blocks)}, ratio {ratio:.2f}{first_alone(scene)}"
        title = "Accuracy against masked blocks, measured now"
        yield from measured_now(scene, "blocks", points, title, FIG_6, what)
