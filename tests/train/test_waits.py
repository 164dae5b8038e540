"""A training step waits for the device once, for its loss."""

import linecache
import traceback
from collections import Counter
from dataclasses import replace

import pytest
import torch
from support.networks import needs
from torch.utils._python_dispatch import TorchDispatchMode

from spikeviz.train import loop
from spikeviz.train.loop import train
from spikeviz.train.recipes import ONE_STEP, Recipe, Stage

STEPS = 3
TINY = Recipe("tiny", "spikformer-fashion", "fashion", "train-10k", (Stage(1, ONE_STEP),), batch=16, limit=48)


class Reads(TorchDispatchMode):
    """Counts numbers that are read of tensors, by the line of the loop that asks for them."""

    def __init__(self):
        super().__init__()
        self.lines = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten._local_scalar_dense.default:
            own = [f for f in traceback.extract_stack() if f.filename == loop.__file__]
            self.lines[linecache.getline(loop.__file__, own[-1].lineno).strip() if own else "elsewhere"] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "recipe",
    [TINY, replace(TINY, model="mst-fashion", batch=16)],
    ids=["spikes", "learned thresholds"],
)
@needs("spikformer-fashion")
def test_a_training_step_reads_its_loss_and_nothing_else(recipe, tmp_path):
    """The optimiser keeps its count of steps on the CPU, on a GPU as well: to read that waits for nothing."""
    with Reads() as reads:
        train(recipe, tmp_path, "cpu", progress=False)
    lines = {line: n for line, n in reads.lines.items() if "optimizer.step()" not in line}
    per_step = {line: n for line, n in lines.items() if line.startswith("value = loss.item()")}
    assert list(per_step.values()) == [STEPS]
    logged = sum(n for line, n in lines.items() if "norm.item()" in line)
    assert logged == 1  # every 20 steps
    rest = {line: n for line, n in lines.items() if line not in per_step and "norm.item()" not in line}
    assert sum(n for line, n in rest.items() if "/ seen" in line) == 1, rest
    assert sum(rest.values()) < 2 + STEPS, rest
