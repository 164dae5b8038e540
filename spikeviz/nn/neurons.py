"""Spiking neurons without state: a sequence of currents in, a sequence of spikes out.

Every call starts from an explicit membrane potential (`initial`), so that nothing is left over after it and one network
serves several threads. Here are the binary neurons, whose dynamics are SpikingJelly's functionals with the published
surrogate gradient, Sigmoid(alpha 4); `spikeviz.nn.integers` has those that fire integers.
"""

from __future__ import annotations

from math import frexp
from typing import Any, ClassVar, Literal, NamedTuple, cast

import torch
from jaxtyping import Float, UInt8
from spikingjelly.activation_based import surrogate
from spikingjelly.activation_based.functional import if_multi_step, lif_multi_step
from torch import Tensor, nn

from spikeviz.nn.in_place import MOST_COUNT, Fired, Prepare, chunks, compare, in_place, steps
from spikeviz.probe import tuned
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
        self, x: Currents, prepare: Prepare | None = None, *, counts: bool = False, membrane: bool = False
    ) -> Fired:
        """Spikes, and what else is asked for.

        Args:
            x: currents, or with `prepare` what they are made of.
            prepare: makes currents of `[B, ...]`, each sample by itself (a trained normalisation). Where `x` is one
                step repeated, it is asked once.
            counts, membrane: what else is wanted. Counts are given where they cost next to nothing.
        """
        if in_place(x):
            return self.run(x, prepare, counts, membrane)
        if prepare is not None:
            still = not x.stride(0)
            x = prepare(x[0]).expand(x.shape) if still else prepare(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        if not membrane:
            spikes = self(x)
            return Fired(spikes, self.counted(spikes) if counts else None)
        spikes, potential, threshold = self.trace(x)
        return Fired(spikes, self.counted(spikes) if counts else None, potential, threshold, own=False)

    def counted(self, spikes: Tensor) -> UInt8[Tensor, "..."] | None:
        """Spikes of a GPU as whole numbers: they are some by construction, so nobody has to look, which would wait for
        the device. None where uint8 does not hold them, their numbers are rounded, or, on a CPU, a look is free."""
        if spikes.device.type == "cpu" or self.most() > MOST_COUNT or spikes.dtype not in FULL:
            return None
        return (spikes / self.unit().scale).round_().to(torch.uint8)

    def most(self) -> int:
        """The most spikes that one of its neurons sends in a step."""
        return 1

    def run(self, x: Currents, prepare: Prepare | None, counts: bool, membrane: bool) -> Fired:
        """`observe` on a CPU where nobody asks for a gradient: in place, chunk by chunk."""
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
            return self.run(x).spikes
        if x.device.type == "cpu" and torch.compiler.is_compiling():
            return self.plain(x, self.settings())
        if x.device.type == "cpu" and x.dtype != torch.float64:  # there SpikingJelly goes by another order
            return _Steps.apply(x, self, self.settings())
        return self.fire(x, self.settings())[0]

    def trace(self, x: Currents) -> tuple[Tensor, Tensor, Scale]:
        if in_place(x):
            found = self.run(x, membrane=True)
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

    def run(self, x: Currents, prepare: Prepare | None = None, counts: bool = False, membrane: bool = False) -> Fired:
        """With the bits of SpikingJelly, whose first call also looks for kernels of graphics cards, for seconds."""
        settings = self.settings()
        threshold, wide = settings["threshold"], torch.promote_types(x.dtype, torch.float32)
        rest, last = self.rest(settings), len(x) - 1
        spikes = torch.empty_like(x)
        counted = torch.empty_like(x, dtype=torch.uint8) if counts else None
        before = torch.empty_like(x, dtype=wide) if membrane else None
        for part in chunks(x):
            charged = torch.empty_like(x[0, part], dtype=wide)
            after = torch.full_like(charged, rest) if rest else torch.empty_like(charged)
            fired = torch.empty_like(charged, dtype=torch.uint8)
            for t, current in enumerate(steps(x, part, prepare)):
                if before is not None:
                    charged = before[t, part]
                if t or rest:
                    self.charge(after, current, settings, charged)
                else:
                    self.start(current, settings, charged)
                flags = fired if counted is None else counted[t, part]
                spike = compare(charged, threshold, flags, spikes[t, part])
                if t < last:
                    self.forget(charged, spike, threshold, after)
        return Fired(spikes, counted, before, threshold)

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

    def forget(self, charged: Tensor, spike: Tensor, threshold: float, out: Tensor) -> None:
        """What the reset leaves of a membrane, into `out`."""
        if self.reset == "hard":
            torch.addcmul(charged, charged, spike, value=-1, out=out)
        else:
            torch.sub(charged, spike, alpha=threshold, out=out)

    def dynamics(self, *args: Any, **options: Any) -> tuple[Tensor, Tensor, Tensor | None]:
        """SpikingJelly's functional of this neuron."""
        raise NotImplementedError

    def charge(self, before: Tensor, x: Tensor, settings: dict[str, float], out: Tensor | None = None) -> Tensor:
        """The membrane H[t] from V[t-1] and X[t]; with `out` it is written there."""
        raise NotImplementedError

    def start(self, x: Tensor, settings: dict[str, float], out: Tensor) -> None:
        """The membrane H[1] from a membrane of 0: the same numbers as `charge`, in one pass."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        own = ", ".join(f"{name} {getattr(self, name):g}" for name in self.tunable)
        return f"{own}, {self.reset} reset"


class _Steps(torch.autograd.Function):
    """The steps of a binary neuron and their gradient, in place and chunk by chunk, on a CPU.

    Forward it has the bits of SpikingJelly's functional, backward its operations in its order: the surrogate gradient,
    detached at the reset.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, neuron: BinaryNeuron, settings: dict[str, float]) -> Tensor:
        threshold, wide = settings["threshold"], torch.promote_types(x.dtype, torch.float32)
        spikes, before = torch.empty_like(x), torch.empty_like(x, dtype=wide)
        for part in chunks(x):
            after = torch.full_like(before[0, part], neuron.rest(settings))
            fired = torch.empty_like(after)
            for current, charged, spike in zip(x[:, part], before[:, part], spikes[:, part], strict=True):
                neuron.charge(after, current.to(wide), settings, charged)
                own = fired if x.dtype != wide else spike
                torch.ge(charged, threshold, out=own)
                neuron.forget(charged, own, threshold, after)
                if own is fired:
                    spike.copy_(fired)
        ctx.save_for_backward(before)
        ctx.neuron, ctx.settings, ctx.dtype = neuron, settings, x.dtype
        return spikes

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (before,) = ctx.saved_tensors
        neuron, threshold, tau = ctx.neuron, ctx.settings["threshold"], ctx.settings.get("tau")
        found = torch.empty_like(before)
        for part in chunks(before):
            slope, kept = torch.empty_like(before[0, part]), torch.empty_like(before[0, part])
            carried: Tensor | None = None
            for t in reversed(range(len(before))):
                charged, own = before[t, part], found[t, part]
                torch.sub(charged, threshold, out=slope).mul_(neuron.alpha).sigmoid_()
                torch.neg(slope, out=own).add_(1).mul_(slope).mul_(neuron.alpha).mul_(gradient[t, part])
                if carried is not None:
                    if neuron.reset == "hard":
                        carried.mul_(torch.lt(charged, threshold, out=kept))
                    own.add_(carried)
                if tau is None:
                    carried = own.clone() if t else None
                else:
                    passed = torch.empty_like(own) if carried is None else carried
                    carried = passed.copy_(own).sub_(own.div_(tau))
        return found.to(ctx.dtype), None, None


