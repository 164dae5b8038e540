"""The page of random masks: ratio, sites and blocks reach the model, and what is said is what the library says."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from streamlit.testing.v1 import AppTest
from support.networks import needs
from test_mst import make
from test_pages import charts, number_field, numbers, pictures, press, sound, status

import spikeviz as sv
from spikeviz.artifacts.as_data import as_data
from spikeviz.artifacts.curves import find_curve
from spikeviz.figures import spike_masking as figures
from spikeviz.figures.render_matplotlib import FORMATS, export
from spikeviz.metrics import SPIKES
from spikeviz.metrics.dropped import dropped, membrane, passed, sent
from spikeviz.metrics.spike_masking import masking_places
from spikeviz.paths import app_root
from spikeviz.ui import conversion, random_masks, ratios, sites, sweeps
from spikeviz.ui.experiment import Experiment

NAME, CNN, EVENTS = "mst-fashion", "mst-vgg16-fashion", "mst-fashion-dvs"
TRAINED_HERE = needs(NAME)
PARTS = ("masks", "accuracy", "power", "maps", "distributions", "conversion")
MaskSpikes, TimeSteps = sv.interventions.MaskSpikes, sv.interventions.TimeSteps


@pytest.fixture(scope="module")
def snn():
    return sv.to_spiking(make(), 4)


@pytest.fixture
def x():
    return torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))


# --- what is dropped ---


def test_what_was_sent_times_the_mask_is_what_passes(snn, x):
    places = masking_places(snn)
    recording = sv.simulate(snn, x, MaskSpikes(0.4, at=tuple(p.name for p in places)))
    table = dropped(recording, places)
    for row in table.itertuples():
        fired, kept = sent(recording, row.place), recording[f"{row.place}.mask"].values
        assert torch.equal(fired & kept, recording[passed(row.place)].values != 0)
        assert row.sent == int(fired.sum()) / 2 and row.kept == int((fired & kept).sum()) / 2
    assert 0.5 < table["kept"].sum() / table["sent"].sum() < 0.7


def test_without_membranes_all_that_was_sent_passes(snn, x):
    table = dropped(sv.simulate(snn, x, keep=SPIKES), masking_places(snn))
    assert (table["sent"] == table["kept"]).all() and table["sent"].sum() > 0
    assert membrane("blocks.0.attn.scores") == "blocks.0.attn.score.membrane"


# --- settings ---


def test_sites_and_blocks_are_one_choice_of_places(snn):
    ratio, steps, kinds, blocks = sites.masking(snn)
    start = Experiment("any")
    assert [s.text(s.value(start)) for s in (ratio, steps, kinds, blocks)] == ["0.00", "4", "q.k.scores", "0-2"]
    now = blocks.read(kinds.read(ratio.put(start, 0.5), "q,MLP"), "0.2")
    assert now.interventions[0].at == (
        *("blocks.0.attn.q.spike", "blocks.0.mlp.hidden.spike"),
        *("blocks.2.attn.q.spike", "blocks.2.mlp.hidden.spike"),
    )
    assert kinds.text(kinds.value(now)) == "q.MLP" and blocks.text(blocks.value(now)) == "0.2"
    back = blocks.put(kinds.put(ratio.put(now, 0.0), kinds.trained), blocks.trained)
    assert back.interventions == ()  # nothing moved is nothing intervened


def test_which_slider_was_moved_first_changes_no_mask(snn):
    ratio, steps, *_ = settings = sites.masking(snn)
    one = steps.put(ratio.put(Experiment("any"), 0.5), 8)
    other = ratio.put(steps.put(Experiment("any"), 8), 0.5)
    kinds = [setting.kind for setting in settings]
    assert one.only(*kinds) == other.only(*kinds) and len(one.only(*kinds).interventions) == 2


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("sites", "q.convolution", "the sites of this network are q, k, scores, MLP."),
        ("sites", "", "the sites of this network are q"),
        ("blocks", "0-9", "blocks go from 0 to 2, such as 0-1"),
        ("blocks", "2-1", "blocks go from 0 to 2"),
        ("blocks", "first", "blocks go from 0 to 2"),
    ],
)
def test_places_a_network_lacks(snn, name, text, why):
    setting = next(s for s in sites.masking(snn) if s.name == name)
    with pytest.raises(ValueError, match=why):
        setting.read(Experiment("any"), text)
    with pytest.raises(ValueError, match=f"one of the {name} at least"):
        setting.put(Experiment("any"), ())


# --- figures and sums ---


def test_the_cumulative_membrane_is_the_mean_current_of_a_neuron():
    """Behind a constant input it is QCFS's own current, whatever was fired."""
    ann = make(levels=8)
    snn, x = sv.to_spiking(ann, 8), torch.rand(1, 1, 16, 16)
    qcfs, spikes = sv.simulate(ann, x), sv.simulate(snn, x)
    np.testing.assert_allclose(conversion.cumulative(spikes, "stem"), conversion.current(qcfs, "stem"), atol=1e-4)


