"""A checkpoint as one zip file, out and in."""

from __future__ import annotations

import io
import json
import zipfile

from spikeviz.artifacts.cards import CheckpointCard, card_files, find_card
from spikeviz.artifacts.checkpoints import sha256, stored
from spikeviz.paths import user_checkpoints

MOST = 256 * 2**20  # bytes of a file that is taken in


def archive(name: str) -> bytes:
    """Weights and card of a checkpoint.

    Raises:
        ValueError: for an unknown name.
    """
    _, weights = find_card(name)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for path in (weights.with_suffix(".json"), weights):
            file.write(path, path.name)
    return stream.getvalue()


def unpack(content: bytes) -> CheckpointCard:
    """Take such a file into the user's checkpoints; nothing is kept of one that does not load.

    Raises:
        ValueError: with a sentence, for a file that is no checkpoint, is too large, or has a name that is taken.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            names = {info.filename: info.file_size for info in file.infolist()}
            stems = {name.rpartition(".")[0] for name in names}
            if len(names) != 2 or len(stems) != 1:
                raise ValueError
            (stem,) = stems
            if (
                set(names) != {f"{stem}.json", f"{stem}.safetensors"}
                or "/" in stem
                or "\\" in stem
                or not stem.strip(".")
            ):
                raise ValueError
            if sum(names.values()) > MOST:
                raise ValueError(f"the file unpacks to more than {MOST // 2**20} MB.")
            parts = {name: file.read(name) for name in names}
            if json.loads(parts[f"{stem}.json"])["name"] != stem:
                raise ValueError
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, NotImplementedError, RuntimeError) as error:
        why = str(error) if "MB" in str(error) else "it must hold NAME.safetensors and NAME.json, its card."
        raise ValueError(f"this is no checkpoint: {why}") from None
    if stem in card_files():
        raise ValueError(f"there is a checkpoint {stem} already; rename the two files and the name in the card.")
    folder = user_checkpoints()
    folder.mkdir(parents=True, exist_ok=True)
    weights, about = folder / f"{stem}.safetensors", folder / f"{stem}.json"
    try:
        weights.write_bytes(parts[f"{stem}.safetensors"])
        about.write_bytes(parts[f"{stem}.json"])
        card = CheckpointCard.read(about)
        if sha256(weights) != card.sha256:
            raise ValueError(f"{weights.name} is not the file its card describes (its sha256 differs); get it again.")
        stored(card.model, weights)
    except ValueError:
        weights.unlink(missing_ok=True)
        about.unlink(missing_ok=True)
        raise
    return card
