"""The figures of a page without a browser: what a view yields comes out in its order, with the numbers of the library;
what cannot be shown is one sentence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from support.brought import npy, png, rows
from support.networks import needs, pages, presets
from support.scenes import FILES, items_of, scene_of

import spikeviz as sv
from spikeviz.data.ingest import Input, read_upload
from spikeviz.figures.chart import Chart, Line
from spikeviz.interventions import FiringThreshold, MaskChannels, MaskSpikes, TimeConstant, TimeSteps
from spikeviz.views import spikes
from spikeviz.views.address import SIDES
from spikeviz.views.experiment import Experiment
from spikeviz.views.host import Figures, figures_of, page_figures, query_of, scene_at, view
from spikeviz.views.networks.words import whole_test_set
from spikeviz.views.page import FILES as PAGES
from spikeviz.views.page import Page, Preset, find_page
from spikeviz.views.sharing.provenance import provenance
from spikeviz.views.sharing.python import python
from spikeviz.views.sharing.report import page_report
from spikeviz.views.view import (
    Component,
    Figure,
    Item,
    Link,
    Markup,
    Metrics,
    Note,
    Option,
    Progress,
    Row,
    Study,
    drive,
    slug,
)

FASHION, SDM = "spikformer-fashion", "sdmformer-fashion-dvs"
LAYER = "blocks.0.attn.q"
TRAINED = needs(FASHION)


def figure(title: str, values: tuple[float, ...] = (1.0, 2.0), **words: object) -> Figure:
    x = np.arange(1.0, len(values) + 1)
    return Figure(Chart(title, "x", "y", [Line(x, np.array(values))]), f"Notice {title}.", **words)


def titles(items: object, looks: dict | None = None, studies: bool = False) -> list[str]:
    return [found.title for found in figures_of(items, looks or {}, studies)]


def find(figures: Figures, title: str) -> Figure:
    return next(found for found in figures if found.title.startswith(title))


def brought(light: bool) -> Input:
    return read_upload(png(light=light), "mine.png", "fashion", FASHION, turn=False)


# ---- what a view yields


def test_figures_come_out_in_their_order():
    def column(name: str) -> Iterator[Item]:
        yield Note("words")
        yield figure(name)
        yield Row([figure(f"{name} inside")])

    items = [
        Markup("<p>"),
        figure("first"),
        Row(column("left"), [figure("right")]),
        Metrics([("a", "1", "")]),
        Component("viewer", None, figure("shown"), others=[figure("other")]),
        Component("pad", None, None),
        figure("last"),
    ]
    assert titles(items) == ["first", "left", "left inside", "right", "shown", "other", "last"]
    assert titles(()) == []


def test_answers_go_back_to_the_view_that_asked():
    def asks() -> Iterator[Item]:
        chosen = yield Option("which", "Which", "b", ("a", "b"))
        size = yield Option("size", "Size", 3, low=1, high=9, form="number")
        yield figure(f"{chosen} {size}")

    asked: dict[str, Option] = {}
    assert titles(asks()) == ["b 3"]
    assert titles(Row(asks()).columns[0], {"which": "a", "size": 5}) == ["a 5"]
    assert titles([Row(asks(), asks())], {"size": 9, "which": "gone"}) == ["b 9", "b 9"]
    list(figures_of(asks(), {}, asked=asked))
    assert [option.label for option in asked.values()] == ["Which", "Size"]


@pytest.mark.parametrize(
    ("option", "good", "bad"),
    [
        (Option("o", "O", "a", ("a", "b")), ["a", "b"], ["c", "", None, 1, float("nan"), ["a"]]),
        (Option("o", "O", 2, (1, 2, 4)), [1, 4], [3, "1", None]),
        (Option("o", "O", 5, low=1, high=9), [1, 9, np.int64(4)], [0, 10, 5.5, "5", True, None, float("nan"), (1,)]),
        (Option("o", "O", 0.5, low=0.0, high=1.0, step=0.1), [0, 0.25, 1], [-0.1, 1.1, "0.5", True, float("nan")]),
    ],
)
def test_an_answer_is_a_choice_or_the_default(option, good, bad):
    for answer in good:
        assert option.answer({"o": answer}) == answer and option.takes(answer)
    for answer in bad:
        assert option.answer({"o": answer}) == option.default and not option.takes(answer)
    assert option.answer({}) == option.default == option.answer({"other": good[0]})


def test_an_option_that_stores_something_else_shows_the_present():
    option = Option("o", "O", 3, high=9, form="number", store=lambda index: (index, 0))
    assert option.answer({"o": (7, 0)}) == 3


def test_a_study_is_done_where_it_is_asked_for():
    told: list[Progress] = []

    def work() -> Iterator[tuple[int, list[int]]]:
        yield 2, [1]
        yield 4, [1, 2]

    def found(value: list[int], progress: Progress) -> Iterator[Item]:
        told.append(progress)
        yield figure(f"found {value}")
        yield Row([figure("beside")])

    study = Study("key", "Study", 4, work, found, idle=lambda: [Note("not yet"), figure("before")])
    assert titles([study, figure("after")]) == ["before", "after"] and not told
    assert titles([study, figure("after")], studies=True) == ["found [1, 2]", "beside", "after"]
    (progress,) = told
    assert (progress.done, progress.total, progress.over) == (4, 4, True) and progress.seconds >= 0
    assert titles([Study("key", "", 0, lambda: iter(()), found)], studies=True) == []


def test_a_view_that_cannot_be_shown_is_its_sentence():
    levels = [Note("text", level) for level in ("caption", "text", "info", "warning")]
    assert titles([*levels, figure("shown")]) == ["shown"]
    for items in ([Note("Gone: bring it.", "error")], [Row([figure("shown")], [Note("Gone: bring it.", "error")])]):
        with pytest.raises(ValueError, match=r"^Gone: bring it\.$"):
            titles(items)


def test_items_are_driven_once_and_in_turn():
    seen = []

    def asks() -> Iterator[Item]:
        first = yield "first"
        seen.append((yield f"after {first}"))

    drive(asks(), lambda item: f"<{item}>")
    drive([1, 2], seen.append)
    assert seen == ["<after <first>>", 1, 2]


# ---- figures with a display of their own


def test_figures_are_a_sequence_with_a_display():
    lazily = []
    some = [figure("A & B", source="Paper, Fig. 1"), figure("C"), figure("D", html=lambda: lazily.append(1) or "<hr>")]
    found = Figures(some)
    assert len(found) == 3 and list(found) == some and found[0] is some[0] and found[-1].title == "D"
    assert isinstance(found[1:], Figures) and list(found[1:]) == some[1:]
    assert repr(found) == "Figures(A & B; C; D)" and repr(found[0]) == "Figure('A & B')"
    assert not lazily
    text = found._repr_html_()
    assert lazily == [1] and "<hr>" in text and text.count("<svg") == 2
    assert "<b>A &amp; B</b>" in text and "Notice A &amp; B. (Paper, Fig. 1)" in text
    ids = [part.split('"')[0] for part in text.split(' id="')[1:]]
    assert len(ids) == len(set(ids)) > 0  # the two drawings do not take each other's parts
    assert found[0]._repr_png_().startswith(b"\x89PNG")


def test_a_figure_leaves_as_a_file_of_its_name():
    one = figure("Event rate · test, 1/2")
    assert one.name == slug(one.title) == "event-rate-test-1-2" and len(slug("x" * 99)) == 60
    assert [one.export(kind)[:4] for kind in ("png", "svg", "pdf", "npz")] == [
        b"\x89PNG",
        b"<?xm",
        b"%PDF",
        b"PK\x03\x04",
    ]
    assert one.export("csv").decode().splitlines()[1:] == ["1.0,1.0", "2.0,2.0"]
    assert one.caption == one.notice and figure("a", source="S").caption == "Notice a. (S)"
    with pytest.raises(ValueError, match="gif"):
        one.export("gif")


# ---- pages


@pytest.mark.parametrize("file", pages())
def test_every_page_has_figures_without_the_app(file):
    found = view(file)
    assert len(found) >= 1 and isinstance(found, Figures)
    assert all(each.notice or each.source for each in found), [each.title for each in found]
    assert all(each.export(kind) for each in found[:1] for kind in FILES)
    page = find_page(file)
    assert [each.title for each in found] == [each.title for each in page_figures(scene_of(page))]


@TRAINED
def test_the_numbers_are_those_of_the_library():
    rules = (TimeSteps(3), FiringThreshold(0.8), TimeConstant(3.0))
    x, _ = sv.load_data("fashion", "test", 13)
    recording = sv.simulate(sv.load(FASHION), x[12:], rules)
    found = view("spike_maps", FASHION, 12, rules, layer=LAYER)
    np.testing.assert_allclose(find(found, "Network spike").chart.series[-1].y, sv.metrics.nsfr(recording), atol=1e-9)
    maps = sv.metrics.spike_maps(recording[f"{LAYER}.spike"]).numpy()
    shown = find(found, "Spike maps · block 0, attention, query").chart.arrays()["maps"]
    np.testing.assert_allclose(shown, np.concatenate([maps, maps.mean(0)[None]]), atol=1e-6)


@TRAINED
def test_one_intervention_and_a_number_of_numpy_do_as_well():
    one, several = (
        view("spike_maps", FASHION, np.int64(3), TimeSteps(2)),
        view("spike_maps", FASHION, 3, (TimeSteps(2),)),
    )
    for left, right in zip(one, several, strict=True):
        if isinstance(left.chart, Chart):
            pd.testing.assert_frame_equal(left.chart.table(), right.chart.table())
    assert len(find(one, "Network spike").chart.series[-1].y) == 2


@TRAINED
def test_what_is_looked_at_is_an_option():
    found = view("spike_maps", layer=LAYER, neuron=(3, 2, 1))
    trace = find(found, "Membrane · block 0, attention, query, neuron 3.2.1").chart
    x, _ = sv.load_data("fashion", "test", 1)
    potential = sv.metrics.membrane_trace(sv.simulate(sv.load(FASHION), x), LAYER, (3, 2, 1)).potential
    assert any(np.allclose(np.asarray(line.y), potential) for line in trace.series if len(line.y) == len(potential))
    for side in SIDES.values():
        assert view("spike_maps", side=side)


@needs("mst-fashion")
def test_the_seed_is_that_of_what_is_drawn_at_random():
    rule, x = MaskSpikes(0.75), sv.load_data("fashion", "test", 1)[0]
    model = sv.to_spiking(sv.load("mst-fashion"), 16)
    curves = []
    for seed in (0, 5):
        found = view("random_masks", "mst-fashion", 0, rule, seed, tab="masks")
        curves.append(np.asarray(find(found, "Network spike").chart.series[0].y))
        np.testing.assert_allclose(curves[-1], sv.metrics.nsfr(sv.simulate(model, x, rule, seed=seed)), atol=1e-9)
    assert not np.allclose(*curves)


@TRAINED
@pytest.mark.parametrize("light", [False, True])
def test_an_input_of_ones_own(light):
    """Two of them in one process are two inputs."""
    shown = brought(light)
    found = view("spike_maps", FASHION, shown, layer=LAYER)
    expected = sv.metrics.nsfr(sv.simulate(sv.load(FASHION), shown.batch))
    np.testing.assert_allclose(find(found, "Network spike").chart.series[-1].y, expected, atol=1e-9)
    assert (
        find(view("overview", FASHION, shown), "").title
        != find(view("overview", FASHION, brought(not light)), "").title
    )


@TRAINED
def test_a_study_is_part_of_the_figures_where_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(spikes, "SURVEY_IMAGES", 40)
    without, done = view("spike_maps"), view("spike_maps", studies=True)
    new = [each for each in done if each.title not in {one.title for one in without}]
    assert len(done) == len(without) + 1 and [each.title for each in new] == ["NSFR over 40 test images"]
    x, y = sv.load_data("fashion", "test", 40)
    found = sv.simulate(sv.load(FASHION), x, keep="*.spike")
    np.testing.assert_allclose(new[0].chart.series[-1].y, sv.metrics.nsfr(found), atol=1e-6)
    accuracy = float((found.output.argmax(-1) == y).float().mean())
    assert f"accuracy {accuracy:.3f} ±" in new[0].notice
    assert whole_test_set(next(card for card in sv.list_checkpoints() if card.name == FASHION)) in new[0].notice


@TRAINED
@pytest.mark.parametrize(
    ("call", "why"),
    [
        ({"page": "nope"}, "there is no page 'nope'; there are overview, spike_maps"),
        ({"page": "spike_maps", "checkpoint": "nobody"}, "spike_maps does not show 'nobody': there are"),
        ({"page": "events", "checkpoint": FASHION}, f"{FASHION} sees images and no events; there are"),
        ({"page": "spike_maps", "input": 10_000}, f"{FASHION} has test samples 0 to 9999, there is no 10000"),
        ({"page": "spike_maps", "input": -1}, "there is no -1"),
        ({"page": "spike_maps", "input": "3"}, "an input is the number of a test sample"),
        ({"page": "spike_maps", "input": None}, "an input is the number of a test sample"),
        ({"page": "spike_maps", "interventions": MaskSpikes(0.5)}, "spike_maps has no control for MaskSpikes"),
        ({"page": "spike_maps", "interventions": (TimeSteps(2), MaskChannels(0.2))}, "no control for MaskChannels"),
        ({"page": "spike_maps", "interventions": (TimeSteps(2), TimeSteps(3))}, "controls for 1 TimeSteps, not for 2"),
        ({"page": "spike_maps", "tab": "nope"}, "spike_maps has no tab 'nope'; it has none"),
        ({"page": "random_masks", "tab": "nope"}, "random_masks has no tab 'nope'; there are masks, accuracy"),
        ({"page": "spike_maps", "layer": "nope"}, f"{FASHION} has no layer 'nope'; there are stem.stages.0"),
        ({"page": "spike_maps", "neuron": (0, 0, 0)}, "a neuron belongs to a layer"),
        ({"page": "spike_maps", "layer": LAYER, "neuron": (900, 0, 0)}, "has no neuron 900.0.0; its shape is"),
        ({"page": "spike_maps", "laeyr": LAYER}, "spike_maps has no option 'laeyr'; there are channel, layer"),
        ({"page": "overview", "layer": LAYER}, "overview has no option 'layer'; there are none"),
        ({"page": "spike_maps", "side": "C"}, "side is one of A, B, A−B, not 'C'"),
        ({"page": "events", "cut": "fair"}, "cut takes number, time, count, not 'fair'"),
        ({"page": "events", "slice_number": 0}, "slice_number takes whole numbers from 1 to 1000, not 0"),
        ({"page": "events", "cut": "time", "slice_time": 2.5}, "slice_time takes whole numbers from 1 to 60000"),
        ({"page": "events", "cut": "time", "slice_count": 5}, "events has no option 'slice_count'; there are at"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(call, why):
    with pytest.raises(ValueError, match=why.replace("(", r"\(")) as raised:
        view(**call)
    assert str(raised.value).endswith(".") and "\n" not in str(raised.value)


@needs(FASHION, SDM)
def test_an_input_of_another_kind_is_one_sentence():
    recording = read_upload(npy(rows()), "mine.npy", "fashion-dvs", SDM, turn=True)
    for page, checkpoint, shown in (("spike_maps", FASHION, recording), ("events", SDM, brought(False))):
        with pytest.raises(ValueError, match="made for another network"):
            view(page, checkpoint, shown)
    assert view("events", SDM, recording)


# ---- addresses and presets


@TRAINED
def test_the_scene_of_an_address():
    page = find_page("spike_maps")
    scene, notices = scene_at(page, {"maps_T": "2", "input": "3", "maps_layer": LAYER, "maps_neuron": "1.2.3"})
    assert not notices and scene.now.experiment == Experiment(FASHION, "test/3", 0, (TimeSteps(2),))
    assert (scene.layer, scene.neuron, scene.now.status_text) == (
        LAYER,
        (1, 2, 3),
        "T=2 threshold=1.00 tau=2.00 seed=0",
    )
    scene, notices = scene_at(page, {"maps_T": "99", "maps_layer": LAYER, "maps_neuron": "900.0.0"})
    assert len(notices) == 2 and "maps_T=99" in notices[0] and "has no neuron 900.0.0" in notices[1]
    assert scene.now.experiment == Experiment(FASHION) and scene.layer == LAYER


@needs(FASHION, "spikformer-v2-mae-fashion")
def test_what_cannot_be_compared_is_released_with_a_sentence():
    scene, (notice,) = scene_at(find_page("spike_maps"), {"maps_A": "checkpoint:spikformer-v2-mae-fashion"})
    assert notice.startswith("A is released: an autoencoder") and scene.compared is None
    assert [name for name, _ in scene.runs] == ["B"]


@TRAINED
def test_a_preset_and_what_a_url_says_beside_it():
    page = find_page("spike_maps")
    assert query_of(page) == {}
    assert query_of(page, "one-step") == dict(page.preset("one-step").address)
    said = query_of(page, "one-step", "http://127.0.0.1:8501/spike_maps?maps_T=3&input=5&maps_A=T:4,input:2")
    assert said == {**page.preset("one-step").address, "maps_T": "3", "input": "5", "maps_A": "T:4,input:2"}
    assert query_of(page, url="?maps_T=3") == query_of(page, url="maps_T=3") == {"maps_T": "3"}
    own = Preset("own", "", "", "", {"maps_T": "2"})
    assert query_of(page, own) == {"maps_T": "2"}
    with pytest.raises(ValueError, match="spike_maps has no preset 'nope'; there are fig8, fig9, one-step"):
        query_of(page, "nope")


@TRAINED
def test_another_layer_is_another_pass_with_the_same_numbers():
    """Membranes are kept of one layer alone; what is derived from the spikes is derived once."""
    one, other = (scene_of(find_page("spike_maps"), maps_layer=layer).now for layer in (LAYER, "stem.stages.1"))
    assert one.computed is not other.computed and one.numbers is other.numbers
    assert one.recording.output.equal(other.recording.output)
    assert other.numbers.nsfr.equal(sv.metrics.nsfr(other.recording))


@pytest.mark.parametrize(("page", "preset"), presets())
def test_every_preset_is_shown_and_leaves_as_files(page: Page, preset: Preset):
    scene, notices = scene_at(page, query_of(page, preset))
    found = page_figures(scene)
    assert not notices and found and preset.title and preset.source and preset.about.endswith(".")
    assert all(each.export(kind) for each in found for kind in ("csv", "npz"))


# ---- what is taken along


@needs(FASHION, SDM, "mst-fashion")
@pytest.mark.parametrize(
    ("file", "query"),
    [
        ("overview", {"input": "3"}),
        ("spike_maps", {"maps_T": "2", "input": "12", "maps_layer": LAYER, "seed": "3"}),
        ("random_masks", {"rsm_ratio": "0.50", "rsm_ratio2": "0.25", "rsm_part": "distributions", "rsm_T": "4"}),
        ("events", {"events_cut": "time", "events_slice": "40", "events_T": "6", "input": "2", "events_show": "on"}),
    ],
)
def test_the_python_of_a_scene_makes_its_figures(file, query):
    scene = scene_of(find_page(file), **query)
    given: dict = {}
    exec(python(scene), given)
    np.testing.assert_allclose(given["recording"].output, scene.now.recording.output, atol=1e-5)
    here = page_figures(scene)
    assert [each.title for each in given["figures"]] == [each.title for each in here]
    for one, other in zip(given["figures"], here, strict=True):
        for name, values in other.chart.arrays().items():
            np.testing.assert_array_equal(one.chart.arrays()[name], values)


@TRAINED
def test_the_python_of_two_settings_makes_both():
    scene = scene_of(find_page("spike_maps"), maps_A="input:4,T:2", maps_layer=LAYER)
    given: dict = {}
    exec(python(scene), given)
    assert given["maps"].shape[0] == 4 and given["compared_maps"].shape[0] == 2 and "figures" not in given
    np.testing.assert_allclose(given["compared"].output, scene.compared.recording.output, atol=1e-5)


@pytest.mark.parametrize("file", pages())
def test_a_report_holds_every_figure(file):
    scene = scene_of(find_page(file))
    found = page_figures(scene)
    text = page_report(scene, found, provenance(scene))
    assert text.count("<svg") >= len(found) and scene.card.name in text and scene.now.status_text in text
    assert "sv.simulate(model, x" in text and "<dd>0 ms" not in text


@TRAINED
def test_the_start_page_leads_to_every_other_page():
    links = [
        item for item in items_of(find_page("overview").body(scene_of(find_page("overview")))) if isinstance(item, Link)
    ]
    assert [link.page for link in links] == [file for file in PAGES if file != "overview"]
    assert all(link.label.startswith(find_page(link.page).title) for link in links)
