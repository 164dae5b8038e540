"""Learned channel masks: which networks have them, what a threshold drops, and how training moved them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.artifacts.cards import find_card
from spikeviz.interventions import MaskChannels
from spikeviz.ui import controls, opening
from spikeviz.ui.experiment import Networks, remember, shown, taken
from spikeviz.ui.glossary import help_for

if TYPE_CHECKING:
    import numpy as np

    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.interventions import Intervention
    from spikeviz.ui.lab import Lab, Run

NEAR = 0.1  # of a threshold: what a small move of it decides
RECONSTRUCTION = "A reconstruction: the paper's equations are lost in the text we have."
SEC = "SDMFormer, sec. 3.2, 3.3"


def has_masks(card: CheckpointCard) -> bool:
    """Whether a threshold acts on a network: an SDMFormer that is not pruned."""
    from spikeviz.models.registry import SPECS

    spec = SPECS.get(card.model)
    return spec is not None and spec.family == "sdmformer" and _stores_masks(card.name, card.sha256)


@lru_cache(maxsize=256)
def _stores_masks(name: str, sha256: str) -> bool:
    """By the names of its tensors; a file that cannot be read is left to be refused where the network is opened."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(find_card(name)[1], "np") as weights:
            return any(".mask" in tensor for tensor in weights.keys())  # noqa: SIM118
    except (FileNotFoundError, SafetensorError):
        return True


NETWORKS = Networks(
    has_masks,
    "has no channel masks, so the threshold does not act on it",
    "sdmformer-fashion-dvs",
)


def first(layers: Sequence[str]) -> str:
    """The first layer with a mask: the threshold moves it."""
    return next((name for name in layers if name.endswith(".attn.q")), layers[0])


def others(run: Run) -> tuple[Intervention, ...]:
    """What is intervened beside the threshold."""
    return tuple(i for i in run.experiment.interventions if not isinstance(i, MaskChannels))


def keeps(lab: Lab) -> None:
    """The formula with the numbers of the moment, and a warning where a whole site is gone."""
    from spikeviz.data.catalog import find_data
    from spikeviz.metrics import parameters_left
    from spikeviz.metrics.channel_masks import REST

    own = lab.now.threshold
    left = parameters_left(lab.now.opened.model, own)
    share = left["left"].sum() / left["parameters"].sum()
    st.markdown(
        rf"$s'_c = [\,\sigma(5\,m_c) > {own:.2f}\,]\;s_c$ keeps **{left['kept'].sum():,} of "
        f"{left['channels'].sum():,}** channels; pruned, **{share:.0%}** of the parameters are left. "
        f"<small>{RECONSTRUCTION} Data: {find_data(lab.now.card.data).title}.</small>",
        unsafe_allow_html=True, help=help_for("channel mask"),
    )  # fmt: skip
    layers = lab.now.opened.layers
    if layers.index(lab.layer) < layers.index(first(layers)):
        st.caption(f"{lab.layer} lies before every mask: the threshold does not change it. Choose a layer of a block.")
    empty = left[(left["kept"] == 0) & (left["layer"] != REST)]["layer"]
    if len(empty):
        st.warning(
            f"At {own:.2f} no channel is left in {', '.join(empty)}: nothing fires there any more. The network still "
            "runs, on what goes round it; pruned, one channel stays that never fires."
        )


def values(lab: Lab) -> None:
    """Where the learned values lie, what the threshold drops of each site, and what kept and dropped channels fire."""
    from spikeviz.figures.channel_masks import rate_bars, strengths
    from spikeviz.metrics import mask_rates, mask_values

    model, own = lab.now.opened.model, lab.now.threshold
    learned, rates = mask_values(model), mask_rates(model, own)
    layer, mask = masked_layer(lab)
    near = int((learned["strength"] - own).abs().le(NEAR).sum())
    left, right = st.columns(2, gap="large")
    with left:
        lab.figure(
            strengths(learned, own),
            f"{len(learned):,} values of {lab.now.card.name}; what lies right of the line is kept. {near:,} lie within "
            f"{NEAR} of it: those a small move decides.",
            SEC, term="channel mask",
            alt=f"Histogram of {len(learned)} mask strengths, {int(rates['masked'].sum())} of them up to the threshold "
            f"{own:.2f}",
        )  # fmt: skip
    with right:
        lab.figure(
            rate_bars(rates, mask),
            f"{rates['masked'].sum():,} of {rates['channels'].sum():,} channels are masked; the site of {layer} is "
            "marked. Section 4.2 of the paper is about this rate; its figure is not in the text we have.",
            "SDMFormer, sec. 4.2", term="mask rate",
            alt="Share of masked channels: " + ", ".join(f"{r.layer} {r.rate:.2f}" for r in rates.itertuples()),
        )  # fmt: skip
    choose_layer(lab, layer)
    _kept_and_dropped(lab, layer, mask)


