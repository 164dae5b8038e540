"""Both gaps in words: from a card, and measured now where a card does not say."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from support.networks import needs
from support.scenes import items_of, scene_of

from spikeviz.artifacts.cards import find_card
from spikeviz.artifacts.gaps import difference, gap_facts, verdict
from spikeviz.evaluation import content_gap, gap_survey
from spikeviz.views import data_sets
from spikeviz.views.networks import gaps
from spikeviz.views.page import find_page
from spikeviz.views.view import Note, Progress, Study

PAGES = {
    "spike_maps": "spikformer-fashion",
    "random_masks": "mst-fashion",
    "channel_masks": "sdmformer-fashion-dvs",
    "integer_firing": "e-spikeformer-fashion-sfa4",
}
pytestmark = needs(*PAGES.values())


@pytest.mark.parametrize(
    ("gap", "error", "words"),
    [
        (0.05, 0.02, "who looks at whom matters"),
        (0.05, 0.03, "no difference found"),
        (-0.05, 0.02, "better without it"),
    ],
)
def test_a_verdict_is_outside_two_errors(gap, error, words):
    assert words in verdict("content", gap, error, 1000)
    assert (words == "no difference found") == ("no difference found" in difference(gap, error))


def test_facts_of_a_card():
    measured = {
        "attention_gap": {"gap": 0.01, "error": 0.02, "samples": 500, "reestimated": {"gap": 0.2, "error": 0.02}}
    }
    (text,) = gap_facts(measured).values()
    assert "no difference found (+1.0 ± 2.0 points, n = 500)" in text and "re-estimated: +20.0 ± 2.0 points" in text
    assert gap_facts({}) == {} and "attention gap" in find_card("mst-fashion")[0].facts


@pytest.mark.parametrize("page", PAGES)
def test_a_page_about_attention_shows_both(page):
    value = find_page(page)
    scene = scene_of(value, checkpoint=PAGES[page])
    first = next(iter(value.tabs.values())).view if value.tabs else value.body
    said = "\n".join(item.text for item in items_of(first(scene)) if isinstance(item, Note))
    card = find_card(PAGES[page])[0]
    for part in ("attention", "content"):
        own = card.measured[f"{part}_gap"]
        assert f"{100 * own['gap']:+.1f} ± {100 * own['error']:.1f} points" in said
    assert card.measured["content_gap"]["command"] in said


def test_a_network_whose_card_does_not_say_is_measured(monkeypatch):
    scene = scene_of(find_page("spike_maps"), checkpoint="e-spikeformer-fashion-sfa4")
    run = scene.now
    plain = replace(run.card, measured={})
    monkeypatch.setattr(gaps, "SAMPLES", 40)
    (study,) = items_of(gaps.gaps(SimpleNamespace(now=replace(run, card=plain))))
    assert isinstance(study, Study) and study.total == 80
    *_, (done, found) = study.work()
    some = data_sets.some("fashion", 40)
    assert done == 80 and found["content"] == content_gap(run.model, some.batch, some.labels)
    (figure,) = study.figures(found, Progress(80, 80, 1.0, True))
    values = figure.chart.series[0].values
    assert values.tolist() == pytest.approx([found["content"].accuracy, *(gap.ablated for gap in found.values())])
    assert found["content"].verdict in figure.notice


def test_nothing_is_said_of_a_network_without_attention():
    scene = scene_of(find_page("random_masks"), checkpoint="mst-vgg16-fashion")
    assert not items_of(gaps.gaps(scene))
    with pytest.raises(ValueError, match="no attention"):
        gap_survey(scene.now.model, torch.rand(1, 1, 28, 28), torch.tensor([0]))
