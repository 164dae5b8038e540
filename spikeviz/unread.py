"""What a pass on a GPU leaves unread until it is over: every look at a number of a device waits for all its work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from spikeviz.recording import Number, Track
from spikeviz.runtime import coming, fetched

Scale = float | Tensor  # of a spike: a number, or a tensor without axes, of a device where nobody has read it yet


def equal(one: Scale, other: Scale) -> bool:
    """Whether two are known to be equal, without a look at a device."""
    return one is other or (not isinstance(one, Tensor) and not isinstance(other, Tensor) and one == other)


@dataclass(frozen=True, eq=False)
class Unread(Track):
    """Counts that nobody has looked at yet.

    Attributes:
        exact: without axes, whether `values * scale` is what was to be kept, to the last bit.
        real: what is kept if it is not.
    """

    exact: Tensor = field(kw_only=True)
    real: Track = field(kw_only=True)

    @classmethod
    def of_counts(
        cls,
        x: Tensor,
        axes: tuple[str, ...],
        kind: str,
        scale: Scale,
        threshold: Number | None = None,
        levels: int = 1,
    ) -> Unread:
        """What `Track.of` makes of counts, without a look."""
        x, single = x.detach(), not isinstance(scale, Tensor) and scale == 1.0
        whole = (x if single else (x / scale).round_()).to(torch.uint8)
        flows = whole.to(x.dtype) if single else whole.to(x.dtype).mul_(scale)
        real = Track(x.clone(), axes, kind, threshold=threshold)
        return cls(whole, axes, kind, scale, levels=levels, exact=(flows == x).all(), real=real)

    def seen_at(self, axes: tuple[str, ...], kind: str, threshold: Number | None, levels: int) -> Unread:
        real = self.real.seen_at(axes, kind, threshold, levels)
        return replace(self, axes=axes, kind=kind, threshold=threshold, levels=levels, real=real)

    def read(self, exact: bool) -> Track:
        """The track, now that it is known whether its counts are exact."""
        if not exact:
            return self.real
        return Track(self.values, self.axes, self.kind, self.scale, self.threshold, self.levels)


class Reads:
    """The numbers of a device that a pass needs on the host, all read in one wait when it is over. On a CPU a look is
    free, and nothing of this is used.

    Args:
        repeats: whether the pass is run again while there is something `again`, so that counts may be taken apart into
            as many steps as the pass before has found; else they are looked at on the way.
        to_cpu: whether tracks are taken to the CPU, in the same wait.

    Attributes:
        again: whether the last pass took counts apart into fewer steps than they have.
        waited: whether its end was waited for, since something was read then.
    """

    def __init__(self, repeats: bool = False, to_cpu: bool = False):
        self.repeats, self.to_cpu, self.again, self.waited = repeats, to_cpu, False, False
        self._worth: dict[tuple[int, int], Tensor] = {}
        self._looks: dict[str, Tensor] = {}
        self._most: dict[str, int] = {}

    def worth(self, threshold: Tensor, levels: int = 1) -> Scale:
        """What a level of a threshold is worth: of a device the same tensor, whenever it is asked for."""
        if threshold.device.type == "cpu" and not torch.compiler.is_compiling():
            return float(threshold.detach() / levels)
        key = id(threshold), levels
        if key not in self._worth:
            self._worth[key] = (threshold.detach() / levels).squeeze()
        return self._worth[key]

    def most(self, place: str, counts: Tensor, guess: int | None = None) -> int | None:
        """The largest of the counts of a place, at least 1; in a first pass the guess, which is run again where it was
        too small."""
        found = counts.detach().max()
        if found.device.type == "cpu" or not self.repeats:
            return max(1, int(found))
        self._looks[place] = found
        if guess is not None:
            self._most.setdefault(place, guess)
        return self._most.get(place)

    def read(self, tracks: Mapping[str, Track]) -> dict[str, Track]:
        """The tracks of a pass that is over, after a look at all of them; those on their way to the CPU have arrived
        where there was something to look at (`waited`)."""
        if self.to_cpu:
            tracks = self._coming(tracks)
        asked = [x for track in tracks.values() for x in _unread(track)]
        looks, self._looks, self.again = self._looks, {}, False
        wanted = {id(x): x for x in (*asked, *looks.values())}
        self.waited = bool(wanted)
        if not wanted:
            return dict(tracks)
        found = dict(zip(wanted, _together(list(wanted.values())), strict=True))
        for place, most in looks.items():
            self.again |= found[id(most)] > self._most.get(place, 0)
            self._most[place] = max(1, int(found[id(most)]), self._most.get(place, 0))
        read = {name: _read(track, found) for name, track in tracks.items()}
        if self.to_cpu and (late := {name: x.values for name, x in read.items() if x.values.device.type != "cpu"}):
            read |= {name: replace(read[name], values=values) for name, values in fetched(late).items()}
        return read

    def _coming(self, tracks: Mapping[str, Track]) -> dict[str, Track]:
        """Tensors that several tracks keep are sent once."""
        values = {id(track.values): track.values for track in tracks.values()}
        values = {key: coming(x) for key, x in values.items()}
        return {name: replace(track, values=values[id(track.values)]) for name, track in tracks.items()}


def _unread(track: Track) -> list[Tensor]:
    """What is still a tensor of a track, but its values."""
    asked = (track.scale, track.threshold, *((track.exact,) if isinstance(track, Unread) else ()))
    return [x for x in asked if isinstance(x, Tensor)]


def _together(tensors: list[Tensor]) -> list[float]:
    """The numbers of tensors without axes, to the last bit, in one wait."""
    whole = torch.float32 if tensors[0].device.type == "mps" else torch.float64
    return torch.stack([x.to(whole) for x in tensors]).tolist()


def _read(track: Track, found: Mapping[int, float]) -> Track:
    if isinstance(track, Unread):
        track = track.read(bool(found[id(track.exact)]))
    named = {"scale": track.scale, "threshold": track.threshold}
    numbers: dict[str, Any] = {name: found[id(x)] for name, x in named.items() if isinstance(x, Tensor)}
    return replace(track, **numbers) if numbers else track
