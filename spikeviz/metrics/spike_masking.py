"""Where spikes can be masked at random."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from spikeviz.interventions import Intervention
from spikeviz.probe import Probe, find_probes


@dataclass(frozen=True)
class Place:
    """Where spikes can be masked.

    Attributes:
        name: of the probe.
        site: what it is (`q`, `MLP hidden`, ...).
        block: its number, from 0; of a convolution its place among all.
        spike: the track of the spikes that come from its neurons; "" where these have no place of that site, as at the
            scores of an SSA and at the convolutions of a transformer.
        kind: of the probe.
    """

    name: str
    site: str
    block: int
    spike: str = ""
    kind: str = "spike"


CONVOLUTION = "convolution"  # what spikes enter a convolution by; a shortcut beside it reads the same and keeps it
SITES = ("q", "k", "scores", "MLP hidden", CONVOLUTION)


def masking_places(model: nn.Module) -> tuple[Place, ...]:
    """The places of the paper (Masked Spiking Transformer, Fig. 2 d, e; sec. 4.3), block by block.

    Queries, keys and attention scores, and what the first layer of the MLP sends; and what spikes enter every
    convolution by, numbered in forward order: in a CNN, and in the stem (E-SpikeFormer: also the blocks) of a
    transformer. The convolution of a shortcut has the number of the one that reads the same.
    """
    probes = _sited(model)
    spikes = {(p.block, p.site): p.name for p in probes.values() if p.kind == "spike"}
    found = [
        Place(p.name, p.site, p.block, spikes.get((p.block, p.site), ""), p.kind)
        for p in probes.values()
        if p.block is not None and _maskable(p)
    ]
    return tuple(sorted(found, key=lambda place: (place.block, SITES.index(place.site))))


def masked_sites(model: nn.Module, interventions: Iterable[Intervention]) -> tuple[str, ...]:
    """The sites of `masking_places` at which one of the interventions acts, in the order of `SITES`; convolutions also
    where it acts on the spikes that go there, which a shortcut shares."""
    probes = [probe for probe in _sited(model).values() if _maskable(probe) or probe.site == CONVOLUTION]
    acted = {probe.site for probe in probes for rule in interventions if rule.edits(probe.name, probe.kind)}
    return tuple(site for site in SITES if site in acted)


def _sited(model: nn.Module) -> dict[str, Probe]:
    return find_probes(model, lambda p: p.site in SITES and p.block is not None)


def _maskable(probe: Probe) -> bool:
    """At the scores themselves, before what their neurons send is recorded; at what a convolution reads; elsewhere at
    the spikes."""
    return probe.kind == {"scores": "scores", CONVOLUTION: "feature"}.get(probe.site, "spike")
