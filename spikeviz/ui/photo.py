"""A whole photo through an autoencoder: cut into tiles of the size it knows, each guessed by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from einops import rearrange

from spikeviz.ui import runs
from spikeviz.ui.reconstruction import borrows

if TYPE_CHECKING:
    from torch import Tensor, nn

    from spikeviz.recording import Recording
    from spikeviz.ui.experiment import Experiment
    from spikeviz.ui.lab import Lab

SEC = "Spikformer V2, sec. 4.2, in kind"


def tiles(lab: Lab) -> None:
    """Original, masked, reconstructed and pasted, of the photo that was uploaded."""
    wide = lab.now.shown.wide
    if wide is None:
        st.caption(
            "This is about a photo of your own: bring one by Upload. It is cut into tiles of the size this network "
            "knows; what stands above is its centre square as one image."
        )
        return
    from spikeviz.data.catalog import find_data
    from spikeviz.figures.reconstruction import photograph_html, quartet
    from spikeviz.metrics import reconstruction_errors

    run, size = lab.now, lab.now.shown.pixels.shape[-1]
    rows = wide.shape[-2] // size
    batch = rearrange(wide, "c (h p) (w q) -> (h w) c p q", p=size, q=size)
    recording = _tiled(repr(run.experiment), run.card.sha256, run.experiment, run.opened.model, batch)
    whole = [
        rearrange(x.cpu().numpy(), "(h w) c p q -> c (h p) (w q)", h=rows)
        for x in (batch, recording["mask"].values, recording.output)
    ]
    exhibit = quartet(*whole, f"Photo in {len(batch)} tiles")
    error = ""
    if not borrows(run) and not recording["mask"].values.all():
        table = reconstruction_errors(batch, recording)
        mse, fill = float(np.mean(table["MSE"])), float(np.mean(table["fill"]))
        beaten = f", ×{mse / fill:.2f} of each tile's visible mean" if fill else ""
        error = f" MSE over hidden pixels {mse:.4f}, mean of the tiles{beaten}."
    lab.figure(
        exhibit,
        f"{rows} x {len(batch) // rows} tiles of {size} x {size} pixels, of the middle of the photo. Each is an "
        f"image of its own to the network, so that nothing is carried over a seam.{error} It was trained on "
        f"{find_data(run.card.data).title} alone.",
        SEC, html=photograph_html(exhibit),
    )  # fmt: skip


@st.cache_resource(max_entries=8, show_spinner="The tiles are guessed ...")
def _tiled(key: str, sha256: str, _experiment: Experiment, _model: nn.Module, _batch: Tensor) -> Recording:
    import spikeviz as sv

    return sv.simulate(_model, _batch, _experiment.interventions, runs.MADE, _experiment.seed)
