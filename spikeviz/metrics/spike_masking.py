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
        spike: the track of the spikes that flow on from here; "" where no neurons are, as at the scores of an SSA.
    """

    name: str
    site: str
    block: int
    spike: str = ""


CONVOLUTION = "convolution"  # the site of a network without attention: what goes into a convolution
SITES = ("q", "k", "scores", "MLP hidden", CONVOLUTION)


def masking_places(model: nn.Module) -> tuple[Place, ...]:
    """The places of the paper (Masked Spiking Transformer, Fig. 2 d, e; sec. 4.3), in forward order.

    Queries, keys and attention scores, and what the first layer of the MLP sends; in a network without attention what
    goes into every convolution, from the spikes of the layer before.
    """
    probes = _sited(model)
    spikes = {(p.block, p.site): p.name for p in probes.values() if p.kind == "spike"}
    found = [
        Place(p.name, p.site, p.block, spikes.get((p.block, p.site), ""))
        for p in probes.values()
        if p.block is not None and _maskable(p)
    ]
    return tuple(sorted(found, key=lambda place: (place.block, SITES.index(place.site))))


def masked_sites(model: nn.Module, interventions: Iterable[Intervention]) -> tuple[str, ...]:
    """The sites of `masking_places` at which one of the interventions acts, in the order of `SITES`."""
    probes = [probe for probe in _sited(model).values() if _maskable(probe)]
    acted = {probe.site for probe in probes for rule in interventions if rule.edits(probe.name, probe.kind)}
    return tuple(site for site in SITES if site in acted)


def _sited(model: nn.Module) -> dict[str, Probe]:
    return find_probes(model, lambda p: p.site in SITES and p.block is not None)


def _maskable(probe: Probe) -> bool:
    """At the scores themselves, before what their neurons send is recorded; elsewhere at the spikes."""
    return probe.kind == ("scores" if probe.site == "scores" else "spike")
