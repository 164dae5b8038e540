"""Channel masks: move the threshold of learned masks, and see which channels die and what that is worth (DMEB)."""

from __future__ import annotations

import streamlit as st

from spikeviz.ui import cards
from spikeviz.ui.opening import choose_part, open_lab, part_parameter
from spikeviz.ui.presets import Preset

PAGE, TITLE = "dmeb", "Channel masks"
NETWORK = {"checkpoint": "sdmformer-fashion-dvs"}  # which the presets speak of
PARTS = {
    "masks": "Masks",
    "channels": "Channels",
    "cost": "Cost",
    "accuracy": "Accuracy",
    "training": "Training",
}
SMALL = "A small network on simulated events; its masks are a reconstruction."
FIGURES = (
    Preset(
        "Mask rate (sec. 4.2)",
        "SDMFormer, sec. 4.2",
        f"What that section is about: which share of the channels is masked, by block and site. Its figure is not in "
        f"the text we have, so this is a view in its sense and no copy. {SMALL}",
        NETWORK,
    ),
    Preset(
        "Parameters and energy (sec. 4.3)",
        "SDMFormer, tables of sec. 4.3.1 and 4.3.2",
        f"Both ratios against Spikformer, as printed, and ours beside them. {SMALL}",
        {**NETWORK, "dmeb_part": "cost"},
    ),
    Preset(
        "What the masks take away",
        "SDMFormer, sec. 3.3, in kind",
        f"A keeps every channel, B is as trained; the viewer shows A−B of a masked layer. {SMALL}",
        {**NETWORK, "dmeb_A": "threshold:0.00", "dmeb_side": "diff", "dmeb_layer": "blocks.0.attn.v"},
    ),
)

cards.heading(
    PAGE,
    TITLE,
    "A mask learned which channels the network can do without. Move its threshold: channels above it fire, the others "
    "are silent, and can be cut out.",
    "SDMFormer, sec. 3.2, 3.3, 4.2",
)


@st.fragment
def show() -> None:
    """Controls and results: a moved slider runs this part again and nothing else."""
    from spikeviz.ui import channels, controls, masks, pruning, spikes, thresholds

    draw = {
        "masks": masks.values,
        "channels": channels.channels,
        "cost": pruning.cost,
        "accuracy": thresholds.accuracy,
        "training": masks.training,
    }
    own = [part_parameter(PAGE, PARTS)]
    lab = open_lab(PAGE, TITLE, FIGURES, masks.NETWORKS, more=own, knobs=controls.masks, first=masks.first)
    with lab.view:
        masks.keeps(lab)
        spikes.spike_viewer(lab)
    draw[choose_part(PAGE, PARTS)](lab)
    lab.close("channel mask", "DMEB", "mask rate", "pruning", "LPE", "T", "spike", "firing rate", "spike map", "SOP",
              "MAC", "confidence")  # fmt: skip


show()