def test_figures_leave_as_files():
    rng, rate = np.random.default_rng(0), np.array([0.1, 0.4])
    points = [{"ratio": r, "mean": 0.8 - r / 2, "deviation": 0.01, "power": 2e8} for r in (0.9, 0.0, 0.5)]
    rows = [p | {"network": "mine", "share": None} for p in points]
    places = pd.DataFrame({"place": ["a.spike", "b.spike"], "sent": [4.0, 2.0], "kept": [2.0, 1.0]})
    accuracy = figures.accuracy_chart("Accuracy", "ratio", {"mine": points}, points[:1])
    for exhibit in (
        accuracy, figures.kept_bars(places), figures.power_chart(rows),
        figures.dropped_maps(rng.random((2, 3, 4, 4)) > 0.5, np.zeros((2, 3, 4, 4), bool), "layer"),
        figures.seeds_chart(rng.random((10, 3)), ["a", "b", "c"]),
        figures.activation_maps({"ratio 0.00": rng.random((2, 4, 4))}, (1, 2), "layer"),
        figures.histogram({"a": rate, "b": rate}, "Histogram", "x", (0.0, 1.0)),
    ):  # fmt: skip
        assert all(export(exhibit, kind) for kind in FORMATS)
    mine, now = accuracy.series
    assert list(mine.x) == [0.0, 0.5, 0.9] and mine.y[0] == 0.8 and now.name == "measured now"
    assert figures.watts(3.94e9) == "3.9 G" and figures.watts(12.0) == "12.0"
    assert "–" in figures.power_table(rows) and "×0.74" in figures.paper_power()


def test_histograms_that_are_alike_and_not():
    levels = np.arange(17) / 16
    assert figures.overlap(levels, levels, (0.0, 1.0)) == pytest.approx(1.0)
    assert figures.overlap(levels[:8], levels[8:], (0.0, 1.0)) == 0
    assert figures.overlap(levels + 9, np.ones(3), (0.0, 1.0)) == 1  # what lies outside is at the end
    chart = figures.histogram({"a": levels, "b": levels}, "Histogram", "x", (0.0, 1.0))
    assert np.asarray(chart.series[0].y)[1:-1:2] == pytest.approx(np.full(17, 1 / 17))


def test_a_sweep_is_what_the_library_measures(snn):
    x, y = torch.rand(20, 1, 16, 16), torch.randint(3, (20,))
    points = [(r, (MaskSpikes(r),)) for r in (0.5, 0.0)]
    *_, (done, table) = sweeps.work(snn, (x, y), "ratio", points)
    assert done == (10 + 1) * 2 and [row["ratio"] for row in table] == [0.5, 0.0]
    for row, (_, settings) in zip(table, points, strict=True):
        *_, found = sv.evaluation.masked_accuracy(snn, x, y, settings, sweeps.seeds(settings), sweeps.BATCH)
        assert (row["mean"], row["deviation"], row["power"]) == (found.mean, found.deviation, found.power)


# --- the page ---


def opened(**address: str) -> AppTest:
    app = AppTest.from_file(str(app_root() / "app.py"), default_timeout=120)
    app.run()
    app.switch_page("pages/random_masks.py")
    app.query_params.clear()  # a browser's address names the page it shows
    for name, value in address.items():
        app.query_params[name] = value
    return sound(app.run())


def ratio(app: AppTest):
    return next(s for s in app.slider if s.label == "Ratio")


def asked(app: AppTest, name: str) -> str:
    """Of the address: what a test sets is text, what the app writes a list."""
    value = app.query_params[name]
    return value if isinstance(value, str) else value[0]


