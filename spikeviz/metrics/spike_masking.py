"""Where spikes can be masked at random."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from spikeviz.probe import find_probes


@dataclass(frozen=True)
class Place:
    """Where spikes can be masked: the probe's name, what it is (`q`, `MLP hidden`, ...) and its block, from 0."""

    name: str
    site: str
    block: int


SITES = {"q": "attn.q.spike", "k": "attn.k.spike", "scores": "attn.scores", "MLP hidden": "mlp.hidden.spike"}
CONVOLUTION = "convolution"  # the site of a network without attention: what goes into a convolution


def masking_places(model: nn.Module) -> tuple[Place, ...]:
    """The places of the paper (Masked Spiking Transformer, Fig. 2 d, e; sec. 4.3), in forward order.

    Queries, keys and attention scores, and what the first layer of the MLP sends; in a network without attention what
    goes into every convolution, from the spikes of the layer before.
    """
    probes = find_probes(model, lambda p: p.kind in ("spike", "scores"))
    blocks = sorted({int(name.split(".")[1]) for name in probes if name.startswith("blocks.")})
    names = [(f"blocks.{block}.{end}", site, block) for block in blocks for site, end in SITES.items()]
    if found := tuple(Place(*place) for place in names if place[0] in probes):
        return found
    before = list(probes)[:-1]  # the last spikes go into no convolution
    return tuple(Place(name, CONVOLUTION, number) for number, name in enumerate(before))
