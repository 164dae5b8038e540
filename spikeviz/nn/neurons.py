"""Spiking neurons without state: a sequence of currents in, a sequence of spikes out.

Every call starts from an explicit membrane potential (`initial`), so that nothing is left over after it and one network
serves several threads. Here are the binary neurons, whose dynamics are SpikingJelly's functionals with the published
surrogate gradient, Sigmoid(alpha 4); `spikeviz.nn.integers` has those that fire integers.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple, cast

import torch
from jaxtyping import Bool, Float, UInt8
from spikingjelly.activation_based import surrogate
from spikingjelly.activation_based.functional import if_multi_step, lif_multi_step
from torch import Tensor, nn

from spikeviz.nn.in_place import Affine, Fired, Found, fuses, in_place, kernels, on_cpu
from spikeviz.probe import tuned
from spikeviz.recording import MOST_COUNT
from spikeviz.unread import Scale

Reset = Literal["hard", "soft"]
FULL = (torch.float32, torch.float64)  # precision
Currents = Float[Tensor, "T B *neurons"]


class Unit(NamedTuple):
    """What one spike is worth: its value, and D, how many binary steps one step of this population stands for."""

    scale: Scale = 1.0
    levels: int = 1


class Neuron(nn.Module):
    """A population of neurons; `forward(x)` gives their spikes.

    Attributes:
        tunable: names of the attributes that an intervention may tune: `threshold`, `tau`, `levels`, `quanta`.
        initial: the membrane before the first step, in thresholds; None of an activation without time.
        reset: what a spike does to the membrane: "hard" sets it to 0, "soft" subtracts what was fired; None as above.
    """

    tunable: ClassVar[tuple[str, ...]] = ()
    initial: ClassVar[float | None] = None
    reset: Reset | None = None

    def forward(self, x: Currents) -> Float[Tensor, "T B *neurons"]:
        raise NotImplementedError

    def trace(self, x: Currents) -> tuple[Tensor, Tensor, Scale]:
        """`(spikes, membrane before reset, threshold)`, the first two shaped like `x`."""
        raise NotImplementedError

    def observe(
        self,
        x: Currents,
        norm: Affine | None = None,
        *,
        gate: Bool[Tensor, "C"] | None = None,
        counts: bool = False,
        membrane: bool = False,
    ) -> Fired:
        """Spikes, and what else is asked for.

        Args:
            x: currents, or with `norm` what it makes them of.
            norm: a normalisation with fixed statistics. Where `x` is one step repeated, it is asked once.
            gate: which channels send what they fire.
            counts, membrane: what else is wanted. Counts are given where they cost next to nothing.
        """
        if in_place(x):
            if norm is not None and not fuses():
                x, norm = norm.over_steps(x), None
            if gate is not None and membrane:  # a closed channel has one as well
                return self.run(x, norm, None, counts, membrane).gated(gate)
            return self.run(x, norm, gate, counts, membrane)
        if norm is not None:
            x = norm.over_steps(x)
        if not membrane:
            spikes = self(x)
            return Fired(spikes, self.counted(spikes) if counts else None).gated(gate)
        spikes, potential, threshold = self.trace(x)
        counted = self.counted(spikes) if counts else None
        return Fired(spikes, counted, potential, threshold, own=False).gated(gate)

    def counted(self, spikes: Tensor) -> UInt8[Tensor, "..."] | None:
        """Spikes of a GPU as whole numbers: they are some by construction, so nobody has to look, which would wait for
        the device. None where uint8 does not hold them, their numbers are rounded, or, on a CPU, a look is free."""
        if spikes.device.type == "cpu" or self.most() > MOST_COUNT or spikes.dtype not in FULL:
            return None
        return (spikes / self.unit().scale).round_().to(torch.uint8)

    def most(self) -> int:
        """The most spikes that one of its neurons sends in a step."""
        return 1

    def run(
        self, x: Currents, norm: Affine | None, gate: Bool[Tensor, "C"] | None, counts: bool, membrane: bool
    ) -> Fired:
        """`observe` on a CPU where nobody asks for a gradient, by `spikeviz.kernels`."""
        raise NotImplementedError

    def unit(self) -> Unit:
        """What one of its spikes is worth, as the active interventions tune it."""
        return Unit()

    def settings(self) -> dict[str, Any]:
        """The neuron's own settings, as the active interventions tune them."""
        return tuned(**{name: getattr(self, name) for name in self.tunable})


