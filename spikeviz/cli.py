"""The command `spikeviz`: the app, and what it does without a page."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard


def main(arguments: list[str] | None = None) -> int:
    """Run one command; what goes wrong for a reason is one sentence and exit status 2."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, FileNotFoundError) as error:
        print(f"spikeviz: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spikeviz", description="Look inside spiking transformers.")
    parser.set_defaults(run=_app, port=None)
    commands = parser.add_subparsers(title="commands", metavar="")

    app = commands.add_parser("app", help="serve the app on this machine (what `spikeviz` alone does)")
    app.add_argument("--port", type=int, help="8501, or the next free one, unless given")
    app.set_defaults(run=_app)

    models = commands.add_parser("models", help="list every model that can be built and every checkpoint there is")
    models.set_defaults(run=_models)

    evaluate = commands.add_parser(
        "evaluate", help="accuracy of a checkpoint on its whole test split, or error of an autoencoder"
    )
    evaluate.add_argument("name", help="of a checkpoint, or the folder of a finished run")
    evaluate.add_argument("--limit", type=int, help="only the first test samples (not what a card holds)")
    evaluate.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
    evaluate.add_argument("--out", type=Path, help="of a run: where weights and card go (default: your checkpoints)")
    evaluate.set_defaults(run=_evaluate)

    prune = commands.add_parser("prune", help="a smaller checkpoint without the channels that its masks drop")
    prune.add_argument("name", help="of a checkpoint with channel masks")
    prune.add_argument("--threshold", type=float, default=0.5, help="0 to 1; 0.5 is the point it was trained at")
    prune.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
    prune.add_argument("--out", type=Path, help="where weights and card go (default: your checkpoints)")
    prune.set_defaults(run=_prune)

    curve = commands.add_parser(
        "curve", help="the curves of a checkpoint: against the threshold of channel masks, or ratios"
    )
    curve.add_argument("name", help="of a checkpoint with channel masks or QCFS")
    curve.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
    curve.set_defaults(run=_curve)

    export = commands.add_parser("export", help="record a checkpoint on a test image, for the app to open with")
    export.add_argument("name", help="of a checkpoint")
    export.add_argument("--input", type=int, default=0, help="number of the test image, from 0")
    export.add_argument("--out", type=Path, default=Path(), help="folder of the recording")
    export.set_defaults(run=_export)

    train = commands.add_parser("train", help="train a recipe, or go on with a run that was cut off")
    train.add_argument("recipe", help="smoke takes a minute; the others are named after the checkpoint they make")
    train.add_argument("--folder", type=Path, help="of the run (default: runs/RECIPE)")
    train.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
    train.add_argument("--seed", type=int, help="instead of the recipe's own")
    train.set_defaults(run=_train)
    return parser


def _app(options: argparse.Namespace) -> int:
    from spikeviz.ui.server.serve import serve

    serve(port=options.port)
    return 0


def _models(_: argparse.Namespace) -> int:
    from spikeviz.artifacts.cards import list_checkpoints
    from spikeviz.models.registry import list_models

    print(f"{'model':24} {'parameters':>12}  {'input':>11}  T   from")
    for spec in list_models():
        size = "x".join(str(n) for n in spec.input)
        origin = spec.paper or "demo size"
        notes = f" ({spec.notes})" if spec.notes else ""
        print(f"{spec.name:24} {spec.params:12,}  {size:>11}  {spec.time_steps:<3} {origin}{notes}")
    print(f"\n{'checkpoint':24} {'accuracy':>12}  data (samples)")
    for card in list_checkpoints():
        score = "-" if card.accuracy is None else f"{card.accuracy:.4f}"
        print(f"{card.name:24} {score:>12}  {card.data} ({card.samples:,}), seed {card.seed}, {card.device}")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from spikeviz.artifacts.cards import card_files, find_card
    from spikeviz.artifacts.checkpoints import load
    from spikeviz.evaluation.accuracy import accuracy
    from spikeviz.evaluation.reconstruction import hidden_errors
    from spikeviz.paths import user_checkpoints
    from spikeviz.train.publish import publish

    run = Path(options.name)
    if options.name not in card_files() and (run / "run.json").exists():
        card = publish(run, options.out or user_checkpoints(), device=options.device)
        print(f"{card.name}: {_found(card)} on {card.samples:,} test samples of {card.data}, {card.device}")
        return 0
    card, _ = find_card(options.name)
    if not card.classifies:
        errors = hidden_errors(load(options.name, options.device), card.data, limit=options.limit)
        print(f"{card.name}: {_error(errors)} on {errors['samples']:,} test samples of {card.data}")
        return 0
    score, samples = accuracy(load(options.name, options.device), card.data, options.limit)
    print(f"{card.name}: {score:.4f} on {samples:,} test samples of {card.data}")
    if samples == card.samples and card.accuracy is not None:
        print(f"the card says {card.accuracy:.4f} on {card.samples:,} ({card.device})")
    return 0


