"""Model cards: what a checkpoint is and how its numbers were obtained. Reading them needs no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Any, ClassVar

from spikeviz.artifacts.gaps import gap_facts
from spikeviz.display import facts
from spikeviz.paths import assets, user_checkpoints

OPTIONAL = ("protocol", "trained_under", "training", "measured", "architecture")  # what a card may leave out
CHOSEN_ON_VAL = "val"
TEST_HAD_A_SAY = "the test set had a say"


@dataclass(frozen=True)
class CheckpointCard:
    """One checkpoint.

    Attributes:
        name: what `load` takes.
        model: the spec it was trained from.
        data: a name of `list_data`.
        task: what it answers with: `CLASSES` or `RECONSTRUCTION`.
        accuracy: on the whole test split, 0 to 1, of plain `simulate(load(name), x)`; None for an autoencoder and
            where nobody measured it.
        samples: how many test samples it was evaluated on.
        recipe: name of the recipe it was trained by.
        seed: of the training run.
        device: where it was evaluated.
        command: that obtained the accuracy.
        sha256: of the weights' file.
        trained_under: interventions of the last part of its training, as JSON values (`spikeviz.artifacts.as_data`).
        training: what the loop recorded (epochs, seconds, peak memory, images, device, command).
        measured: parameters, operations of a sample, its energy in three ways of counting and throughput of this file
            (`spikeviz.evaluation.measure`); of one that was trained under interventions also its accuracy under these;
            of one that was chosen on val what it reaches there (`val`: accuracy and samples); of one with attention its
            gaps (`spikeviz.evaluation.controls`); of an autoencoder its errors
            (`spikeviz.evaluation.reconstruction.quality`).
        architecture: family, parameters and configuration of the network, as JSON values (`ModelSpec.as_data`): who
            names a network needs no torch. Empty on a card of an older version.
        protocol: how recipe, epoch and thresholds were chosen: `CHOSEN_ON_VAL`, with one reading of the test set after
            that; else a sentence, such as `TEST_HAD_A_SAY`, which is what a card of an older version says.
    """

    CLASSES: ClassVar[str] = "classes"
    RECONSTRUCTION: ClassVar[str] = "reconstruction"

    name: str
    model: str
    data: str
    task: str
    accuracy: float | None
    samples: int
    recipe: str
    seed: int
    device: str
    command: str
    sha256: str
    trained_under: list[dict[str, Any]] = field(default_factory=list, compare=False)
    training: dict[str, Any] = field(default_factory=dict, compare=False)
    measured: dict[str, Any] = field(default_factory=dict, compare=False)
    architecture: dict[str, Any] = field(default_factory=dict, compare=False)
    protocol: str = field(default=TEST_HAD_A_SAY, compare=False)

    @property
    def classifies(self) -> bool:
        """Whether it answers with classes; else it answers with pictures."""
        return self.task == self.CLASSES

    @property
    def error(self) -> float | None:
        """Standard error of the accuracy p over n test samples, sqrt(p (1 - p) / n); None without one."""
        return None if self.accuracy is None else binomial_error(self.accuracy, self.samples)

    @property
    def protocol_text(self) -> str:
        """The protocol as words that stand beside an accuracy."""
        return "chosen on val" if self.protocol == CHOSEN_ON_VAL else self.protocol

    @property
    def parameters(self) -> int | None:
        """How many there are in the file; None on a card that does not say."""
        return self.measured.get("parameters") or self.architecture.get("parameters")

    @property
    def facts(self) -> dict[str, str]:
        """What is known of the checkpoint, in words, by what it is; what is not known is left out."""
        under, hidden, val = (self.measured.get(key) for key in ("as_trained", "reconstruction", "val"))
        known = {
            "model": self.model,
            "parameters": f"{self.parameters:,}" if self.parameters else "",
            "data": f"{self.data}, {self.samples:,} test samples: the whole test set",
            "accuracy": accuracy_with_error(self.accuracy, self.samples, " (standard error)"),
            "protocol": self.protocol_text,
            "accuracy on val": f"{accuracy_with_error(val['accuracy'], val['samples'])}, {val['samples']:,} samples"
            if val and self.classifies
            else "",
            "accuracy over seeds": over_seeds(self.measured),
            "accuracy under what it was trained under": accuracy_with_error(under["accuracy"], self.samples)
            if under
            else "",
            **gap_facts(self.measured),
            "mean squared error of hidden patches": f"{hidden['mse']:.4f}" if hidden else "",
            "over that of the visible mean": f"{hidden['relative']:.3f}, {hidden['ratio']:.0%} hidden"
            if hidden
            else "",
            "over that of a smooth fill-in": f"{hidden['over_smooth']:.3f}, Gaussian of {hidden['width']:g} pixels"
            if hidden and "over_smooth" in hidden
            else "",
            "energy of a sample": _energy_in_words(self.measured.get("energy")),
            "measured by": self.command,
            "measured on": self.device,
            "recipe": f"{self.recipe}, seed {self.seed}",
            "trained under": ", ".join(rule_in_words(rule) for rule in self.trained_under),
            "training": _training_in_words(self.training),
            "trained by": self.training.get("command", ""),
            "sha256": self.sha256,
        }
        return {name: text for name, text in known.items() if text}

    def _repr_html_(self) -> str:
        return facts(f"{self.name}: {'checkpoint' if self.classifies else 'autoencoder'}", self.facts)

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
            return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values or f.name not in OPTIONAL})
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path.name} is not a model card ({error}); `spikeviz publish` writes one.") from None


FilesAndCards = tuple[dict[str, Path], list[CheckpointCard]]  # card files by checkpoint name; what they say


def binomial_error(accuracy: float, samples: int) -> float:
    """Standard error of an accuracy p over n samples, sqrt(p (1 - p) / n): the samples are drawn from all there are.

    It knows nothing of other seeds or trainings, and is 0 where all or none of the samples are right.
    """
    return sqrt(accuracy * (1 - accuracy) / samples)


def larger_error(accuracy: float, samples: int, deviation: float = 0.0) -> float:
    """What is drawn of a mean over seeds: its binomial standard error or the standard deviation over seeds, whichever
    is larger. The samples are the same under every seed, so the first does not shrink with more of them."""
    return max(binomial_error(accuracy, samples), deviation)


def accuracy_text(accuracy: float | None, samples: int, digits: int = 3) -> str:
    """The accuracy of a card over n samples with its standard error: a card may hold none."""
    if accuracy is None:
        return "not measured"
    return f"{accuracy:.{digits}f} ± {binomial_error(accuracy, samples):.{digits}f}"


def accuracy_with_error(accuracy: float | None, samples: int, after: str = "") -> str:
    """The same with four digits; "" without one."""
    return "" if accuracy is None else f"{accuracy_text(accuracy, samples, 4)}{after}"


def over_seeds(measured: Mapping[str, Any]) -> str:
    """Mean and standard deviation of the accuracy over the seeds that a card holds, and each; "" of one seed."""
    found = measured.get("seeds", [])
    if len(found) < 2:
        return ""
    each = ", ".join(f"{seed['accuracy']:.4f} (seed {seed['seed']})" for seed in found)
    scores = [seed["accuracy"] for seed in found]
    return f"{mean(scores):.4f} ± {stdev(scores):.4f} (standard deviation over {len(found)} seeds): {each}"


def rule_in_words(rule: Mapping[str, Any]) -> str:
    """An intervention, from its JSON values: `MaskSpikes(ratio=0.5)`."""
    fields_of = ", ".join(f"{name}={value}" for name, value in rule.items() if name != "kind")
    return f"{rule.get('kind')}({fields_of})"


WAYS = {"spikeviz": "ours", "paper": "by the paper's formula", "SpikingJelly": "by SpikingJelly's rules"}


def _energy_in_words(energy: Mapping[str, Any] | None) -> str:
    """Of a sample, in every way of counting that has one: microjoule with the standard error over samples."""
    ways = energy["ways"] if energy else {}
    found = [
        f"{own['picojoule'] / 1e6:.3g} ± {own.get('standard_error', 0.0) / 1e6:.2g} µJ {WAYS.get(way, way)}"
        for way, own in ways.items()
        if "picojoule" in own
    ]
    return f"{', '.join(found)}; estimated, {energy['samples']} test samples" if energy and found else ""


def _training_in_words(training: Mapping[str, Any]) -> str:
    """What the loop recorded: epochs, samples, minutes, device."""
    if not training:
        return ""
    minutes, processor = training.get("seconds", 0) / 60, training.get("cpu_seconds", 0) / 60
    used = f" ({processor:.0f} of processor time)" if processor else ""
    return (
        f"{training.get('epochs', '?')} epochs of {training.get('images', 0):,} samples, {minutes:.0f} minutes{used}, "
        f"{training.get('device', 'device not recorded')}"
    )


def card_files() -> dict[str, Path]:
    """Card by checkpoint name; a user's checkpoint never hides a shipped one."""
    found: dict[str, Path] = {}
    for folder in (user_checkpoints(), assets() / "checkpoints"):
        found |= {path.stem: path for path in folder.glob("*.json")}
    return dict(sorted(found.items()))


