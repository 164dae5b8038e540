"""Where a masked network looks: spike activation maps at several ratios, and ScoreCAM of the QCFS network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from spikeviz.ui.random_masks import at_ratio, rule, where

if TYPE_CHECKING:
    from torch import Tensor, nn

    from spikeviz.ui.lab import Lab

RATIOS = (0.0, 0.5, 0.75)  # of the paper's Fig. 7
TIMES = 5
GAMMA = 0.5
SOURCE = "Masked Spiking Transformer, Fig. 7; Kim & Panda, Sci. Rep. 2021"


def maps(lab: Lab) -> None:
    """Spike activation maps of the layer that is looked at, a row for each ratio; ScoreCAM beside them."""
    from spikeviz.figures.render_html import map_tiles, rate_bar, strip
    from spikeviz.figures.spike_masking import activation_maps

    own = rule(lab.now).ratio
    found = {f"ratio {ratio:.2f}": _sam(lab, ratio) for ratio in sorted({*RATIOS, own})}
    length = len(next(iter(found.values())))
    times = np.unique(np.linspace(min(2, length), length, TIMES).round().astype(int))
    most = max(float(found["ratio 0.00"].max()), 1e-12)
    chosen = {name: values[times - 1] / most for name, values in found.items()}
    exhibit = activation_maps(chosen, times.tolist(), lab.layer)
    tiles = map_tiles(exhibit, [f"mean {values.mean():.3f}" for values in exhibit.maps])
    left, right = st.columns([2.2, 1], gap="large")
    with left:
        lab.figure(
            exhibit,
            f"This input, {where(lab.now)} masked, seed {lab.now.experiment.seed}, γ = {GAMMA}. {_alike(found)} The "
            "weights are the same in every row; the paper's were fine-tuned at each ratio. This is not the spike map "
            "of the viewer, which is the plain mean over channels: here a spike counts the more, the sooner the same "
            "neuron has fired before. At t = 1 the map is empty.",
            SOURCE, term="SAM", html=strip(tiles, len(times), 60, 116) + rate_bar(exhibit.label),
        )  # fmt: skip
    with right:
        _score_cam(lab)


def _sam(lab: Lab, ratio: float) -> np.ndarray:
    """`[T, H, W]`."""
    from spikeviz.metrics import sam

    return sam(at_ratio(lab, ratio).recording[f"{lab.layer}.spike"], GAMMA).numpy()


def _alike(found: dict[str, np.ndarray]) -> str:
    """How alike the maps of all steps are to those without masks, in words."""
    (_, base), *others = found.items()
    said = []
    for name, values in others:
        if base.std() and values.std():
            said.append(f"{np.corrcoef(base.ravel(), values.ravel())[0, 1]:.2f} at {name}")
    return f"Correlation with the maps without masks, over all steps: {', '.join(said)}." if said else ""


def _score_cam(lab: Lab) -> None:
    from spikeviz.data.catalog import find_data
    from spikeviz.figures.chart import Maps
    from spikeviz.figures.events import input_picture
    from spikeviz.figures.render_html import map_tiles, photograph, rate_bar, strip, tile

    run = lab.now
    if run.shown.batch.ndim != 4:
        st.caption("ScoreCAM hides parts of one image; this network takes event frames, of which there is none here.")
        return
    values, best = _computed(
        f"{run.experiment.only()!r} {lab.layer}", run.card.sha256, run.opened.qcfs, run.shown.batch, lab.layer
    )
    says = find_data(run.card.data).classes[best]
    exhibit = Maps(f"ScoreCAM · {lab.layer}", values[None], ("QCFS network",), "share of the largest weight")
    tiles = [tile(photograph(input_picture(run.shown.pixels.numpy())), "input", run.shown.title, run.shown.title)]
    tiles += map_tiles(exhibit, [f"for {says}"])
    lab.figure(
        exhibit,
        f"Of the QCFS network, without spikes and masks, for what it says: {says}. Each channel of the layer hides a "
        "part of the image; the class score that is left weighs it.",
        "Wang et al., Score-CAM, CVPRW 2020", term="ScoreCAM",
        html=strip(tiles, 2, 90, 150) + rate_bar(exhibit.label),
    )  # fmt: skip


@st.cache_resource(max_entries=32, show_spinner=False)
def _computed(key: str, sha256: str, _model: nn.Module, _batch: Tensor, layer: str) -> tuple[np.ndarray, int]:
    """The map, and the class it is of."""
    import spikeviz as sv

    best = int(sv.simulate(_model, _batch, keep="").output[0].argmax())
    return sv.metrics.score_cam(_model, _batch, layer, best).float().cpu().numpy(), best
