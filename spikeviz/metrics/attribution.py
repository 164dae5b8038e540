"""Where a network looks: spike activation maps from spikes alone, and ScoreCAM from masked inputs."""

from __future__ import annotations

from math import exp

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from spikeviz.axes import MAPS
from spikeviz.metrics.firing import binary_steps
from spikeviz.recording import Track
from spikeviz.simulation import simulate

BATCH = 64  # masked inputs that run at once


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


def score_cam(
    model: nn.Module, x: Float[Tensor, "1 C H W"], layer: str, label: int | None = None
) -> Float[Tensor, "H W"]:
    """ScoreCAM of one image: every channel of a layer, as a mask of the image, is weighed by the class score it leaves.

    The maps of the layer (mean over t) are enlarged to the image and stretched to [0, 1]; the softmax of the class for
    the masked image is the channel's weight; what is negative in the weighted sum is cut off (Wang et al., "Score-CAM",
    CVPRW 2020; Masked Spiking Transformer, Fig. 7). A channel that is the same everywhere hides nothing and weighs 0.

    Args:
        model: that is asked.
        x: one image, as `simulate` takes it.
        layer: module path of spikes on a grid (`blocks.0.mlp.out`), without `.spike`.
        label: the class; None is the one the model gives.

    Returns:
        On the grid of the image, 0 to 1.

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
    masks = interpolate(maps, x.shape[-2:], mode="bilinear", align_corners=False)[0].to(x)
    low, high = (end(masks.flatten(1), 1).values[:, None, None] for end in (torch.min, torch.max))
    masks = (masks - low) / (high - low).clamp_min(torch.finfo(masks.dtype).tiny) * (high > low)
    weights = torch.cat(
        [simulate(model, x * some[:, None], keep="").output.softmax(-1)[:, label].to(x) for some in masks.split(BATCH)]
    )
    weights = weights * (high > low).flatten()
    found = (weights[:, None, None] * masks).sum(0).clamp_min(0)
    return found / found.max().clamp_min(torch.finfo(found.dtype).tiny)
