"""Sparse against ordinary convolution: how the pattern of the mask lives or vanishes, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from spikeviz.ui import runs
from spikeviz.ui.reconstruction import TOKENS, borrows

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor, nn

    from spikeviz.recording import Recording
    from spikeviz.ui.experiment import Experiment
    from spikeviz.ui.lab import Lab, Run

FIG_5 = "E-SpikeFormer, sec. 4.2, Eq. 13 and Fig. 5"
SHOWN = 5  # layers whose maps are drawn


def sparse(lab: Lab) -> None:
    """The same weights with either kind of convolution, on this image and mask."""
    from spikeviz.figures.reconstruction import activity_chart
    from spikeviz.metrics import hidden_activity

    run, layers = lab.now, lab.now.opened.layers
    twin = _ordinary(repr(run.experiment), run.card.sha256, run.experiment, run.opened.model, run.shown.batch)
    table = hidden_activity(run.recording, layers).rename(columns={"share": "sparse"})
    table["ordinary"] = hidden_activity(twin, layers)["share"]
    if not table["places"].all():
        st.caption("Nothing is hidden, so that no mask can vanish. Move the mask ratio, or hide patches.")
        return
    left, right = st.columns([1, 1.35], gap="large")
    with left:
        lab.figure(
            activity_chart(table),
            f"{verdict(table)} A place fires if any of its channels does, at any step. The weights were trained with "
            f"sparse convolutions{_costs(run, twin)}.",
            FIG_5, term="sparse convolution",
            alt="Share of hidden places that fire, sparse and ordinary: "
            + ", ".join(f"{row.layer} {row.sparse:.2f} {row.ordinary:.2f}" for row in table.itertuples()),
        )  # fmt: skip
    with right:
        for name, recording in (("sparse", run.recording), ("ordinary", twin)):
            _maps(lab, name, recording)


def verdict(table: pd.DataFrame) -> str:
    """What the two curves say, in words."""
    sparse, ordinary = table["sparse"], table["ordinary"]
    stays = (
        "no layer fires at a hidden place" if not sparse.any() else f"up to {sparse.max():.0%} of hidden places fire"
    )
    grows = f"{ordinary.iloc[0]:.0%} of hidden places fire in the first layer, {ordinary.iloc[-1]:.0%} in the last"
    lost = table["layer"][ordinary.eq(1)[::-1].cummin()[::-1]]  # of the layers at the end where every place fires
    gone = f"; from {lost.iloc[0]} on nothing of the mask is left" if len(lost) else ""
    first, last = ordinary.iloc[0], ordinary.iloc[-1]
    way = "shrinks" if last > first else "grows" if last < first else "stays as large"
    return (
        f"With sparse convolution {stays}; with ordinary convolution {grows}{gone}. The paper's drawing has what is "
        f"silent grow with ordinary convolution; of what is hidden here it {way}."
    )


def _costs(run: Run, twin: Recording) -> str:
    """What the same weights make of the hidden patches with ordinary convolutions."""
    from spikeviz.metrics import effective_rank, reconstruction_errors

    if borrows(run):
        return ""
    own, other = (
        float(reconstruction_errors(run.shown.batch, recording)["MSE"].iloc[0]) for recording in (run.recording, twin)
    )
    tokens = twin[TOKENS].values[twin["patches"].values.flatten(1)]
    rank = f", effective rank {effective_rank(tokens):.1f}" if len(tokens) else ""
    return f": with ordinary ones they make an MSE of {other:.4f} of this image instead of {own:.4f}{rank}"


def _maps(lab: Lab, name: str, recording: Recording) -> None:
    from spikeviz.figures.reconstruction import activity_maps
    from spikeviz.figures.render_html import map_tiles, rate_bar, strip
    from spikeviz.metrics import firing_places

    layers = lab.now.opened.layers
    chosen = [layers[n] for n in np.unique(np.linspace(0, len(layers) - 1, SHOWN).round().astype(int))]
    rates = {layer.removeprefix("encoder."): firing_places(recording, layer)[0].cpu().numpy() for layer in chosen}
    side = lab.now.opened.model.config.image_size
    maps = activity_maps(rates, f"Firing places, {name} convolution", side)
    lab.figure(
        maps, f"{len(chosen)} of {len(layers)} layers, from the image on, each at its own resolution.", FIG_5,
        html=strip(map_tiles(maps, [f"mean {values.mean():.2f}" for values in rates.values()]), SHOWN, 84, 130)
        + (rate_bar(maps.label) if name == "ordinary" else ""),
    )  # fmt: skip


@st.cache_resource(max_entries=16, show_spinner=False)
def _ordinary(key: str, sha256: str, _experiment: Experiment, _model: nn.Module, _batch: Tensor) -> Recording:
    import spikeviz as sv
    from spikeviz.metrics import ordinary

    keep = ("encoder.*.spike", *runs.MADE, TOKENS)
    return sv.simulate(ordinary(_model), _batch, _experiment.interventions, keep, _experiment.seed)
