"""The training loop.

A run is a folder: `log.jsonl` (one line a logged step, one an epoch), `state.pt` (after every epoch: weights,
optimiser, position) and, at the end, `weights.safetensors` with `run.json`; of an autoencoder also `replay.npz`
(`spikeviz.evaluation.reconstruction`). Every epoch draws from a generator that is a function of (seed, epoch), so a run
that was killed and resumed ends where an uninterrupted one does.
"""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad
from tqdm import tqdm

from spikeviz.artifacts.as_data import as_data
from spikeviz.artifacts.checkpoints import save
from spikeviz.convert.to_spiking import unrolled
from spikeviz.data.catalog import as_batch, load_data
from spikeviz.evaluation.reconstruction import record_epoch
from spikeviz.models.registry import build
from spikeviz.models.spike_mae import SpikeMAE
from spikeviz.nn.channel_masks import TRAINED, ChannelMask, find_masks
from spikeviz.nn.layers import SpikingConv
from spikeviz.nn.qcfs import QCFS
from spikeviz.probe import Tape
from spikeviz.runtime import auto_device, autocast, describe, moved, sent
from spikeviz.train.objectives import Objective, in_low_levels, objective_of
from spikeviz.train.recipes import Recipe

LOG_EVERY = 20  # steps
BINS = 20  # of the histogram of mask values in the log
Images = Float[Tensor, "B *T C H W"]  # or event frames


