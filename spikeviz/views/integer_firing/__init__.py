"""Integer firing: a network that was trained with integers up to D, run as spikes, at any D (SFA)."""

from __future__ import annotations

from spikeviz.views.integer_firing import accuracy_energy, equality, firing, quantisation_error, spike_trains
from spikeviz.views.integer_firing.networks import NETWORKS, trained_at
from spikeviz.views.page import Page, Preset, Tab
from spikeviz.views.settings import dynamics

VANILLA = "checkpoint:e-spikeformer-fashion-vanilla4"
SFA4 = {"checkpoint": "e-spikeformer-fashion-sfa4"}
SMALL = "A small network on small pictures, trained here; the paper's has 10 M parameters and sees ImageNet."

PAGE = Page(
    key="sfa",
    file="integer_firing",
    title="Integer firing",
    question="Trained with integers up to D, run with spikes: a count C is a spike in the first C of D steps. Move D.",
    paper="E-SpikeFormer, sec. 3.2, 4, 5.3",
    networks=NETWORKS,
    main=firing.main,
    tabs={
        "firing": Tab("Firing", firing.firing),
        "error": Tab("Errors", quantisation_error.errors),
        "equality": Tab("Integers = spikes?", equality.equality),
        "patterns": Tab("Patterns and chips", spike_trains.patterns),
        "cost": Tab("Accuracy and cost", accuracy_energy.cost),
    },
    settings=dynamics,
    beside=trained_at,
    parameters=spike_trains.rate_parameter,
    presets=(
        Preset(
            "fig3",
            "Firing patterns (Fig. 3)",
            "E-SpikeFormer, Fig. 3",
            "A rate of 0.3 over ten steps, as in the paper; the patterns are computed by IF neurons, those of direct "
            "training drawn at random.",
            {**SFA4, "sfa_part": "patterns", "sfa_rate": "0.3"},
        ),
        Preset(
            "fig6",
            "T x D unrolling (Fig. 6)",
            "E-SpikeFormer, Fig. 6",
            f"Vanilla 4 x 1, SFA training 1 x 4, SFA inference, with spikes of this image. {SMALL}",
            {**SFA4, "sfa_part": "patterns"},
        ),
        Preset(
            "fig8",
            "Spike maps, vanilla and SFA (Fig. 8)",
            "E-SpikeFormer, Fig. 8",
            f"A is vanilla 4 x 1, B is SFA 1 x 4: the last spikes of the last block, by step and averaged. {SMALL}",
            {**SFA4, "sfa_A": VANILLA, "sfa_layer": "blocks.0.mlp.hidden"},
        ),
        Preset(
            "fig9",
            "NSFR, vanilla and SFA (Fig. 9)",
            "E-SpikeFormer, Fig. 9",
            f"A is vanilla 4 x 1, B is SFA 1 x 4; run both over the test images below. {SMALL}",
            {**SFA4, "sfa_A": VANILLA},
        ),
        Preset(
            "fig11",
            "Execution on chips (Fig. 11)",
            "E-SpikeFormer, Fig. 11",
            f"T = D = 3, as in the paper, with spikes of this image, which is shown for three steps. {SMALL}",
            {**SFA4, "sfa_D": "3", "sfa_T": "3", "sfa_part": "patterns"},
        ),
    ),
    terms=("D", "T", "SFA", "spike", "membrane", "firing rate", "NSFR", "spike map", "SOP", "MAC", "confidence"),
)
