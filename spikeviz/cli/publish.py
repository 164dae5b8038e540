"""Make a checkpoint of a finished run, or what ships beside a checkpoint.

Of a run: its weights, measured as they are written, and their card; of an autoencoder also the replay of its training.
Of a checkpoint, or of the one just made, `--with` names what is computed and written beside it: curves (accuracy
against thresholds, ratios, T, D), costs (operations, energy and speed), energy (that alone, counted in three ways),
firing and gaps (how often every layer fires over the first test samples; what attention is worth in accuracy; all of
these go into the card), errors (of an autoencoder over hidden patches, again, into the card), recording (its spikes on
test sample 0, so that the start page opens at once).

Other seeds of its recipe can be measured into its card: their accuracies, and the deviation over seeds.

Examples:
  spikeviz publish runs/smoke
  spikeviz publish runs/smoke runs/smoke-1 runs/smoke-2
  spikeviz publish mst-fashion --with curves
  spikeviz publish runs/spikformer-fashion --with recording --out assets/checkpoints
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from spikeviz.cli import Result, add_device
from spikeviz.cli.evaluate import error_text

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard

BESIDE = ("costs", "curves", "energy", "errors", "firing", "gaps", "recording")


def arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("source", help="folder of a finished run, or name of a checkpoint")
    command.add_argument("seeds", nargs="*", type=Path, help="folders of runs of the same recipe with other seeds")
    command.add_argument("--with", dest="beside", default="", help=f"{', '.join(BESIDE)}: what goes beside it")
    command.add_argument("--out", type=Path, help="of a run: where weights and card go (default: your checkpoints)")
    add_device(command)


def run(options: argparse.Namespace) -> Result:
    from spikeviz.artifacts.cards import card_files, find_card, over_seeds
    from spikeviz.paths import user_checkpoints
    from spikeviz.runtime import reuse_memory
    from spikeviz.train.publish import publish
    from spikeviz.train.seeds import add_seeds

    reuse_memory()
    wanted = [word.strip() for word in options.beside.split(",") if word.strip()]
    if unknown := [word for word in wanted if word not in BESIDE]:
        raise ValueError(f"--with takes {', '.join(BESIDE)}, not {', '.join(unknown)}.")
    folder, out = Path(options.source), options.out or user_checkpoints()
    if options.source not in card_files() and folder.is_dir():
        card = publish(folder, out, device=options.device)
        text, written = [_measured(card)], [str(out / f"{card.name}.safetensors")]
        if wanted and card.name not in card_files():
            raise ValueError(f"{out} is no folder of checkpoints that spikeviz looks into: publish without --with.")
    else:
        card, _ = find_card(options.source)
        if not wanted and not options.seeds:
            raise ValueError(
                f"{card.name} is published already; --with {','.join(BESIDE)} computes what goes beside it."
            )
        text, written = [], []
    if options.seeds:
        if card.name not in card_files():
            raise ValueError(f"{out} is no folder of checkpoints that spikeviz looks into: publish without seeds.")
        card = add_seeds(card.name, options.seeds, options.device)
        text.append(f"{card.name}: {over_seeds(card.measured)}")
    for what in wanted:
        path = _written(what, card.name, options.device)
        written.append(str(path))
        text.append(f"{path}: the {what} of {card.name}")
    data = {"name": card.name, "accuracy": card.accuracy, "samples": card.samples, "files": written}
    return Result(data, "\n".join(text))


def _measured(card: CheckpointCard) -> str:
    from spikeviz.artifacts.cards import accuracy_text

    if not card.classifies:
        found = error_text(card.measured["reconstruction"])
    else:
        found = accuracy_text(card.accuracy, card.samples, 4)
    return f"{card.name}: {found} on {card.samples:,} test samples of {card.data}, {card.device}; {card.protocol_text}"


def _written(what: str, name: str, device: str) -> Path:
    from spikeviz.evaluation.controls.publish import write_gaps
    from spikeviz.evaluation.curves import write_curve
    from spikeviz.evaluation.firing import write_costs, write_energy, write_errors, write_firing

    if what == "recording":
        return _recording(name)
    write = {
        "costs": write_costs,
        "curves": write_curve,
        "energy": write_energy,
        "errors": write_errors,
        "firing": write_firing,
        "gaps": write_gaps,
    }
    return write[what](name, device)


def _recording(name: str) -> Path:
    from spikeviz.artifacts.cards import find_card
    from spikeviz.artifacts.packed_spikes import RECORDINGS
    from spikeviz.paths import written_beside
    from spikeviz.views.overview.recording import record

    path = written_beside(find_card(name)[1], RECORDINGS, ".npz")
    record(name, f"spikeviz publish {name} --with recording").write(path)
    return path
