"""Probe and Tape: the one mechanism by which a model is looked into and edited.

A `Probe` is an identity module at every activation worth seeing. While a `Tape` is active it hands its tensor to the
tape, which may keep it and may return an edited one. The tape lives in a `ContextVar`: every thread, and so every
browser session, has its own, and the model itself never changes.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from spikeviz.memory import Memory
from spikeviz.recording import Track
from spikeviz.runtime import stream
from spikeviz.unread import Reads, Scale, Unread, equal

Kind = Literal["spike", "membrane", "scores", "mask", "feature"]
Role = Literal["", "operand", "branch", "match"]
SILENT = ("branch", "match")  # of places that controls edit: recorded where their very name is asked for
_ACTIVE: ContextVar[Tape | None] = ContextVar("spikeviz_tape", default=None)
M = TypeVar("M", bound=nn.Module)


class Probe(nn.Module):
    """A named place in a model: identity without parameters.

    Args:
        kind: what flows here.
        axes: the letters of its axes (`spikeviz.axes`).
        counts: True where the values are whole numbers by construction (spikes and sums of spikes), so that the tape
            may keep them as uint8. A static image is real even if every pixel of it happens to be 0 or 1.
        site: what it is within its block: "q", "k", "v", "scores", "MLP hidden"; "convolution" of what spikes enter one
            by; "" of everything else.
        role: "operand" of what a weighted product reads; "branch" of what an attention module adds to the residual
            stream, "match" of what its queries and keys say to each other, before scale, bias and softmax; else "".
        whole: True where the values are whole numbers of `scale`, so that the spikes they stand for can be dropped one
            by one; by default where they are counts. Levels of QCFS are real to a product, and whole numbers of spikes.

    `name` is the module path (`blocks.1.attn.q.spike`), `block` the number of its block, from 0, or None outside of
    blocks; `name_probes` sets both, once.
    """

    def __init__(
        self,
        kind: Kind,
        axes: Sequence[str],
        counts: bool | None = None,
        *,
        site: str = "",
        role: Role = "",
        whole: bool | None = None,
    ):
        super().__init__()
        self.kind, self.axes = kind, tuple(axes)
        self.counts = kind == "spike" if counts is None else counts
        self.whole = self.counts if whole is None else whole
        self.site, self.role = site, role
        self.name = ""
        self.block: int | None = None

    def forward(
        self,
        x: Tensor,
        scale: Scale = 1.0,
        threshold: Scale | None = None,
        levels: int = 1,
        stored: Tensor | None = None,
        most: int | None = None,
    ) -> Tensor:
        """The tensor itself, or what the active tape makes of it.

        `scale` is the value of one spike, `levels` how many binary steps one step stands for, `most` how many spikes a
        value is at most, where that is known, `threshold` that of the neuron whose membrane this is; `stored` what a
        tape may keep of an unedited `x` without looking at it, for good (counts of spikes, a membrane). An edited
        tensor is another object, an unedited one the same.
        """
        tape = _ACTIVE.get()
        return x if tape is None else tape.visit(self, x, scale, threshold, levels, stored, most)

    @property
    def silent(self) -> bool:
        """Whether a recording has it only where its very name is asked for, and not by a glob."""
        return self.role in SILENT

    @property
    def kept(self) -> bool:
        """Whether an active tape keeps what flows here."""
        tape = _ACTIVE.get()
        return tape is not None and tape.asked_about(self).keeps(self.name, self.silent)

    @property
    def wanted(self) -> bool:
        """Whether an active tape keeps or edits this place: what only a viewer needs is computed only then."""
        tape = _ACTIVE.get()
        return tape is not None and tape.asked_about(self).wants(self)

    def extra_repr(self) -> str:
        return f"{self.name or '?'}: {self.kind} {' '.join(self.axes)}"


Settings = tuple[tuple[str, Any], ...]


class Part(nn.Module):
    """A part of a model that a memory may answer for."""

    def __call__(self, *given: Any, **named: Any) -> Any:
        tape = _ACTIVE.get()
        if tape is None or tape.memory is None:
            return super().__call__(*given, **named)
        everything = (*given, *(each for pair in sorted(named.items()) for each in pair))
        return tape.memory.run(tape, self, lambda: super(Part, self).__call__(*given, **named), everything)


@runtime_checkable
class Edit(Protocol):
    """What a tape needs of an intervention (`spikeviz.interventions` has them)."""

    def tune(self, settings: dict[str, Any]) -> dict[str, Any]: ...
    def edits(self, name: str, kind: str) -> bool: ...
    def edit(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]: ...
    def edit_rows(
        self, x: Tensor, generators: Sequence[torch.Generator], axis: int
    ) -> tuple[Tensor, Tensor | None]: ...


@runtime_checkable
class DropsSpikes(Protocol):
    """What a tape needs of an edit that drops single spikes: it is told what one is worth."""

    law: Any

    def acts_at(self, kind: str, whole: bool) -> bool: ...
    def of_spikes(self, scale: Scale, most: int, known: bool) -> Edit: ...


class Tape:
    """Visits every probe of one forward pass: keeps what `keep` names, applies `edits` left to right.

    Args:
        edits: interventions, in the order in which they are applied.
        keep: glob or globs of track names; "" keeps nothing.
        seed: every random edit draws from its own stream, a function of (seed, name of the place, position in `edits`),
            so that what is drawn in one place does not depend on what is looked at elsewhere. Several seeds: one sample
            becomes as many rows of a batch at the first place that is edited, each drawn by a seed of its own.
        memory: of the passes before on the same input, so that what nothing has changed is not computed again.
        reads: what is read of the device, if not on a CPU.
    """

    def __init__(
        self,
        edits: Sequence[Edit] = (),
        keep: str | Sequence[str] = "*",
        seed: int | Sequence[int] = 0,
        memory: Memory | None = None,
        reads: Reads | None = None,
    ):
        self.edits = tuple(edits)
        self.keep = (keep,) if isinstance(keep, str) else tuple(keep)
        self.seeds = (seed,) if isinstance(seed, int) else tuple(seed)
        self.tracks: dict[str, Track] = {}
        self.memory, self.reads = memory, reads or Reads()
        # of each tensor that was kept: itself, its version, whether as counts, its track; by id
        self._last: dict[int, tuple[weakref.ref[Tensor], int, bool, Track]] = {}

    @contextmanager
    def rolling(self) -> Iterator[Tape]:
        """Make this the tape of the current context."""
        token = _ACTIVE.set(self)
        try:
            yield self
        finally:
            _ACTIVE.reset(token)
        kept, self.tracks = self.tracks, self.reads.read(self.tracks)
        if self.memory is not None:
            self.memory.replace(kept, self.tracks)

    def keeps(self, name: str, silent: bool = False) -> bool:
        """A glob does not ask for what is silent."""
        return name in self.keep if silent else _matches(name, self.keep)

    def keeps_sent(self, name: str) -> bool:
        """Whether what came to a place is kept where spikes are dropped: `*` does not ask for it, `*.sent` does."""
        return _matches(f"{name}.sent", tuple(glob for glob in self.keep if glob.endswith(".sent")))

    def wants(self, probe: Probe) -> bool:
        return self.keeps(probe.name, probe.silent) or any(e.edits(probe.name, probe.kind) for e in self.edits)

    def visit(
        self,
        probe: Probe,
        x: Tensor,
        scale: Any,
        threshold: Any,
        levels: int,
        stored: Tensor | None = None,
        most: int | None = None,
    ) -> Tensor:
        given, sent = x, False
        self.asked_about(probe)
        for position, edit in enumerate(self.edits):
            if edit.edits(probe.name, probe.kind):
                if isinstance(edit, DropsSpikes) and not edit.acts_at(probe.kind, probe.whole):
                    continue
                x, mask = self._edited(edit, probe, x, position, scale, most)
                if mask is not None and self.keeps(f"{probe.name}.mask"):
                    self._keep_mask(probe, mask)
                sent |= mask is not None
        if sent and self.keeps_sent(probe.name):
            came = {"axes": probe.axes[-given.ndim :], "kind": "feature", "scale": scale, "levels": levels}
            self._keep(f"{probe.name}.sent", given, stored, probe.whole, came | {"threshold": None})
        if self.keeps(probe.name, probe.silent):
            axes = probe.axes[-x.ndim :]  # a static image has no T yet
            seen = {"axes": axes, "kind": probe.kind, "scale": scale, "threshold": threshold, "levels": levels}
            self._keep(probe.name, x, stored if x is given else None, probe.counts, seen)
        return x

    def _keep(self, name: str, x: Tensor, stored: Tensor | None, counts: bool, seen: dict[str, Any]) -> None:
        """`seen` is the rest of the track."""
        track = self._seen(x, counts, seen["scale"]) if stored is None else None
        if track is not None:
            track = track.seen_at(**{what: value for what, value in seen.items() if what != "scale"})
        elif stored is not None:
            track = Track(stored, **seen)
        elif counts and x.numel() and x.device.type != "cpu":
            track = Unread.of_counts(x, **seen)
        else:
            track = Track.of(x, counts=counts, **seen)
        self.tracks[name] = track
        self._last[id(x)] = weakref.ref(x), x._version, counts, track

    def _seen(self, x: Tensor, counts: bool, scale: Any) -> Track | None:
        """The track of a place that `x` has just come from, where this one would keep the same numbers."""
        known = self._last.get(id(x))
        if known is None:
            return None
        tensor, version, counted, track = known
        same = tensor() is x and version == x._version and counted == counts
        return track if same and (equal(track.scale, scale) or track.values.dtype != torch.uint8) else None

    def asked_about(self, probe: Probe) -> Tape:
        """This tape, whose memory notes what is done at a place."""
        if self.memory is not None:
            self.memory.note(self.done_at, probe.name, probe.kind, probe.silent)
        return self

    def done_at(self, name: str, kind: str, silent: bool = False) -> Hashable:
        """What is done at a place: which edits act, as which of all, drawn by which seeds; and what is kept of it."""
        acting = tuple((p, edit) for p, edit in enumerate(self.edits) if edit.edits(name, kind))
        kept = bool(acting) and (self.keeps(f"{name}.mask"), self.keeps_sent(name))
        return acting, self.seeds if acting else (), self.keeps(name, silent), kept

    def tuned(self, settings: Settings) -> Settings:
        """A module's own settings, as the interventions set them."""
        found = dict(settings)
        for edit in self.edits:
            found = edit.tune(found)
        return tuple(found.items())

    def _edited(
        self, edit: Edit, probe: Probe, x: Tensor, position: int, scale: Any, most: int | None
    ) -> tuple[Tensor, Tensor | None]:
        if isinstance(edit, DropsSpikes):
            most = 1 if edit.law == "whole" or not probe.whole else most
            known = most is not None
            most = most or self.reads.most(f"{probe.name}.mask", (x / scale).round(), guess=1) or 1
            edit = edit.of_spikes(scale, most, known)
        streams = [stream(seed, probe.name, position) for seed in self.seeds]
        if len(streams) == 1:
            return edit.edit(x, streams[0])
        return edit.edit_rows(x, streams, probe.axes[-x.ndim :].index("B"))

    def _keep_mask(self, probe: Probe, mask: Tensor) -> None:
        """What two masks of one place both keep. One that counts has counted what the one before it has left."""
        name = f"{probe.name}.mask"
        if name in self.tracks and mask.dtype == torch.bool:
            before = self.tracks[name].values
            mask = mask & before if before.dtype == torch.bool else mask * before
        self.tracks[name] = Track(mask, probe.axes, "mask")


