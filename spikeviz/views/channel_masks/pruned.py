"""The pruned network as a checkpoint to download."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from spikeviz.views import runs
from spikeviz.views.channel_masks.settings import threshold
from spikeviz.views.view import Download, Item, Note

if TYPE_CHECKING:
    from torch import nn

    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.views.runs import Run


def download(run: Run) -> Iterator[Item]:
    """The network without its dropped channels and its card, and what to do with both."""
    from spikeviz.paths import user_checkpoints

    own = threshold(run)
    name = pruned_name(run.card, own)

    def make() -> bytes:
        return archive(run.card, runs.network(run.card, f"pruned {own}").model, own)

    yield Download("Pruned checkpoint (.zip)", make, f"{name}.zip", "application/zip")
    yield Note(
        f"{name}.safetensors and its card. Put both into `{user_checkpoints()}`: Spike maps then offers it, and "
        f"`sv.load` reads it. `spikeviz evaluate {name}` measures its accuracy, which the card leaves open."
    )


def pruned_name(card: CheckpointCard, threshold: float) -> str:
    """Of a checkpoint that is pruned here; the threshold is part of it, so that it hides no other."""
    return f"{card.name}-pruned-{threshold:g}"


def archive(card: CheckpointCard, model: nn.Module, threshold: float) -> bytes:
    """A pruned network and its card as a zip of two files, as `spikeviz.load` reads them."""
    from spikeviz.artifacts.checkpoints import save
    from spikeviz.models.registry import find_spec

    name, stream = pruned_name(card, threshold), io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        weights = Path(folder) / f"{name}.safetensors"
        origin = {"pruned from": card.name, "its sha256": card.sha256, "threshold": threshold}
        written = replace(
            card,
            name=name,
            accuracy=None,
            device="",
            command="",
            sha256=save(model, weights),
            training=card.training | origin,
            measured={},
            architecture=find_spec(card.model).as_data | {"parameters": sum(p.numel() for p in model.parameters())},
        )
        written.write(weights.with_suffix(".json"))
        for path in sorted(Path(folder).iterdir()):
            file.write(path, path.name)
    return stream.getvalue()
