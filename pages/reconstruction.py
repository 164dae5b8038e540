"""Reconstruction: hide patches from a masked autoencoder, and see what it guesses from the rest (MAE)."""

from __future__ import annotations

import streamlit as st

from spikeviz.ui import cards
from spikeviz.ui.opening import choose_part, open_lab, part_parameter
from spikeviz.ui.presets import Preset

PAGE, TITLE = "mae", "Reconstruction"
SPIKFORMER = {"checkpoint": "spikformer-v2-mae-fashion"}
INTEGERS = {"checkpoint": "spike-mae-cifar"}
PARTS = {
    "errors": "Errors",
    "sparse": "Sparse convolution",
    "maps": "Spike maps",
    "levels": "Each D",
    "training": "Pretraining",
    "photo": "Photo in tiles",
}
SMALL = "A demo-size network on small pictures; the paper's sees ImageNet."
FIGURES = (
    Preset(
        "Masked and reconstructed (Fig. 8)",
        "Spikformer V2, Fig. 8",
        f"Original, masked and reconstructed at ratio 0.75, as in the paper, and pasted. {SMALL} Its targets are "
        "pixels as they are, the paper's are normalised patch by patch.",
        {**SPIKFORMER, "mae_mask_ratio": "0.75"},
    ),
    Preset(
        "Sparse convolution (Fig. 5)",
        "E-SpikeFormer, Fig. 5",
        f"Where the layers fire with sparse and with ordinary convolution, of this image; the paper's is a drawing. "
        f"{SMALL}",
        {**INTEGERS, "mae_part": "sparse"},
    ),
    Preset(
        "Effective rank in pretraining (Fig. 10 b)",
        "E-SpikeFormer, Fig. 10 b",
        f"The rank of the encoder's tokens epoch by epoch, with integers and with binary spikes. {SMALL} Its Fig. "
        "10 a, accuracy against size, is not shown.",
        {**INTEGERS, "mae_part": "training"},
    ),
)

cards.heading(
    PAGE,
    TITLE,
    "Hide patches of an image from a spiking encoder; a small ordinary decoder guesses them. Click what it may see.",
    "Spikformer V2, sec. 4.2; E-SpikeFormer, sec. 4.2",
)


@st.fragment
def show() -> None:
    """Controls and results: a moved slider runs this part again and nothing else."""
    from spikeviz.ui import depths, epochs, guesses, hidden, leaks, photo, reconstruction, tokens

    draw = {
        "errors": guesses.errors,
        "sparse": leaks.sparse,
        "maps": tokens.maps,
        "levels": depths.levels,
        "training": epochs.training,
        "photo": photo.tiles,
    }
    own = [part_parameter(PAGE, PARTS), epochs.epoch_parameter(PAGE)]
    networks, first = reconstruction.NETWORKS, reconstruction.last
    lab = open_lab(PAGE, TITLE, FIGURES, networks, more=own, knobs=hidden.hiding, first=first)
    with lab.view:
        reconstruction.picture(lab)
    draw[choose_part(PAGE, PARTS)](lab)
    lab.close("masked autoencoder", "visible mean", "PSNR", "SSIM", "effective rank", "sparse convolution", "spike map",
              "spike", "D", "T", "firing rate", "SOP", "MAC")  # fmt: skip


show()
