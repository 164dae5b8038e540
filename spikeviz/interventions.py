"""What a person may change about a forward pass: frozen dataclasses whose fields have bounds, a step and a help text.

The app makes sliders and URL parameters of these; `simulate` puts them on one tape. Weights stay as they were trained.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import Field, dataclass, field, fields
from fnmatch import fnmatchcase
from numbers import Real
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from spikeviz.nn.channel_masks import TRAINED, ChannelMask
from spikeviz.nn.neurons import Neuron
from spikeviz.nn.thinning import LAWS, Law, Thinning
from spikeviz.probe import find_probes
from spikeviz.runtime import sent
from spikeviz.unread import Scale

PATCHES = "patches"  # the place of an autoencoder where it is decided what is hidden
ATTENTION = ("*.attn.q.spike", "*.attn.k.spike", "*.attn.scores")


@dataclass(frozen=True)
class Bounds:
    """The range a field accepts, and the range and step its slider offers."""

    low: float
    high: float
    step: float
    slider: tuple[float, float]
    help: str
    whole: bool


def bounded(
    low: float,
    high: float,
    step: float,
    help: str,
    *,
    slider: tuple[float, float] | None = None,
    whole: bool = False,
    **default: Any,
) -> Any:
    """A dataclass field with bounds; `slider` is the narrower range worth offering, if there is one."""
    return field(metadata={"bounds": Bounds(low, high, step, slider or (low, high), help, whole)}, **default)


@dataclass(frozen=True)
class Intervention:
    """Base of all: checks its fields, and does nothing. Immutable and hashable."""

    title: ClassVar[str]
    source: ClassVar[str]

    def __post_init__(self) -> None:
        for f in bounded_fields(type(self)):
            check_bounds(f"{type(self).__name__}({f.name}=...)", getattr(self, f.name), f.metadata["bounds"])

    @classmethod
    def possible(cls, model: nn.Module) -> bool:
        """Whether `model` has something for this kind to act on; what is not possible is not offered."""
        raise NotImplementedError

    def acts_on(self, model: nn.Module) -> bool:
        """Whether `model` has something for this very value to act on."""
        return type(self).possible(model)

    def prepare(self, x: Tensor, model: nn.Module) -> Tensor:
        """Change the input, before the model."""
        return x

    def tune(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Change a module's own settings (`spikeviz.probe.tuned`)."""
        return settings

    def edits(self, name: str, kind: str) -> bool:
        """Whether this changes what flows through the probe `name`."""
        return False

    def edit(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """The changed activation, and the mask that was drawn (True = kept), if one was."""
        return x, None

    def edit_rows(self, x: Tensor, generators: Sequence[torch.Generator], axis: int) -> tuple[Tensor, Tensor | None]:
        """The same for several generators, each for a row of `axis`; a single row is one for all of them."""
        rows = x.expand(*x.shape[:axis], len(generators), *x.shape[axis + 1 :]).split(1, axis)
        values, masks = zip(*(self.edit(row, g) for row, g in zip(rows, generators, strict=True)), strict=True)
        return torch.cat(values, axis), None if masks[0] is None else torch.cat(masks, axis)


def bounded_fields(kind: type[Intervention]) -> list[Field]:
    """The fields of an intervention that become sliders."""
    return [f for f in fields(kind) if "bounds" in f.metadata]


def check_bounds(what: str, value: Any, bounds: Bounds) -> None:
    """Raise a ValueError that says the range, if `value` is no number or outside it."""
    number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not (number and bounds.low <= value <= bounds.high and (not bounds.whole or float(value).is_integer())):
        kind = "a whole number" if bounds.whole else "a number"
        raise ValueError(f"{what}: {value!r} is out of range, give {kind} from {bounds.low:g} to {bounds.high:g}.")


@dataclass(frozen=True)
class Tuned(Intervention):
    """Base of those that change one setting of modules; what has no such setting stays as it is."""

    setting: ClassVar[str]

    @classmethod
    def possible(cls, model: nn.Module) -> bool:
        return any(isinstance(m, Neuron) and cls.setting in m.tunable for m in model.modules())

    def tune(self, settings: dict[str, Any]) -> dict[str, Any]:
        own = self.setting
        return settings | {own: self.tuned(settings[own])} if own in settings else settings

    def tuned(self, trained: Any) -> Any:
        """The setting, of a module that was built with `trained`: the value of the only field with bounds."""
        (own,) = bounded_fields(type(self))
        return (int if own.metadata["bounds"].whole else float)(getattr(self, own.name))


@dataclass(frozen=True)
class TimeSteps(Tuned):
    """Run for T time steps: an image is shown for T steps, of event frames `[T, B, 2, H, W]` the first T are shown."""

    title: ClassVar[str] = "Time steps"
    source: ClassVar[str] = "Spikformer V2, sec. 3.1"
    setting: ClassVar[str] = "time_steps"

    T: int = bounded(1, 1024, 1, "How many time steps the network runs for.", slider=(1, 8), whole=True)

    @classmethod
    def possible(cls, model: nn.Module) -> bool:
        return hasattr(model, "time_steps")

    def prepare(self, x: Tensor, model: nn.Module) -> Tensor:
        if x.ndim != 5 or not getattr(model, "frames_are_steps", True):
            return x
        frames = x.shape[0]
        if frames < self.T:
            raise ValueError(f"TimeSteps(T={self.T}): these events have {frames} frames; give T up to that.")
        return x[: int(self.T)]


@dataclass(frozen=True)
class FiringThreshold(Tuned):
    """Fire at another membrane potential.

    `value` is the threshold of the neurons whose published threshold is 1; a neuron that was built with another one
    keeps its ratio to 1 (the attention's LIF: 0.5 x value). `FiringThreshold(1.0)` is the network as it was trained.
    """

    title: ClassVar[str] = "Firing threshold"
    source: ClassVar[str] = "E-SpikeFormer, sec. 3.1, Eq. 2"
    setting: ClassVar[str] = "threshold"

    value: float = bounded(
        0.01,
        100.0,
        0.05,
        "The membrane potential at which a neuron fires. The attention's own neurons fire at half of it, as published.",
        slider=(0.2, 2.0),
    )

    def tuned(self, trained: Any) -> Any:
        return trained * self.value


@dataclass(frozen=True)
class TimeConstant(Tuned):
    """Give every leaky (LIF) neuron the membrane time constant tau: `H[t] = V[t-1] + (X[t] - V[t-1]) / tau`."""

    title: ClassVar[str] = "Time constant"
    source: ClassVar[str] = "E-SpikeFormer, sec. 3.1, Eq. 1"
    setting: ClassVar[str] = "tau"

    tau: float = bounded(
        1.01, 1000.0, 0.1, "How slowly a membrane forgets: at every step 1/tau of it is renewed.", slider=(1.1, 5.0)
    )


@dataclass(frozen=True)
class SpikeLevels(Tuned):
    """Let every integer neuron fire up to D spikes in a step: `C = round(clip(U, 0, D))`, and C / D flows on.

    D clips and divides, as in training; the weights stay those of the D the network was trained with.
    """

    title: ClassVar[str] = "Spike levels"
    source: ClassVar[str] = "E-SpikeFormer, sec. 3.2, Eq. 5-7"
    setting: ClassVar[str] = "levels"

    D: int = bounded(
        1,
        255,
        1,
        "The largest integer a neuron fires in one step, which stands for D binary steps: a count of C is a spike in "
        "the first C of them.",
        slider=(1, 16),
        whole=True,
    )


@dataclass(frozen=True)
class QuantisationLevels(Tuned):
    """Let every QCFS answer in L + 1 levels: `th * clip(floor(x L / th + 1/2) / L, 0, 1)`, thresholds as trained.

    L is also the number of steps after which a converted layer equals its QCFS, if its input is constant.
    """

    title: ClassVar[str] = "Quantisation levels"
    source: ClassVar[str] = "Masked Spiking Transformer, sec. 3.2; Bu et al., ICLR 2022"
    setting: ClassVar[str] = "quanta"

    L: int = bounded(1, 255, 1, "How many steps an activation rises in, from 0 to its threshold.", whole=True)


@dataclass(frozen=True)
class SpikeDriven(Tuned):
    """Run every weighted product on binary spikes: of each of the D steps by itself, then summed, bias once.

    It is how a network that was trained with integers runs on a chip, and changes nothing but the order of additions:
    `X = (W / D) (S[1] + ... + S[D])` in place of `W (C / D)`. Products whose inputs are real (the first convolution of
    an image) stay; of a product of two activations both sides are spikes, each step by itself.
    """

    title: ClassVar[str] = "Spike-driven inference"
    source: ClassVar[str] = "E-SpikeFormer, sec. 3.2, Eq. 7, and sec. 4.1"
    setting: ClassVar[str] = "spike_driven"

    @classmethod
    def possible(cls, model: nn.Module) -> bool:
        return bool(find_probes(model, lambda p: p.counts and p.role == "operand"))

    def tuned(self, trained: Any) -> Any:
        return True


@dataclass(frozen=True)
class MaskChannels(Tuned):
    """Keep a channel of a learned channel mask only if sigmoid(5 m) is above `threshold`.

    0.5 is the point the masks were trained at (m > 0), 0 keeps every channel, 1 none. A reconstruction.
    """

    title: ClassVar[str] = "Channel masks"
    source: ClassVar[str] = "SDMFormer, sec. 3.2 and 3.3, reconstructed"
    setting: ClassVar[str] = "mask_threshold"

    threshold: float = bounded(
        0.0, 1.0, 0.01, "A channel passes if the sigmoid of five times its mask value is above this.", default=TRAINED
    )

    @classmethod
    def possible(cls, model: nn.Module) -> bool:
        return any(isinstance(m, ChannelMask) for m in model.modules())


@dataclass(frozen=True)
class HidePatches(Intervention):
    """Hide patches from a masked autoencoder: `round(ratio N)` of N at random, or those that `patches` names.

    Patches are numbered from 0 in raster order; where some are named, `ratio` is ignored and all images hide the same.
    """

    title: ClassVar[str] = "Hidden patches"
    source: ClassVar[str] = "Spikformer V2, sec. 4.2; E-SpikeFormer, sec. 3.4"

    ratio: float = bounded(0.0, 1.0, 0.05, "The share of patches that the encoder does not see.")
    patches: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "patches", tuple(sorted(set(self.patches))))
        if any(isinstance(n, bool) or n != int(n) or n < 0 for n in self.patches):
            raise ValueError(f"HidePatches(patches=...): patches are whole numbers from 0, not {self.patches}.")

    @classmethod
    def possible(cls, model: nn.Module) -> bool:
        return bool(find_probes(model, lambda p: p.name == PATCHES))

    def edits(self, name: str, kind: str) -> bool:
        return name == PATCHES

    def edit(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        batch, count = x.shape[0], x[0].numel()
        kept = torch.ones(batch, count, dtype=torch.bool)
        if self.patches:
            if self.patches[-1] >= count:
                raise ValueError(f"{self} hides patch {self.patches[-1]}; there are {count}, from 0.")
            kept[:, list(self.patches)] = False
        else:
            order = torch.stack([torch.randperm(count, generator=generator) for _ in range(batch)])
            kept.scatter_(1, order[:, : round(self.ratio * count)], False)
        return x & sent(kept.view_as(x), x.device), None


@dataclass(frozen=True)
class MaskSpikes(Intervention):
    """Random spike masking: drop every spike at the named places with probability `ratio`, anew at every step.

    Of an activation that stands for n spikes (level of QCFS, integer, score that counts coincidences) Binomial(n, 1 -
    ratio) pass; `law="whole"` drops all n or none, as the published training code does, and as real values always are.
    No rescale by 1/(1 - ratio). What a product reads (`*.conv.input`) is masked by its own name alone, for nobody else.
    Recorded: `<name>.mask`, what was kept (True) or how many spikes of each; on demand `<name>.sent`, what came there.
    """

    title: ClassVar[str] = "Random spike masking"
    source: ClassVar[str] = "Masked Spiking Transformer, sec. 3.4"
    older: ClassVar[dict[str, Any]] = {"law": "whole"}  # fields that older files lack

    ratio: float = bounded(0.0, 1.0, 0.05, "The probability with which a spike is dropped.")
    at: str | Sequence[str] = ATTENTION
    law: Law = "spikes"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "at", (self.at,) if isinstance(self.at, str) else tuple(self.at))
        if self.law not in LAWS:
            raise ValueError(f"MaskSpikes(law=...): a law is 'spikes' or 'whole', not {self.law!r}.")

    @classmethod
    def possible(cls, model: nn.Module) -> bool:
        return bool(find_probes(model, lambda p: p.kind in ("spike", "scores")))

    def acts_on(self, model: nn.Module) -> bool:
        return bool(find_probes(model, lambda p: self.edits(p.name, p.kind) and self.acts_at(p.kind, p.whole)))

    def edits(self, name: str, kind: str) -> bool:
        at = [glob for glob in self.at if kind != "feature" or glob.endswith(".input")]
        return kind in ("spike", "scores", "feature") and any(fnmatchcase(name, glob) for glob in at)

    def acts_at(self, kind: str, whole: bool) -> bool:
        """Whether there are spikes: not in the pixels that a first convolution reads."""
        return kind != "feature" or whole

    def of_spikes(self, scale: Scale, most: int, known: bool) -> Thinning:
        return Thinning(self.ratio, scale, most, known)

    def edit(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        return Thinning(self.ratio).edit(x, generator)
