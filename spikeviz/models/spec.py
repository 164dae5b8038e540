"""What a row of the table of models says, and the statistics of the training images."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from spikeviz.display import facts

IMAGENET: dict[str, Any] = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
CIFAR10: dict[str, Any] = {"mean": (0.4914, 0.4822, 0.4465), "std": (0.2470, 0.2435, 0.2616)}
FASHION: dict[str, Any] = {"mean": (0.2860,), "std": (0.3530,)}
HEADS_OURS = "number of heads not published, reconstructed"


@dataclass(frozen=True)
class PaperEnergy:
    """How a paper counts the energy of its networks (`spikeviz.metrics.energy`).

    Attributes:
        rule: in words.
        source: paper and section.
        macs: whether products that read real values are counted, as MACs.
        spikes: whether nothing but spikes is counted, each at an energy alpha that is not known.
    """

    rule: str
    source: str
    macs: bool = True
    spikes: bool = False


SOPS = "rate x T x dense MACs of what reads spikes, as additions"
FIRST = f"MACs of an image's first convolution, and {SOPS}"
SOPS_ALONE = PaperEnergy(f"{SOPS}, and nothing else", "Spikformer V2, Table 2", macs=False)
FIRST_AND_SOPS = PaperEnergy(FIRST, "E-SpikeFormer, sec. 5.1 and S1")
LAYER_BY_LAYER = PaperEnergy(FIRST, "SDMFormer, sec. 4.3.2, reconstructed")
ALPHA = PaperEnergy("alpha x spikes", "Masked Spiking Transformer, Eq. 10", macs=False, spikes=True)


@dataclass(frozen=True)
class ModelSpec:
    """One size of one family.

    Attributes:
        name: what `build` takes.
        family: key of `FAMILIES`.
        params: number of parameters that are used, exactly.
        params_from: where that number was taken from.
        input: `(C, H, W)` of an image or of one event frame.
        time_steps: T of the configuration; events bring their own.
        paper: where the size is published; "" for a demo size.
        notes: what a reader has to know (reconstructed, demo).
        config: the family's frozen config.
    """

    name: str
    family: str
    params: int
    params_from: str
    input: tuple[int, int, int]
    time_steps: int
    paper: str
    notes: str
    config: Any

    @property
    def demo(self) -> bool:
        return not self.paper

    @property
    def as_data(self) -> dict[str, Any]:
        """Family, parameters and configuration as plain JSON values, for the cards of networks of this size."""
        return json.loads(json.dumps({"family": self.family, "parameters": self.params, "config": asdict(self.config)}))

    def _repr_html_(self) -> str:
        return facts(
            f"{self.name}: {self.family}",
            {
                "parameters": f"{self.params:,} ({self.params_from})",
                "input": " x ".join(str(n) for n in self.input),
                "T": self.time_steps,
                "published in": self.paper,
                "notes": self.notes,
            },
        )


def describe(name: str, family: str, params: int, params_from: str, paper: str, notes: str, config: Any) -> ModelSpec:
    """The spec of a config: input and T are read from it."""
    size = (config.in_channels, config.image_size, config.image_size)
    return ModelSpec(name, family, params, params_from, size, config.time_steps, paper, notes, config)
