"""Reconstruction: hide patches from a masked autoencoder, and see what it guesses from the rest (MAE)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spikeviz.views.page import Networks, Page, Preset, Tab
from spikeviz.views.reconstruction.encoder_spikes import maps
from spikeviz.views.reconstruction.error_curves import errors
from spikeviz.views.reconstruction.levels import levels
from spikeviz.views.reconstruction.overview import picture
from spikeviz.views.reconstruction.pretraining import epoch_parameter, training
from spikeviz.views.reconstruction.settings import hiding
from spikeviz.views.reconstruction.sparse_conv import sparse
from spikeviz.views.reconstruction.tiling import tiles

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard

SPIKFORMER = {"checkpoint": "spikformer-v2-mae-fashion"}
INTEGERS = {"checkpoint": "spike-mae-cifar"}
SMALL = "A demo-size network on small pictures; the paper's sees ImageNet."


def reconstructs(card: CheckpointCard) -> bool:
    """Whether a network answers with a picture."""
    return not card.classifies


def last(layers: Sequence[str]) -> str:
    """The layer whose spikes the decoder gets."""
    return layers[-1]


PAGE = Page(
    key="mae",
    file="reconstruction",
    title="Reconstruction",
    question="Hide patches of an image from a spiking encoder; a small ordinary decoder guesses them. Click what it "
    "may see.",
    paper="Spikformer V2, sec. 4.2; E-SpikeFormer, sec. 3.4",
    networks=Networks(reconstructs, "knows classes, and this page is about autoencoders", "spikformer-v2-mae-fashion"),
    main=picture,
    tabs={
        "errors": Tab("Errors", errors),
        "sparse": Tab("Sparse convolution", sparse),
        "maps": Tab("Spike maps", maps),
        "levels": Tab("Each D", levels),
        "training": Tab("Pretraining", training),
        "photo": Tab("Photo in tiles", tiles),
    },
    settings=hiding,
    first=last,
    parameters=epoch_parameter,
    presets=(
        Preset(
            "fig8",
            "Masked and reconstructed (Fig. 8)",
            "Spikformer V2, Fig. 8",
            f"Original, masked and reconstructed at ratio 0.75, as in the paper, and pasted. {SMALL} Its targets are "
            "pixels as they are, the paper's are normalised patch by patch.",
            {**SPIKFORMER, "mae_mask_ratio": "0.75"},
        ),
        Preset(
            "fig5",
            "Sparse convolution (Fig. 5)",
            "E-SpikeFormer, Fig. 5",
            "Where the layers fire with sparse and with ordinary convolution, of this image; the paper's is a "
            f"drawing. {SMALL}",
            {**INTEGERS, "mae_part": "sparse"},
        ),
        Preset(
            "fig10b",
            "Effective rank in pretraining (Fig. 10 b)",
            "E-SpikeFormer, Fig. 10 b",
            "The rank of the encoder's tokens epoch by epoch, with integers and with binary spikes. "
            f"{SMALL} Its Fig. 10 a, accuracy against size, is not shown.",
            {**INTEGERS, "mae_part": "training"},
        ),
    ),
    terms=(
        "masked autoencoder",
        "visible mean",
        "PSNR",
        "SSIM",
        "effective rank",
        "sparse convolution",
        "spike map",
        "spike",
        "D",
        "T",
        "firing rate",
        "SOP",
        "MAC",
    ),
)
