"""Accuracy and power under random masks over test samples: precomputed curves, and the same measured now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from spikeviz.artifacts.as_data import from_data
from spikeviz.artifacts.checkpoints import skeleton
from spikeviz.artifacts.curves import find_curve
from spikeviz.data.catalog import find_data
from spikeviz.interventions import MaskSpikes, TimeSteps
from spikeviz.metrics.spike_masking import masked_sites, masking_places
from spikeviz.ui import sites, sweeps
from spikeviz.ui.random_masks import NETWORKS, TABLE, family, kind, rule, tuned_under, where

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.ui.lab import Lab

RATIOS = (0.0, 0.25, 0.5, 0.75, 0.9)
STEPS = (1, 2, 4, 8, 16, 32)
COMPARED = (0.0, 0.5, 0.75)  # ratios of the paper's Table 3
FIG_5, FIG_6 = "Masked Spiking Transformer, sec. 4.3 and Fig. 5", "Masked Spiking Transformer, sec. 4.3 and Fig. 6"
FIG_1 = "Masked Spiking Transformer, Fig. 1 in kind"
PANELS = {"SA": "self-attention", "MLP": "MLP hidden layer", "convolutions": "every convolution"}


def accuracy(lab: Lab) -> None:
    """Accuracy against the ratio (Fig. 5) and against the number of masked blocks (Fig. 6)."""
    groups = _groups(lab)
    curves = _curves([card for group in groups for card in group])
    panels = [(group, site) for group in groups for site in PANELS if _points(group, curves, "points", site)]
    columns = st.columns(2, gap="large")
    for number, (group, site) in enumerate(panels):
        with columns[number % 2]:
            _panel(lab, group, curves, site)
    if len(groups[0]) == 1:
        st.caption(f"No network fine-tuned under masks is here of {groups[0][0].name}: only the one before is drawn.")
    _against_ratio(lab)
    _against_blocks(lab, curves)


def _groups(lab: Lab) -> list[list[CheckpointCard]]:
    """The networks of this data set by model: those of the present model first, each with its students behind it.

    A model without students is left out unless it is the present one: curves are about before and after fine-tuning.
    """
    names = NETWORKS.names()
    alike = [card for card in names.values() if card.data == lab.now.card.data]
    models = dict.fromkeys([lab.now.card.model, *(card.model for card in alike)])
    groups = [family(next(card for card in alike if card.model == model), names) for model in models]
    return [groups[0], *(group for group in groups[1:] if len(group) > 1)]


def _curves(wanted: Sequence[CheckpointCard]) -> dict[str, dict[str, Any]]:
    """Precomputed curves by network; says on the page what is missing and what makes it."""
    found, missing = {}, []
    for card in wanted:
        try:
            curve = find_curve(card.name)
        except ValueError as error:
            st.warning(str(error))
            continue
        if curve and curve.get("kind") == "ratios":
            found[card.name] = curve
        else:
            missing.append(card.name)
    if missing:
        st.caption(f"No curve was computed yet of {', '.join(missing)}: `spikeviz curve {missing[0]}` makes one.")
    return found


def _points(group: Sequence[CheckpointCard], curves: dict, part: str, site: str | None = None) -> dict[str, list[dict]]:
    """Points of one part of the curves of some networks, by network; those without any left out."""
    found = {
        card.name: [point for point in curves[card.name][part] if point.get("site") == site]
        for card in group
        if card.name in curves
    }
    return {name: points for name, points in found.items() if points}


def _panel(lab: Lab, group: Sequence[CheckpointCard], curves: dict, site: str) -> None:
    from spikeviz.figures.spike_masking import accuracy_chart

    points = _points([card for card in group if _tuned_for(card, site)], curves, "points", site)
    tuned = [f"{card.name} under {tuned_under(card)}" for card in group
             if "as_trained" in card.measured and card.name in points]  # fmt: skip
    fine = f"Fine-tuned: {'; '.join(tuned)}. " if tuned else ""
    lab.figure(
        accuracy_chart(f"{kind(group[0])}, {PANELS[site]}: accuracy against ratio", "ratio", points,
                       x_range=(-0.02, 1.02)),
        f"{ends(points)} {fine}{precomputed(lab, points, curves)}",
        FIG_5, term="RSM", alt=sweeps.said(points, "ratio"),
    )  # fmt: skip


def _tuned_for(card: CheckpointCard, site: str) -> bool:
    """Whether a panel is about a network: one that was fine-tuned under masks of its site, or under none."""
    rules = [i for i in from_data(card.trained_under) if isinstance(i, MaskSpikes)]
    hidden = "MLP hidden" in masked_sites(skeleton(card), rules)
    return not rules or site == "convolutions" or (site == "MLP") == hidden


def ends(points: dict[str, list[dict]]) -> str:
    """Accuracy at the least and the largest ratio of every curve, in words."""
    low, high = (end(p["ratio"] for own in points.values() for p in own) for end in (min, max))
    said = [f"{name} {_mean(own, low)} to {_mean(own, high)}" for name, own in points.items()]
    return f"From ratio {low:g} to {high:g}: {', '.join(said)}."


def _mean(points: Sequence[dict], ratio: float) -> str:
    return next((f"{p['mean']:.3f}" for p in points if p["ratio"] == ratio), "(not computed)")


def precomputed(lab: Lab, points: dict, curves: dict) -> str:
    """Where curves are from: commands, samples, seeds, T, device."""
    one = curves[next(iter(points))]
    others = ", and so for the others" if len(points) > 1 else ""
    by_steps: dict[int, list[str]] = {}
    for name in points:
        by_steps.setdefault(curves[name]["T"], []).append(name)
    steps = ", ".join(f"{t} ({', '.join(names)})" if len(by_steps) > 1 else str(t) for t, names in by_steps.items())
    return (
        f"Precomputed by `{one['command']}`{others}: the first {one['samples']:,} {lab.now.samples} of "
        f"{find_data(one['data']).title}, {one['seeds']} seeds (mean ± standard deviation), T = {steps}, "
        f"{one['device']}."
    )


def _against_ratio(lab: Lab) -> None:
    """The present setting first, then other ratios at the same places and T."""
    own = rule(lab.now)
    ratios = [own.ratio, *(ratio for ratio in RATIOS if ratio != own.ratio)]
    points = [(ratio, sweeps.with_rule(lab.now, MaskSpikes(ratio, at=own.at))) for ratio in ratios]
    sweeps.live(
        lab, "ratio", points, "Accuracy against ratio, measured now", FIG_5, f"{where(lab.now)}, this ratio first"
    )


def _against_blocks(lab: Lab, curves: dict) -> None:
    """Masks in the first blocks only, at the present ratio (0.75 if that is 0) and sites."""
    from spikeviz.figures.spike_masking import accuracy_chart

    points = _points(family(lab.now.card, NETWORKS.names()), curves, "blocks")
    left, right = st.columns(2, gap="large")
    with left:
        if points:
            lab.figure(
                accuracy_chart("Accuracy against the number of masked blocks", "blocks", points),
                f"Self-attention of the first blocks is masked, ratio 0.75. {precomputed(lab, points, curves)} The "
                "paper, twelve blocks on CIFAR-100: a slight loss for the first 2 to 5, saturation at 9 or 10.",
                FIG_6, alt=sweeps.said(points, "blocks"),
            )  # fmt: skip
        elif kind(lab.now.card) != "MST":
            st.caption("This network has no transformer blocks, which the paper's Fig. 6 is about.")
    with right:
        own = rule(lab.now)
        ratio = own.ratio or 0.75
        places = sites.masked(own, masking_places(lab.now.opened.model))
        blocks = list(dict.fromkeys(place.block for place in places))
        masked = [
            (n + 1.0, tuple(place.name for place in places if place.block in blocks[: n + 1]))
            for n in range(len(blocks))
        ]
        some = [(n, sweeps.with_rule(lab.now, MaskSpikes(ratio, at=at))) for n, at in masked]
        sweeps.live(lab, "blocks", some, "Accuracy against masked blocks, measured now", FIG_6,
             f"the first of the chosen {len(blocks)}, ratio {ratio:.2f}")  # fmt: skip


def against_steps(lab: Lab) -> None:
    """Accuracy of the converted network against T."""
    from spikeviz.figures.chart import Rule
    from spikeviz.figures.spike_masking import accuracy_chart

    group = family(lab.now.card, NETWORKS.names())
    curves, base = _curves(group), group[0]
    steps = _points(group, curves, "steps")
    own = {name: [point | {"mean": point["accuracy"]} for point in points] for name, points in steps.items()}
    if own:
        one = curves[next(iter(own))]
        fine = "".join(
            f"; {c.name} under {tuned_under(c)}" for c in group if c.name in own and "as_trained" in c.measured
        )
        others = ", and so for the others" if len(own) > 1 else ""
        lab.figure(
            accuracy_chart("Accuracy against T", "T", own, rules=[Rule(base.accuracy, f"QCFS {base.accuracy:.3f}")]),
            f"Without masks{fine}. Precomputed by `{one['command']}`{others}: {one['steps'][0]['samples']:,} "
            f"{lab.now.samples} of {find_data(one['data']).title}, {one['device']}. Dashed: {base.name} as QCFS "
            "network, by its card. Markers of the paper's figure are other networks on other data.",
            FIG_1, alt=sweeps.said(own, "T"),
        )  # fmt: skip
    others = tuple(i for i in lab.now.experiment.interventions if not isinstance(i, TimeSteps))
    points = [(float(t), (*others, TimeSteps(t))) for t in STEPS]
    sweeps.live(lab, "T", points, "Accuracy against T, measured now", FIG_1, "the present masks")


def power(lab: Lab) -> None:
    """Power in alpha-watts and accuracy at the ratios of the paper's Table 3, ours and the paper's side by side."""
    from spikeviz.figures.spike_masking import paper_power, power_chart, power_table

    groups, rows, used = _groups(lab), [], {}
    curves = _curves([card for group in groups for card in group])
    for group in groups:
        site = "convolutions" if kind(group[0]) != "MST" else "SA"
        points = _points([card for card in group if _tuned_for(card, site)], curves, "points", site)
        base = next((p["power"] for p in points.get(group[0].name, ()) if p["ratio"] == 0), None)
        used |= points
        rows += [
            point | {"network": name, "share": base and point["power"] / base}
            for name, own in points.items() for point in own if point["ratio"] in COMPARED
        ]  # fmt: skip
    left, right = st.columns(2, gap="large")
    with left:
        if rows:
            lab.figure(
                power_chart(rows),
                f"×: over the network that was not fine-tuned, unmasked. {precomputed(lab, used, curves)} Masked: "
                "queries, keys and scores of an MST, what enters the convolutions of the others. A point of power is "
                "one seed.",
                TABLE, html=power_table(rows), term="alpha-watt",
            )  # fmt: skip
    with right:
        st.markdown("**The paper's Table 3, as printed**")
        st.html(paper_power())
        st.caption(
            "Swin-T (27.6 M parameters), ResNet18 and VGG16 on CIFAR-10, fine-tuned at every ratio. Alpha is not "
            f"known, and the time is 1 ms whatever T: only ratios can be compared. *{TABLE}*"
        )