def augment(x: Images, shift: int, flip: bool, generator: torch.Generator, cutout: int = 0) -> Images:
    """Move each picture by up to `shift` pixels (black comes in), flip it left-right with probability 1/2, and give a
    square of `cutout` pixels a side, in part outside where its middle is near an edge, the picture's mean.

    Of events `[B, T, 2, H, W]` all frames of a recording move together.
    """
    if x.ndim == 5:
        frames = x.shape[1:3]
        return augment(x.flatten(1, 2), shift, flip, generator, cutout).unflatten(1, frames)
    batch, _, height, width = x.shape
    if flip:
        turned = sent(torch.rand(batch, generator=generator) < 0.5, x.device)
        x = torch.where(turned[:, None, None, None], x.flip(-1), x)
    if shift:
        down, right = sent(torch.randint(0, 2 * shift + 1, (2, batch), generator=generator), x.device)
        rows = (down[:, None] + torch.arange(height, device=x.device))[:, None, :, None]
        columns = (right[:, None] + torch.arange(width, device=x.device))[:, None, None, :]
        which = torch.arange(batch, device=x.device)[:, None, None, None]
        channel = torch.arange(x.shape[1], device=x.device)[None, :, None, None]
        x = pad(x, (shift,) * 4)[which, channel, rows, columns]
    if cutout:
        down, right = sent(torch.rand(2, batch, 1, generator=generator), x.device)
        rows, columns = (
            (torch.arange(side, device=x.device) - (middle * side).floor()).add(cutout // 2)
            for side, middle in ((height, down), (width, right))
        )
        inside = ((rows >= 0) & (rows < cutout))[:, :, None] & ((columns >= 0) & (columns < cutout))[:, None, :]
        x = torch.where(inside[:, None], x.mean((1, 2, 3), keepdim=True), x)
    return x


@torch.no_grad()
def amplify(model: nn.Module, gain: float) -> None:
    """Multiply the currents of all neurons that have a normalisation in front of them by `gain`, in place."""
    for layer in model.modules():
        if isinstance(layer, SpikingConv) and gain != 1.0:
            layer.norm.weight.mul_(gain)
            layer.norm.bias.mul_(gain)


@torch.no_grad()
def scale_thresholds(model: nn.Module, factor: float) -> None:
    """Multiply the thresholds of a QCFS network by `factor`, in place."""
    for neuron in model.modules():
        if isinstance(neuron, QCFS):
            neuron.threshold.mul_(factor)


def learning_rate(recipe: Recipe, progress: float) -> float:
    """At `progress` epochs into the run: linear warm-up, then a cosine from its peak to `final_lr`."""
    if progress < recipe.warmup:
        return recipe.lr * (progress + 1e-3) / (recipe.warmup + 1e-3)
    first, end, peak = recipe.cosine(min(int(progress), recipe.epochs - 1))
    start = max(first, recipe.warmup)
    part = (progress - start) / max(end - start, 1e-9)
    return recipe.final_lr + (peak - recipe.final_lr) * 0.5 * (1 + math.cos(math.pi * min(part, 1.0)))


def decays(parameter: Tensor) -> bool:
    """Weight decay is for weights: not for biases and normalisation."""
    return parameter.ndim > 1


@dataclass
class TrainingRun:
    """Where a run stands; what `state.pt` holds.

    `cpu_seconds` are of all threads together: on a machine that has other work they say more than `seconds`.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    epoch: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)

    def store(self, path: Path, recipe: Recipe) -> None:
        """Write to a second file first: a kill in the middle leaves the last good state."""
        fresh = path.with_suffix(".new")
        torch.save(
            {
                "recipe": recipe.identity,
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "epoch": self.epoch,
                "seconds": self.seconds,
                "cpu_seconds": self.cpu_seconds,
                "history": json.dumps(self.history),
            },
            fresh,
        )
        os.replace(fresh, path)

    def restore(self, path: Path, recipe: Recipe) -> None:
        """Go on from `path`.

        Raises:
            ValueError: if it belongs to another recipe.
        """
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["recipe"] != recipe.identity:
            raise ValueError(f"{path.parent.name} holds a run of another recipe; give another folder, or remove it.")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.history = state["epoch"], json.loads(state["history"])
        self.seconds, self.cpu_seconds = state["seconds"], state["cpu_seconds"]


def train(
    recipe: Recipe,
    folder: Path,
    device: str = "auto",
    *,
    command: str = "",
    progress: bool = True,
    stop: Callable[[], bool] = lambda: False,
) -> nn.Module:
    """Train `recipe` in `folder`, or go on with the run that stands there.

    Args:
        recipe: what to train.
        folder: of the run; made if it is not there.
        device: "auto", "cpu", "cuda", "mps".
        command: how this was called, for the card.
        progress: whether to show a bar.
        stop: asked after every step; True ends the run, which can be resumed from its last epoch.

    Returns:
        The trained model in eval mode.

    Raises:
        ValueError: if `folder` holds another recipe's run, or what the recipe begins with is not there or does not fit.
        FileNotFoundError: if the data is not here.
    """
    where = auto_device(device)
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = load_data(recipe.data, recipe.split, recipe.limit)
    if recipe.images not in (None, len(images)):
        raise FileNotFoundError(
            f"the recipe {recipe.name} trains on {recipe.images:,} images of {recipe.data}, of which {len(images):,} "
            "are here; put the folder of the whole set into SPIKEVIZ_DATA."
        )
    torch.manual_seed(recipe.seed)
    model = moved(build(recipe.model), where).train()
    objective = objective_of(recipe, model)
    masks = [mask.value for mask in find_masks(model).values()]
    others = [p for p in model.parameters() if not any(p is value for value in masks)]
    groups = [
        {"params": [p for p in others if decays(p)], "weight_decay": recipe.weight_decay, "times": 1.0},
        {"params": [p for p in others if not decays(p)], "weight_decay": 0.0, "times": 1.0},
    ]
    if masks and recipe.masks:
        groups.append({"params": masks, "weight_decay": 0.0, "times": recipe.masks.lr / recipe.lr})
    run = TrainingRun(model, torch.optim.AdamW(groups, lr=recipe.lr))
    if (folder / "state.pt").exists():
        run.restore(folder / "state.pt", recipe)
    watched = "val" if recipe.split == "train" else "test"
    with (folder / "log.jsonl").open("a") as log:
        if run.epoch == 0 and isinstance(model, SpikeMAE):
            run.history = [{"epoch": 0} | record_epoch(model, recipe.data, folder, 0, watched)]
            _write(log, run.history[0])
        while run.epoch < recipe.epochs:
            start, cpu = time.perf_counter(), time.process_time()
            line = _epoch(run, recipe, images, labels, where, log, progress, stop, objective)
            if line is None:
                return model.eval()
            if isinstance(model, SpikeMAE):
                line |= record_epoch(model, recipe.data, folder, run.epoch + 1, watched)
            run.seconds += time.perf_counter() - start
            run.cpu_seconds += time.process_time() - cpu
            run.epoch += 1
            line |= {"seconds": round(run.seconds, 1), "cpu_seconds": round(run.cpu_seconds, 1)}
            line |= {"peak_mb": round(_peak_megabytes(where))}
            run.history.append(line)
            _write(log, line)
            run.store(folder / "state.pt", recipe)
    save(model, folder / "weights.safetensors")
    summary = {
        "recipe": recipe.data_of,
        "epochs": recipe.epochs,
        "images": len(images),
        "seconds": round(run.seconds, 1),
        "cpu_seconds": round(run.cpu_seconds, 1),
        "peak_mb": round(_peak_megabytes(where)),
        "device": describe(where),
        "torch": torch.__version__,
        "autocast": "none" if isinstance(autocast(where), nullcontext) else "bfloat16",
        "command": command,
        "history": run.history,
    }
    identity = {"name": recipe.name, "model": recipe.model, "data": recipe.data, "seed": recipe.seed}
    identity |= {"protocol": recipe.protocol}
    identity |= {"trained_under": as_data(recipe.interventions(recipe.epochs - 1))}
    (folder / "run.json").write_text(json.dumps(identity | {"training": summary}, indent=2) + "\n")
    return model.eval()


def _epoch(
    run: TrainingRun,
    recipe: Recipe,
    images: Images,
    labels: Int[Tensor, " N"],
    device: torch.device,
    log: Any,
    progress: bool,
    stop: Callable[[], bool],
    objective: Objective,
) -> dict[str, Any] | None:
    """One pass over the data; the epoch's line of the log, or None if it was stopped."""
    interventions = recipe.interventions(run.epoch)
    if begun := recipe.begins(run.epoch):
        amplify(run.model, begun.current_gain)
        if begun.threshold_scale != 1.0:
            scale_thresholds(run.model, begun.threshold_scale)
            run.optimizer.state.clear()
    stage = recipe.stage(run.epoch)
    network = unrolled(run.model, stage.unrolled) if stage.unrolled else run.model
    generator = torch.Generator().manual_seed(recipe.seed * 100_003 + run.epoch)
    masks = find_masks(run.model)
    total, seen = 0.0, 0
    right: Tensor | None = torch.zeros((), dtype=torch.int64, device=device)  # read once, at the end
    whole = list(_batches(len(images), recipe.batch, generator))
    batches = whole[: max(1, round(len(whole) * stage.share))]
    title = f"epoch {run.epoch + 1}/{recipe.epochs}"
    for number, chosen in enumerate(tqdm(batches, title, disable=not progress, mininterval=2.0)):
        rate = learning_rate(recipe, run.epoch + number / len(batches))
        for group in run.optimizer.param_groups:
            group["lr"] = rate * group["times"]
        x = sent(images[chosen], device)
        if stage.augment:
            x = augment(x, recipe.shift, recipe.flip, generator, recipe.cutout)
        x = as_batch(x)
        for mask in masks.values():
            mask.temperature = recipe.temperature(run.epoch + number / len(batches))
        y = sent(labels[chosen], device)
        step = run.epoch * len(whole) + number  # no two steps of a run have one number, whatever their share
        prepared = objective.prepare(x, generator)
        # another seed at every step: what is drawn at random is drawn anew
        with Tape(interventions, keep="", seed=recipe.seed * 1_000_003 + step).rolling(), autocast(device):
            loss, correct = objective.loss(network, x, y, prepared)
            if stage.low_levels:
                loss = loss + in_low_levels(run.model, x, y, stage, generator)
            if recipe.masks and stage.temperatures:
                loss = loss + recipe.masks.penalty * weights_left(masks)
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(run.model.parameters(), recipe.clip)
        run.optimizer.step()
        value = loss.item()  # the one wait for the device in a step
        total += value * len(y)
        right = None if correct is None or right is None else right + correct
        seen += len(y)
        if number % LOG_EVERY == 0:
            fields = {"loss": round(value, 4), "lr": round(rate, 7), "gradient_norm": round(norm.item(), 3)}
            _write(log, {"step": step, **fields})
        if stop():
            return None
    mean: dict[str, Any] = {"loss": round(total / seen, 4)}
    if right is not None:
        mean["train_accuracy"] = round(int(right) / seen, 4)
    if masks:
        mean["masks"] = {name: mask_state(mask) for name, mask in masks.items()}
    return {"epoch": run.epoch + 1, "under": as_data(interventions), **mean}


def weights_left(masks: Mapping[str, ChannelMask]) -> Float[Tensor, ""]:
    """The share of the masked sites' weights that is expected to stay."""
    whole = sum(mask.cost * len(mask.value) for mask in masks.values())
    first, *others = (mask.penalty() for mask in masks.values())
    return sum(others, first) / whole


@torch.no_grad()
def mask_state(mask: ChannelMask) -> dict[str, Any]:
    """For the log: how many channels pass at the trained point, and how many lie in each twentieth of sigmoid(5 m)."""
    counts = torch.histc(mask.strength().float().cpu(), BINS, 0.0, 1.0)
    return {"channels": len(mask.value), "kept": int(mask.kept(TRAINED).sum()), "histogram": counts.int().tolist()}


def _batches(samples: int, batch: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Every sample once, in a drawn order; a last batch of one sample is left out (BN needs two)."""
    yield from (part for part in torch.randperm(samples, generator=generator).split(batch) if len(part) > 1)


def _write(log: Any, line: dict[str, Any]) -> None:
    log.write(json.dumps(line) + "\n")
    log.flush()


def _peak_megabytes(device: torch.device) -> float:
    """Largest memory of this process so far: of the GPU, or of the whole process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    unit = 2**20 if platform.system() == "Darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
