"""The experiment: everything a result depends on, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Experiment:
    """What is computed.

    Attributes:
        checkpoint: name of a card.
        source: of the input: `test/<index>` of the checkpoint's own data, `picture/<name>` of the pictures to try,
            `upload/<hash>`, or `link/<picture>`, which an address carried.
        seed: of random edits, a whole number; a tuple of several runs one sample as a batch, a row for each.
        interventions: `spikeviz.interventions`, in the order in which they are applied; several may be of one kind.
        variant: which form of the checkpoint's network is run (`spikeviz.views.runs.network`); "" is the one that
            pages show.
    """

    checkpoint: str
    source: str = "test/0"
    seed: Any = 0
    interventions: tuple[Any, ...] = ()
    variant: str = ""

    def but(self, **changes: Any) -> Experiment:
        """The same with some fields changed."""
        return replace(self, **changes)

    def of_kind(self, kind: type) -> tuple[Any, ...]:
        """Its interventions of one kind, left to right."""
        return tuple(i for i in self.interventions if isinstance(i, kind))

    def without(self, kind: type) -> Experiment:
        """Without any intervention of that kind."""
        return self.but(interventions=tuple(i for i in self.interventions if not isinstance(i, kind)))

    def set(self, value: Any, number: int = 0) -> Experiment:
        """With `value` in place of the `number`-th intervention of its kind, from 0; behind all others if there is
        none."""
        found = self.of_kind(type(value))
        if number >= len(found):
            return self.but(interventions=(*self.interventions, value))
        places = [n for n, i in enumerate(self.interventions) if isinstance(i, type(value))]
        changed = list(self.interventions)
        changed[places[number]] = value
        return self.but(interventions=tuple(changed))

    def drop(self, kind: type, number: int) -> Experiment:
        """Without the `number`-th intervention of a kind, from 0."""
        places = [n for n, i in enumerate(self.interventions) if isinstance(i, kind)]
        gone = places[number] if number < len(places) else None
        return self.but(interventions=tuple(i for n, i in enumerate(self.interventions) if n != gone))

    def only(self, *kinds: type) -> Experiment:
        """Without what other pages intervene: a page computes what it shows controls for, and nothing else.

        In the order of `kinds`: what is drawn at random depends on the place of an intervention among the others, and
        must not on which slider was moved first. Those of one kind keep their order.
        """
        return self.but(interventions=tuple(i for kind in dict.fromkeys(kinds) for i in self.of_kind(kind)))

    @property
    def brought(self) -> bool:
        """Whether its input was brought to a session, and is nowhere else."""
        return self.source.startswith("upload/")

    @property
    def index(self) -> int | None:
        """Of the test sample; None for another input."""
        kind, _, rest = self.source.partition("/")
        return int(rest) if kind == "test" else None
