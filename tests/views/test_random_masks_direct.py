"""Random masks on networks that were trained with spikes: every page opens, says what it cannot, and counts by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from support.networks import needs
from support.scenes import FILES, items_of, scene_of, words_of

import spikeviz as sv
from spikeviz.artifacts.curves import find_curve
from spikeviz.interventions import MaskSpikes
from spikeviz.metrics.dropped import dropped
from spikeviz.metrics.spike_masking import masking_places
from spikeviz.views.host import page_figures
from spikeviz.views.random_masks import PAGE, conversion, curves, laws, overview, passing, terms
from spikeviz.views.view import Figure, Over, Study

DIRECT = ("spikformer-fashion", "e-spikeformer-fashion-sfa4", "sdmformer-fashion-dvs", "spikformer-v2-fashion-scratch")
NAMES = [pytest.param(name, marks=needs(name)) for name in DIRECT]


def shown_of(name, **query):
    return scene_of(PAGE, checkpoint=name, **query)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("query", [{}, {"rsm_ratio": "0.5"}, {"rsm_ratio": "1", "rsm_sites": "q.k.scores.MLP"}])
def test_every_tab_opens(name, query):
    scene = shown_of(name, **query)
    for tab in PAGE.tabs:
        for each in page_figures(scene, tab):
            assert each.notice and all(each.export(kind) for kind in FILES), each.title
        assert not any(getattr(item, "level", "") == "warning" for item in items_of(PAGE.tab(tab)(scene)))


@pytest.mark.parametrize("name", NAMES)
def test_what_needs_qcfs_says_so_and_the_paper_is_quoted(name):
    scene = shown_of(name, rsm_ratio="0.5")
    for tab in ("conversion", "distributions"):
        assert f"{name} was trained with spikes and not with QCFS" in words_of(PAGE.tab(tab)(scene))
    assert "names those that are trained with spikes as future work" in words_of(PAGE.main(scene))
    studies = [item for item in items_of(PAGE.tab("accuracy")(scene)) if isinstance(item, Study)]
    assert not any("laws" in study.key for study in studies) and len(studies) == 2


@needs("e-spikeformer-fashion-sfa4")
def test_integers_are_counted_step_by_step():
    scene = shown_of("e-spikeformer-fashion-sfa4", rsm_ratio="0.5", rsm_sites="q.k.MLP")
    model = sv.load("e-spikeformer-fashion-sfa4")
    x, _ = sv.load_data("fashion", "test", 1)
    at = tuple(p.name for p in masking_places(model) if p.site in ("q", "k", "MLP hidden"))
    table = dropped(sv.simulate(model, x, MaskSpikes(0.5, at=at), ("*", "*.sent")), masking_places(model))
    chosen = table[table["place"].isin(at)]
    assert overview.passing(scene.now) == (int(chosen["sent"].sum()), int(chosen["kept"].sum()))
    assert overview.passing(scene.now)[0] > overview.passing(scene.now)[1] > 0


@needs("spikformer-fashion")
def test_the_law_is_in_the_address():
    scene = shown_of("spikformer-fashion", rsm_ratio="0.5", rsm_law="whole")
    (rule,) = scene.now.experiment.of_kind(MaskSpikes)
    assert rule.law == "whole" and "law=whole" in scene.now.status_text
    assert "an activation as a whole" in overview.formula(scene).text
    law = next(setting for setting in scene.settings if setting.name == "law")
    assert law.put(scene.now.experiment, ("spikes", "whole")).of_kind(MaskSpikes)[0].law == "spikes"
    assert law.put(scene.now.experiment, ()).of_kind(MaskSpikes)[0].law == "whole"  # one stays chosen
    with pytest.raises(ValueError, match="a law is spikes or whole"):
        law.read(scene.now.experiment, "none")
    assert not any(s.name == "law" for s in scene_of(PAGE).settings)  # of single spikes both are the same


# --- one line: what is left of the terms ---


@needs("mst-fashion", "spikformer-fashion", "mst-vgg16-fashion")
@pytest.mark.parametrize(
    ("name", "query", "said"),
    [
        ("spikformer-fashion", {"rsm_ratio": "0.5"}, ["25.0% of the terms of q·k", "so 12.5% of the coincidences"]),
        ("spikformer-fashion", {"rsm_ratio": "0.5", "rsm_sites": "q"}, ["50.0% of the terms of q·k."]),
        ("spikformer-fashion", {"rsm_ratio": "0.2", "rsm_sites": "scores"}, ["80.0% of the coincidences"]),
        ("mst-fashion", {"rsm_ratio": "0.75"}, ["6.2% of the terms of q·k", "25.0% of the spikes that the scores"]),
        ("mst-fashion", {"rsm_ratio": "0.5", "rsm_ratio2": "0.9"}, ["10.0% of the MLP's hidden spikes"]),
        ("mst-vgg16-fashion", {"rsm_ratio": "0.25"}, ["75.0% of what enters a convolution"]),
        ("mst-fashion", {"rsm_ratio": "1"}, ["so that what is left there is not attention", "position bias"]),
        ("spikformer-fashion", {"rsm_ratio": "1"}, ["no value is weighed", "it shows no redundancy of attention"]),
    ],
)
def test_what_is_left_of_the_terms(name, query, said):
    text = words_of(PAGE.main(scene_of(PAGE, checkpoint=name, **query)))
    assert all(part in text for part in said), text
    assert ("Ratio 1" in text) == ("1" in query.values())


@needs("mst-fashion")
def test_shares_by_hand():
    places = masking_places(sv.load("mst-fashion"))
    rules = (MaskSpikes(0.5, at="*.attn.q.spike"), MaskSpikes(0.5, at="blocks.0.attn.q.spike"))
    assert terms.left(rules, places) == {"q": {0: 0.25, 1: 0.5, 2: 0.5, 3: 0.5}}
    assert terms.share([0.25, 0.5]) == "25.0% to 50.0%" and terms.share([0.5]) == "50.0%"
    assert "Terms" not in words_of(PAGE.main(scene_of(PAGE)))


# --- curves, new and old ---


@needs("mst-fashion")
def test_below_a_curve_stand_firing_and_entropy():
    rows = [
        {"ratio": r, "sent": 0.2 + r / 10, "kept": (1 - r) * (0.2 + r / 10), "power": 1e6, "entropy": e, "silent": s}
        for r, e, s in ((1.0, None, 1.0), (0.0, 0.5, 0.0), (0.5, 0.4, 0.25))
    ]
    firing, entropy = items_of(passing.passing("here", rows, "mine", "there", Over("some")))
    assert [line.name for line in firing.chart.series] == ["sent", "pass"]
    assert list(firing.chart.series[1].y) == pytest.approx([0.2, 0.125, 0.0])
    assert list(entropy.chart.series[0].y) == [0.5, 0.4] and list(entropy.chart.series[1].y) == [0.0, 0.25, 1.0]
    assert "At ratio 1 100% of the queries have no score at all" in entropy.notice
    older = [{"ratio": 0.5, "mean": 0.9, "power": 1e6}]  # a curve that does not know what passed
    assert not items_of(passing.passing("here", older, "mine", "there", Over("some")))


@needs("mst-fashion")
def test_older_curves_are_still_read():
    curve = find_curve("mst-fashion")
    if curve is None:
        pytest.skip("there is no curve of the network as it is now")
    assert curve["samples"] in (250, 1000) and {p["site"] for p in curve["points"]} == {"SA", "MLP"}
    run = scene_of(PAGE).now
    older = {"mst-fashion": {k: v for k, v in curve.items() if k != "law"} | {"samples": 250}}
    assert "Computed by an older version" in curves.precomputed(run, ["mst-fashion"], older)
    assert "the first 250 test images" in curves.precomputed(run, ["mst-fashion"], older)
    newer = {"mst-fashion": older["mst-fashion"] | {"law": "spikes", "samples": 1000}}
    assert "Each spike is dropped by itself" in curves.precomputed(run, ["mst-fashion"], newer)


def test_the_point_that_two_curves_share():
    card = SimpleNamespace(name="mine", trained_under=[])
    curve = {"T": 4, "samples": 100, "steps": [{"T": 4, "accuracy": 0.9, "samples": 10_000}]}
    for mean, agrees in ((0.88, True), (0.7, False)):
        said = conversion._beside_ratios(card, {"mine": curve | {"points": [{"ratio": 0.0, "mean": mean}]}})
        assert ("they agree within two errors" in said) is agrees and f"{mean:.3f}" in said and "0.900" in said
    assert conversion._beside_ratios(card, {}) == ""


# --- one law against the other ---


@pytest.mark.parametrize(
    ("difference", "said"), [(0.03, "better spike by spike"), (-0.03, "better as a whole"), (0.01, "no difference")]
)
def test_a_law_is_better_only_outside_of_two_errors(difference, said):
    assert said in laws.verdict({"ratio": 0.5, "difference": difference, "error": 0.01, "samples": 48})


@needs("mst-fashion")
def test_a_qcfs_network_compares_both_laws():
    scene = scene_of(PAGE, rsm_ratio="0.5")
    (study,) = [s for s in items_of(PAGE.tab("accuracy")(scene)) if isinstance(s, Study) and s.key.startswith("laws")]
    row = {"ratio": 0.5, "spikes": 0.9, "whole": 0.8, "difference": 0.1, "error": 0.01, "seeds": 10, "samples": 48}
    (shown,) = study.figures([row], SimpleNamespace(seconds=1.0))
    assert isinstance(shown, Figure) and "+0.100 ± 0.010, better spike by spike" in shown.notice
    assert study.total == 2 * 4 * 10 * 3  # laws, ratios, seeds, batches