def captions(app: AppTest) -> str:
    return " ".join(c.value for c in app.caption)


def words(app: AppTest) -> str:
    return " ".join(m.value for m in app.markdown)


def simulated(rule=(), name: str = NAME, steps: int = 16) -> sv.Recording:
    x, _ = sv.load_data("fashion", "test", 1)
    return sv.simulate(sv.to_spiking(sv.load(name), steps), x, rule)


@TRAINED_HERE
def test_the_ratio_moves_spikes_power_and_maps():
    app = opened()
    assert ratio(app).value == 0.0 < ratio(app).max == 1.0 and "ratio=0.00 T=16 seed=0" in status(app)
    assert "×1.00" in words(app) and "Nothing is dropped at ratio 0" in captions(app)
    before = pictures(app)
    sound(ratio(app).set_value(0.5).run())
    assert "ratio=0.50 T=16 seed=0" in status(app) and pictures(app) != before
    masked, unmasked = simulated(MaskSpikes(0.5)), simulated()
    table = dropped(masked, [p for p in masking_places(sv.load(NAME)) if p.site != "MLP hidden"])
    assert f"**{table['kept'].sum():,.0f} of {table['sent'].sum():,.0f}** spikes pass" in words(app)
    share = sv.metrics.power(masked) / sv.metrics.power(unmasked)
    assert f"**×{share:.2f}**" in words(app) and "×0.82 at 50%, ×0.74 at 75% (Table 3)" in words(app)
    nsfr = next(c for c in charts(app) if c["layout"]["yaxis"]["title"]["text"] == "NSFR")["data"]
    for trace, recording in zip(nsfr, (masked, unmasked), strict=True):
        np.testing.assert_allclose(numbers(trace["y"]), sv.metrics.nsfr(recording).numpy(), atol=1e-9)
    assert "stay real-valued" in captions(app) and "demo size" in captions(app)


@TRAINED_HERE
def test_ten_seeds_are_ten_runs():
    app = opened(rsm_ratio="0.75", input="3", rsm_T="4")
    x, _ = sv.load_data("fashion", "test", 4)
    model, at = sv.to_spiking(sv.load(NAME), 16), ("*.attn.q.spike", "*.attn.k.spike", "*.attn.scores")
    rule = (MaskSpikes(0.75, at=at), TimeSteps(4))
    shares = [sv.simulate(model, x[3:], rule, keep="", seed=s).output.softmax(-1)[0].numpy() for s in range(10)]
    shown = next(html.proto.body for html in app.get("html") if "over seeds" in html.proto.body)
    mean, deviation = np.mean(shares, 0), np.std(shares, 0, ddof=1)
    assert f"{100 * mean[0]:.1f} ± {100 * deviation[0]:.1f} %" in shown and "of 10 say" in captions(app)


@TRAINED_HERE
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("address", [{"rsm_ratio": "1"}, {"rsm_sites": "scores", "rsm_ratio": "0.5", "rsm_T": "1"}])
def test_every_part_runs_at_the_ends(part, address):
    app = opened(rsm_part=part, **address)
    assert not app.error and not app.warning and f"ratio={float(address['rsm_ratio']):.2f}" in status(app)


@needs(NAME, CNN, EVENTS, "mst-resnet18-fashion")
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", [CNN, EVENTS, "mst-resnet18-fashion"])
def test_every_part_of_other_networks(part, name):
    app = opened(rsm_part=part, checkpoint=name, rsm_ratio="0.5")
    assert not app.error and not app.warning and "ratio=0.50" in status(app)


@TRAINED_HERE
def test_pills_choose_places():
    app = opened(rsm_ratio="0.5")
    kinds, blocks = (next(g for g in app.button_group if g.label == label) for label in ("Sites", "Blocks"))
    assert kinds.value == ["q", "k", "scores"] and blocks.value == [0, 1, 2, 3]
    sound(kinds.set_value(["scores", "q"]).run())
    sound(next(g for g in app.button_group if g.label == "Blocks").set_value([1]).run())
    assert "ratio=0.50 T=16 sites=q.scores blocks=1 seed=0" in status(app)
    assert "at=('blocks.1.attn.q.spike', 'blocks.1.attn.scores')" in app.code[1].value
    assert asked(app, "rsm_sites") == "q.scores" and asked(app, "rsm_blocks") == "1"
    sound(next(g for g in app.button_group if g.label == "Blocks").set_value([]).run())
    assert "A random mask needs one of the blocks at least." in app.warning[0].value and "blocks=1" in status(app)
    press(app, "As trained")
    assert "ratio=0.00 T=16 seed=0" in status(app) and app.code[1].value.count("MaskSpikes") == 0


