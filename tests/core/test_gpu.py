"""On an emulated GPU: the numbers of the CPU, and how often a run waits for the device."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from support.emulated_cuda import OnGpu, emulated_cuda
from support.networks import make_mst, make_small, make_tiny
from torch import Tensor, nn

import spikeviz as sv
from spikeviz import interventions, metrics
from spikeviz.data.catalog import as_batch, find_data
from spikeviz.interventions import Intervention, SpikeDriven
from spikeviz.memory import Memory
from spikeviz.models.registry import find_spec
from spikeviz.recording import Recording
from spikeviz.runtime import coming, fetched, moved, sent

ONE_OF_EACH = (
    interventions.TimeSteps(2),
    interventions.FiringThreshold(0.9),
    interventions.TimeConstant(2.5),
    interventions.SpikeLevels(3),
    interventions.QuantisationLevels(7),
    interventions.MaskChannels(0.6),
    interventions.HidePatches(0.5),
    interventions.MaskSpikes(0.3, ("*", "*.input")),
)
MOST_WAITS = 3  # of a run, whatever it records


def shipped(name: str) -> Iterator[tuple[nn.Module, Tensor]]:
    """A network and one input; of a QCFS network also the spiking one that it becomes."""
    card = next(card for card in sv.list_checkpoints() if card.name == name)
    spec, steps, model = find_spec(card.model), find_data(card.data).steps, sv.load(name, "cpu")
    x = torch.rand(1, *([steps] if steps else []), *spec.input)
    x = as_batch((x * 1.4).floor() if steps else x)
    yield model, x
    if interventions.QuantisationLevels.possible(model):
        yield sv.to_spiking(model, 2), x


def every_network() -> list:
    """Of several checkpoints of one family all but the first are slow tests."""
    families, found = set[str](), []
    for card in sorted(sv.list_checkpoints(), key=lambda card: card.name):
        family = find_spec(card.model).family
        found.append(pytest.param(card.name, marks=[pytest.mark.slow] if family in families else []))
        families.add(family)
    return found


def rules_for(model: nn.Module) -> list[tuple[Intervention, ...]]:
    """As trained; with one of each kind that it can have; on binary spikes."""
    found = [(), tuple(rule for rule in ONE_OF_EACH if rule.acts_on(model))]
    return [*found, (SpikeDriven(),)] if SpikeDriven.possible(model) else found


def on_gpu(model: nn.Module) -> nn.Module:
    """A copy of it there. `moved` would lay weights out anew, whose sums a CPU takes in another order."""
    return copy.deepcopy(model).to("cuda")


def assert_same(there: Recording, here: Recording) -> None:
    assert list(there) == list(here)
    for name, track in here.items():
        other = there[name]
        assert other.values.dtype == track.values.dtype and torch.equal(other.values.cpu(), track.values), name
        assert (other.axes, other.kind, other.scale, other.threshold, other.levels) == (
            track.axes,
            track.kind,
            track.scale,
            track.threshold,
            track.levels,
        ), name
    assert torch.equal(there.output.cpu(), here.output)


@pytest.mark.parametrize("name", every_network())
def test_every_shipped_network_has_the_bits_of_the_cpu(name):
    for model, x in shipped(name):
        with emulated_cuda() as gpu:
            twin = on_gpu(model)
            for rules in rules_for(model):
                here = sv.simulate(model, x, rules, seed=1)
                gpu.waits.clear()
                there = sv.simulate(twin, x, rules, seed=1, to_cpu=True)
                assert 1 <= sum(gpu.waits.values()) <= MOST_WAITS, gpu.waits
                assert not any(isinstance(track.values, OnGpu) for track in there.values())
                assert there.device == "cuda:0"
                assert_same(there, here)


def test_a_recording_stays_on_the_device_unless_it_is_asked_for(images):
    model = make_tiny()
    with emulated_cuda() as gpu:
        twin = on_gpu(model)
        gpu.waits.clear()
        there = sv.simulate(twin, images)
        assert sum(gpu.waits.values()) == 1
        assert all(isinstance(track.values, OnGpu) for track in there.values())
        assert_same(there, sv.simulate(model, images))


@pytest.mark.parametrize("to_cpu", [False, True])
def test_what_is_no_count_keeps_its_numbers(to_cpu):
    """Frames that were normalised: the one look at the end finds that the first convolution reads no counts."""
    model = make_small(events=True, in_channels=2)
    x = torch.rand(3, 2, 2, 16, 16)
    here = sv.simulate(model, x)
    assert here["stem.conv.input"].values.dtype == torch.float32
    with emulated_cuda():
        assert_same(sv.simulate(on_gpu(model), x, to_cpu=to_cpu), here)


def test_counts_are_taken_apart_into_as_many_steps_as_they_have(images):
    """One pass finds how many, the next one takes them apart: two waits, and no more for a deeper network."""
    model = make_small()
    with emulated_cuda() as gpu:
        twin = on_gpu(model)
        gpu.waits.clear()
        there = sv.simulate(twin, images, SpikeDriven())
        assert sum(gpu.waits.values()) == 2
        assert_same(there, sv.simulate(model, images, SpikeDriven()))


def test_several_seeds_and_a_memory(images):
    model, rules = make_mst(), [interventions.MaskSpikes(ratio, "*.spike") for ratio in (0.2, 0.6)]
    with emulated_cuda():
        twin = on_gpu(model)
        rows = sv.simulate(twin, images[:1], rules[0], seed=(1, 2, 3), to_cpu=True)
        assert_same(rows, sv.simulate(model, images[:1], rules[0], seed=(1, 2, 3)))
        memory = Memory()
        for rule in (*rules, rules[0]):
            assert_same(sv.simulate(twin, images, rule, memory=memory), sv.simulate(model, images, rule))
        with pytest.raises(ValueError, match="a memory keeps tracks where they were made"):
            sv.simulate(twin, images, memory=Memory(), to_cpu=True)


def test_metrics_of_a_recording_of_the_device(images):
    model = make_tiny()
    with emulated_cuda():
        there, here = sv.simulate(on_gpu(model), images), sv.simulate(model, images)
        assert torch.equal(metrics.nsfr(there), metrics.nsfr(here))
        assert metrics.firing_rates(there).equals(metrics.firing_rates(here))
        assert metrics.operations(model, there).equals(metrics.operations(model, here))


def test_a_network_is_sent_without_a_wait_and_laid_out_for_the_device():
    model = make_tiny()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with emulated_cuda() as gpu:
        twin = moved(copy.deepcopy(model), torch.device("cuda"))
        assert not gpu.waits
        found = fetched(twin.state_dict())
        assert sum(gpu.waits.values()) == 1
        assert all(torch.equal(found[name], value) for name, value in before.items())
        kernel = twin.get_submodule("stem.stages.0.conv").weight
        assert kernel.is_contiguous(memory_format=torch.channels_last)
    assert moved(model, torch.device("cpu")) is model


def test_half_precision_where_it_is_asked_for(images):
    model = make_tiny()
    half, whole = sv.simulate(model, images, precision=torch.bfloat16), sv.simulate(model, images)
    assert half.output.dtype == torch.bfloat16 and whole.output.dtype == torch.float32
    assert half["stem.stages.0.membrane"].values.dtype == torch.float32
    rates = [r["stem.stages.0.spike"].flows.mean() for r in (half, whole)]
    assert abs(rates[0] - rates[1]) < 0.05
    with pytest.raises(ValueError, match=r"precision is torch\.bfloat16, "):
        sv.simulate(model, images, precision=torch.float64)


# --- the emulation itself ---


def test_the_emulation_counts_what_a_gpu_waits_for():
    cuda = torch.device("cuda")
    with emulated_cuda() as gpu:

        def waits(work) -> int:
            gpu.waits.clear()
            work()
            return sum(gpu.waits.values())

        x = sent(torch.arange(4.0), cuda)
        assert waits(lambda: x.cos().sum() + 1) == 0
        assert waits(lambda: sent(torch.ones(3), cuda)) == 0 and waits(lambda: torch.ones(3).to(cuda)) == 1
        assert waits(lambda: torch.ones(3).to(cuda, non_blocking=True)) == 1  # not from pinned memory
        assert waits(lambda: coming(x)) == 0 and waits(lambda: x.cpu()) == 1
        for look in (x[0].item, x.tolist, x.nonzero, lambda: x[x > 1], lambda: bool(x.any()), lambda: x.equal(x)):
            assert waits(look) == 1
        assert waits(lambda: torch.tensor([1.0, 2.0], device=cuda)) == 1
        assert waits(torch.cuda.synchronize) == 1


def test_the_emulation_refuses_what_a_gpu_refuses():
    with emulated_cuda():
        x = torch.ones(3, device="cuda")
        assert str(x.device) == "cuda:0" and x.is_cuda
        with pytest.raises(RuntimeError, match="tensors of two devices"):
            _ = x + torch.ones(3)
        for look in (x.numpy, lambda: __import__("numpy").asarray(x)):
            with pytest.raises(TypeError, match="take it to the CPU first"):
                look()
        late = coming(x)
        assert not torch.equal(late, torch.ones(3))  # nobody has waited for it
        torch.cuda.synchronize()
        assert torch.equal(late, torch.ones(3))
    assert not torch.cuda.is_available() or torch.cuda.device_count()
