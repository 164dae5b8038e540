"""What the parts of a network gave on an input, for passes on the same input under other interventions."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from spikeviz.recording import Track
from spikeviz.unread import Reads

if TYPE_CHECKING:
    from spikeviz.probe import Tape


@dataclass(frozen=True, eq=False)
class Remembered:
    """A part that was run: on what, what came out, its tracks, and all it asked of the tape, with the answers."""

    given: tuple[Any, ...]
    versions: tuple[int, ...]
    output: Any
    tracks: dict[str, Track]
    asked: Mapping[tuple[str, Any], Hashable]


class Memory:
    """What parts of a model gave on an input, for passes on the same input under other interventions.

    A part (`Part`) is not run again where it is given the very tensors of the time before and nothing that it asked of
    the tape (settings, edits, what is kept) has another answer. So of several passes what lies before the first changed
    place is computed once. It holds every part's output: one memory for each batch.
    """

    def __init__(self) -> None:
        self._parts: dict[int, Remembered] = {}
        self._asking: list[dict[tuple[str, Any], Hashable]] = []
        self.reads = Reads()  # of a network that stays as it is

    def note(self, ask: Callable[..., Hashable], *question: Any) -> None:
        """A part that is being run asks something of the tape."""
        for asked in self._asking:
            asked.setdefault((ask.__name__, question), ask(*question))

    def run(self, tape: Tape, part: nn.Module, call: Callable[[], Any], given: tuple[Any, ...]) -> Any:
        """What a part gives, from memory where that holds."""
        versions = tuple(x._version for x in given if isinstance(x, Tensor))
        known = self._parts.get(id(part))
        if known is not None and self._holds(tape, known, given, versions):
            tape.tracks |= known.tracks
            for asked in self._asking:
                asked |= known.asked
            return known.output
        before, asked = set(tape.tracks), dict[tuple[str, Any], Hashable]()
        self._asking.append(asked)
        try:
            output = call()
        finally:
            self._asking.pop()
        tracks = {name: track for name, track in tape.tracks.items() if name not in before}
        self._parts[id(part)] = Remembered(given, versions, output, tracks, asked)
        return output

    def replace(self, kept: Mapping[str, Track], read: Mapping[str, Track]) -> None:
        """Keep tracks as they were read in the end."""
        for part in self._parts.values():
            part.tracks.update({n: read[n] for n, track in part.tracks.items() if track is kept.get(n)})

    def _holds(self, tape: Tape, known: Remembered, given: tuple[Any, ...], versions: tuple[int, ...]) -> bool:
        same = len(given) == len(known.given) and versions == known.versions
        same = same and all(
            a is b if isinstance(a, Tensor) else a == b for a, b in zip(given, known.given, strict=True)
        )
        return same and all(getattr(tape, ask)(*question) == said for (ask, question), said in known.asked.items())
