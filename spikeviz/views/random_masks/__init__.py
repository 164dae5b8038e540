"""Random masks: drop spikes at random, see what passes, what it saves and what it costs (RSM)."""

from __future__ import annotations

from spikeviz.views.page import Page, Preset, Tab
from spikeviz.views.random_masks import accuracy, cam, conversion, distributions, overview, power
from spikeviz.views.random_masks.networks import NETWORKS, opening, teacher
from spikeviz.views.random_masks.settings import another, masking
from spikeviz.views.spikes import first_query

NETWORK = {"checkpoint": "mst-fashion"}  # which the presets speak of
PAPER = "Masked Spiking Transformer"
SMALL = "A demo-size network on small pictures, four blocks; the paper's has twelve and sees CIFAR and ImageNet."

PAGE = Page(
    key="rsm",
    file="random_masks",
    title="Random masks",
    question="Drop spikes at random: how many can go before the network sees something else?",
    paper=f"{PAPER}, sec. 3.3, 3.4, 4.3",
    networks=NETWORKS,
    main=overview.main,
    tabs={
        "masks": Tab("Masks", overview.masks),
        "accuracy": Tab("Accuracy", accuracy.accuracy),
        "power": Tab("Power", power.power),
        "maps": Tab("Where it looks", cam.maps),
        "distributions": Tab("Distributions", distributions.distributions),
        "conversion": Tab("Conversion and T", conversion.conversion),
    },
    settings=masking,
    first=first_query,
    beside=teacher,
    opening=opening,
    another=another,
    presets=(
        Preset(
            "fig3",
            "Distributions (Fig. 3)",
            f"{PAPER}, Fig. 3",
            f"Activations of the QCFS network and membranes of the spiking one, of one layer. {SMALL}",
            {**NETWORK, "rsm_part": "distributions", "rsm_layer": "blocks.0.mlp.hidden"},
        ),
        Preset(
            "fig5",
            "Accuracy against ratio (Fig. 5)",
            f"{PAPER}, Fig. 5",
            f"Self-attention, MLP, ResNet18 and VGG16, before and after fine-tuning, ten seeds. {SMALL}",
            {**NETWORK, "rsm_part": "accuracy", "rsm_ratio": "0.5"},
        ),
        Preset(
            "fig6",
            "Masked blocks (Fig. 6)",
            f"{PAPER}, Fig. 6",
            f"Self-attention of the first two blocks at ratio 0.75, and the curve over their number below. {SMALL}",
            {**NETWORK, "rsm_part": "accuracy", "rsm_ratio": "0.75", "rsm_blocks": "0-1"},
        ),
        Preset(
            "fig7",
            "Where it looks (Fig. 7)",
            f"{PAPER}, Fig. 7",
            "Spike activation maps at five steps for 0, 50 and 75 %, ScoreCAM beside them; the weights are the same in "
            f"all rows. {SMALL}",
            {**NETWORK, "rsm_part": "maps", "rsm_ratio": "0.5", "rsm_layer": "blocks.0.mlp.out"},
        ),
        Preset(
            "table3",
            "Power (Table 3)",
            f"{PAPER}, Table 3",
            f"Power and accuracy at 0, 50 and 75 %, ours beside the paper's. {SMALL}",
            {**NETWORK, "rsm_part": "power", "rsm_ratio": "0.75"},
        ),
    ),
    terms=(
        "RSM",
        "QCFS",
        "ANN-to-SNN conversion",
        "alpha-watt",
        "SAM",
        "ScoreCAM",
        "T",
        "spike",
        "membrane",
        "NSFR",
        "spike map",
        "confidence",
    ),
)
