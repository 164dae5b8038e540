"""Integer firing: a network that was trained with integers up to D, run as spikes, at any D (SFA)."""

from __future__ import annotations

import streamlit as st

from spikeviz.ui import cards
from spikeviz.ui.opening import choose_part, open_lab, part_parameter
from spikeviz.ui.presets import Preset

PAGE, TITLE = "sfa", "Integer firing"
VANILLA = "checkpoint:e-spikeformer-fashion-vanilla4"
SFA4 = {"checkpoint": "e-spikeformer-fashion-sfa4"}
PARTS = {
    "firing": "Firing",
    "error": "Errors",
    "equality": "Integers = spikes?",
    "patterns": "Patterns and chips",
    "cost": "Accuracy and cost",
}
SMALL = "A small network on small pictures, trained here; the paper's has 10 M parameters and sees ImageNet."
FIGURES = (
    Preset(
        "Firing patterns (Fig. 3)",
        "E-SpikeFormer, Fig. 3",
        "A rate of 0.3 over ten steps, as in the paper; the patterns are computed by IF neurons, those of direct "
        "training drawn at random.",
        {**SFA4, "sfa_part": "patterns", "sfa_rate": "0.3"},
    ),
    Preset(
        "T x D unrolling (Fig. 6)",
        "E-SpikeFormer, Fig. 6",
        f"Vanilla 4 x 1, SFA training 1 x 4, SFA inference, with spikes of this image. {SMALL}",
        {**SFA4, "sfa_part": "patterns"},
    ),
    Preset(
        "Spike maps, vanilla and SFA (Fig. 8)",
        "E-SpikeFormer, Fig. 8",
        f"A is vanilla 4 x 1, B is SFA 1 x 4: the last spikes of the last block, by step and averaged. {SMALL}",
        {**SFA4, "sfa_A": VANILLA, "sfa_layer": "blocks.0.mlp.hidden"},
    ),
    Preset(
        "NSFR, vanilla and SFA (Fig. 9)",
        "E-SpikeFormer, Fig. 9",
        f"A is vanilla 4 x 1, B is SFA 1 x 4; run both over the test images below. {SMALL}",
        {**SFA4, "sfa_A": VANILLA},
    ),
    Preset(
        "Execution on chips (Fig. 11)",
        "E-SpikeFormer, Fig. 11",
        f"T = D = 3, as in the paper, with spikes of this image, which is shown for three steps. {SMALL}",
        {**SFA4, "sfa_D": "3", "sfa_T": "3", "sfa_part": "patterns"},
    ),
)

cards.heading(
    PAGE,
    TITLE,
    "Trained with integers up to D, run with spikes: a count C is a spike in the first C of D steps. Move D.",
    "E-SpikeFormer, sec. 3.2, 4, 5.3",
)


@st.fragment
def show() -> None:
    """Controls and results: a moved slider runs this part again and nothing else."""
    from spikeviz.ui import approximation, execution, integers, spikes, tradeoff

    draw = {
        "firing": integers.firing,
        "error": approximation.errors,
        "equality": approximation.equality,
        "patterns": execution.patterns,
        "cost": tradeoff.cost,
    }
    own = [part_parameter(PAGE, PARTS), execution.rate_parameter(PAGE)]
    lab = open_lab(PAGE, TITLE, FIGURES, integers.NETWORKS, integers.trained_at, own)
    with lab.view:
        integers.meanings(lab)
        spikes.spike_viewer(lab)
    draw[choose_part(PAGE, PARTS)](lab)
    lab.close("D", "T", "SFA", "spike", "membrane", "firing rate", "NSFR", "spike map", "SOP", "MAC", "confidence")


show()