@needs(CNN)
def test_a_cnn_offers_convolutions_only():
    app = opened(checkpoint=CNN, rsm_ratio="0.5")
    assert next(g for g in app.button_group if g.label == "Sites").options == ["convolution"]
    field = next(field for field in app.text_input if field.label.startswith("Convolutions"))
    assert field.value == "0-11"
    sound(field.set_value("0, 2-3").run())
    assert "blocks=0.2-3" in status(app)
    assert "at=('stem.spike', 'blocks.1.spike', 'blocks.2.spike')" in app.code[1].value
    sound(next(field for field in app.text_input if field.label.startswith("Conv")).set_value("40").run())
    assert "'40' does not work here: convolutions go from 0 to 11" in app.warning[0].value
    assert "stay real-valued" not in captions(app)


@TRAINED_HERE
def test_the_address_says_everything():
    wanted = {"rsm_ratio": "0.30", "rsm_sites": "k.MLP", "rsm_blocks": "0.2-3", "seed": "7", "rsm_T": "4"}
    app = opened(**wanted)
    assert "ratio=0.30 T=4 sites=k.MLP blocks=0.2-3 seed=7" in status(app)
    assert {name: asked(app, name) for name in wanted} == wanted
    code = app.code[1].value
    sound(number_field(app, "Seed").set_value(8).run())
    assert "seed=8" in status(app) and asked(app, "seed") == "8"
    names: dict = {}
    exec(code, names)
    again = opened(**wanted)
    spent = sv.metrics.power(names["recording"])
    assert f"**{figures.watts(spent)}** α-watts" in words(again)


@TRAINED_HERE
def test_what_is_held_keeps_its_places():
    app = opened(rsm_ratio="0.5", rsm_sites="q", rsm_blocks="1")
    press(app, "Hold as A")
    sound(next(g for g in app.button_group if g.label == "Sites").set_value(["k"]).run())
    held = asked(app, "rsm_A")
    assert held == "input:0,ratio:0.50,sites:q,blocks:1"
    assert "A: test image 0, ratio=0.50 T=16 sites=q blocks=1 seed=0." in captions(opened(rsm_A=held))


@TRAINED_HERE
@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("rsm_ratio", "2", "Ratio goes from 0 to 1"),
        ("rsm_ratio", "half", "Ratio is a number"),
        ("rsm_T", "0", "T goes from 1 to 64"),
        ("rsm_sites", "convolution", "the sites of this network are q, k, scores, MLP"),
        ("rsm_blocks", "4", "blocks go from 0 to 3"),
        ("rsm_part", "nothing", "there are masks, accuracy"),
        ("checkpoint", "spikformer-fashion", "spikformer-fashion was not trained with QCFS"),
    ],
)
def test_bad_addresses_are_one_sentence(name, value, why):
    app = opened(**{name: value})
    assert len(app.warning) == 1 and name in app.warning[0].value and why in app.warning[0].value
    assert "ratio=0.00 T=16 seed=0" in status(app)


@TRAINED_HERE
@pytest.mark.parametrize(
    ("preset", "said", "there"),
    [
        ("Distributions (Fig. 3)", "ratio=0.00", "Membrane, BatchNorm · blocks.0.mlp.hidden"),
        ("Accuracy against ratio (Fig. 5)", "ratio=0.50", "Accuracy against ratio, measured now"),
        ("Masked blocks (Fig. 6)", "ratio=0.75 T=16 blocks=0-1", "Accuracy against masked blocks, measured now"),
        ("Where it looks (Fig. 7)", "ratio=0.50", "Spike activation maps · blocks.0.mlp.out"),
        ("Power (Table 3)", "ratio=0.75", "The paper's Table 3, as printed"),
    ],
)
def test_presets(preset, said, there):
    app = press(opened(rsm_sites="q", rsm_T="4"), preset)
    assert said in status(app) and there in words(app) and not app.warning