def _found(card: CheckpointCard) -> str:
    """What an evaluation was for, in words."""
    return f"{card.accuracy:.4f}" if card.classifies else _error(card.measured["reconstruction"])


def _error(errors: dict[str, Any]) -> str:
    return (
        f"mean squared error {errors['mse']:.4f} of hidden patches, {errors['relative']:.3f} times that of the mean of "
        f"the visible ones, {errors['ratio']:.0%} hidden,"
    )


def _prune(options: argparse.Namespace) -> int:
    from spikeviz.paths import user_checkpoints
    from spikeviz.train.publish import publish_pruned

    card = publish_pruned(options.name, options.threshold, options.out or user_checkpoints(), options.device)
    left, speed = card.measured["parameters_left"], card.measured["throughput"]
    print(
        f"{card.name}: {card.accuracy:.4f} on {card.samples:,} test samples of {card.data}, {left:.1%} of the "
        f"parameters, {speed['speedup']:.2f} times as fast ({speed['samples_per_second']:.0f} samples/s, {card.device})"
    )
    return 0


def _curve(options: argparse.Namespace) -> int:
    from spikeviz.evaluation.curves import write_curve
    from spikeviz.runtime import reuse_memory

    reuse_memory()
    path = write_curve(options.name, options.device)
    print(f"{path}: the curves of {options.name}")
    return 0


def _export(options: argparse.Namespace) -> int:
    import spikeviz as sv
    from spikeviz.artifacts.cards import find_card
    from spikeviz.artifacts.packed_spikes import film
    from spikeviz.data.catalog import find_data
    from spikeviz.metrics.firing import spike_layers
    from spikeviz.ui.controls import dynamics, said
    from spikeviz.ui.experiment import Experiment
    from spikeviz.ui.inputs import Input

    card, _ = find_card(options.name)
    x, y = sv.load_data(card.data, "test")
    if not 0 <= options.input < len(x):
        raise ValueError(f"the test images of {card.data} are numbered 0 to {len(x) - 1}, there is no {options.input}.")
    model, now = sv.load(card.name, "cpu"), Experiment(card.name, f"test/{options.input}")
    title, classes = f"test image {options.input}", find_data(card.data).classes
    layers, shown = spike_layers(model), Input(x[options.input], title)
    recording = [sv.simulate(model, shown.batch, keep="*.spike") for _ in range(3)][-1]  # the first pass is slow
    facts = {"checkpoint": card.name, "sha256": card.sha256, "source": now.source, "title": title, "classes": classes}
    facts |= {"label": int(y[options.input]), "said": said(dynamics(model), now)}
    facts["command"] = f"spikeviz export {card.name} --input {options.input}"
    made = film(recording, layers, shown.picture, **facts)
    options.out.mkdir(parents=True, exist_ok=True)
    made.write(options.out / f"{card.name}.npz")
    print(f"{options.out / card.name}.npz: {len(layers)} layers on test image {options.input} of {card.data}")
    return 0


def _train(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from spikeviz.runtime import reuse_memory
    from spikeviz.train.loop import train
    from spikeviz.train.recipes import find_recipe

    reuse_memory()
    recipe = find_recipe(options.recipe)
    command = f"spikeviz train {recipe.name}"
    if options.seed is not None:
        recipe, command = replace(recipe, seed=options.seed), f"{command} --seed {options.seed}"
    folder = options.folder or Path("runs") / recipe.name
    train(recipe, folder, options.device, command=command)
    print(f"trained; `spikeviz evaluate {folder}` makes a checkpoint of it, with its card")
    return 0


if __name__ == "__main__":
    sys.exit(main())
