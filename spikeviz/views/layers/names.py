"""Layers in words: `block 1, attention, query` in place of `blocks.1.attn.q`.

What a probe says of itself comes first: its block, and its site in there. The rest is read from the module path, so
that a network without such tags has names as well. Blocks are counted from 0, as in module paths and on the pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

SITES = {
    "q": ("attention", "query"),
    "k": ("attention", "key"),
    "v": ("attention", "value"),
    "MLP hidden": ("MLP", "hidden"),
}
WORDS = {
    "attn": "attention",
    "av": "scores times values",
    "conv": "convolution",
    "depth": "depthwise",
    "down": "downsampling",
    "expand": "expansion",
    "k": "key",
    "layer": "middle",  # of a block of two convolutions
    "local": "local convolution",
    "merge": "patch merging",
    "mlp": "MLP",
    "out": "output",
    "proj": "projection",
    "q": "query",
    "qk": "queries times keys",
    "reduce": "reduction",
    "rpe": "position embedding",
    "sep": "separable convolution",
    "v": "value",
    "widen": "widening",
}
MARKS = {"query": "q", "key": "k", "value": "v"}  # of a layer in a drawing
COUNTED = {"blocks": "block", "stages": "stage", "layers": "layer"}

Tag = tuple[int | None, str]  # block and site of a probe


def parts_of(path: str, tag: Tag = (None, "")) -> tuple[str, ...]:
    """A module path in words, from the outermost part to the innermost."""
    block, site = tag
    steps = path.split(".")
    if site == "convolution":  # of these networks the pages count what the spikes enter
        *outer, last = parts_of(path)
        where = f"into convolution {block}"
        return (*outer, f"{last} ({where})") if outer else (last, where)
    if block is not None and str(block) in steps:
        inside = SITES.get(site) or _read(steps[steps.index(str(block)) + 1 :])
        return f"block {block}", *inside
    return _read(steps)


def _read(steps: Sequence[str]) -> tuple[str, ...]:
    """The steps of a path in words; a number belongs to what is counted by it."""
    found: list[str] = []
    for place, step in enumerate(steps):
        if step.isdigit() and found:
            name = COUNTED.get(steps[place - 1], found[-1])
            last = name == "stage" and place == len(steps) - 1
            found[-1] = f"{'layer' if last else name} {step}"  # a stage of one layer is a layer
        else:
            found.append(WORDS.get(step, step.replace("_", " ")))
    return tuple(found)


def parts(layers: Sequence[str], tags: Mapping[str, Tag] | None = None) -> dict[str, tuple[str, ...]]:
    """Of each layer its name in parts, by module path; no two are the same.

    What all paths begin with (`encoder.`) says nothing and is left out.
    """
    outer = {layer.split(".")[0] for layer in layers}
    shared = 1 if len(layers) > 1 and len(outer) == 1 and not outer & {*COUNTED} else 0
    found = {}
    for layer in layers:
        steps = layer.split(".")
        found[layer] = parts_of(".".join(steps[shared:] or steps), (tags or {}).get(layer, (None, "")))
    seen = Counter(found.values())
    return {layer: name if seen[name] == 1 else (*name, layer) for layer, name in found.items()}


def words(layers: Sequence[str], tags: Mapping[str, Tag] | None = None) -> dict[str, str]:
    """Of each layer its name, by module path."""
    return {layer: ", ".join(name) for layer, name in parts(layers, tags).items()}


def tags_of(model: Any) -> dict[str, Tag]:
    """What the probes of spikes say of themselves, by the module path of their layer."""
    from spikeviz.probe import find_probes

    probes = find_probes(model, lambda probe: probe.kind == "spike")
    return {name.removesuffix(".spike"): (probe.block, probe.site) for name, probe in probes.items()}


def groups(named: Mapping[str, Sequence[str]]) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """The layers of a network in forward order, by block and by part of it, as a drawing shows them."""
    found: list[tuple[str, list[tuple[str, list[str]]]]] = []
    for layer, name in named.items():
        outer, inner = name[0], name[1] if len(name) > 2 else ""
        if not found or found[-1][0] != outer:
            found.append((outer, []))
        within = found[-1][1]
        if not within or within[-1][0] != inner:
            within.append((inner, []))
        within[-1][1].append(layer)
    return found