@TRAINED_HERE
def test_the_activation_maps_are_those_of_the_library():
    app = opened(rsm_part="maps", rsm_layer="blocks.0.mlp.out", rsm_ratio="0.25")
    assert all(f"ratio {r}" in captions(app) for r in ("0.25", "0.50", "0.75")) and "not the spike map" in captions(app)
    maps = [sv.metrics.sam(simulated(MaskSpikes(r))["blocks.0.mlp.out.spike"]).numpy() for r in (0.0, 0.5)]
    assert f"{np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1]:.2f} at ratio 0.50" in captions(app)


@TRAINED_HERE
def test_the_conversion_error_is_that_of_the_library():
    app = opened(rsm_part="conversion", rsm_T="8", rsm_ratio="0.5")
    x, _ = sv.load_data("fashion", "test", 1)
    table = sv.metrics.conversion_error(sv.simulate(sv.load(NAME), x, keep=SPIKES), simulated(TimeSteps(8)))
    bars = next(c for c in charts(app) if c["data"][0]["type"] == "bar")["data"][0]
    np.testing.assert_allclose(numbers(bars["x"]), 100 * table["relative"].fillna(0), rtol=1e-6)


@TRAINED_HERE
def test_what_was_not_computed_is_a_sentence(monkeypatch):
    monkeypatch.setattr("spikeviz.ui.ratios.find_curve", lambda name: None)
    for part in ("accuracy", "power", "conversion"):
        app = opened(rsm_part=part)
        assert f"No curve was computed yet of {NAME}" in captions(app)
        assert f"`spikeviz curve {NAME}` makes one" in captions(app)


@TRAINED_HERE
def test_half_of_a_figure_is_called_so(monkeypatch):
    monkeypatch.setattr(conversion, "partner", lambda card: None)
    assert "There is no network like mst-fashion with LayerNorm here" in captions(opened(rsm_part="distributions"))


@needs(NAME, "mst-fashion-layernorm")
def test_both_normalisations_stand_side_by_side():
    """They were not trained alike, and the captions say how each was."""
    app = opened(rsm_part="distributions")
    for name, norm in ((NAME, "BatchNorm"), ("mst-fashion-layernorm", "LayerNorm")):
        card = next(card for card in sv.list_checkpoints() if card.name == name)
        said = f"{name}, trained for {card.training['epochs']} epochs (QCFS {card.accuracy:.3f})"
        assert said in captions(app) and f"Membrane, {norm}" in words(app)


@needs(NAME, "mst-fashion-rsm75")
def test_a_student_stands_beside_its_teacher_under_its_masks():
    """Accuracy against T of both, and in which of the two spikes are dropped."""
    app = opened(rsm_part="conversion")
    curve = find_curve("mst-fashion-rsm75")
    drawn = next(c for c in charts(app) if {NAME, "mst-fashion-rsm75"} <= {line.get("name") for line in c["data"]})
    line = next(line for line in drawn["data"] if line.get("name") == "mst-fashion-rsm75")
    assert list(numbers(line["y"])) == pytest.approx([point["accuracy"] for point in curve["steps"]])
    said = captions(app)
    assert "Without masks; " in said and "; mst-fashion-rsm75 under ratio 0.75 at q, k, scores" in said


def test_the_masks_of_a_student_in_words():
    under = as_data((MaskSpikes(0.5, at=("*.mlp.hidden.spike",)),))
    card = sv.CheckpointCard("a", "b", "c", "classes", 0.5, 1, "", 0, "", "", "", under)
    assert random_masks.tuned_under(card) == "ratio 0.5 at MLP hidden"


def test_curves_of_different_length_say_so():
    """An MST is compared at another T than a CNN, and the caption says which."""
    lab = SimpleNamespace(now=SimpleNamespace(samples="test images"))
    curve = {"command": "spikeviz curve a", "samples": 250, "data": "fashion", "seeds": 10, "device": "CPU, 1 thread"}
    curves = {"a": curve | {"T": 16}, "b": curve | {"T": 32}, "c": curve | {"T": 32}}
    assert "T = 16 (a), 32 (b, c), CPU" in ratios.precomputed(lab, dict.fromkeys("abc"), curves)
    assert "T = 32, CPU" in ratios.precomputed(lab, dict.fromkeys("bc"), curves)