def masked_layer(lab: Lab) -> tuple[str, str]:
    """The layer that is looked at and its mask, where it has one; else the first that has."""
    from spikeviz.metrics.channel_masks import masked_layers

    layers = masked_layers(lab.now.opened.model)
    layer = lab.layer if lab.layer in layers else next(iter(layers))
    return layer, layers[layer]


def choose_layer(lab: Lab, layer: str) -> None:
    """Another masked layer; the viewer moves to it as well."""
    from spikeviz.metrics.channel_masks import masked_layers

    name = f"{lab.page}_masked_layer"
    st.selectbox(
        "Masked layer", list(masked_layers(lab.now.opened.model)), key=shown(name, layer), width=264, on_change=taken,
        args=(name, partial(remember, "layer")), help="Q and K share one mask. The viewer moves to the layer as well",
    )  # fmt: skip


def _kept_and_dropped(lab: Lab, layer: str, mask: str) -> None:
    from spikeviz.figures.channel_masks import kept_and_dropped
    from spikeviz.figures.render_html import map_tiles, rate_bar, strip

    passes = kept(lab, mask)
    said = {
        "kept": "What this site lets pass, mean {:.3f} spikes per neuron and step.",
        "dropped": "They fire nothing any more. This is what they would fire with all channels of the network kept: "
        "mean {:.3f} spikes per neuron and step.",
    }
    for part, maps in kept_and_dropped(spikes(lab.now, layer), spikes(all_kept(lab), layer), passes, layer).items():
        notes = [f"mean {values.mean():.2f} max {values.max():.2f}" for values in maps.maps]
        picture = strip(map_tiles(maps, notes), len(notes), 72, 110)
        lab.figure(maps, said[part].format(maps.maps[-1].mean()), html=picture + rate_bar(maps.label))


def all_kept(lab: Lab) -> Run:
    """The same with every channel kept: what dropped channels would fire."""
    wanted = lab.now.experiment.set(MaskChannels, MaskChannels(0.0))
    return opening.run(wanted, lab.now.shown, lab.layer, controls.masks)


def spikes(run: Run, layer: str) -> np.ndarray:
    """`[T, C, H, W]` of the one sample."""
    return run.recording[f"{layer}.spike"].values[:, 0].cpu().numpy()


def kept(lab: Lab, mask: str) -> np.ndarray:
    """Which channels a mask keeps at the present threshold."""
    from spikeviz.nn.channel_masks import find_masks

    return find_masks(lab.now.opened.model)[mask].kept(lab.now.threshold).cpu().numpy()


def training(lab: Lab) -> None:
    """How masks moved, from the training log."""
    from spikeviz.figures.channel_masks import histories, kept_by_epoch
    from spikeviz.figures.render_html import map_tiles, rate_bar, strip

    card = lab.now.card
    history = [line for line in card.training.get("history", ()) if "masks" in line]
    if not history:
        st.caption(f"The card of {card.name} holds no log of its masks, so that how they moved is not known here.")
        return
    first, last = (sum(state["kept"] for state in history[end]["masks"].values()) for end in (0, -1))
    channels = sum(state["channels"] for state in history[-1]["masks"].values())
    curves, maps = kept_by_epoch(history), histories(history)
    left, right = st.columns(2, gap="large")
    with left:
        lab.figure(
            curves,
            f"After the first epoch {first:,} of {channels:,} channels pass at 0.50, after the last of {len(history)} "
            f"{last:,}. As the training loop recorded it.",
            SEC, alt=f"Share of kept channels by epoch: {first} of {channels} channels after the first, {last} after "
            "the last",
        )  # fmt: skip
    with right:
        notes = [f"epochs {history[0]['epoch']} to {history[-1]['epoch']}"] * len(maps.titles)
        lab.figure(
            maps,
            "From left to right the epochs, from bottom to top the strength σ(5 m) from 0 to 1 in twentieths. Values "
            "that leave the middle have decided.",
            SEC, html=strip(map_tiles(maps, notes), 3) + rate_bar(maps.label),
        )  # fmt: skip
