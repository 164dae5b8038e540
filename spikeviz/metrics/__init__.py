"""Numbers from a recording: how much fires, when and where, and what it costs. Tables are pandas, tensors on CPU."""

from spikeviz.metrics.approximation import Equality, approximation_error, spike_driven_equality
from spikeviz.metrics.attribution import ScoreCAM, sam, score_cam
from spikeviz.metrics.channel_masks import mask_rates, mask_values, parameters_left
from spikeviz.metrics.conversion import conversion_error
from spikeviz.metrics.energy_ways import ENERGY_TRACKS, energy, energy_by_step, ways
from spikeviz.metrics.firing import (
    MEMBRANES,
    SPIKES,
    MembraneTrace,
    Raster,
    firing_rates,
    membrane_trace,
    nsfr,
    power,
    raster,
    spike_maps,
)
from spikeviz.metrics.ops import ENERGY, OPERANDS, EnergyModel, operations
from spikeviz.metrics.rank import effective_rank
from spikeviz.metrics.reconstruction import (
    hidden_mse,
    hidden_psnr,
    hidden_ssim,
    reconstruction_errors,
    smooth_fill,
    visible_mean,
)
from spikeviz.metrics.sparse_conv import firing_places, hidden_activity, ordinary

__all__ = [
    "ENERGY",
    "ENERGY_TRACKS",
    "MEMBRANES",
    "OPERANDS",
    "SPIKES",
    "EnergyModel",
    "Equality",
    "MembraneTrace",
    "Raster",
    "ScoreCAM",
    "approximation_error",
    "conversion_error",
    "effective_rank",
    "energy",
    "energy_by_step",
    "firing_places",
    "firing_rates",
    "hidden_activity",
    "hidden_mse",
    "hidden_psnr",
    "hidden_ssim",
    "mask_rates",
    "mask_values",
    "membrane_trace",
    "nsfr",
    "operations",
    "ordinary",
    "parameters_left",
    "power",
    "raster",
    "reconstruction_errors",
    "sam",
    "score_cam",
    "smooth_fill",
    "spike_driven_equality",
    "spike_maps",
    "visible_mean",
    "ways",
]
