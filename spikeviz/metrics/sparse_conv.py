"""What ordinary convolutions carry into hidden places, layer by layer (E-SpikeFormer, sec. 3.4 and Fig. 5)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from spikeviz.interventions import PATCHES
from spikeviz.models.spike_mae import SpikeMAE
from spikeviz.nn.sparse import spread
from spikeviz.recording import Recording


def ordinary(model: SpikeMAE) -> SpikeMAE:
    """The same autoencoder, weights shared, with ordinary convolutions on the image whose hidden patches are blank."""
    twin = copy.copy(model)  # another module around the same layers: `model` stays as it is
    twin.config = replace(model.config, sparse=False)
    return twin


def firing_places(recording: Recording, layer: str) -> Float[Tensor, "B h w"]:
    """At each place of a layer, the share of its channels that fire at some step."""
    return (recording[f"{layer}.spike"].values != 0).any(0).float().mean(1)


def hidden_activity(recording: Recording, layers: Sequence[str]) -> pd.DataFrame:
    """Of each layer, the share of the hidden places at which any of its channels fires at any step.

    Columns: layer, places (hidden ones, of all samples), share; nan where nothing was hidden.

    Args:
        recording: of an autoencoder, with the track `patches` and the spikes of the layers.
        layers: by module path, such as `encoder.stem.stages.0.down`; spikes on a grid that the patches tile.
    """
    kept, rows = recording[PATCHES].values, []
    for layer in layers:
        active = firing_places(recording, layer) > 0
        hidden = ~spread(kept, *active.shape[-2:])[:, 0]
        count = int(hidden.sum())
        share = float((active & hidden).sum()) / count if count else torch.nan
        rows.append({"layer": layer, "places": count, "share": share})
    return pd.DataFrame(rows)