class BinaryNeuron(Neuron):
    """Neurons that fire one spike where their membrane reaches `threshold`."""

    tunable: ClassVar[tuple[str, ...]] = ("threshold",)
    initial: ClassVar[float] = 0.0

    def __init__(self, threshold: float, reset: Reset, alpha: float):
        super().__init__()
        if not threshold > 0:
            raise ValueError(f"threshold must be above 0, not {threshold}.")
        if reset not in ("hard", "soft"):
            raise ValueError(f"reset is 'hard' or 'soft', not {reset!r}.")
        self.threshold, self.reset, self.alpha = float(threshold), reset, alpha

    def forward(self, x: Currents) -> Float[Tensor, "T B *neurons"]:
        if in_place(x):
            return self.observe(x).spikes
        if x.is_cpu and torch.compiler.is_compiling():
            return self.plain(x, self.settings())
        if on_cpu(x) and x.dtype != torch.float64:
            return _Steps.apply(x, self, self.settings())
        return self.fire(x, self.settings())[0]

    def trace(self, x: Currents) -> tuple[Tensor, Tensor, Scale]:
        if in_place(x):
            found = self.observe(x, membrane=True)
            return found.spikes, cast(Tensor, found.membrane), found.threshold
        settings = self.settings()
        spikes, after = self.fire(x, settings, store_v_seq=True)
        after = cast(Tensor, after)
        before = torch.cat([torch.full_like(after[:1], self.rest(settings)), after[:-1]])
        return spikes, self.charge(before, x, settings), settings["threshold"]

    def fire(self, x: Currents, settings: dict[str, float], **options: bool) -> tuple[Tensor, Tensor | None]:
        """`(spikes, membrane after reset)` of SpikingJelly's functional, the membrane only with `store_v_seq`."""
        wide = torch.promote_types(x.dtype, torch.float32)
        rest = torch.full(x.shape[1:], self.rest(settings), dtype=wide, device=x.device)
        spikes, _, after = self.dynamics(
            x,
            rest,  # float32 also under autocast, so that charging is not rounded to bfloat16
            v_reset=0.0 if self.reset == "hard" else None,
            surrogate_function=surrogate.Sigmoid(self.alpha),
            detach_reset=True,
            **{"v_threshold" if name == "threshold" else name: value for name, value in settings.items()},
            **options,
        )
        return spikes, after

    def run(
        self, x: Currents, norm: Affine | None, gate: Bool[Tensor, "C"] | None, counts: bool, membrane: bool
    ) -> Fired:
        """With the bits of SpikingJelly, whose first call also looks for kernels of graphics cards, for seconds."""
        settings = self.settings()
        threshold, hard = settings["threshold"], self.reset == "hard"
        found: Found = kernels().fire(
            x, threshold, tau=settings.get("tau"), hard=hard, rest=self.rest(settings),
            norm=norm, gate=gate, counts=counts, membrane=membrane,
        )  # fmt: skip
        return Fired(*found, threshold)

    def plain(self, x: Currents, settings: dict[str, float]) -> Float[Tensor, "T B *neurons"]:
        """The numbers of `run` in operations that `torch.compile` makes one of."""
        threshold, spikes = settings["threshold"], []
        after = torch.full_like(x[0], self.rest(settings), dtype=torch.promote_types(x.dtype, torch.float32))
        for current in x:
            charged = self.charge(after, current.to(after.dtype), settings)
            fired = (charged >= threshold).to(after.dtype)
            after = charged - charged * fired if self.reset == "hard" else charged - threshold * fired
            spikes.append(fired.to(x.dtype))
        return torch.stack(spikes)

    def rest(self, settings: dict[str, float]) -> float:
        """The membrane before the first step."""
        return self.initial * settings["threshold"]

    def dynamics(self, *args: Any, **options: Any) -> tuple[Tensor, Tensor, Tensor | None]:
        """SpikingJelly's functional of this neuron."""
        raise NotImplementedError

    def charge(self, before: Tensor, x: Tensor, settings: dict[str, float]) -> Tensor:
        """The membrane H[t] from V[t-1] and X[t]."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        own = ", ".join(f"{name} {getattr(self, name):g}" for name in self.tunable)
        return f"{own}, {self.reset} reset"


class _Steps(torch.autograd.Function):
    """The steps of a binary neuron and their gradient, on a CPU.

    Forward it has the bits of SpikingJelly's functional, backward its operations in its order: the surrogate gradient,
    detached at the reset.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, neuron: BinaryNeuron, settings: dict[str, float]) -> Tensor:
        spikes, _, before, *_ = neuron.run(x.float(), None, None, False, True)
        ctx.save_for_backward(before)
        ctx.neuron, ctx.settings, ctx.dtype = neuron, settings, x.dtype
        return spikes.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (before,) = ctx.saved_tensors
        neuron, settings = ctx.neuron, ctx.settings
        threshold, alpha = settings["threshold"], neuron.alpha
        slope = torch.empty_like(before)
        for charged, own in zip(before, slope, strict=True):  # a sigmoid rounds by its place in a vector
            torch.sub(charged, threshold, out=own).mul_(alpha).sigmoid_()
        tau, hard = settings.get("tau"), neuron.reset == "hard"
        found = kernels().fire_back(before, slope, gradient.float(), alpha, threshold, tau, hard)
        return found.to(ctx.dtype), None, None


