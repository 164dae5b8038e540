"""Curves that ship precomputed: accuracy against the threshold of channel masks, the ratio of random masks, or D.

A file holds the command that made it, data, samples, seeds and device; `spikeviz.artifacts.curves.find_curve` reads it,
and answers only while the checkpoint is the one it was computed of.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn
from tqdm import tqdm

from spikeviz.artifacts.as_data import from_data
from spikeviz.artifacts.cards import CheckpointCard, find_card
from spikeviz.artifacts.checkpoints import load
from spikeviz.artifacts.curves import CURVES, DEPTHS
from spikeviz.convert.prune import prune_channels
from spikeviz.convert.to_spiking import SHOWN, to_spiking
from spikeviz.data.catalog import as_batch, open_data
from spikeviz.evaluation.accuracy import COUNTED, measure
from spikeviz.evaluation.firing import count_firing
from spikeviz.evaluation.masked_accuracy import MaskedAccuracy, masked_accuracy
from spikeviz.evaluation.pairs import mean_and_error
from spikeviz.evaluation.survey import right_under
from spikeviz.interventions import Intervention, MaskChannels, MaskSpikes, QuantisationLevels, SpikeLevels
from spikeviz.metrics import OPERANDS, energy_by_step, mask_rates
from spikeviz.metrics.spike_masking import CONVOLUTION, Place, masked_sites, masking_places
from spikeviz.nn.channel_masks import find_masks
from spikeviz.nn.qcfs import QCFS
from spikeviz.paths import written_beside
from spikeviz.runtime import describe
from spikeviz.simulation import simulate

THRESHOLDS = tuple(n / 20 for n in range(21))
RATIOS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
STEPS = (1, 2, 4, 8, 16, 32, 64)  # T of the converted network, on the whole test split
BATCH = 64  # samples of a threshold at a time
AT_ONCE = 512  # samples x steps of a pass: more is no faster, and takes memory
BLOCKS_AT = 0.75  # ratio of the masks of the first blocks
SAMPLES, SEEDS = 1000, 10  # of a point against the ratio
SITES = {"SA": ("q", "k", "scores"), "MLP": ("MLP hidden",), "convolutions": (CONVOLUTION,)}


def write_curve(name: str, device: str = "auto", progress: bool = True) -> Path:
    """Compute the curve of a checkpoint and write it beside the folder of its weights, or of the user's checkpoints.

    Of a network with channel masks: accuracy on the whole test split, parameters and energy of the pruned network at
    every twentieth of a threshold. Of a QCFS network: accuracy of the converted one against T on the whole test split
    (of one that was fine-tuned under masks: under these, up to the T of the other curves); against the ratio of random
    masks, at every site or at those that it was fine-tuned for; against the number of masked blocks (not of one that
    was fine-tuned at another ratio); the latter two on the first 1,000 test samples, 10 seeds, T 16 (a CNN: 32), spike
    by spike (`MaskSpikes.law`). Of a network that fires integers: accuracy, energy and spikes of these weights at other
    D, on the whole test split. Of another spiking transformer: against the ratio and the masked blocks, at its T.

    Raises:
        ValueError: for an unknown name, or a network that has none of these.
    """
    card, weights = find_card(name)
    model = load(name, device)
    if find_masks(model):
        found: dict[str, Any] = {"kind": "thresholds", "samples": card.samples}
        found["points"] = _thresholds(model, card.data, progress)
    elif any(isinstance(module, QCFS) for module in model.modules()):
        found = _ratios(model, card, progress)
    elif card.classifies and SpikeLevels.possible(model):
        found = {"kind": "levels", "samples": card.samples, "points": _levels(model, card.data, progress)}
    elif card.classifies and MaskSpikes.possible(model):
        found = _ratios(model, card, progress)
    else:
        raise ValueError(f"{name} is an autoencoder: there is no curve of its accuracy.")
    about = {
        "command": f"spikeviz publish {name} --with curves",
        "checkpoint": name,
        "sha256": card.sha256,
        "data": card.data,
        "split": "test",
        "seed": card.seed,
        "device": describe(next(model.parameters()).device),
    }
    path = written_beside(weights, CURVES, ".json")
    path.write_text(json.dumps(about | found, indent=1) + "\n")
    return path


def _bar(title: str, total: float, unit: str, progress: bool) -> tqdm:
    """One for all of a curve, so that it knows the time that is left."""
    return tqdm(desc=title, total=total, unit=unit, disable=not progress, mininterval=2.0)


def _thresholds(model: nn.Module, data: str, progress: bool) -> list[dict[str, Any]]:
    """Thresholds that mask the same channels are run once, and what no mask touches once for all thresholds."""
    tables = [mask_rates(model, threshold) for threshold in THRESHOLDS]
    masked = [tuple(table["masked"].tolist()) for table in tables]
    different = dict(zip(reversed(masked), reversed(THRESHOLDS), strict=True))  # of each the smallest threshold
    x, y = open_data(data, "test")
    right = dict.fromkeys(different, 0)
    with _bar("thresholds", len(x), " samples", progress) as bar:
        rules = [(MaskChannels(threshold),) for threshold in different.values()]
        for start in range(0, len(x), BATCH):
            some, labels = as_batch(x[start : start + BATCH]), y[start : start + BATCH]
            *_, (_, own) = right_under(model, some, labels, rules, batch=BATCH)
            right = {by_site: right[by_site] + more for by_site, more in zip(right, own, strict=True)}
            bar.update(len(labels))
    found = {
        by_site: {"accuracy": right[by_site] / len(x)} | _pruned(model, data, threshold)
        for by_site, threshold in different.items()
    }
    channels = int(tables[0]["channels"].sum())
    return [
        found[by_site]
        | {"threshold": threshold, "masked": sum(by_site), "channels": channels, "masked_by_site": list(by_site)}
        for threshold, by_site in zip(THRESHOLDS, masked, strict=True)
    ]


def _pruned(model: nn.Module, data: str, threshold: float) -> dict[str, Any]:
    """Of the network pruned at a threshold: energy is a mean over the first test samples."""
    found = measure(prune_channels(model, threshold), data)
    return {"parameters": found["parameters"], "picojoule": found["operations"]["picojoule"]}


def _levels(model: nn.Module, data: str, progress: bool) -> list[dict[str, Any]]:
    """These weights at every D; energy is a mean over the first test samples, with its standard error."""
    points: list[dict[str, Any]] = []
    samples, _ = open_data(data, "test")
    some = as_batch(samples[:COUNTED])
    with _bar("D", len(DEPTHS) * len(samples), " samples", progress) as bar:
        for depth in DEPTHS:
            rules = (SpikeLevels(depth),)
            found = count_firing(model, data, rules, advance=bar.update)
            recording = simulate(model, some, rules, OPERANDS)
            energy, error = mean_and_error(energy_by_step(model, recording).sum(0).numpy())
            points.append(
                {
                    "D": depth,
                    "T": len(recording.logits_per_step),
                    "accuracy": found.accuracy,
                    "picojoule": round(energy, 1),
                    "picojoule_error": round(error or 0.0, 1),
                    "spikes_per_neuron": round(found.spikes, 6),
                }
            )
    return points


def _ratios(model: nn.Module, card: CheckpointCard, progress: bool) -> dict[str, Any]:
    converts = QuantisationLevels.possible(model)
    spiking: Any = to_spiking(model, _shown(model)) if converts else model
    tuned = [rule for rule in from_data(card.trained_under) if isinstance(rule, MaskSpikes)]
    masks = _masks(model, masking_places(model), tuned)
    shown = [steps for steps in STEPS if converts and (not tuned or steps <= _shown(model))]
    runs = list(dict.fromkeys(rule for _, rule in masks))  # masks in all blocks are a point of both curves
    work = sum(_seeds(rule) * SAMPLES * spiking.time_steps for rule in runs)
    with _bar("ratios", work + card.samples * max(shown, default=0), " steps", progress) as bar:
        known = {rule: _masked(spiking, card.data, rule, bar) for rule in runs}
        found = [about | known[rule] for about, rule in masks]
        return {
            "kind": "ratios",
            "samples": min(SAMPLES, len(open_data(card.data, "test")[1])),
            "seeds": SEEDS,
            "T": spiking.time_steps,
            "law": "spikes",
            "points": [point for point in found if "site" in point],
            "blocks": [point for point in found if "blocks" in point],
            "steps": _steps(model, card.data, tuned, shown, bar) if shown else [],
        }


def _masks(
    model: nn.Module, places: Sequence[Place], tuned: Sequence[MaskSpikes]
) -> list[tuple[dict[str, Any], MaskSpikes]]:
    """Every mask of a curve, with what it is a point of: a site against the ratio, or a number of first blocks."""
    found: list[tuple[dict[str, Any], MaskSpikes]] = []
    for site, kinds in SITES.items():
        at = tuple(place.name for place in places if place.site in kinds)
        if not at or (tuned and not set(kinds) & set(masked_sites(model, tuned))):
            continue
        found += [({"site": site}, MaskSpikes(ratio, at=at)) for ratio in RATIOS]
        if site == "SA" and all(rule.ratio == BLOCKS_AT for rule in tuned):
            for n in range(1, 1 + len({place.block for place in places if place.name in at})):
                first = tuple(place.name for place in places if place.name in at and place.block < n)
                found.append(({"blocks": n}, MaskSpikes(BLOCKS_AT, at=first)))
    return found


def _steps(
    model: nn.Module, data: str, tuned: Sequence[Intervention], shown: Sequence[int], bar: tqdm
) -> list[dict[str, Any]]:
    """Of every T: the first T steps of the longest run, since nothing flows back in time."""
    spiking = to_spiking(model, max(shown))
    x, y = open_data(data, "test")
    right = dict.fromkeys(shown, 0)
    batch = AT_ONCE // max(shown)
    for start in range(0, len(x), batch):
        part = as_batch(x[start : start + batch])
        sums = simulate(spiking, part, tuned, keep="", seed=start).logits_per_step.cumsum(0).cpu()
        for steps in shown:
            right[steps] += int((sums[steps - 1].argmax(-1) == y[start : start + batch]).sum())
        bar.update(sums.shape[1] * max(shown))
    return [{"T": steps, "accuracy": right[steps] / len(x), "samples": len(x)} for steps in shown]


def _shown(model: Any) -> int:
    """T at which networks of this family are shown and compared."""
    return SHOWN[model.family]


def _seeds(rule: MaskSpikes) -> int:
    """How many of a mask: where nothing or everything is dropped all seeds agree."""
    return SEEDS if 0 < rule.ratio < 1 else 1


def _masked(model: Any, data: str, rule: MaskSpikes, bar: tqdm) -> dict[str, Any]:
    """Of one mask: every seed's accuracy, and what passes under the first."""
    x, y = open_data(data, "test", SAMPLES)
    batch = AT_ONCE // model.time_steps
    last: MaskedAccuracy | None = None
    for step in masked_accuracy(model, as_batch(x[:]), y, (rule,), range(_seeds(rule)), batch):
        last = step or last
        bar.update(len(x) * model.time_steps / -(-len(x) // batch))
    assert last is not None
    return {
        "ratio": rule.ratio,
        "mean": last.mean,
        "deviation": last.deviation,
        "accuracies": list(last.accuracies),
        **last.passing,
    }
