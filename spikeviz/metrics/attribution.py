"""Where a network looks: spike activation maps from spikes alone, and ScoreCAM from masked inputs."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import interpolate

from spikeviz.axes import MAPS
from spikeviz.metrics.firing import binary_steps
from spikeviz.recording import Track
from spikeviz.simulation import simulate

BATCH = 64  # masked inputs that run at once
CHANNELS = 512  # that ScoreCAM asks of a layer


def sam(track: Track, gamma: float = 0.5, sample: int = 0) -> Float[Tensor, "TD H W"]:
    """Spike activation maps of one sample: where neurons fire again soon after they have fired. No gradient.

    A neuron's contribution at t is the sum over its earlier spikes t' of exp(-gamma (t - t')); the map at t is the sum
    over channels of contribution times spike (Kim & Panda, "Visual explanations from spiking neural networks using
    inter-spike intervals", Sci. Rep. 2021; Masked Spiking Transformer, Fig. 7). It is not the spike map of
    `spike_maps`, which is the plain mean over channels. At the first step nothing has fired before: the map is 0.

    Args:
        track: spikes with the axes T B C H W.
        gamma: above 0; a larger one forgets sooner.
        sample: of the batch.

    Raises:
        ValueError: if the track has no spikes on a grid, there is no such sample, or gamma is not above 0.
    """
    if track.kind != "spike" or track.axes != MAPS:
        raise ValueError(f"a spike activation map needs spikes with the axes {' '.join(MAPS)}, not {track}.")
    if not gamma > 0:
        raise ValueError(f"gamma must be above 0, not {gamma}.")
    spikes = binary_steps(track, sample).float()
    contribution, maps = torch.zeros_like(spikes[0]), []
    for fired in spikes:
        maps.append((contribution * fired).sum(0))
        contribution = exp(-gamma) * (contribution + fired)
    return torch.stack(maps)


@dataclass(frozen=True, eq=False)
class ScoreCAM:
    """What the channels of a layer say of where a class is.

    Attributes:
        map: on the grid of the image, 0 to 1.
        channels: that were asked, as numbers of the layer's channels, in order.
        increases: of each of these, the logit of the class with the image seen through its map, minus that of black.
        weights: their softmax, which sums to 1.
        label: the class.
    """

    map: Float[Tensor, "H W"]
    channels: Int[Tensor, "asked"]
    increases: Float[Tensor, "asked"]
    weights: Float[Tensor, "asked"]
    label: int


def score_cam(
    model: nn.Module, x: Float[Tensor, "1 C H W"], layer: str, label: int | None = None, most: int = CHANNELS
) -> ScoreCAM:
    """ScoreCAM of one image: the maps of a layer's channels, weighed by how much of the class each lets pass.

    The activations of a channel (mean over t), enlarged to the image and stretched to [0, 1], mask the image. Its
    increase is the logit of the class for what is left, minus that for a black image; the softmax of the increases over
    the channels weighs the activations, and what is negative in their sum is cut off (Wang et al., "Score-CAM:
    Score-weighted visual explanations for convolutional neural networks", CVPRW 2020, Algorithm 1; used in Masked
    Spiking Transformer, sec. 4.3). A channel that is the same everywhere cannot be stretched: its mask is black, so
    that it raises nothing. It takes a pass for each channel and one more.

    Args:
        model: that is asked.
        x: one image, as `simulate` takes it.
        layer: module path of spikes on a grid (`blocks.0.mlp.out`), without `.spike`.
        label: the class; None is the one the model gives.
        most: channels that are asked; of a layer with more, those whose activations differ most over the places.

    Raises:
        ValueError: if x is not one image, or the model has no such layer or class.
    """
    if x.ndim != 4 or x.shape[0] != 1:
        raise ValueError(f"ScoreCAM needs one image [1, C, H, W], not a tensor {list(x.shape)}.")
    recording = simulate(model, x, keep=f"{layer}.spike")
    if f"{layer}.spike" not in recording or recording[f"{layer}.spike"].axes != MAPS:
        raise ValueError(f"{recording.model} has no spikes on a grid called {layer}.")
    classes = recording.output.shape[-1]
    label = int(recording.output[0].argmax()) if label is None else label
    if not 0 <= label < classes:
        raise ValueError(f"{recording.model} has the classes 0 to {classes - 1}, not {label}.")
    maps = recording[f"{layer}.spike"].flows.mean(0)  # [1, C, h, w]
    maps = interpolate(maps, x.shape[-2:], mode="bilinear", align_corners=False)[0].to(x)
    spread = maps.flatten(1).amax(1) - maps.flatten(1).amin(1)
    channels = spread.topk(min(most, len(spread))).indices.sort().values
    maps, spread = maps[channels], spread[channels, None, None]
    masks = (maps - maps.amin((1, 2), keepdim=True)) / spread.clamp_min(torch.finfo(maps.dtype).tiny)
    seen = torch.cat([torch.zeros_like(x), x * masks[:, None]])  # black, then through each channel
    scores = torch.cat([simulate(model, some, keep="").output[:, label] for some in seen.split(BATCH)]).to(x)
    increases = scores[1:] - scores[0]
    weights = increases.softmax(0)
    found = (weights[:, None, None] * maps).sum(0).clamp_min(0)
    found = found / found.max().clamp_min(torch.finfo(found.dtype).tiny)
    return ScoreCAM(found, channels, increases, weights, label)