class LIF(BinaryNeuron):
    """Leaky integrate-and-fire (E-SpikeFormer, Eq. 1-3); bit-identical to SpikingJelly's `LIFNode`.

        H[t] = V[t-1] + (X[t] - V[t-1]) / tau
        S[t] = 1 where H[t] >= threshold, else 0
        V[t] = H[t] (1 - S[t])             hard reset to 0
        V[t] = H[t] - threshold S[t]       soft reset

    As in the published code of Spikformer, the decay beta of Eq. 1 is 1 - 1 / tau, and the input is divided by tau.
    The gradient does not pass through the reset.

    Args:
        threshold: > 0.
        tau: membrane time constant, > 1.
        reset: hard (to 0) or soft (by subtraction).
        alpha: slope of the surrogate gradient.
    """

    tunable = ("threshold", "tau")

    def __init__(self, threshold: float = 1.0, tau: float = 2.0, reset: Reset = "hard", alpha: float = 4.0):
        super().__init__(threshold, reset, alpha)
        if not tau > 1:
            raise ValueError(f"tau must be above 1, not {tau}: at 1 nothing is remembered.")
        self.tau = float(tau)

    def dynamics(self, *args: Any, **options: Any) -> tuple[Tensor, Tensor, Tensor | None]:
        return lif_multi_step(*args, **options)

    def charge(self, before: Tensor, x: Tensor, settings: dict[str, float]) -> Tensor:
        return before + (x - before) / settings["tau"]


class IF(BinaryNeuron):
    """Integrate-and-fire: `H[t] = V[t-1] + X[t]`, otherwise as `LIF`.

    Args:
        threshold: > 0.
        reset: hard (to 0) or soft (by subtraction).
        alpha: slope of the surrogate gradient.
    """

    def __init__(self, threshold: float = 1.0, reset: Reset = "soft", alpha: float = 4.0):
        super().__init__(threshold, reset, alpha)

    def dynamics(self, *args: Any, **options: Any) -> tuple[Tensor, Tensor, Tensor | None]:
        return if_multi_step(*args, **options)

    def charge(self, before: Tensor, x: Tensor, settings: dict[str, float]) -> Tensor:
        return before + x