@lru_cache(maxsize=1 << 16)
def _matches(name: str, globs: tuple[str, ...]) -> bool:
    """Asked several times of every place in every run, so answered once."""
    return any(fnmatchcase(name, glob) for glob in globs)


def is_looked_into() -> bool:
    """Whether a tape is active."""
    return _ACTIVE.get() is not None


def reads() -> Reads:
    """What the active tape reads of the device."""
    return tape.reads if (tape := _ACTIVE.get()) else Reads()


def tuned(**settings: Any) -> dict[str, Any]:
    """A module's own settings as the active interventions set them: `tuned(threshold=1.0)["threshold"]`."""
    tape = _ACTIVE.get()
    if tape is None or not (tape.edits or tape.memory):
        return settings
    own = tuple(settings.items())
    if tape.memory is not None:
        tape.memory.note(tape.tuned, own)
    return dict(tape.tuned(own))


class Blocks(nn.ModuleList):
    """The blocks of a network in forward order, whatever its attribute is called: probes in one know its number."""


def tagged(module: M, site: str) -> M:
    """`module`, whose own probes (not those of its parts) get this site."""
    for part in module.children():
        if isinstance(part, Probe):
            part.site = site
    return module


def name_probes(model: M) -> M:
    """Give every probe of `model` its module path and, where it has no number yet, that of its block; called once, when
    a model is built."""
    for name, module in model.named_modules():
        if isinstance(module, Probe):
            module.name = name
        elif isinstance(module, Blocks):
            for number, block in enumerate(module):
                for part in block.modules():
                    if isinstance(part, Probe) and part.block is None:
                        part.block = number
    return model


def find_probes(model: nn.Module, where: Callable[[Probe], bool] = lambda probe: not probe.silent) -> dict[str, Probe]:
    """The probes of a model by name, in the order in which they were built; by default those a recording has."""
    return {m.name: m for m in model.modules() if isinstance(m, Probe) and where(m)}
