"""Channel masks: move the threshold of learned masks, and see which channels die and what that is worth (DMEB)."""

from __future__ import annotations

from spikeviz.views.channel_masks import accuracy, channels, cost, overview, training
from spikeviz.views.channel_masks.networks import NETWORKS, opening
from spikeviz.views.channel_masks.settings import masks
from spikeviz.views.page import Page, Preset, Tab
from spikeviz.views.spikes import first_query

NETWORK = {"checkpoint": "sdmformer-fashion-dvs"}  # which the presets speak of
SMALL = "A small network on simulated events; its masks are a reconstruction."

PAGE = Page(
    key="dmeb",
    file="channel_masks",
    title="Channel masks",
    question="A mask learned which channels the network can do without. Move its threshold: channels above it fire, "
    "the others are silent, and can be cut out.",
    paper="SDMFormer, sec. 3.2, 3.3, 4.2",
    networks=NETWORKS,
    main=overview.main,
    tabs={
        "masks": Tab("Masks", overview.masks),
        "channels": Tab("Channels", channels.channels),
        "cost": Tab("Cost", cost.cost),
        "accuracy": Tab("Accuracy", accuracy.accuracy),
        "training": Tab("Training", training.training),
    },
    settings=masks,
    first=first_query,
    clicked="its channel, under Channels",
    opening=opening,
    presets=(
        Preset(
            "mask-rate",
            "Mask rate (sec. 4.2)",
            "SDMFormer, sec. 4.2",
            "The quantity of that section: which share of the channels is masked, by block and site. Its figure is not "
            f"in the text we have, so this is no copy of it. {SMALL}",
            NETWORK,
        ),
        Preset(
            "cost",
            "Parameters and energy (sec. 4.3)",
            "SDMFormer, tables of sec. 4.3.1 and 4.3.2",
            f"Both ratios against Spikformer, as printed, and ours beside them. {SMALL}",
            {**NETWORK, "dmeb_part": "cost"},
        ),
        Preset(
            "take-away",
            "What the masks take away",
            "after SDMFormer, sec. 3.3 (our setting)",
            f"A keeps every channel, B is as trained; the viewer shows A−B of a masked layer. {SMALL}",
            {**NETWORK, "dmeb_A": "threshold:0.00", "dmeb_side": "diff", "dmeb_layer": "blocks.0.attn.v"},
        ),
    ),
    terms=(
        "channel mask",
        "DMEB",
        "mask rate",
        "pruning",
        "LPE",
        "T",
        "spike",
        "firing rate",
        "spike map",
        "SOP",
        "MAC",
        "confidence",
    ),
)
