"""Packed spikes: all spikes of some layers for one input, one bit a neuron and step.

They feed the viewer in the browser, and ship so that a page opens before torch is loaded; numpy is all they need.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from spikeviz.artifacts.cards import find_card
from spikeviz.paths import found_beside

if TYPE_CHECKING:
    from spikeviz.recording import Recording

RECORDINGS = "recordings"  # the folder
ONLY = "the only step"  # in place of a mean over one


@dataclass(frozen=True, eq=False)
class LayerSpikes:
    """The spikes of one layer: `shape` is [S, C, H, W], S binary steps (T x D); `bits` is packed, first bit lowest."""

    shape: tuple[int, int, int, int]
    bits: bytes

    @classmethod
    def of(cls, spikes: Bool[np.ndarray, "S C H W"]) -> LayerSpikes:
        return cls(tuple(spikes.shape), np.packbits(spikes, axis=None, bitorder="little").tobytes())

    @property
    def spikes(self) -> UInt8[np.ndarray, "S C H W"]:
        """0 or 1 for each neuron and step."""
        flat = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=int(np.prod(self.shape)), bitorder="little")
        return flat.reshape(self.shape)

    @property
    def maps(self) -> Float[np.ndarray, "S H W"]:
        """At each step, the share of channels that fire at each place (E-SpikeFormer, Fig. 8)."""
        return self.spikes.mean(1, dtype=np.float32)

    @property
    def count(self) -> int:
        """Spikes of all neurons and steps."""
        return int(self.spikes.sum(dtype=np.int64))


@dataclass(frozen=True, eq=False)
class PackedSpikes:
    """Spikes by layer in forward order, the input `[C, H, W]` in [0, 1], and what else a page says of the run.

    `facts` holds plain JSON values: of shipped ones also the command that made it and the weights' sha256.
    """

    layers: Mapping[str, LayerSpikes]
    pixels: Float[np.ndarray, "C H W"]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """The largest number of binary steps of a layer."""
        return max(layer.shape[0] for layer in self.layers.values())

    @property
    def depth(self) -> int:
        """D: how many binary steps there are for each time step."""
        return max(1, self.steps // self.facts["steps"])

    def when(self, step: int) -> str:
        """What binary step number `step`, from 1, is called."""
        t, d = divmod(step - 1, self.depth)
        return f"t = {t + 1}, d = {d + 1}" if self.depth > 1 else f"t = {step}"

    @property
    def mean(self) -> str:
        """What a mean over all its steps is a mean over: `mean over t and d`; "" where there is one step only."""
        return mean_over(int(self.facts["steps"]), self.depth)

    def write(self, path: Path) -> None:
        """As one compressed `.npz` without pickles; the pixels as 8-bit levels."""
        header = {"facts": dict(self.facts), "shapes": {name: layer.shape for name, layer in self.layers.items()}}
        bits: dict[str, Any] = {f"bits {name}": np.frombuffer(s.bits, np.uint8) for name, s in self.layers.items()}
        np.savez_compressed(
            path,
            header=np.frombuffer(json.dumps(header).encode(), np.uint8),
            pixels=(self.pixels * 255).round().astype(np.uint8),
            **bits,
        )

    @classmethod
    def read(cls, path: Path) -> PackedSpikes:
        """What `write` wrote.

        Raises:
            ValueError: if the file is none.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                header = json.loads(file["header"].tobytes())
                layers = {
                    name: LayerSpikes(tuple(shape), file[f"bits {name}"].tobytes())
                    for name, shape in header["shapes"].items()
                }
                return cls(layers, file["pixels"].astype(np.float32) / 255, header["facts"])
        except (KeyError, OSError, ValueError) as error:
            raise ValueError(
                f"{path.name} holds no packed spikes ({error}); `spikeviz publish NAME --with recording` writes some."
            ) from None


def mean_over(steps: int, depth: int = 1) -> str:
    """What a mean over T time steps of D binary steps each is a mean over; "" where there is one step only."""
    axes = [axis for axis, length in (("t", steps), ("d", depth)) if length > 1]
    return f"mean over {' and '.join(axes)}" if axes else ""


def pack_layers(recording: Recording, layers: Sequence[str]) -> dict[str, LayerSpikes]:
    """The spikes of the first sample of a recording that kept those of `layers`."""
    from spikeviz.metrics.firing import binary_steps

    return {layer: LayerSpikes.of(binary_steps(recording[f"{layer}.spike"]).numpy()) for layer in layers}


def pack(
    recording: Recording,
    layers: Mapping[str, LayerSpikes],
    pixels: Float[np.ndarray, "C H W"],
    **facts: Any,
) -> PackedSpikes:
    """What `pack_layers` made of a recording, with its input `pixels` in [0, 1], its logits and its time."""
    run = {
        "milliseconds": recording.milliseconds,
        "device": recording.device,
        "steps": len(recording[f"{next(iter(layers))}.spike"].values),
    }
    return PackedSpikes(layers, pixels, run | {"logits": recording.output[0].tolist()} | facts)


def find_packed(name: str) -> PackedSpikes | None:
    """What ships of a checkpoint as it is now, as trained on test sample 0; None if there is none, or of another.

    Raises:
        ValueError: for an unknown checkpoint, or a damaged file.
    """
    card, weights = find_card(name)
    for path in found_beside(weights, RECORDINGS, ".npz"):
        found = PackedSpikes.read(path) if path.exists() else None
        if found and found.facts.get("sha256") == card.sha256:
            return found
    return None
