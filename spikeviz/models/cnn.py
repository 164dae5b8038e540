"""ResNet18 and VGG16 with QCFS, which become spiking networks (Masked Spiking Transformer, sec. 4.3, Fig. 5 c, d).

Convolution, batch normalisation, QCFS; average pooling instead of maximum pooling: a mean of spikes is still spikes,
each of a smaller value. For 32 pixels: a first convolution of stride 1, one linear layer at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from spikeviz.models.spec import ALPHA
from spikeviz.nn.intake import Intake
from spikeviz.nn.layers import Conv, Head, Norm, Population, SpikingConv, over_maps
from spikeviz.nn.neurons import Neuron
from spikeviz.nn.qcfs import QCFS, ConvertedIF
from spikeviz.probe import Part, Probe, tuned
from spikeviz.unread import Scale

Maps = Float[Tensor, "T #B C H W"]
# widths, in units of the first
VGG16: tuple[int | Literal["pool"], ...] = (1, 1, "pool", 2, 2, "pool", 4, 4, 4, "pool", 8, 8, 8, "pool", 8, 8, 8)
RESNET18 = ((1, 1), (1, 1), (2, 2), (2, 1), (4, 2), (4, 1), (8, 2), (8, 1))  # width and stride of every block


@dataclass(frozen=True)
class CNNConfig:
    """One CNN.

    form: "resnet18" or "vgg16". width: channels of the first layer, 64 as published. spiking: IF neurons instead of
    QCFS, run for time_steps steps. levels: L of QCFS. mean, std: what the training images are normalised by.
    """

    form: Literal["resnet18", "vgg16"]
    width: int
    num_classes: int
    in_channels: int
    image_size: int
    time_steps: int = 1
    spiking: bool = False
    levels: int = 16
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.form not in ("resnet18", "vgg16"):
            raise ValueError(f"form is 'resnet18' or 'vgg16', not {self.form!r}.")
        for name in ("width", "num_classes", "in_channels", "time_steps", "levels"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")

    def neuron(self) -> Neuron:
        """One population's."""
        return ConvertedIF() if self.spiking else QCFS(self.levels)

    def conv(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, real: bool = False) -> Conv:
        """Levels of QCFS are real numbers to a convolution: only neurons send spikes."""
        return Conv(inputs, outputs, kernel, stride=stride, bias=False, real=real, levels=not self.spiking)


class Layer(SpikingConv, Part):
    """Convolution, normalisation, neurons."""

    def __init__(self, config: CNNConfig, inputs: int, outputs: int, stride: int = 1, real: bool = False):
        super().__init__(config.conv(inputs, outputs, stride=stride, real=real), config.neuron())


class ResBlock(Part):
    """`act(norm(conv(layer(x))) + shortcut(x))`."""

    def __init__(self, config: CNNConfig, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.layer = Layer(config, inputs, outputs, stride)
        self.conv, self.norm = config.conv(outputs, outputs), Norm(outputs)
        changes = stride > 1 or inputs != outputs
        self.shortcut = config.conv(inputs, outputs, 1, stride) if changes else None
        self.shortcut_norm = Norm(outputs) if changes else None
        self.out = Population(config.neuron())

    @property
    def scale(self) -> Scale:
        """The value of one of its spikes."""
        return self.out.scale

    def forward(self, x: Maps, scale: Scale) -> Float[Tensor, "T #B c h w"]:
        """`scale` is the value of one spike of `x`."""
        y = self.norm(self.conv(self.layer(x, scale=scale), self.layer.scale))
        if self.shortcut is None or self.shortcut_norm is None:
            return self.out(y + x)
        return self.out(y + self.shortcut_norm(self.shortcut(x, scale)))


class CNN(nn.Module):
    """`model(x) -> logits per step [T, B, K]`: T = 1 of the QCFS network, `time_steps` of the spiking one.

    x: images `[B, C, H, W]`.
    """

    def __init__(self, config: CNNConfig):
        super().__init__()
        self.config = config
        if config.spiking:
            self.time_steps = config.time_steps
        self.paper_energy = ALPHA if config.spiking else None
        residual = config.form == "resnet18"
        plan = [part for part in VGG16 if isinstance(part, int)]
        self.intake = Intake(config.in_channels, config.image_size, 8 if residual else 16, config.mean, config.std)
        self.stem = Layer(config, config.in_channels, config.width, real=True)
        inputs, blocks = config.width, []
        for times, stride in RESNET18 if residual else ((times, 1) for times in plan[1:]):
            outputs = config.width * times
            blocks.append(ResBlock(config, inputs, outputs, stride) if residual else Layer(config, inputs, outputs))
            inputs = outputs
        self.blocks = nn.ModuleList(blocks)
        self.pools = () if residual else _before_pools()
        self.head = Head(inputs, config.num_classes)
        spikes = [part for part in self.modules() if isinstance(part, Probe) and part.kind == "spike"]
        read = [conv.input for block in self.blocks for conv in _in_order(block)]
        for number, probes in enumerate(zip(spikes, read, strict=False)):  # the last spikes go into the classifier
            for probe in probes:
                probe.site, probe.block = "convolution", number
        for block in self.blocks:
            if isinstance(block, ResBlock) and block.shortcut is not None:  # reads what the first of the two reads
                own, beside = block.shortcut.input, _in_order(block)[0].input
                own.site, own.block = beside.site, beside.block

    def forward(self, x: Float[Tensor, "#B C H W"]) -> Float[Tensor, "T #B K"]:
        if x.ndim != 4:
            raise ValueError(f"this network takes images [B, C, H, W], not a tensor {list(x.shape)}.")
        steps = tuned(time_steps=self.time_steps)["time_steps"] if self.config.spiking else 1
        x, scale = self.stem(self.intake(x), steps), self.stem.scale
        block: Any
        for number, block in enumerate(self.blocks):
            if number in self.pools:
                x, scale = _pooled(x, scale), scale / 4
            x, scale = block(x, scale=scale), block.scale
        return self.head(x.mean((-2, -1)))


def _in_order(block: Any) -> tuple[Any, ...]:
    """The convolutions of a block that lie behind each other."""
    return (block.layer.conv, block.conv) if isinstance(block, ResBlock) else (block.conv,)


def _pooled(x: Maps, scale: Scale) -> Float[Tensor, "T #B C h w"]:
    """The mean of 2 x 2 neighbours: as many spikes, each worth a quarter, to the last bit."""
    return over_maps(lambda maps: avg_pool2d(maps, 2), x / scale) * scale


def _before_pools() -> tuple[int, ...]:
    """The numbers of the layers after the first that a pooling precedes."""
    found, number = [], -1
    for part in VGG16:
        if part == "pool":
            found.append(number)
        else:
            number += 1
    return tuple(found)
