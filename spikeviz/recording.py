"""What a forward pass leaves behind: named tracks, read-only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeAlias

import torch
from torch import Tensor

from spikeviz.display import facts, table

Number: TypeAlias = Any  # a float; of a pass on a GPU a tensor without axes, until it is over (`spikeviz.unread`)
MOST_COUNT = 255  # that uint8, which counts are kept as, holds


@dataclass(frozen=True, eq=False)
class Track:
    """One tensor of a forward pass, after any edit.

    Attributes:
        values: uint8 counts (spikes, sums of spikes), floats, or bools (masks, True = kept).
        axes: the letters of its axes, as in `spikeviz.axes`, one for each dimension.
        kind: spike, membrane, scores, mask or feature. A membrane is the potential before reset, so that it crosses
            its threshold (SpikingJelly's `v_seq` is after reset).
        scale: the value of one spike: 1 for binary spikes, 1/D for integers, threshold/L for QCFS levels; what flows on
            is `values * scale`.
        threshold: of a membrane, the potential at which the neuron fires; else None.
        levels: D, how many binary steps one step stands for: D of integer spikes (a count C is a spike at d = 1 .. C),
            1 of all others. The scale does not tell: a spike worth half a threshold is no half of two steps.
    """

    values: Tensor
    axes: tuple[str, ...]
    kind: str
    scale: Number = 1.0
    threshold: Number | None = None
    levels: int = 1

    @classmethod
    def of(
        cls,
        x: Tensor,
        axes: tuple[str, ...],
        kind: str,
        scale: Number = 1.0,
        *,
        counts: bool = False,
        threshold: Number | None = None,
        levels: int = 1,
    ) -> Track:
        """Keep a copy of `x`: as uint8 counts where it holds whole numbers of `scale`, else as it is."""
        x = x.detach()
        packed = _packed(x, scale) if counts and x.numel() else None
        if packed is not None:
            return cls(packed, axes, kind, scale, levels=levels)
        return cls(x.clone(), axes, kind, threshold=threshold, levels=1)

    def seen_at(self, axes: tuple[str, ...], kind: str, threshold: Number | None, levels: int) -> Track:
        """The same numbers, kept at another place."""
        return replace(self, axes=axes, kind=kind, threshold=threshold, levels=levels)

    def of_batch(self, rows: int) -> Track:
        """The same in every row of a batch, where it holds one sample."""
        shape = [rows if axis == "B" else n for axis, n in zip(self.axes, self.values.shape, strict=True)]
        return replace(self, values=self.values.expand(shape))

    @property
    def flows(self) -> Tensor:
        """What flows on in the network: `values * scale`, as floats."""
        return self.values.to(torch.get_default_dtype()) * self.scale

    @property
    def shape_text(self) -> str:
        """Its axes and their sizes: `T 4, B 1, C 16`."""
        return ", ".join(f"{a} {n}" for a, n in zip(self.axes, self.values.shape, strict=True))

    def summary(self) -> str:
        """Its values in a few words: how often it fires, what share is kept, or from where to where it reaches."""
        if not self.values.numel():
            return "empty"
        if self.kind == "spike" and self.values.dtype == torch.uint8:
            return f"{float(self.values.double().mean()) / self.levels:.4f} spikes per neuron and step"
        if self.kind == "mask":
            mean = float(self.values.double().mean())
            counted = self.values.dtype in (torch.uint8, torch.int32)
            return f"{mean:.4f} spikes kept of each" if counted else f"{mean:.1%} kept"
        low, mean, high = (float(v) for v in (self.values.min(), self.values.double().mean(), self.values.max()))
        return f"{low:.4g} to {high:.4g}, mean {mean:.4g}"

    def __repr__(self) -> str:
        dtype = str(self.values.dtype).removeprefix("torch.")
        return f"Track({self.kind} [{self.shape_text}], {dtype}, scale {self.scale:g})"

    def _repr_html_(self) -> str:
        return facts(
            f"Track: {self.kind}",
            {
                "axes": self.shape_text,
                "values": f"{str(self.values.dtype).removeprefix('torch.')}, {self.summary()}",
                "value of a spike": f"{self.scale:g}" if self.kind == "spike" else None,
                "binary steps in a step (D)": self.levels if self.levels > 1 else None,
                "threshold": None if self.threshold is None else f"{self.threshold:g}",
            },
        )


def _packed(x: Tensor, scale: float) -> Tensor | None:
    """How many times `scale` each number is, as uint8; None where some are no whole number of times."""
    if x.device.type == "cpu" and x.dtype == torch.float32 and type(x) is Tensor:
        from spikeviz import kernels

        return kernels.pack(x, scale)
    whole = (x if scale == 1.0 else (x / scale).round_()).to(torch.uint8)
    flows = whole.to(x.dtype) if scale == 1.0 else whole.to(x.dtype).mul_(scale)
    return whole if flows.sub_(x).abs_().amax() == 0 else None  # many times faster than torch.equal


@dataclass(frozen=True, eq=False)
class Recording(Mapping[str, Track]):
    """A forward pass: tracks by name in forward order, and what came out.

    Attributes:
        output: `[B, K]` logits, mean over time (of an autoencoder: the reconstruction).
        logits_per_step: `[T, B, K]`, T = 1 where there is no time.
        model: the model's name.
        interventions: as they were applied, left to right.
        seed: of every random edit; several, if each row of the batch had its own.
        milliseconds: wall time of the forward pass, recording included.
        device: where it ran.
    """

    tracks: Mapping[str, Track]
    output: Tensor
    logits_per_step: Tensor
    model: str
    interventions: tuple[Any, ...] = ()
    seed: int | tuple[int, ...] = 0
    milliseconds: float = field(default=0.0, compare=False)
    device: str = "cpu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "tracks", MappingProxyType(dict(self.tracks)))

    def __getitem__(self, name: str) -> Track:
        try:
            return self.tracks[name]
        except KeyError:
            raise KeyError(f"no track {name!r} in this recording; it has {', '.join(self.tracks) or 'none'}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.tracks)

    def __len__(self) -> int:
        return len(self.tracks)

    def of_kind(self, kind: str) -> dict[str, Track]:
        """The tracks of one kind by name, in forward order."""
        return {name: track for name, track in self.tracks.items() if track.kind == kind}

    def __repr__(self) -> str:
        return f"Recording({self.model}, {self._run()})"

    def _repr_html_(self) -> str:
        rows = [(name, track.kind, track.shape_text, track.summary()) for name, track in self.tracks.items()]
        settings = [str(i) for i in self.interventions] + ([f"seed {self.seed}"] if self.seed else [])
        return table(
            ": ".join((f"Recording of {self.model}", ", ".join((self._run(), *settings)))),
            ("track", "kind", "axes", "values"),
            rows,
        )

    def _run(self) -> str:
        steps, batch = self.logits_per_step.shape[:2]
        return f"T {steps}, batch {batch}, {len(self)} tracks, {self.milliseconds:.0f} ms, {self.device}"
