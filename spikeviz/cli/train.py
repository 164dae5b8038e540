"""Train a network by a recipe, or go on with a run that was stopped.

The run is a folder; `spikeviz publish` makes a checkpoint of it when it is finished.

Examples:
  spikeviz train smoke
  spikeviz train spikformer-fashion --folder runs/mine --seed 1
"""

from __future__ import annotations

import argparse
from pathlib import Path

from spikeviz.cli import Result, add_device


def arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("recipe", help="smoke takes a minute; the others are named after the checkpoint they make")
    command.add_argument("--folder", type=Path, help="of the run (default: runs/RECIPE)")
    command.add_argument("--seed", type=int, help="instead of the recipe's own")
    add_device(command)


def run(options: argparse.Namespace) -> Result:
    from dataclasses import replace

    from spikeviz.runtime import reuse_memory
    from spikeviz.train.loop import train
    from spikeviz.train.shipped import find_recipe

    reuse_memory()
    recipe = find_recipe(options.recipe)
    command = f"spikeviz train {recipe.name}"
    if options.seed is not None:
        recipe, command = replace(recipe, seed=options.seed), f"{command} --seed {options.seed}"
    folder = options.folder or Path("runs") / recipe.name
    train(recipe, folder, options.device, command=command)
    data = {"recipe": recipe.name, "seed": recipe.seed, "folder": str(folder)}
    return Result(data, f"trained; `spikeviz publish {folder}` makes a checkpoint of it, with its card")
