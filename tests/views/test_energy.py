"""Energy on the pages: three ways side by side, what reads real values, and verdicts that their errors carry."""

from __future__ import annotations

from html import unescape

import numpy as np
import pandas as pd
import pytest
from support.networks import needs
from support.scenes import FILES, items_of, scene_of

import spikeviz as sv
from spikeviz.figures.cost import WAYS
from spikeviz.metrics import ENERGY_TRACKS, energy, operations
from spikeviz.views.channel_masks import PAGE as CHANNEL_MASKS
from spikeviz.views.channel_masks import cost
from spikeviz.views.host import figures_of, page_figures
from spikeviz.views.integer_firing import PAGE as INTEGER_FIRING
from spikeviz.views.integer_firing import accuracy_energy
from spikeviz.views.random_masks import PAGE as RANDOM_MASKS
from spikeviz.views.random_masks import energy as random_masks
from spikeviz.views.view import Figure, Progress, Study

SDM, PEER = "sdmformer-fashion-dvs", "spikformer-fashion-dvs"
SFA4, VANILLA, MST = "e-spikeformer-fashion-sfa4", "e-spikeformer-fashion-vanilla4", "mst-fashion"
DONE = Progress(3, 3, 1.0, True)


def figure(figures: list[Figure], title: str) -> Figure:
    (found,) = (each for each in figures if each.title == title)
    return found


def check(shown: Figure, network: str, model, recording, paper=None) -> pd.DataFrame:
    """The rows of a network are those of the library; returns them by way."""
    rows = shown.chart.table()
    own = rows[rows["network"] == network].set_index("way")
    expected = energy(model, recording, paper=paper).set_index("way")
    pd.testing.assert_frame_equal(own[expected.columns], expected, check_dtype=False)
    text = unescape(shown.html().replace("<wbr>", ""))
    assert all(word in text for word in (network, *(WAYS[way] for way in expected.index)))
    assert all(shown.export(kind) for kind in FILES) and "no hardware was measured" in shown.caption
    return own


# --- this input ---


@needs(SDM, PEER)
def test_the_pruned_network_and_spikformer_are_counted_by_one_formula():
    shown = figure(page_figures(scene_of(CHANNEL_MASKS), "cost"), "Three ways of counting, this input")
    x = sv.load_data("fashion-dvs", limit=1)[0].transpose(0, 1)
    small = sv.prune_channels(sv.load(SDM), 0.5)
    recording = sv.simulate(small, x, keep=ENERGY_TRACKS)
    own = check(shown, "pruned at 0.50", small, recording)
    peer = sv.load(PEER)
    other = check(shown, "Spikformer", peer, sv.simulate(peer, x, keep=ENERGY_TRACKS), small.paper_energy)
    assert other.loc["paper", "MACs"] > 0  # of its head: Spikformer V2's own formula counts none
    layers = operations(small, recording).set_index("layer")["picojoule"] / own.loc["spikeviz", "picojoule"]
    real = [layer for layer in layers.index if "pointwise" in layer and small.config.lpe == "real"] + ["head"]
    assert f"{layers['stem.stages.0.conv']:.1%} first convolution (additions of events)" in shown.caption
    assert f"{layers[real].sum():.1%} products of real values ({len(real)} layers" in shown.caption


@needs(SFA4, VANILLA)
def test_integer_firing_stands_beside_the_vanilla_network():
    shown = figure(page_figures(scene_of(INTEGER_FIRING), "cost"), "Energy in three ways, this input")
    x = sv.load_data("fashion", limit=1)[0]
    for network, name in (("SFA 1 x 4", SFA4), ("vanilla 4 x 1", VANILLA)):
        model = sv.load(name)
        own = check(shown, network, model, sv.simulate(model, x, keep=ENERGY_TRACKS))
        assert own.loc["spikeviz", "MACs"] == own.loc["paper", "MACs"] > 0
    assert "first convolution (MACs of the image)" in shown.caption and "E-SpikeFormer" in shown.caption


@needs(MST)
def test_random_masks_show_energy_beside_alpha_watts():
    x, qcfs = sv.load_data("fashion", limit=1)[0], sv.load(MST)
    spiking = sv.to_spiking(qcfs, 16)
    figures = page_figures(scene_of(RANDOM_MASKS, rsm_ratio="0.5"), "power")
    shown = figure(figures, "Energy beside spikes, this input")
    ann = check(shown, "QCFS network", qcfs, sv.simulate(qcfs, x, keep=ENERGY_TRACKS))
    recording = sv.simulate(spiking, x, keep=ENERGY_TRACKS)
    own = check(shown, "spiking, T = 16", spiking, recording)
    assert own.loc["paper", "spikes"] / 1e-3 == pytest.approx(sv.metrics.power(recording))
    assert own.loc["spikeviz", "exponentials"] == 16 * ann.loc["spikeviz", "exponentials"] > 0
    rows = shown.chart.table().set_index(["network", "way"])
    assert rows.loc[("masked, T = 16", "paper"), "spikes"] < own.loc["paper", "spikes"]
    against = figure(figures, "Energy against T, this input").chart
    assert against.series[0].name == "without masks" and len(against.series) == 2
    assert against.series[0].y[15] == pytest.approx(own.loc["spikeviz", "picojoule"] / 1e6)
    assert against.rules[0].value == pytest.approx(ann.loc["spikeviz", "picojoule"] / 1e6)


