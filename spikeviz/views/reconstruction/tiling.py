"""A whole photo through an autoencoder: cut into tiles of the size it knows, each guessed by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from spikeviz.views import runs
from spikeviz.views.inputs import source_of
from spikeviz.views.reconstruction.overview import borrows
from spikeviz.views.view import Figure, Item, Note

if TYPE_CHECKING:
    from torch import Tensor

    from spikeviz.recording import Recording
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

SEC = "after Spikformer V2, sec. 4.2 (our tiles)"


def tiles(scene: Scene) -> Iterator[Item]:
    """Original, masked, reconstructed and pasted, of the photo that was uploaded."""
    run, wide = scene.now, scene.now.shown.wide
    if wide is None:
        yield Note(
            "Upload a photo to use this view. It is cut into tiles of the size this network knows; the pictures above "
            "show its centre square as one image."
        )
        return
    from einops import rearrange

    from spikeviz.data.catalog import find_data
    from spikeviz.views.reconstruction.charts import photograph_html, quartet

    size = run.shown.pixels.shape[-1]
    rows = wide.shape[-2] // size
    batch = rearrange(wide, "c (h p) (w q) -> (h w) c p q", p=size, q=size)
    # the photo names them: two photos may look the same as one image
    of_tiles = run.experiment.but(source=f"{source_of(replace(run.shown, pixels=wide))}/tiles")
    computed = runs.cached_simulate(of_tiles, runs.MADE, lambda: batch)
    image, mask, made = (
        rearrange(x.cpu().numpy(), "(h w) c p q -> c (h p) (w q)", h=rows)
        for x in (batch, computed.recording["mask"].values, computed.recording.output)
    )
    shown = quartet(image, mask, made, f"Photo in {len(batch)} tiles")
    error = computed.once("error over tiles", partial(_error, run, batch))
    yield Figure(
        shown,
        f"{rows} x {len(batch) // rows} tiles of {size} x {size} pixels, of the middle of the photo; each is an image "
        f"of its own to the network, so nothing is carried over a seam.{error} It was trained on "
        f"{find_data(run.card.data).title} alone.",
        SEC,
        f"The photo as original, masked, reconstructed and pasted, in {len(batch)} tiles.{error}",
        html=partial(photograph_html, shown),
    )


def _error(run: Run, batch: Tensor, recording: Recording) -> str:
    """The mean error of all tiles, in words; "" where it would say nothing."""
    from spikeviz.metrics import reconstruction_errors

    if borrows(run) or recording["mask"].values.all():
        return ""
    table = reconstruction_errors(batch, recording)
    mse, fill = float(np.mean(table["MSE"])), float(np.mean(table["fill"]))
    beaten = f", ×{mse / fill:.2f} of that of each tile's visible mean" if fill else ""
    return f" MSE over hidden pixels {mse:.4f}, mean of the tiles{beaten}."
