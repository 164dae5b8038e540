"""Model cards: what a checkpoint is and how its numbers were obtained. Reading them needs no torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from spikeviz.places import assets, user_checkpoints


@dataclass(frozen=True)
class CheckpointCard:
    """One checkpoint.

    Attributes:
        name: what `load` takes.
        model: the spec it was trained from.
        data: a name of `list_data`.
        accuracy: on the whole test split, 0 to 1, of plain `simulate(load(name), x)`; None for an autoencoder.
        samples: how many test samples it was evaluated on.
        recipe: name of the recipe it was trained by.
        seed: of the training run.
        device: where it was evaluated.
        command: that obtained the accuracy.
        sha256: of the weights' file.
        training: what the loop recorded (epochs, seconds, peak memory, images, device, command).
        measured: parameters, operations of a sample, and throughput of this file (`spikeviz.train.evaluate.measure`);
            of an autoencoder also its errors (`spikeviz.train.review.quality`).
    """

    name: str
    model: str
    data: str
    accuracy: float | None
    samples: int
    recipe: str
    seed: int
    device: str
    command: str
    sha256: str
    training: dict[str, Any] = field(default_factory=dict, compare=False)
    measured: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def classifies(self) -> bool:
        """Whether it answers with classes: everything but an autoencoder does, and no other name contains `mae`."""
        return "mae" not in self.model

    def write(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> CheckpointCard:
        """From JSON.

        Raises:
            ValueError: if the file is no card.
        """
        try:
            values = json.loads(path.read_text())
            return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values or f.name != "measured"})
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path.name} is not a model card ({error}); `spikeviz evaluate` writes one.") from None


def card_files() -> dict[str, Path]:
    """Card by checkpoint name; a user's checkpoint never hides a shipped one."""
    found: dict[str, Path] = {}
    for folder in (user_checkpoints(), assets() / "checkpoints"):
        found |= {path.stem: path for path in folder.glob("*.json")}
    return dict(sorted(found.items()))


def list_checkpoints() -> list[CheckpointCard]:
    """Every shipped and user checkpoint, sorted by name."""
    return [_read(path, path.stat().st_mtime_ns) for path in card_files().values()]


@lru_cache(maxsize=256)
def _read(path: Path, _written: int) -> CheckpointCard:
    """Once for each version of a file: a page asks for the cards many times."""
    return CheckpointCard.read(path)


def find_curve(name: str) -> dict[str, Any] | None:
    """What `spikeviz curve` computed of a checkpoint as it is now; None if there is no such file, or it is of another.

    Raises:
        ValueError: if the file is damaged.
    """
    card, weights = find_card(name)
    path = curve_file(weights)
    try:
        found = json.loads(path.read_text())
        return found if found["sha256"] == card.sha256 else None
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path.name} is not a curve ({error}); `spikeviz curve {name}` writes one.") from None


def curve_file(weights: Path) -> Path:
    """Where the curve of a checkpoint lies: beside the folder of its weights."""
    return weights.parent.parent / "curves" / f"{weights.stem}.json"


def find_card(name: str) -> tuple[CheckpointCard, Path]:
    """The card of a checkpoint and the file of its weights.

    Raises:
        ValueError: for an unknown name, with the names there are.
    """
    files = card_files()
    if name not in files:
        raise ValueError(f"no checkpoint {name!r}; there are {', '.join(files) or 'none'}.")
    return CheckpointCard.read(files[name]), files[name].with_suffix(".safetensors")
