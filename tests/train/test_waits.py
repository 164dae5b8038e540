"""A training step waits for the device once, for its loss."""

import linecache
import traceback
from collections import Counter
from dataclasses import replace

import pytest
import torch
from support.networks import needs
from torch.utils._python_dispatch import TorchDispatchMode

from spikeviz.paths import app_root
from spikeviz.train.loop import train
from spikeviz.train.recipes import Recipe, Stage
from spikeviz.train.shipped import ONE_STEP

STEPS = 3
PACKAGE = str(app_root() / "spikeviz")
# of a threshold on a CPU; on a GPU it stays a tensor (tests/models/test_without_numbers.py)
ON_THE_HOST = ("worth", "on_host")
TINY = Recipe("tiny", "spikformer-fashion", "fashion", "train-10k", (Stage(1, ONE_STEP),), batch=16, limit=48)


class Reads(TorchDispatchMode):
    """Counts numbers that are read of tensors during an epoch, by the line of spikeviz that asks for them."""

    def __init__(self):
        super().__init__()
        self.lines = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten._local_scalar_dense.default:
            own = [f for f in traceback.extract_stack() if f.filename.startswith(PACKAGE)]
            if any(f.name == "_epoch" for f in own) and own[-1].name not in ON_THE_HOST:
                self.lines[linecache.getline(own[-1].filename, own[-1].lineno).strip()] += 1
        return func(*args, **(kwargs or {}))


@needs("spikformer-fashion")
@pytest.mark.parametrize("model", ["spikformer-fashion", "mst-fashion"])
def test_a_training_step_reads_its_loss_and_nothing_else(model, tmp_path):
    with Reads() as reads:
        train(replace(TINY, model=model), tmp_path, "cpu", progress=False)
    # the optimiser keeps its count of steps on the CPU, on a GPU as well: to read that waits for nothing
    reads.lines.pop("run.optimizer.step()", None)
    each = {line.partition("  #")[0]: number for line, number in reads.lines.items()}
    assert each.pop("value = loss.item()") == STEPS
    logged = [each.pop(line) for line in list(each) if "norm.item()" in line]  # of every twentieth step
    counted = [each.pop(line) for line in list(each) if "int(right)" in line]  # when the epoch is over
    assert (logged, counted, each) == ([1], [1], {})
