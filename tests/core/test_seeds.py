"""Several seeds of one sample in one batch: each row is the run with its own seed."""

import pytest
import torch
from support.networks import awaken, make_mst, make_small, make_tiny

import spikeviz as sv
from spikeviz.interventions import HidePatches, MaskSpikes, TimeSteps
from spikeviz.nn.thinning import Thinning


def make_autoencoder():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return awaken(sv.build("spikformer-v2-mae-fashion"), torch.rand(4, 1, 28, 28))


SEEDS = (3, 1, 4, 7)
NETWORKS = {
    "spikformer": (make_tiny, MaskSpikes(0.4)),
    "q(kv)": (lambda: make_tiny("imagenet", pools=(1, 3)), MaskSpikes(0.4)),
    "scores": (make_tiny, MaskSpikes(0.4, at="*.attn.scores")),
    "integers": (make_small, MaskSpikes(0.4)),
    "qcfs": (make_mst, MaskSpikes(0.4)),
    "converted": (lambda: sv.to_spiking(make_mst(), 4), MaskSpikes(0.4, at=("*.mlp.hidden.spike", "*.attn.q.spike"))),
    "autoencoder": (make_autoencoder, MaskSpikes(0.4)),
    "hidden patches": (make_autoencoder, HidePatches(0.5)),
}


@pytest.fixture(scope="module", params=NETWORKS)
def case(request):
    network, rule = NETWORKS[request.param]
    return network(), rule


def one() -> torch.Tensor:
    return torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(2))


def test_each_row_is_the_run_with_its_seed(case):
    model, rule = case
    together = sv.simulate(model, one(), rule, seed=SEEDS)
    assert together.seed == SEEDS and together.output.shape[0] == len(SEEDS)
    for row, seed in enumerate(SEEDS):
        alone = sv.simulate(model, one(), rule, seed=seed)
        torch.testing.assert_close(together.output[row], alone.output[0], atol=1e-5, rtol=1e-4)
        for name, track in alone.items():
            axis = track.axes.index("B")
            values = together[name].values.select(axis, row)
            if track.kind == "mask":
                assert torch.equal(values, track.values.select(axis, 0)), name


@pytest.mark.parametrize("most", [1, 4, 100])
@pytest.mark.parametrize("rows", [1, len(SEEDS)])
def test_masks_at_once_are_masks_one_by_one(rows, most):
    x = torch.randint(0, most + 1, (2, rows, 3, 5), generator=torch.Generator().manual_seed(2)) / 4
    rule = Thinning(0.4, 0.25, most)
    generators = [[torch.Generator().manual_seed(seed) for seed in SEEDS] for _ in range(2)]
    rows = x.expand(-1, len(SEEDS), -1, -1).split(1, 1)
    one_by_one = [torch.cat(found, 1) for found in zip(*map(rule.edit, rows, generators[1]), strict=True)]
    at_once = rule.edit_rows(x, generators[0], 1)
    assert all(torch.equal(a, b) for a, b in zip(at_once, one_by_one, strict=True))


def test_numbers_are_means_over_the_rows(case):
    model, rule = case
    together = sv.simulate(model, one(), rule, seed=SEEDS)
    alone = [sv.simulate(model, one(), rule, seed=seed) for seed in SEEDS]
    rates = torch.stack([sv.metrics.nsfr(r) for r in alone]).mean(0)
    torch.testing.assert_close(sv.metrics.nsfr(together), rates, atol=2e-3, rtol=1e-2)  # a tie may fall the other way
    energy = sum(sv.metrics.operations(model, r)["picojoule"].sum() for r in alone) / len(alone)
    assert sv.metrics.operations(model, together)["picojoule"].sum() == pytest.approx(energy, rel=1e-2)


def test_nothing_random_gives_equal_rows():
    model = make_tiny()
    together = sv.simulate(model, one(), TimeSteps(2), seed=SEEDS)
    assert torch.equal(together.output, sv.simulate(model, one(), TimeSteps(2)).output.expand(4, -1))


def test_what_lies_before_the_first_masked_place_runs_once():
    model = make_tiny()
    kept = sv.simulate(model, one(), MaskSpikes(0.4), seed=SEEDS)["stem.rpe.spike"].values
    assert kept.stride(1) == 0  # one row that is seen four times


def test_one_seed_in_a_list_and_bad_seeds():
    model = make_tiny()
    rule = MaskSpikes(0.4)
    assert torch.equal(sv.simulate(model, one(), rule, seed=[5]).output, sv.simulate(model, one(), rule, seed=5).output)
    with pytest.raises(ValueError, match="4 seeds run one sample"):
        sv.simulate(model, one().expand(2, -1, -1, -1), rule, seed=SEEDS)
    with pytest.raises(ValueError, match="0 seeds run one sample"):
        sv.simulate(model, one(), rule, seed=[])