# --- over samples ---


@needs(MST)
def test_energy_against_t_over_samples(monkeypatch):
    monkeypatch.setattr(random_masks, "SAMPLES", 3)
    studies = [item for item in items_of(RANDOM_MASKS.tab("power")(scene_of(RANDOM_MASKS))) if isinstance(item, Study)]
    (study,) = (each for each in studies if each.title == "Energy against T")
    *_, (done, found) = study.work()
    assert done == 3 and found["QCFS network"].shape == (3, 1) and found["without masks"].shape == (3, 32)
    (shown,) = figures_of(study.figures(found, DONE), {})
    line = shown.chart.series[0]
    low, high = line.band
    error = found["without masks"].std(0, ddof=1) / 3**0.5 / 1e6
    np.testing.assert_allclose(high - line.y, error, atol=1e-9)
    np.testing.assert_allclose(line.y - low, error, atol=1e-9)
    assert "Mean of the first 3 test images of fashion, ± standard error" in shown.caption


def test_up_to_which_t_spikes_cost_less_is_told_by_pairs():
    qcfs = np.array([[10.0], [20.0], [30.0]])
    # T 1: half of it; T 2: differences -1, 2, -1; T 3: twice
    spiking = np.concatenate([qcfs / 2, qcfs + np.array([[-1], [2], [-1]]), 2 * qcfs], 1)
    said = random_masks.verdict("masked", spiking, qcfs)
    assert said == (
        "Masked: less than the QCFS network up to T = 1 (×0.50 ± 0.00), more from T = 3 on (×2.00 ± 0.00), "
        "no difference found at 1 T (n = 3, paired)."
    )
    one = random_masks.verdict("without masks", spiking[:1], qcfs[:1])
    assert one == "Without masks: less than the QCFS network up to T = 2 (×0.90), more from T = 3 on (×2.00)."


def costs_of(ratio: float, error: float | None) -> pd.DataFrame:
    numbers = {f"ratio, {way}": ratio for way in WAYS.values()} | {f"error, {way}": error for way in WAYS.values()}
    return pd.DataFrame([{"network": "Spikformer"}, {"network": "pruned"} | numbers])


def test_what_pruning_saves_is_told_by_its_error():
    said = cost.verdict(costs_of(0.6, 0.01))
    assert said.startswith("The network pruned takes **60.00% ± 1.00%** (ours), ") and "no difference" not in said
    assert cost.verdict(costs_of(0.99, 0.01)).count("no difference found") == 3
    assert "60.00% (ours)" in cost.verdict(costs_of(0.6, None))


def level_row(meaning: str, energy: list[float] | float, error: float | None = None, **more) -> dict:
    one_by_one = {"energies (µJ)": np.array(energy)} if isinstance(energy, list) else {}
    row = {"meaning": meaning, "D": 4, "T": 1, "energy (µJ)": float(np.mean(energy)), "energy error (µJ)": error}
    return row | one_by_one | more


NAMES = "SFA 1 x 4", "vanilla 4 x 1"
MORE, LESS = (f"Ours: {NAMES[0]} costs {word} than {NAMES[1]}: " for word in ("more", "less"))
NONE = f"Ours: no difference found between {NAMES[0]} and {NAMES[1]}: "


@pytest.mark.parametrize(
    ("mine", "plain", "words"),
    [
        ([8.0, 9.0, 10.0], [7.0, 8.1, 9.0], f"{MORE}9.00 against 8.03 µJ, +0.97 ±"),
        ([8.0, 9.0, 10.0], [8.1, 9.1, 9.7], f"{NONE}9.00 against"),
        (8.0, 9.0, f"{LESS}8.00 against 9.00 µJ, -1.00 ± 0.14."),
        (8.9, 9.0, f"{NONE}8.90 against 9.00 µJ, -0.10 ± 0.14."),
    ],
)
def test_what_integers_cost_is_told_by_its_error(mine, plain, words):
    table = [level_row("what-if", mine, 0.1), level_row("vanilla", plain, 0.1, D=1, T=4)]
    assert accuracy_energy.energy_verdict(table, 4).startswith(words)
    assert accuracy_energy.energy_verdict(table[:1], 4) == ""  # without a vanilla network nothing is compared


def test_without_errors_no_verdict():
    table = [level_row("what-if", 8.0), level_row("vanilla", 9.0, 0.1, D=1, T=4)]
    assert "the error over images was not measured" in accuracy_energy.energy_verdict(table, 4)
    known = [*table, level_row("trained", 8.0, 0.1)]  # the same network by its card
    assert "costs less than" in accuracy_energy.energy_verdict(known, 4)
