"""The command `spikeviz`: the app, and everything it does without a page. One file a command."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from dataclasses import dataclass, field
from typing import Any

COMMANDS = (
    "app",
    "models",
    "data",
    "evaluate",
    "train",
    "publish",
    "figures",
    "report",
    "prune",
    "bench",
    "import",
    "export",
)
BAD_INPUT, FELL_SHORT = 2, 1


@dataclass(frozen=True)
class Result:
    """What a command found.

    Attributes:
        data: plain JSON values, for `--json`.
        text: for a person.
        status: 0, or `FELL_SHORT` of a result that is less than was promised.
    """

    data: Any
    text: str = ""
    status: int = field(default=0)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; what goes wrong for a reason is one sentence on stderr and exit status 2."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells every glyph that a PDF takes along
    options = parser().parse_args(arguments)
    try:
        result = options.run(options)
        if result is not None:
            print(json.dumps(result.data) if options.json else result.text, flush=True)
        return result.status if result else 0
    except (ValueError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # `spikeviz models | head`: nobody reads on
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        print(f"spikeviz: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """Of all commands; without one the app is served."""
    from importlib import import_module

    found = argparse.ArgumentParser(
        prog="spikeviz",
        description="Look inside spiking transformers. Without a command the app is served on this machine.",
        epilog="spikeviz COMMAND --help shows examples. Exit status: 0, 1 for a result that falls short, 2 for input "
        "that cannot be used.",
    )
    app = import_module("spikeviz.cli.app")
    found.set_defaults(run=app.run, port=None, host="127.0.0.1", json=False)
    commands = found.add_subparsers(title="commands", metavar="")
    for name in COMMANDS:
        module = import_module(f"spikeviz.cli.{name}_checkpoint" if name == "import" else f"spikeviz.cli.{name}")
        about, _, examples = (module.__doc__ or "").partition("\n\nExamples:\n")
        one = commands.add_parser(
            name,
            help=about.splitlines()[0].rstrip("."),
            description=about,
            epilog=f"examples:\n{examples}" if examples else "",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.add_argument("--json", action="store_true", help="print the result as JSON")
        one.set_defaults(run=module.run)
        module.arguments(one)
    return found


def add_device(command: argparse.ArgumentParser) -> None:
    """`--device`."""
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default: auto)")
