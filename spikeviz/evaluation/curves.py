"""Curves that ship precomputed: accuracy against the threshold of channel masks, the ratio of random masks, or D.

A file holds the command that made it, data, samples, seeds and device; `spikeviz.artifacts.curves.find_curve` reads it,
and answers only while the checkpoint is the one it was computed of.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from torch import nn
from tqdm import tqdm

from spikeviz.artifacts.as_data import from_data
from spikeviz.artifacts.cards import CheckpointCard, find_card
from spikeviz.artifacts.checkpoints import load
from spikeviz.artifacts.curves import DEPTHS, curve_file
from spikeviz.convert.prune import prune_channels
from spikeviz.convert.to_spiking import SHOWN, to_spiking
from spikeviz.data.catalog import as_batch, open_data
from spikeviz.evaluation import masked_accuracy
from spikeviz.evaluation.accuracy import COUNTED, accuracy, measure
from spikeviz.evaluation.firing import count_firing
from spikeviz.interventions import Intervention, MaskSpikes, SpikeLevels
from spikeviz.metrics import OPERANDS, mask_rates, operations
from spikeviz.metrics.spike_masking import CONVOLUTION, masking_places
from spikeviz.nn.channel_masks import find_masks
from spikeviz.nn.qcfs import QCFS
from spikeviz.runtime import describe
from spikeviz.simulation import simulate

THRESHOLDS = tuple(n / 20 for n in range(21))
RATIOS = (0.0, 0.25, 0.5, 0.75, 0.9)
STEPS = (1, 2, 4, 8, 16, 32, 64)  # T of the converted network, on the whole test split
AT_ONCE = 512  # samples x steps of a pass: more is no faster, and takes memory
BLOCKS_AT = 0.75  # ratio of the masks of the first blocks
SAMPLES, SEEDS = 250, 10  # of a point against the ratio
SITES = {"SA": ("q", "k", "scores"), "MLP": ("MLP hidden",), "convolutions": (CONVOLUTION,)}


def write_curve(name: str, device: str = "auto", progress: bool = True) -> Path:
    """Compute the curve of a checkpoint and write it beside the checkpoint's folder (`curve_file`).

    Of a network with channel masks: accuracy on the whole test split, parameters and energy of the pruned network at
    every twentieth of a threshold. Of a QCFS network: accuracy of the converted one against T on the whole test split
    (of one that was fine-tuned under masks: under these, up to the T of the other curves); against the ratio of random
    masks, at every site or at those that it was fine-tuned for; against the number of masked blocks (not of one that
    was fine-tuned at another ratio); the latter two on the first 250 test samples, 10 seeds, T 16 (a CNN: 32).
    Of a network that fires integers: accuracy, energy and spikes of these weights at other D, on the whole test split.

    Raises:
        ValueError: for an unknown name, or a network that has none of these.
    """
    card, weights = find_card(name)
    model = load(name, device)
    if find_masks(model):
        found: dict[str, Any] = {"kind": "thresholds", "samples": card.samples}
        found["points"] = _thresholds(model, card.data, progress)
    elif any(isinstance(module, QCFS) for module in model.modules()):
        found = {"kind": "ratios", "samples": SAMPLES, "seeds": SEEDS, "T": _shown(model)}
        found |= _ratios(model, card, progress)
    elif card.classifies and SpikeLevels.possible(model):
        found = {"kind": "levels", "samples": card.samples, "points": _levels(model, card.data, progress)}
    else:
        raise ValueError(f"{name} has no channel masks, no QCFS and no integers: there is no curve of it.")
    about = {
        "command": f"spikeviz publish {name} --with curves",
        "checkpoint": name,
        "sha256": card.sha256,
        "data": card.data,
        "split": "test",
        "seed": card.seed,
        "device": describe(next(model.parameters()).device),
    }
    path = curve_file(weights)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(about | found, indent=1) + "\n")
    return path


def _thresholds(model: nn.Module, data: str, progress: bool) -> list[dict[str, Any]]:
    points: list[dict[str, Any]] = []
    for threshold in THRESHOLDS:
        table = mask_rates(model, threshold)
        by_site = table["masked"].tolist()
        same = next((point for point in points if point["masked_by_site"] == by_site), None)  # equal masks: run once
        point = (same or _pruned(model, data, threshold, progress)) | {"threshold": threshold}
        points.append(
            point | {"masked": sum(by_site), "channels": int(table["channels"].sum()), "masked_by_site": by_site}
        )
    return points


def _pruned(model: nn.Module, data: str, threshold: float, progress: bool) -> dict[str, Any]:
    """Of one threshold: energy is that of the pruned network, a mean over the first test samples."""
    small = prune_channels(model, threshold)
    found = measure(small, data)
    score, _ = accuracy(small, data, progress=progress)
    return {"accuracy": score, "parameters": found["parameters"], "picojoule": found["operations"]["picojoule"]}


def _levels(model: nn.Module, data: str, progress: bool) -> list[dict[str, Any]]:
    """These weights at every D; energy is a mean over the first test samples."""
    points: list[dict[str, Any]] = []
    some = as_batch(open_data(data, "test", COUNTED)[0][:])
    for depth in DEPTHS:
        rules = (SpikeLevels(depth),)
        found = count_firing(model, data, rules, title=f"D {depth}", progress=progress)
        recording = simulate(model, some, rules, OPERANDS)
        points.append(
            {
                "D": depth,
                "T": len(recording.logits_per_step),
                "accuracy": found.accuracy,
                "picojoule": round(float(operations(model, recording)["picojoule"].sum()), 1),
                "spikes_per_neuron": round(found.spikes, 6),
            }
        )
    return points


def _ratios(model: nn.Module, card: CheckpointCard, progress: bool) -> dict[str, Any]:
    spiking, places = to_spiking(model, _shown(model)), masking_places(model)
    tuned = from_data(card.trained_under)
    points: list[dict[str, Any]] = []
    blocks: list[dict[str, Any]] = []
    for site, kinds in SITES.items():
        at = tuple(place.name for place in places if place.site in kinds)
        if not at or (tuned and not any(rule.edits(name, "spike") for rule in tuned for name in at)):
            continue
        points += [{"site": site} | _masked(spiking, card.data, ratio, at, progress) for ratio in RATIOS]
        if site == "SA" and all(getattr(rule, "ratio", None) == BLOCKS_AT for rule in tuned):
            firsts = [
                tuple(place.name for place in places if place.name in at and place.block < n)
                for n in range(1, 1 + len({place.block for place in places}))
            ]
            blocks = [
                {"blocks": n} | _masked(spiking, card.data, BLOCKS_AT, at, progress) for n, at in enumerate(firsts, 1)
            ]
    return {"points": points, "blocks": blocks, "steps": _steps(model, card.data, tuned, progress)}


def _steps(model: nn.Module, data: str, tuned: Sequence[Intervention], progress: bool) -> list[dict[str, Any]]:
    """Of every T: the first T steps of the longest run, since nothing flows back in time."""
    shown = [steps for steps in STEPS if not tuned or steps <= _shown(model)]
    spiking = to_spiking(model, max(shown))
    x, y = open_data(data, "test")
    right = dict.fromkeys(shown, 0)
    batch = AT_ONCE // max(shown)
    for start in tqdm(range(0, len(x), batch), f"T {max(shown)}", disable=not progress, mininterval=2.0):
        part = as_batch(x[start : start + batch])
        sums = simulate(spiking, part, tuned, keep="", seed=start).logits_per_step.cumsum(0).cpu()
        for steps in shown:
            right[steps] += int((sums[steps - 1].argmax(-1) == y[start : start + batch]).sum())
    return [{"T": steps, "accuracy": right[steps] / len(x), "samples": len(x)} for steps in shown]


def _shown(model: Any) -> int:
    """T at which networks of this family are shown and compared."""
    return SHOWN[model.family]


def _masked(model: Any, data: str, ratio: float, at: Iterable[str], progress: bool) -> dict[str, Any]:
    """Of one ratio at some places: every seed's accuracy, and power."""
    x, y = open_data(data, "test", SAMPLES)
    seeds = range(SEEDS if ratio > 0 else 1)  # without masks all seeds agree
    rule, batch = MaskSpikes(ratio, at=tuple(at)), AT_ONCE // model.time_steps
    runs = masked_accuracy(model, as_batch(x[:]), y, (rule,), seeds, batch)
    title = f"ratio {ratio:g}"
    last = [step for step in tqdm(runs, title, disable=not progress, mininterval=2.0) if step][-1]
    return {
        "ratio": ratio,
        "mean": last.mean,
        "deviation": last.deviation,
        "accuracies": list(last.accuracies),
        "power": last.power,
    }
