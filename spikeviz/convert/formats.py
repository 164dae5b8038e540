"""What a published checkpoint format is, for the files that describe one family's each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

State = dict[str, Tensor]
Rules = tuple[tuple[str, Any], ...]  # (pattern, replacement or function of the match)


class Given(NamedTuple):
    """What the caller says of a checkpoint; None leaves it to the tensors and the published default."""

    heads: int | None = None
    image_size: int | None = None
    time_steps: int | None = None


@dataclass(frozen=True)
class Format:
    """One published format.

    Attributes:
        family: of the registry.
        configure: (tensors, what the caller says) -> the family's config. A tensor it needs and does not find is a
            KeyError with its name.
        publish: (key of our model, config) -> the published key.
        unused: pattern of tensors that the published files hold and never use; dropped with a note.
        derived: buffers that are recomputed: pattern -> (tensor, config) -> whether its shape is right.
        prepare: cuts tensors that hold several of ours, or adds what the published model does without.
        warning: what everybody who reads such a checkpoint should know; "" if nothing.
    """

    family: str
    configure: Callable[[State, Given], Any]
    publish: Callable[[str, Any], str]
    unused: str
    derived: Mapping[str, Callable[[Tensor, Any], bool]]
    prepare: Callable[[State], State] = dict
    warning: str = ""


def rename(key: str, rules: Rules) -> str:
    """Apply every rule, in order."""
    for pattern, other in rules:
        key = re.sub(pattern, other, key)
    return key


def is_scalar(value: Tensor, _: Any) -> bool:
    """The shape of `num_batches_tracked`."""
    return value.ndim == 0


def highest(state: State, pattern: str) -> int:
    """The largest number that group 1 of `pattern` finds at the beginning of a key.

    Raises:
        KeyError: if it finds none.
    """
    found = [int(match[1]) for match in map(re.compile(pattern).match, state) if match]
    if not found:
        raise KeyError(pattern.replace("\\", "").replace("(d+)", "0"))
    return max(found)
