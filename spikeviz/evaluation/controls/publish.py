"""Both gaps of a checkpoint, measured into its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from spikeviz.artifacts.cards import find_card
from spikeviz.artifacts.checkpoints import load
from spikeviz.data.catalog import as_batch, open_data
from spikeviz.evaluation.controls.gaps import Gap, gap_survey
from spikeviz.evaluation.controls.norms import has_norm, training_samples
from spikeviz.evaluation.firing import own_card
from spikeviz.runtime import describe
from spikeviz.simulation import simulate

MEASURED = 2000  # test samples of what a card holds


def write_gaps(name: str, device: str = "auto", samples: int = MEASURED, progress: bool = True) -> Path:
    """Measure the attention gap and the content gap of a checkpoint and write them into its card.

    Over its first `samples` test samples at all its steps, as it runs by itself: a QCFS network as one. Where it has
    BatchNorm also with statistics estimated again on 256 training samples.

    Raises:
        ValueError: with a sentence, for a network without attention or an autoencoder; as `own_card`.
    """
    path, (card, _) = own_card(name), find_card(name)
    model = load(name, device)
    x, y = open_data(card.data, "test", samples)
    batch = as_batch(x[:])
    again = training_samples(card.data) if has_norm(model) else None
    found: Mapping[Any, Gap] = {}
    with tqdm(total=2 * len(y), desc=f"gaps of {name}", disable=not progress, mininterval=2.0) as bar:
        for done, so_far in gap_survey(model, batch, y, reestimate=again):
            found = so_far
            bar.update(done - bar.n)
    about = {
        "steps": len(simulate(model, batch.narrow(batch.ndim - 4, 0, 1), keep="").logits_per_step),
        "command": f"spikeviz publish {name} --with gaps",
        "device": describe(next(model.parameters()).device),
    }
    card, _ = find_card(name)  # it may have been written to in the meantime
    own = {f"{part}_gap": gap.as_data | about for part, gap in found.items()}
    replace(card, measured=card.measured | own).write(path)
    return path
