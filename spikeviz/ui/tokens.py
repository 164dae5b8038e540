"""The spikes of an autoencoder's encoder: maps of a layer, with hidden places silent."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from spikeviz.ui.experiment import remember, shown, taken

if TYPE_CHECKING:
    from spikeviz.ui.lab import Lab, Run

FIG_8 = "E-SpikeFormer, sec. 5.3 and Fig. 8, in kind"
STEPS = 8  # maps of steps that are drawn


def maps(lab: Lab) -> None:
    """Spike maps of the chosen layer, step by step and averaged, of this run and of A; NSFR and operations."""
    from spikeviz.ui import spikes

    name = f"{lab.page}_map_layer"
    st.selectbox(
        "Layer of the encoder", lab.now.opened.layers, key=shown(name, lab.layer), width=330, on_change=taken,
        args=(name, partial(remember, "layer")),
    )  # fmt: skip
    for side, run in lab.runs:
        if f"{lab.layer}.spike" in run.recording:
            _maps(lab, f", {side}" if lab.held else "", run)
    left, right = st.columns(2, gap="large")
    with left:
        spikes.rates(lab)
    with right:
        spikes.operations(lab)


def _maps(lab: Lab, name: str, run: Run) -> None:
    from spikeviz.figures.chart import Maps
    from spikeviz.figures.render_html import map_tiles, rate_bar, strip

    reel, film = run.film.layers[lab.layer], run.film
    steps, channels, height, width = reel.shape
    values = reel.maps
    kept = run.recording["patches"].values[0, 0].cpu().numpy()
    scale = height // len(kept)
    visible = np.kron(kept, np.ones((scale, scale), dtype=bool))
    some = values[:STEPS]
    mean = values.mean(0)
    titles = [*(film.when(step) for step in range(1, len(some) + 1)), "mean over t"]
    exhibit = Maps(
        f"Spike maps · {lab.layer}{name}", np.concatenate([some, mean[None]]), titles,
        f"share of the {channels} channels that fire",
    )  # fmt: skip
    silent = float(mean[~visible].max(initial=0))
    lab.figure(
        exhibit,
        f"{channels} channels of {height} x {width} neurons, {steps} binary steps. Visible places: mean "
        f"{_mean(mean[visible])}; hidden ones: largest {silent:.3f}"
        + (", they are silent." if not silent else "."),
        FIG_8, html=strip(map_tiles(exhibit, [f"mean {m.mean():.3f}" for m in exhibit.maps]), 6, 96, 150)
        + rate_bar(exhibit.label), term="spike map",
    )  # fmt: skip


def _mean(values: np.ndarray) -> str:
    return f"{values.mean():.3f}" if values.size else "none"
