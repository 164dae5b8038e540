"""Random masks: drop spikes at random, see what passes, what it saves and what it costs (RSM)."""

from __future__ import annotations

import streamlit as st

from spikeviz.ui import cards
from spikeviz.ui.opening import choose_part, open_lab, part_parameter
from spikeviz.ui.presets import Preset

PAGE, TITLE = "rsm", "Random masks"
NETWORK = {"checkpoint": "mst-fashion"}  # which the presets speak of
PARTS = {
    "masks": "Masks",
    "accuracy": "Accuracy",
    "power": "Power",
    "maps": "Where it looks",
    "distributions": "Distributions",
    "conversion": "Conversion and T",
}
PAPER = "Masked Spiking Transformer"
SMALL = "A demo-size network on small pictures, four blocks; the paper's has twelve and sees CIFAR and ImageNet."
FIGURES = (
    Preset(
        "Distributions (Fig. 3)",
        f"{PAPER}, Fig. 3",
        f"Activations of the QCFS network and membranes of the spiking one, of one layer. {SMALL}",
        {**NETWORK, "rsm_part": "distributions", "rsm_layer": "blocks.0.mlp.hidden"},
    ),
    Preset(
        "Accuracy against ratio (Fig. 5)",
        f"{PAPER}, Fig. 5",
        f"Self-attention, MLP, ResNet18 and VGG16, before and after fine-tuning, ten seeds. {SMALL}",
        {**NETWORK, "rsm_part": "accuracy", "rsm_ratio": "0.5"},
    ),
    Preset(
        "Masked blocks (Fig. 6)",
        f"{PAPER}, Fig. 6",
        f"Self-attention of the first two blocks at ratio 0.75, and the curve over their number below. {SMALL}",
        {**NETWORK, "rsm_part": "accuracy", "rsm_ratio": "0.75", "rsm_blocks": "0-1"},
    ),
    Preset(
        "Where it looks (Fig. 7)",
        f"{PAPER}, Fig. 7",
        f"Spike activation maps at five steps for 0, 50 and 75 %, ScoreCAM beside them; the weights are the same in "
        f"all rows. {SMALL}",
        {**NETWORK, "rsm_part": "maps", "rsm_ratio": "0.5", "rsm_layer": "blocks.0.mlp.out"},
    ),
    Preset(
        "Power (Table 3)",
        f"{PAPER}, Table 3",
        f"Power and accuracy at 0, 50 and 75 %, ours beside the paper's. {SMALL}",
        {**NETWORK, "rsm_part": "power", "rsm_ratio": "0.75"},
    ),
)

cards.heading(
    PAGE,
    TITLE,
    "Drop spikes at random: how many can go before the network sees something else?",
    f"{PAPER}, sec. 3.3, 3.4, 4.3",
)


@st.fragment
def show() -> None:
    """Controls and results: a moved slider runs this part again and nothing else."""
    from spikeviz.ui import attribution, conversion, random_masks, ratios, sites, spikes

    draw = {
        "masks": random_masks.masks,
        "accuracy": ratios.accuracy,
        "power": ratios.power,
        "maps": attribution.maps,
        "distributions": conversion.distributions,
        "conversion": conversion.conversion,
    }
    own = [part_parameter(PAGE, PARTS)]
    lab = open_lab(PAGE, TITLE, FIGURES, random_masks.NETWORKS, more=own, knobs=sites.masking, first=random_masks.first)
    with lab.view:
        random_masks.keeps(lab)
        spikes.spike_viewer(lab)
        st.caption(random_masks.about(lab.now))
    draw[choose_part(PAGE, PARTS)](lab)
    lab.close("RSM", "QCFS", "ANN-to-SNN conversion", "alpha-watt", "SAM", "ScoreCAM", "T", "spike", "membrane", "NSFR",
              "spike map", "confidence")  # fmt: skip


show()
