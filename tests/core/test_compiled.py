"""`torch.compile`: one graph, and the numbers of the network as it is.

In an interpreter of its own, where annotations are not checked: those checks would be compiled as well.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import spikeviz as sv
from spikeviz.probe import Tape
from spikeviz.simulation import compiled

TESTS = Path(__file__).resolve().parents[1]
PROGRAM = """
import sys, torch
import spikeviz as sv
from spikeviz.simulation import compiled
from support.networks import make_masked, make_mst, make_small, make_tiny
still, frames = torch.rand(2, 1, 16, 16), torch.rand(3, 2, 2, 16, 16).round()
graphs = []
def alone(graph, given):
    graphs.append(graph)
    return graph.forward
networks = {
    "spikformer": (make_tiny, still),
    "e-spikeformer": (make_small, still),
    "mst": (lambda: make_mst(depths=(2,), heads=(2,)), still),
    "spiking mst": (lambda: sv.to_spiking(make_mst(depths=(2,), heads=(2,)), 2), still),
    "sdmformer": (make_masked, frames),
}
backend, *names = sys.argv[1:]
for name in names or networks:
    make, x = networks[name]
    model = make()
    graphs.clear()
    found = compiled(model, alone if backend == "alone" else backend)(x)
    assert torch.allclose(found, sv.simulate(model, x).logits_per_step, atol=1e-6), name
    assert backend != "alone" or len(graphs) == 1, (name, len(graphs))
    print("same", name)
"""


def same(*arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], cwd=TESTS, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [line for line in done.stdout.splitlines() if line.startswith("same")]


@pytest.mark.parametrize("names", [("e-spikeformer",), pytest.param((), marks=pytest.mark.slow, id="every")])
def test_a_network_is_one_graph_of_the_same_numbers(names):
    """The graph alone, without a compiler of its kernels."""
    assert len(same("alone", *names)) == (len(names) or 5)


def test_it_is_not_looked_into(tiny, images):
    with pytest.raises(RuntimeError, match="cannot be looked into"), Tape().rolling():
        compiled(tiny, "eager")(images)
    assert sv.simulate(tiny, images).output.shape == (2, 3)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_compiled_kernels_have_the_same_numbers():
    assert same("inductor", "e-spikeformer") == ["same e-spikeformer"]