class LIF(BinaryNeuron):
    """Leaky integrate-and-fire (Spikformer V2, sec. 3); bit-identical to SpikingJelly's `LIFNode`.

        H[t] = V[t-1] + (X[t] - V[t-1]) / tau
        S[t] = 1 where H[t] >= threshold, else 0
        V[t] = H[t] (1 - S[t])             hard reset to 0
        V[t] = H[t] - threshold S[t]       soft reset

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

    def charge(self, before: Tensor, x: Tensor, settings: dict[str, float], out: Tensor | None = None) -> Tensor:
        moved, tau = torch.sub(x, before, out=out), settings["tau"]
        if _is_power_of_two(tau):  # times 1 / tau is the same number, in one pass
            return torch.add(before, moved, alpha=1 / tau, out=out)
        return torch.add(before, torch.div(moved, tau, out=out), out=out)

    def start(self, x: Tensor, settings: dict[str, float], out: Tensor) -> None:
        tau = settings["tau"]
        if _is_power_of_two(tau):
            torch.mul(x, 1 / tau, out=out)
        else:
            torch.div(x, tau, out=out)


def _is_power_of_two(number: float) -> bool:
    return frexp(number)[0] == 0.5


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

    def charge(self, before: Tensor, x: Tensor, settings: dict[str, float], out: Tensor | None = None) -> Tensor:
        return torch.add(before, x, out=out)

    def start(self, x: Tensor, settings: dict[str, float], out: Tensor) -> None:
        out.copy_(x)
