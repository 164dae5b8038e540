"""A smooth fill-in of the visible pixels as what an autoencoder has to beat: how wide its Gaussian is."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from spikeviz.interventions import HidePatches
from spikeviz.metrics import hidden_mse, smooth_fill
from spikeviz.simulation import simulate

WIDTHS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)  # standard deviations in pixels


def choose_width(
    model: nn.Module,
    images: Float[Tensor, "N C H W"],
    ratio: float,
    seed: int = 0,
    widths: Sequence[float] = WIDTHS,
) -> float:
    """The width at which a smooth fill-in is best on training images, of patches hidden as the autoencoder hides them.

    Args:
        model: whose patches are hidden; not written to.
        images: training images, values from 0 to 1; 256 do.
        ratio: share of hidden patches.
        seed: of which.
        widths: to choose from, in pixels.

    Returns:
        That of the least mean squared error over hidden pixels, mean over images; the first of several.

    Raises:
        ValueError: for no images.
    """
    if not len(images):
        raise ValueError("there are no training images to choose the width of a smooth fill-in on.")
    mask = simulate(model, images, HidePatches(ratio), "mask", seed)["mask"].values.cpu()
    images = images.cpu().double()
    errors = [float(hidden_mse(images, smooth_fill(images, mask, width), mask).mean()) for width in widths]
    return widths[errors.index(min(errors))]
