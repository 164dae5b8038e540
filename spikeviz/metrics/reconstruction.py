"""How well an autoencoder guessed what it could not see: errors over the hidden pixels alone, in the image's own units.

All take images `[B, C, H, W]` with values from 0 to 1, a reconstruction of that shape, and a mask `[B, 1, H, W]`, True
where a pixel was visible (the tracks `reconstruction` and `mask` of a recording). They answer a number for each image,
which is nan where nothing was hidden.
"""

from __future__ import annotations

import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import conv2d, pad

from spikeviz.recording import Recording

Images = Float[Tensor, "B C H W"]
Mask = Bool[Tensor, "B 1 H W"]
PerImage = Float[Tensor, " B"]

WINDOW, SIGMA = 11, 1.5  # of SSIM: a Gaussian of 11 x 11 pixels (Wang et al. 2004, sec. III-B)
K1, K2 = 0.01, 0.03


def hidden_mse(image: Images, reconstruction: Images, mask: Mask) -> PerImage:
    """Mean squared error over the hidden pixels and all channels."""
    return _over_hidden((image - reconstruction).square(), mask)


def hidden_psnr(image: Images, reconstruction: Images, mask: Mask) -> PerImage:
    """Peak signal-to-noise ratio in dB of the hidden pixels, `-10 log10(MSE)` for a peak of 1; inf without an error."""
    return -10 * hidden_mse(image, reconstruction, mask).log10()


def hidden_ssim(image: Images, reconstruction: Images, mask: Mask) -> PerImage:
    """Structural similarity (Wang et al., IEEE TIP 2004), its map averaged over the hidden pixels and all channels.

    The image is compared with the picture a person sees, where visible pixels are the image's own: a window of SSIM is
    wider than a patch, and reaches over both. At the edges pictures are mirrored.
    """
    seen = torch.where(mask, image, reconstruction)
    means = [_blurred(picture) for picture in (image, seen)]
    products = means[0].square(), means[1].square(), means[0] * means[1]
    pairs = ((image, image), (seen, seen), (image, seen))
    own, other, both = (_blurred(a * b) - product for (a, b), product in zip(pairs, products, strict=True))
    c1, c2 = K1**2, K2**2  # for a range of values of 1
    light = (2 * products[2] + c1) / (products[0] + products[1] + c1)
    return _over_hidden(light * (2 * both + c2) / (own + other + c2), mask)


def visible_mean(image: Images, mask: Mask) -> Images:
    """The least a reconstruction must beat: each channel is filled with its mean over the visible pixels of the image.

    0 where nothing is visible.
    """
    mean = (image * mask).sum((-2, -1), keepdim=True) / mask.sum((-2, -1), keepdim=True).clamp_min(1)
    return mean.expand_as(image)


def smooth_fill(image: Images, mask: Mask, width: float) -> Images:
    """What a reconstruction must beat to have understood more than that images are smooth: each pixel is the mean of
    the visible pixels of its channel, weighted by a Gaussian of their distance to it.

    Args:
        width: standard deviation of the Gaussian, in pixels.

    Returns:
        Where every visible pixel is too far to have a weight that a float64 holds, the visible mean.
    """
    rows, columns = (_weights(n, width, image.device) for n in image.shape[-2:])
    seen = mask.double()
    weight = rows @ seen @ columns
    filled = rows @ (image.double() * seen) @ columns / weight
    return torch.where(weight > 0, filled, visible_mean(image, mask)).to(image.dtype)


def reconstruction_errors(image: Images, recording: Recording, width: float | None = None) -> pd.DataFrame:
    """Of each image of a recording: `MSE`, that of the visible mean (`fill`), the first over the second (`relative`),
    `PSNR` in dB and `SSIM`; with a width also the MSE of the smooth fill-in (`smooth`) and the first over that
    (`over_smooth`).

    Args:
        image: what the autoencoder was given.
        recording: of an autoencoder, with the tracks `mask` and `reconstruction`.
        width: of the Gaussian of the smooth fill-in, in pixels, chosen on other images.

    Raises:
        ValueError: if these tracks are not there, or are of other images.
    """
    missing = {"mask", "reconstruction"} - set(recording)
    if missing:
        raise ValueError(f"errors of a reconstruction need the tracks mask and reconstruction of {recording.model}.")
    made, mask = (recording[name].values.cpu() for name in ("reconstruction", "mask"))
    if made.shape != image.shape:
        raise ValueError(f"the reconstruction is {list(made.shape)}, the images are {list(image.shape)}.")
    image, made = image.cpu().double(), made.double()
    mse, fill = hidden_mse(image, made, mask), hidden_mse(image, visible_mean(image, mask), mask)
    columns = {"MSE": mse, "fill": fill, "relative": mse / fill}
    columns |= {"PSNR": hidden_psnr(image, made, mask), "SSIM": hidden_ssim(image, made, mask)}
    if width is not None:
        smooth = hidden_mse(image, smooth_fill(image, mask, width), mask)
        columns |= {"smooth": smooth, "over_smooth": mse / smooth}
    return pd.DataFrame({name: values.numpy() for name, values in columns.items()})


def _over_hidden(values: Images, mask: Mask) -> PerImage:
    hidden = ~mask
    return torch.where(hidden, values, 0).mean(1).sum((-2, -1)) / hidden.sum((1, 2, 3))


def _weights(count: int, width: float, device: torch.device) -> Float[Tensor, "n n"]:
    """Of pixel m for pixel n along an axis."""
    place = torch.arange(count, dtype=torch.float64, device=device)
    return torch.exp(-(place[:, None] - place).square() / (2 * width**2))


def _blurred(x: Images) -> Images:
    """The mean under the window, weighted by a Gaussian of sum 1."""
    bell = torch.exp(-(torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2).square() / (2 * SIGMA**2))
    bell = (bell / bell.sum()).view(1, 1, -1)
    x, shape = pad(x, (WINDOW // 2,) * 4, mode="reflect").flatten(0, 1)[:, None], x.shape
    return conv2d(conv2d(x, bell[..., None]), bell[:, :, None]).view(shape)
