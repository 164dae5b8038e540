"""Layers on sequences of feature maps `[T, B, C, H, W]`; weights see the leading axes as one batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spikeviz.axes import MAPS, VECTOR
from spikeviz.nn.channel_masks import ChannelMask
from spikeviz.nn.in_place import Affine, in_place
from spikeviz.nn.integers import expand
from spikeviz.nn.neurons import Neuron
from spikeviz.nn.sparse import active_map, sparse_norm, spread
from spikeviz.probe import Probe, reads, tuned
from spikeviz.unread import Scale

Maps = Float[Tensor, "*#TB C H W"]
Made = Float[Tensor, "*#TB c h w"]  # of other channels, or on another grid
M = TypeVar("M", bound=nn.Module)


def over_maps(layer: Callable[[Tensor], Tensor], x: Maps) -> Made:
    """Apply `layer`, which takes `[B, C, H, W]`, to the last three axes of `x`."""
    if x.ndim == 4:
        return layer(x)
    return layer(x.flatten(0, -4)).unflatten(0, x.shape[:-3])


def numbers(values: Sequence[float], like: Tensor) -> Float[Tensor, " n"]:
    """A few numbers on the device of `like`, as its dtype; written there, since to send them would wait for it."""
    return torch.stack([like.new_full((), value) for value in values])


def spike_driven(probe: Probe) -> bool:
    """Whether `SpikeDriven` is active, and what flows through `probe` is whole numbers of spikes."""
    return probe.counts and tuned(spike_driven=False)["spike_driven"]


def on_spikes(product: Callable[[Tensor], Tensor], x: Tensor, scale: Scale, place: Probe) -> Tensor:
    """`product`, linear and without bias, of spikes worth `scale`: of each binary step of `x` by itself, then summed.

    E-SpikeFormer, Eq. 7: W C / D is the sum over d of (W / D) S[d]. `place` is where `x` is seen.
    """
    counts = x / scale  # a third times three is not one: round, but let gradients pass
    counts = counts + (counts.round() - counts).detach()
    slots = reads().most(place.name, counts)
    if slots is None:
        return product(x)
    steps = expand(counts, slots).unflatten(0, (-1, slots)).unbind(1)
    return sum((product(step) for step in steps), x.new_zeros(())) * scale


class Conv(nn.Conv2d):
    """A convolution over the last three axes. Its input is a probe (`.input`): operations are counted from it.

    Where `allow_sparse` says so it is a sparse one inside `spikeviz.nn.sparse.visible`, and `Norm` a sparse
    normalisation.

    Args:
        real: True where the input is real by nature (a static image), False where it is spikes or sums of spikes.
        levels: True where it is levels of QCFS: real to a product, and each as many spikes to who drops some.
    """

    sparse = False

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, real: bool = False, levels: bool = False, **options
    ):
        super().__init__(in_channels, out_channels, kernel, **{"padding": kernel // 2} | options)
        self.input = Probe("feature", MAPS, counts=not (real or levels), role="operand", whole=not real)

    def forward(self, x: Maps, scale: Scale = 1.0) -> Made:
        """`scale` is the value of one spike of `x`."""
        active = active_map() if self.sparse else None
        if active is None:
            return self._products(self.input(x, scale), scale)
        y = self._products(self.input(x * spread(active, *x.shape[-2:]), scale), scale)
        return y * spread(active, *y.shape[-2:])

    def _products(self, x: Maps, scale: Scale) -> Made:
        if not spike_driven(self.input):
            return over_maps(super().forward, x)

        def without_bias(step: Tensor) -> Tensor:
            return over_maps(lambda maps: self._conv_forward(maps, self.weight, None), step)

        y = on_spikes(without_bias, x, scale, self.input)
        return y if self.bias is None else y + self.bias[:, None, None]

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """A depthwise one goes back through channels-last: on a CPU in up to a sixth of the time."""
        if x.requires_grad and self.groups == self.in_channels > 1:
            x = x.contiguous(memory_format=torch.channels_last)
        return super()._conv_forward(x, weight, bias)


class Norm(nn.BatchNorm2d):
    """Batch normalisation over every axis but C, time included (Spikformer V2, Fig. 3: BN, since LN does not suit)."""

    sparse = False

    @property
    def fixed(self) -> Affine | None:
        """How a sample is normalised, where by itself and whole, so that the neurons that read it may do that."""
        if self.training or (self.sparse and active_map() is not None):
            return None
        assert self.running_mean is not None and self.running_var is not None
        return Affine(self.weight, self.bias, self.running_mean, self.running_var, self.eps)

    def forward(self, x: Maps) -> Maps:
        active = active_map() if self.sparse else None
        if active is None:
            return over_maps(super().forward, x)
        return sparse_norm(self, x, spread(active, *x.shape[-2:]))


def allow_sparse(model: M) -> M:
    """`model`, whose convolutions and normalisations from now on leave out what is hidden (`spikeviz.nn.sparse`)."""
    for layer in model.modules():
        if isinstance(layer, Conv | Norm):
            layer.sparse = True
    return model


class Head(nn.Linear):
    """The classifier, on vectors `[T, B, C]` at every step.

    Args:
        spikes: False where its input is a mean over tokens, which is real. True where it is spikes: these are counted,
            not divided, so that a spike of an integer neuron weighs 1 here and not 1/D (E-SpikeFormer's code).
    """

    def __init__(self, channels: int, classes: int, *, spikes: bool = False):
        super().__init__(channels, classes)
        self.input = Probe("feature", VECTOR, counts=spikes, role="operand")

    def forward(self, x: Float[Tensor, "T B C"], scale: Scale = 1.0) -> Float[Tensor, "T B K"]:
        """`scale` is the value of one spike of `x`."""
        counts = self.input(x, scale) / scale
        if not spike_driven(self.input):
            return super().forward(counts)
        return on_spikes(lambda step: F.linear(step, self.weight), counts, 1.0, self.input) + self.bias


class Product(nn.Module):
    """A matrix product of two activations (q·k, attention·v). Both sides are probes: operations are counted from them.

    Args:
        left, right: True where that side is spikes, which then decide what is added; False where it is values.
        softmax: whether the left side comes out of a softmax, which has an exponential and a division for each of its
            numbers.
    """

    def __init__(self, left: bool, right: bool, softmax: bool = False):
        super().__init__()
        self.softmax = softmax
        axes = ("T", "B", "heads", "rows", "columns")
        self.left, self.right = (Probe("feature", axes, counts=side, role="operand") for side in (left, right))

    def forward(self, left: Tensor, right: Tensor, scales: tuple[Scale, Scale] = (1.0, 1.0)) -> Tensor:
        """`scales` are the values of one spike of either side."""
        left, right = self.left(left, scales[0]), self.right(right, scales[1])

        def with_right(rows: Tensor) -> Tensor:
            if spike_driven(self.right):
                return on_spikes(lambda step: rows @ step, right, scales[1], self.right)
            return rows @ right

        return on_spikes(with_right, left, scales[0], self.left) if spike_driven(self.left) else with_right(left)


class Population(nn.Module):
    """Neurons one can look at: `spike` and, before its reset, `membrane`.

    `forward(x, steps)`: currents `[T, B, ...]`, or `[B, ...]` that are repeated for `steps` steps (the current of a
    static image is the same at every step, so it is computed once).
    """

    def __init__(self, neuron: Neuron, axes: tuple[str, ...] = MAPS):
        super().__init__()
        self.neuron = neuron
        self.membrane = Probe("membrane", axes)
        self.spike = Probe("spike", axes)

    @property
    def scale(self) -> Scale:
        """The value of one of its spikes, under the active interventions."""
        return self.neuron.unit().scale

    def forward(
        self,
        current: Tensor,
        steps: int | None = None,
        mask: ChannelMask | None = None,
        norm: Affine | None = None,
    ) -> Tensor:
        """`mask` takes some of the spikes away before anybody sees them; `norm` makes the currents of `current`."""
        if steps is not None:
            current = current.expand(steps, *current.shape)
        gate = None if mask is None or mask.soft else mask.kept()
        wanted = {"counts": self.spike.kept, "membrane": self.membrane.wanted}
        fired = self.neuron.observe(current, norm, gate=gate, **wanted)
        if fired.membrane is not None:
            self.membrane(fired.membrane, threshold=fired.threshold, stored=fired.stored_membrane)
        unit, most = self.neuron.unit(), self.neuron.most()
        if mask is not None and mask.soft:
            return self.spike(mask(fired.spikes), scale=unit.scale, levels=unit.levels, most=most)
        return self.spike(fired.spikes, scale=unit.scale, levels=unit.levels, stored=fired.counts, most=most)


class SpikingConv(Population):
    """Convolution, batch normalisation, neurons: `[T, B, C, H, W]` -> spikes of that form (Spikformer V2, Eq. 7, 11).

    A 1x1 convolution is the linear layer of the papers, applied to tokens that keep their places on the grid.
    """

    def __init__(self, conv: Conv | RepConv | PointwiseAfterDepthwise, neuron: Neuron):
        super().__init__(neuron)
        self.conv = conv
        self.norm = Norm(conv.out_channels)

    def forward(
        self, x: Maps, steps: int | None = None, scale: Scale = 1.0, mask: ChannelMask | None = None
    ) -> Float[Tensor, "T B c h w"]:
        """`scale` is the value of one spike of `x`."""
        y = self.conv(x, scale)
        norm = self.norm.fixed
        return super().forward(self.norm(y) if norm is None else y, steps, mask, norm)


class FiringConv(Population):
    """Neurons, convolution, batch normalisation: currents in, currents out (E-SpikeFormer, Eq. 10, 11, where SN stands
    in front of every Conv). Between two of these flow real membrane currents; into every weight go spikes.
    """

    def __init__(self, neuron: Neuron, conv: Conv | RepConv):
        super().__init__(neuron)
        self.conv = conv
        self.norm = Norm(conv.out_channels)

    def forward(self, x: Float[Tensor, "T #B C H W"]) -> Float[Tensor, "T #B c h w"]:
        return in_sequence(x, self)

    def products(self, x: Float[Tensor, "T #B C H W"], norm: Affine | None) -> Float[Tensor, "T #B c h w"]:
        """Not normalised yet; `norm` makes the currents of `x`."""
        return self.conv(super().forward(x, norm=norm), self.scale)


def in_sequence(x: Float[Tensor, "T #B C H W"], *layers: FiringConv) -> Float[Tensor, "T #B c h w"]:
    """One layer after another, each normalised by the neurons of the next where they can."""
    norm: Affine | None = None
    for layer in layers:
        x, norm = layer.products(x, norm), layer.norm.fixed
        x = layer.norm(x) if norm is None else x
    return x if norm is None else norm.over_own(x)


def numbered(*parts: nn.Module | None) -> None:
    """Tag what spikes enter every convolution of these parts by: it can be masked, and its place among them is its
    number."""
    convolutions = [m for part in parts if part is not None for m in part.modules() if isinstance(m, Conv)]
    for number, conv in enumerate(conv for conv in convolutions if conv.input.whole):
        conv.input.site, conv.input.block = "convolution", number


def added(shortcut: Float[Tensor, "*#maps"], branch: Float[Tensor, "*#maps"]) -> Float[Tensor, "*#maps"]:
    """Their sum; `branch`, which nobody else reads, becomes it where it can."""
    return branch.add_(shortcut) if in_place(branch) and branch.shape == shortcut.shape else shortcut + branch


class RepConv(nn.Module):
    """Two 1x1 convolutions with a normalisation between and after, and no neurons: after training they are one matrix
    (re-parameterisation; E-SpikeFormer, sec. 3.3, and the published code of its large sizes).

    Here they stay two, as trained: the input of the second is real, and counted as such.
    """

    def __init__(self, in_channels: int, hidden: int, out_channels: int):
        super().__init__()
        self.out_channels = out_channels
        self.conv1, self.norm1 = Conv(in_channels, hidden, 1, bias=False), Norm(hidden)
        self.conv2, self.norm2 = Conv(hidden, out_channels, 1, bias=False, real=True), Norm(out_channels)

    def forward(self, x: Maps, scale: Scale = 1.0) -> Float[Tensor, "*#TB c H W"]:
        """`scale` is the value of one spike of `x`."""
        return self.norm2(self.conv2(self.norm1(self.conv1(x, scale))))


class PointwiseAfterDepthwise(nn.Module):
    """Depthwise 3x3, then pointwise 1x1, nothing between: what enters the second is real, and counted as such."""

    def __init__(self, dim: int):
        super().__init__()
        self.out_channels = dim
        self.depthwise = Conv(dim, dim, 3, groups=dim, bias=False)
        self.pointwise = Conv(dim, dim, 1, bias=False, real=True)

    def forward(self, x: Maps, scale: Scale = 1.0) -> Maps:
        """`scale` is the value of one spike of `x`."""
        return self.pointwise(self.depthwise(x, scale))
