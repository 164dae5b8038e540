"""How far a spiking network is from the QCFS network it was made of."""

from __future__ import annotations

import pandas as pd
import torch

from spikeviz.recording import Recording, Track


def conversion_error(qcfs: Recording, spiking: Recording) -> pd.DataFrame:
    """What every layer of the spiking network sends, mean over its steps, against the activation it was made of.

    Args:
        qcfs: of the QCFS network, that kept `SPIKES`.
        spiking: of `to_spiking` of it, on the same input, that kept them as well.

    Returns:
        layer (the track's name), qcfs (mean activation), spiking (mean of the mean over t), error (mean |difference|),
        relative (root of the mean squared difference over that of the activation; NaN where a layer is silent), in
        forward order.

    Raises:
        ValueError: if the recordings are not of one network, or kept no spikes.
    """
    ours, theirs = qcfs.of_kind("spike"), spiking.of_kind("spike")
    if not ours or ours.keys() != theirs.keys():
        raise ValueError(
            f"a conversion error needs the spikes of a QCFS network and of what it became; {qcfs.model} has "
            f"{len(ours)} layers, {spiking.model} {len(theirs)}."
        )
    rows = []
    for name, track in ours.items():
        target, sent = _rate(track), _rate(theirs[name])
        if target.shape != sent.shape:
            raise ValueError(f"{name} is {list(target.shape)} in one recording and {list(sent.shape)} in the other.")
        difference, size = sent - target, target.square().mean().sqrt()
        relative = (difference.square().mean().sqrt() / size).item() if size > 0 else float("nan")
        rows.append((name, target.mean().item(), sent.mean().item(), difference.abs().mean().item(), relative))
    return pd.DataFrame(rows, columns=["layer", "qcfs", "spiking", "error", "relative"])


def _rate(track: Track) -> torch.Tensor:
    """What flows on, mean over t."""
    return track.values.double().mean(0) * track.scale
