"""What share of the terms of a product is left where what it reads is masked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

from spikeviz.views.random_masks.settings import masks_of
from spikeviz.views.settings import spans
from spikeviz.views.view import Note

if TYPE_CHECKING:
    from spikeviz.interventions import MaskSpikes
    from spikeviz.metrics.spike_masking import Place
    from spikeviz.views.runs import Run

FUTURE = (
    "The paper masks networks that were converted and names those that are trained with spikes as future work "
    "(Masked Spiking Transformer, sec. 5): {name} is one of these, and was not fine-tuned under masks."
)
BEHIND = {
    "MLP hidden": "of the MLP's hidden spikes reach its second layer",
    "convolution": "of what enters a convolution is added up there",
}
GONE = {
    "MLP hidden": "Ratio 1: no hidden spike passes, and a masked MLP adds the same to every token.",
    "convolution": "Ratio 1: no spike enters a masked convolution; only what a shortcut carries is left.",
}


def left(rules: Sequence[MaskSpikes], places: Sequence[Place]) -> dict[str, dict[int, float]]:
    """By site and block the share of the spikes that pass every mask; places that none acts on are left out."""
    found: dict[str, dict[int, float]] = {}
    for place in places:
        acting = [rule.ratio for rule in rules if rule.edits(place.name, place.kind)]
        if acting:
            found.setdefault(place.site, {})[place.block] = prod(1 - ratio for ratio in acting)
    return found


def share(each: Iterable[float]) -> str:
    """`25.0 %`, or from where to where where masks differ from block to block."""
    low, *_, high = sorted([*each] * 2)
    return f"{low:.1%}" if high - low < 1e-9 else f"{low:.1%} to {high:.1%}"


def terms(run: Run) -> Note | None:
    """One line: of the terms of every product behind a mask how many are left, and what the end of the slider means."""
    from spikeviz.metrics.spike_masking import masking_places

    places = masking_places(run.model)
    found = left(masks_of(run), places)
    if all(passes == 1 for by_block in found.values() for passes in by_block.values()):
        return None
    fire = any(place.spike for place in places if place.site == "scores")
    said = _attention(found, fire)
    for site, what in BEHIND.items():
        said += [f"{share(found[site].values())} {what}"] if site in found else []
    line = f"**Terms that are left** where masks act, on average: {'; '.join(said)}. Surviving spikes are not rescaled."
    ends = _ends(run, found, fire)
    return Note(" ".join([line, *ends]), "text" if ends else "caption")


def _attention(found: Mapping[str, Mapping[int, float]], fire: bool) -> list[str]:
    """Of q·k and of what the scores weigh."""
    q, k, scores = (found.get(site, {}) for site in ("q", "k", "scores"))
    met = {block: q.get(block, 1.0) * k.get(block, 1.0) for block in {**q, **k}}
    said = []
    if met:
        both = " (query and key must both pass, so their shares are multiplied)" if q and k else ""
        said.append(f"{share(met.values())} of the terms of q·k{both}")
    if scores and fire:
        said.append(f"{share(scores.values())} of the spikes that the scores then send")
    elif scores:
        whole = [passes * met.get(block, 1.0) for block, passes in scores.items()]
        behind = f"{share(scores.values())} of the scores pass, so " if met else ""
        said.append(f"{behind}{share(whole)} of the coincidences of q and k reach the product with v")
    return said


def _ends(run: Run, found: Mapping[str, Mapping[int, float]], fire: bool) -> list[str]:
    """What it means that nothing of a site passes."""
    none = {site for site, by_block in found.items() if 0 in by_block.values()}
    said = []
    if none & {"q", "k", "scores"}:
        soft = fire and bool(getattr(run.model.config, "softmax", False))
        rest = (
            "the softmax of the position bias weighs the values, alike for every picture"
            if soft
            else "no value is weighed, and the module adds what it adds without any input"
        )
        gone = sorted({block for site in none & {"q", "k", "scores"} for block, p in found[site].items() if not p})
        said.append(
            f"**Ratio 1: no query, key or score passes in blocks {spans(gone)}**, so that what is left there is not "
            f"attention: {rest}. Where accuracy stays, the network does not use what queries and keys say to each "
            "other; it shows no redundancy of attention."
        )
    said += [text for site, text in GONE.items() if site in none]
    return said
