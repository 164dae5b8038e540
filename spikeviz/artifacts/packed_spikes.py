"""A film: all spikes of some layers for one input, one bit a neuron and step.

It is what the viewer in the browser is fed with, and what ships as a recording; numpy is all it needs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

if TYPE_CHECKING:
    from spikeviz.recording import Recording


@dataclass(frozen=True, eq=False)
class Reel:
    """The spikes of one layer: `shape` is [S, C, H, W], S binary steps (T x D); `bits` is packed, first bit lowest."""

    shape: tuple[int, int, int, int]
    bits: bytes

    @classmethod
    def of(cls, spikes: Bool[np.ndarray, "S C H W"]) -> Reel:
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
class Film:
    """Reels by layer in forward order, the input `[C, H, W]` in [0, 1], and what else a page says of the run.

    `facts` holds plain JSON values: of a shipped recording also the command that made it and the weights' sha256.
    """

    reels: Mapping[str, Reel]
    pixels: Float[np.ndarray, "C H W"]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """The largest number of binary steps of a layer."""
        return max(reel.shape[0] for reel in self.reels.values())

    @property
    def depth(self) -> int:
        """D: how many binary steps there are for each time step."""
        return max(1, self.steps // self.facts["steps"])

    def when(self, step: int) -> str:
        """What binary step number `step`, from 1, is called."""
        t, d = divmod(step - 1, self.depth)
        return f"t = {t + 1}, d = {d + 1}" if self.depth > 1 else f"t = {step}"

    def write(self, path: Path) -> None:
        """As one compressed `.npz` without pickles; the pixels as 8-bit levels."""
        header = {"facts": dict(self.facts), "shapes": {name: reel.shape for name, reel in self.reels.items()}}
        np.savez_compressed(
            path,
            header=np.frombuffer(json.dumps(header).encode(), np.uint8),
            pixels=(self.pixels * 255).round().astype(np.uint8),
            **{f"bits {name}": np.frombuffer(reel.bits, np.uint8) for name, reel in self.reels.items()},
        )

    @classmethod
    def read(cls, path: Path) -> Film:
        """What `write` wrote.

        Raises:
            ValueError: if the file is no film.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                header = json.loads(file["header"].tobytes())
                reels = {
                    name: Reel(tuple(shape), file[f"bits {name}"].tobytes()) for name, shape in header["shapes"].items()
                }
                return cls(reels, file["pixels"].astype(np.float32) / 255, header["facts"])
        except (KeyError, OSError, ValueError) as error:
            raise ValueError(f"{path.name} is not a recording ({error}); `spikeviz export` writes one.") from None


def film(recording: Recording, layers: Sequence[str], pixels: Float[np.ndarray, "C H W"], **facts: Any) -> Film:
    """The first sample of a recording that kept the spikes of `layers`; `pixels` is its picture in [0, 1]."""
    from spikeviz.metrics.firing import binary_steps

    reels = {layer: Reel.of(binary_steps(recording[f"{layer}.spike"]).numpy()) for layer in layers}
    run = {
        "milliseconds": recording.milliseconds,
        "device": recording.device,
        "steps": len(recording[f"{layers[0]}.spike"].values),
    }
    return Film(reels, pixels, run | {"logits": recording.output[0].tolist()} | facts)
