"""Ratios of works that take turns."""

import json
import time

import pytest
import torch
from support.networks import make_tiny

from spikeviz.cli import main
from spikeviz.evaluation.bench import networks, ratios, works


def test_works_take_turns_and_the_first_round_does_not_count():
    order = []
    seconds = ratios.in_turns([lambda: (order.append("a"), time.sleep(0.02)), lambda: order.append("b")], 3)
    assert order == ["a", "b"] * 4 and [len(own) for own in seconds] == [3, 3]
    assert min(seconds[0]) >= 0.02 > max(seconds[1])


def test_a_ratio_is_the_median_of_the_rounds():
    ratio = ratios.ratio_of("one", "other", "net", 1, 1, 5, [1.0, 2.0, 3.0, 4.0, 10.0], [1.0] * 5, 2.5)
    assert (ratio.low, ratio.median, ratio.high, ratio.milliseconds) == (2.0, 3.0, 4.0, 3000.0)
    assert str(ratio) == "net, batch 1, 1 threads: one over other 3.00 (2.00 to 4.00, at most 2.5: MISSED), 3000 ms"


def test_the_arithmetic_is_all_of_a_pass(monkeypatch):
    """Every convolution, linear layer and product once, with what the pass gave them."""
    model, x = make_tiny(), torch.rand(2, 1, 16, 16)
    run, made, outputs, convolve = networks.arithmetic(model, x), [], [], torch.nn.functional.conv2d

    def hear(*given, **named):
        made.append(convolve(*given, **named))
        return made[-1]

    with monkeypatch.context() as patched:
        patched.setattr(torch.nn.functional, "conv2d", hear)
        run()
    for module in model.modules():
        if isinstance(module, networks.Conv):
            module.register_forward_hook(lambda _, __, y: outputs.append(y.detach().flatten(0, -4)))
    with torch.no_grad():
        model(x)
    assert len(made) == len(outputs) > 5
    assert all(torch.equal(a.flatten(0, -4), b) for a, b in zip(made, outputs, strict=True))


def test_the_command_prints_ratios_and_what_they_were_measured_on(capsys, monkeypatch):
    small = networks.Network("spikformer-fashion-dvs", 40, 2, events=True)
    monkeypatch.setattr(works, "NETWORKS", (small,))
    options = ["--only", small.name, "--batch", "1", "--threads", "1", "--rounds", "2"]
    assert main(["bench", *options, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [r["what"] for r in said["ratios"]] == ["recorded", "all tracks kept"]
    assert all(r["low"] <= r["median"] <= r["high"] and r["rounds"] == 2 for r in said["ratios"])
    assert {"processor", "torch", "spikingjelly", "spikeviz", "threads", "python"} <= said["machine"].keys()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--only", "nothing"], "--only takes spikformer-4-384, e-spikeformer-s, mst-cifar10, sdmformer-2-256, peer"),
        (["--batch", "0"], "--batch takes whole numbers from 1"),
        (["--threads", "two"], "--threads takes whole numbers from 1"),
        (["--rounds", "0"], "a bench needs a round"),
    ],
)
def test_bad_options(options, sentence, capsys):
    assert main(["bench", *options]) == 2
    assert sentence in capsys.readouterr().err


def test_separate_operations_have_the_numbers_of_a_training_step():
    for name in ("spikformer-fashion", "e-spikeformer-fashion-sfa4", "mst-fashion"):
        network = networks.Network(name, 28, 1)
        x, found = networks.input_of(network, 2), []
        for make in (lambda model: model, networks.separate):
            model = make(networks.awake(network, spiking=False)).train()
            y = model(x)
            y.square().sum().backward()
            grads = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
            found.append((y.detach(), grads))
        (ours, own), (plain, other) = found
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(own, other, rtol=1e-2, atol=1e-2 * float(other.abs().max()))
        assert float(own.abs().max()) > 0


@pytest.mark.slow
def test_runs_that_belong_together_and_training_steps_are_timed():
    several = list(works.several_runs(threads=(1,), rounds=2))
    training = list(works.training_steps(batch=4, threads=(1,), rounds=2))
    assert [ratio.over for ratio in several] == ["one", "its points one by one"]
    assert [ratio.network for ratio in training] == [network.name for network in works.TRAINED]
    assert all(0 < ratio.median < 20 for ratio in (*several, *training))
    assert several[1].median < 1  # the stem is run once