def list_checkpoints() -> list[CheckpointCard]:
    """Every shipped and user checkpoint, sorted by name."""
    return list(_files_and_cards()[1])


@contextmanager
def same_cards() -> Iterator[None]:
    """Within it, and in this thread, the cards are those that were there when they were first asked for: a page asks
    for them a dozen times while it is drawn, and to look into the folders takes as long as some forward passes."""
    token = _SAME.set([])
    try:
        yield
    finally:
        _SAME.reset(token)


_SAME: ContextVar[list[FilesAndCards] | None] = ContextVar("same cards", default=None)


def _files_and_cards() -> FilesAndCards:
    same = _SAME.get()
    if same:
        return same[0]
    files = card_files()
    found = files, [_read(path, path.stat().st_mtime_ns) for path in files.values()]
    if same is not None:
        same.append(found)
    return found


@lru_cache(maxsize=256)
def _read(path: Path, _written: int) -> CheckpointCard:
    """Once for each version of a file: a page asks for the cards many times."""
    return CheckpointCard.read(path)


def find_card(name: str) -> tuple[CheckpointCard, Path]:
    """The card of a checkpoint and the file of its weights.

    Raises:
        ValueError: for an unknown name, with the names there are.
    """
    files = (_SAME.get() or [(card_files(), [])])[0][0]
    if name not in files:
        raise ValueError(f"no checkpoint {name!r}; there are {', '.join(files) or 'none'}.")
    return _read(files[name], files[name].stat().st_mtime_ns), files[name].with_suffix(".safetensors")
