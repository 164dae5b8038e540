"""Addresses: what a page is set to goes into one and comes back whole; what does not work is one sentence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from support.networks import needs, pages

from spikeviz.data.ingest import Input
from spikeviz.interventions import FiringThreshold, MaskSpikes, TimeConstant, TimeSteps
from spikeviz.views import address
from spikeviz.views.address import ALL, MEAN, Parameter, State, as_query, as_text, neuron_of
from spikeviz.views.experiment import Experiment
from spikeviz.views.host import scene_at
from spikeviz.views.inputs import Uploads, source_of
from spikeviz.views.page import Page, find_page
from spikeviz.views.runs import network
from spikeviz.views.settings import whole

FASHION, OTHER = "spikformer-fashion", "e-spikeformer-fashion-sfa4"
TRAINED = needs(FASHION)


def first(page: Page) -> State:
    return State(Experiment(page.networks.default()))


def read(
    page: Page,
    query: Mapping[str, str],
    uploads: Uploads | None = None,
    state: State | None = None,
    complete: bool = True,
) -> tuple[State, list[str]]:
    """The state that an address names, beginning with a first visit, and what did not work."""
    network_first = [address.checkpoint_parameter(page.networks)]
    state, notices = address.read(network_first, state or first(page), query, complete)
    others = address.parameters(page, state, uploads or {}, query)
    state, more = address.read(others, state, query, complete)
    return state, [*notices, *more]


def write(page: Page, state: State, uploads: Uploads | None = None) -> dict[str, str]:
    """The address of a state."""
    known = [address.checkpoint_parameter(page.networks), *address.parameters(page, state, uploads or {}, {})]
    return address.write(known, state)


def same(one: State, other: State) -> bool:
    """Whether two states say the same; what is looked at and not chosen is None or not there."""
    looks = [{name: value for name, value in state.looks.items() if value is not None} for state in (one, other)]
    return (one.experiment, one.compared) == (other.experiment, other.compared) and looks[0] == looks[1]


def round_trip(page: Page, query: Mapping[str, str]) -> State:
    """The state of an address that works, and whose own address names the same state."""
    state, notices = read(page, query)
    assert not notices, notices
    written = write(page, state)
    again, notices = read(page, as_query(f"?{as_text(written)}"))
    assert not notices, notices
    assert same(again, state), (again, state)
    assert write(page, again) == written
    return state


# ---- every page


@pytest.mark.parametrize("file", pages())
def test_a_first_visit_has_a_short_address(file):
    page = find_page(file)
    state = round_trip(page, {})
    layer = {f"{page.key}_layer": state.look("layer")} if page.first else {}
    assert write(page, state) == {"checkpoint": page.networks.default(), "input": "0"} | layer
    assert not state.experiment.interventions and state.compared is None and state.experiment.seed == 0


@pytest.mark.parametrize("file", pages())
def test_every_slider_goes_into_the_address_and_back(file):
    page = find_page(file)
    for checkpoint in page.networks.names():
        start, _ = read(page, {"checkpoint": checkpoint})
        settings = page.settings(network(address.all_checkpoints()[checkpoint]).model, start.experiment)
        for setting in (s for s in settings if page.first and s.form == "slider"):
            low, high = setting.bounds.slider
            middle = low + (high - low) / 3
            for value in (low, round(middle) if setting.bounds.whole else round(middle, 2), high):
                name, text = f"{page.key}_{setting.name}", setting.text(value)
                state = round_trip(page, {"checkpoint": checkpoint, name: text})
                assert setting.value(state.experiment) == pytest.approx(value)
                assert write(page, state).get(name) == (None if value == setting.trained else text)
            for bad in (f"{low - 1}", f"{high + 1}", "x", "", "nan", "1e999"):
                state, (notice,) = read(page, {"checkpoint": checkpoint, name: bad})
                assert name in notice and notice.endswith(".") and same(state, start)


@pytest.mark.parametrize("file", pages())
def test_every_tab_and_every_preset_has_an_address(file):
    page = find_page(file)
    name = f"{page.key}_part"
    for number, tab in enumerate(page.tabs):
        state = round_trip(page, {name: tab})
        assert write(page, state).get(name) == (tab if number else None)
    for preset in page.presets:
        written = write(page, round_trip(page, preset.address))
        same_page, _ = read(page, {"checkpoint": written["checkpoint"]})
        for part, text in preset.address.items():  # all of it, but for what is at its default
            alone, _ = read(page, {"checkpoint": written["checkpoint"], part: text})
            assert part in written or same(alone, same_page), part
    if page.tabs:
        state, (notice,) = read(page, {name: "nothing"})
        assert name in notice and all(tab in notice for tab in page.tabs) and same(state, read(page, {})[0])


@pytest.mark.parametrize("file", pages())
def test_input_and_seed(file):
    page = find_page(file)
    for number in ("1", "777"):
        state = round_trip(page, {"input": number, "seed": "2147483647"})
        assert state.experiment.source == f"test/{number}" and state.experiment.index == int(number)
        assert state.experiment.seed == 2**31 - 1
        assert {"input": number, "seed": "2147483647"}.items() <= write(page, state).items()


@pytest.mark.parametrize("file", [page for page in pages() if page.values[0] != "overview"])
def test_another_setting_to_compare_with(file):
    page = find_page(file)
    name = f"{page.key}_A"
    for text in ("input:0", "input:12", "input:12,seed:7"):
        state = round_trip(page, {name: text, "input": "3"})
        assert write(page, state)[name] == text and state.compared.checkpoint == state.experiment.checkpoint
    state = round_trip(page, {name: "seed:7", "input": "3"})  # the same input where none is named
    assert state.compared.source == "test/3" and write(page, state)[name] == "input:3,seed:7"
    others = [checkpoint for checkpoint in page.networks.names() if checkpoint != page.networks.default()]
    for checkpoint in others[:1]:
        state = round_trip(page, {name: f"checkpoint:{checkpoint},input:5"})
        assert state.compared == Experiment(checkpoint, "test/5")
        assert write(page, state)[name] == f"checkpoint:{checkpoint},input:5"


# ---- links that people have

LINKS = [
    ("spike_maps", {"maps_T": "2", "maps_threshold": "0.50", "input": "12", "maps_layer": "stem.stages.2"}),
    ("spike_maps", {"maps_T": "6", "maps_threshold": "0.70", "maps_layer": "blocks.1.attn.v", "maps_channel": "5"}),
    ("spike_maps", {"maps_T": "1", "maps_A": "input:0,T:2", "maps_side": "diff", "maps_step": "2"}),
    ("spike_maps", {"maps_A": "input:4,T:2", "maps_tau": "3.00", "seed": "3", "maps_channel": "all"}),
    ("spike_maps", {"maps_A": "input:3,threshold:0.60", "maps_side": "A", "maps_neuron": "1.2.3"}),
    ("channel_masks", {"dmeb_threshold": "0.60", "dmeb_T": "4", "input": "3"}),
    ("channel_masks", {"dmeb_threshold": "0.80", "dmeb_A": "input:0,threshold:0.20"}),
    ("random_masks", {"rsm_ratio": "0.30", "rsm_sites": "k.MLP", "rsm_blocks": "0.2-3", "seed": "7", "rsm_T": "4"}),
    ("random_masks", {"rsm_ratio": "0.50", "rsm_ratio2": "0.75", "rsm_sites3": "scores", "rsm_ratio3": "0.10"}),
    ("random_masks", {"rsm_A": "input:0,ratio:0.50,sites:q,blocks:1,ratio2:0.75", "rsm_part": "distributions"}),
    ("random_masks", {"checkpoint": "mst-vgg16-fashion", "rsm_ratio": "0.50", "rsm_blocks": "0.2-3"}),
    ("integer_firing", {"sfa_D": "2", "sfa_T": "2", "sfa_layer": "blocks.0.mlp.hidden", "sfa_part": "patterns"}),
    ("integer_firing", {"sfa_D": "3", "sfa_rate": "0.7", "sfa_part": "cost"}),
    ("integer_firing", {"sfa_D": "8", "sfa_A": "input:3,D:1"}),
    ("reconstruction", {"mae_mask_ratio": "0.43", "mae_patches": "0-20", "mae_part": "levels"}),
    ("reconstruction", {"checkpoint": "spike-mae-cifar", "mae_D": "2", "mae_T": "2", "mae_part": "sparse"}),
    ("reconstruction", {"mae_part": "training", "mae_epoch": "3", "mae_layer": "encoder.stem.stages.0.down"}),
    ("events", {"events_cut": "time", "events_slice": "50", "input": "3", "events_T": "6"}),
    ("events", {"events_cut": "count", "events_at": "120", "events_window": "all", "events_show": "off"}),
    ("events", {"events_slice": "7", "events_window": "20", "events_A": "input:4,T:3"}),
    ("overview", {"input": "12"}),
]  # fmt: skip
CHECKPOINTS = {
    "channel_masks": ("sdmformer-fashion-dvs",),
    "random_masks": ("mst-fashion", "mst-vgg16-fashion"),
    "reconstruction": ("spikformer-v2-mae-fashion", "spike-mae-cifar"),
    "integer_firing": (OTHER,),
    "events": ("sdmformer-fashion-dvs",),
}


@pytest.mark.parametrize(
    ("file", "link"),
    [pytest.param(file, link, marks=needs(*CHECKPOINTS.get(file, (FASHION,)), data=False)) for file, link in LINKS],
    ids=lambda value: value if isinstance(value, str) else as_text(value),
)
def test_a_link_says_what_it_said(file, link):
    page = find_page(file)
    written = write(page, round_trip(page, link))
    assert link.items() <= written.items()
    assert written.keys() - link.keys() <= {"checkpoint", "input", f"{page.key}_layer"}


@TRAINED
def test_what_an_address_says_is_what_is_computed():
    page = find_page("spike_maps")
    query = {"maps_T": "2", "maps_threshold": "0.6049", "maps_tau": "3", "input": "12", "seed": "5", "maps_A": "T:3"}
    state, notices = read(page, query)
    rules = (TimeSteps(2), FiringThreshold(0.6), TimeConstant(3.0))  # rounded to what the address can say
    assert not notices and state.experiment == Experiment(FASHION, "test/12", 5, rules)
    assert state.compared == Experiment(FASHION, "test/12", 0, (TimeSteps(3),))
    looks = {"maps_step": "2", "maps_channel": "7", "maps_side": "diff", "maps_neuron": "5.3.3"}
    state = round_trip(page, {**looks, "maps_layer": "blocks.0.attn.q"})
    assert [state.look(name) for name in ("layer", "step", "channel", "side")] == ["blocks.0.attn.q", 2, 7, "A−B"]
    assert state.look(neuron_of(FASHION, "blocks.0.attn.q")) == (5, 3, 3)
    assert read(page, {})[0].look("channel") == MEAN and read(page, {"maps_channel": "all"})[0].look("channel") == ALL


@needs("mst-fashion")
def test_several_masks_keep_their_order():
    page = find_page("random_masks")
    state = round_trip(page, {"rsm_ratio": "0.75", "rsm_ratio2": "0.25", "rsm_ratio3": "0.50", "rsm_T": "4"})
    assert [rule.ratio for rule in state.experiment.of_kind(MaskSpikes)] == [0.75, 0.25, 0.5]
    fewer, _ = read(page, {"rsm_ratio": "0.75"}, state=state)
    assert [rule.ratio for rule in fewer.experiment.of_kind(MaskSpikes)] == [0.75]


# ---- what an address leaves out


@TRAINED
def test_what_is_left_out_is_the_default_or_stays():
    page = find_page("spike_maps")
    state = round_trip(page, {"maps_T": "2", "maps_A": "T:3", "input": "5", "maps_step": "1"})
    stays, notices = read(page, {"maps_tau": "3.00"}, state=state, complete=False)
    assert not notices and stays.experiment.interventions == (TimeSteps(2), TimeConstant(3.0))
    assert stays.compared == state.compared and stays.look("step") == 1 and stays.experiment.source == "test/5"
    fresh, _ = read(page, {"maps_tau": "3.00"}, state=state)
    assert fresh.experiment == Experiment(FASHION, "test/0", 0, (TimeConstant(3.0),))
    assert fresh.compared is None and fresh.look("step") == 0


@needs(FASHION, OTHER)
def test_another_network_starts_as_it_was_trained():
    page = find_page("spike_maps")
    state = round_trip(page, {"maps_T": "2"})
    other, notices = read(page, {"checkpoint": OTHER}, state=state, complete=False)
    assert not notices and other.experiment == Experiment(OTHER)
    same_network, _ = read(page, {"checkpoint": FASHION}, state=state, complete=False)
    assert same_network.experiment == state.experiment


@TRAINED
def test_a_name_that_no_page_knows_says_nothing():
    page = find_page("spike_maps")
    state, notices = read(page, {"utm_source": "mail", "rsm_ratio": "0.5", "maps_": "1"})
    assert not notices and same(state, read(page, {})[0])


# ---- what does not work

MAPS = {
    "checkpoint": ["nobody", "spikformer-v2-mae-fashion", ""],
    "input": ["10000", "-1", "x", "upload-123", "1.5"],
    "seed": ["-1", "0" * 12 + "9" * 30, "2147483648", "x", "²"],
    "maps_T": ["99", "0", "2.5"],
    "maps_A": ["input:0,X:3", "T:99", "input:99999", "input:zz", "input:upload-00", "checkpoint:nobody", "", "seed:x"],
    "maps_layer": ["nowhere", ""],
    "maps_step": ["x", "-1"],
    "maps_channel": ["most", "-1", ""],
    "maps_side": ["C", ""],
    "maps_neuron": ["1.2", "a.b.c", "1.2.3.4", "1..2", "-1.0.0"],
}
OTHERS = {
    "channel_masks": {"dmeb_threshold": ["2"], "dmeb_part": ["nothing"], "checkpoint": [FASHION]},
    "random_masks": {
        "rsm_sites": ["convolution", ""],
        "rsm_blocks": ["9", "1-0", "x"],
        "rsm_ratio2": ["2"],
        "rsm_ratio9": ["0.5"],
        "rsm_part": ["nothing"],
        "checkpoint": ["spike-mae-cifar"],
    },
    "integer_firing": {"sfa_D": ["0", "1.5"], "sfa_rate": ["2", "x", "nan"], "sfa_part": ["nothing"]},
    "reconstruction": {
        "mae_patches": ["49", "0-99", "x", "5-1"],
        "mae_epoch": ["-1", "x"],
        "mae_mask_ratio": ["2"],
        "checkpoint": [FASHION],
    },
    "events": {
        "events_cut": ["fair"],
        "events_slice": ["0", "x", "1001"],
        "events_window": ["7"],
        "events_show": ["up"],
        "events_at": ["-1", "10000000000"],
        "checkpoint": [FASHION],
    },
}
BAD = [
    pytest.param(file, name, text, marks=needs(*CHECKPOINTS.get(file, (FASHION,)), data=False))
    for file, names in ({"spike_maps": MAPS} | OTHERS).items()
    for name, texts in names.items()
    for text in texts
]


@pytest.mark.parametrize(("file", "name", "text"), BAD)
def test_what_does_not_work_is_one_sentence_and_the_default(file, name, text):
    page = find_page(file)
    state, notices = read(page, {name: text})
    assert len(notices) == 1 and notices[0].startswith(f"The address says {name}={text[:40]}, which does not work")
    assert notices[0].endswith(".") and "\n" not in notices[0]
    default, _ = read(page, {name: "0.50"} if name == "rsm_ratio2" else {})
    if name == "rsm_ratio2":  # a second mask was asked for: it starts as a second one does
        assert len(state.experiment.of_kind(MaskSpikes)) == 2
    else:
        assert same(state, default)


@TRAINED
def test_each_part_that_does_not_work_has_its_own_sentence():
    page = find_page("spike_maps")
    bad = {"maps_T": "99", "input": "x", "maps_side": "C"}
    state, notices = read(page, {**bad, "maps_tau": "3.00"})
    assert len(notices) == 3 and all(any(f"says {name}=" in notice for notice in notices) for name in bad)
    assert state.experiment == Experiment(FASHION, interventions=(TimeConstant(3.0),))


@pytest.mark.parametrize("text", ["", "-1", "11", "1.0", " 1", "1_0", "٣", "²", "0" * 13])
def test_a_whole_number_is_digits_of_a_range(text):
    with pytest.raises(ValueError, match=r"^it is a number from 0 to 10\.$"):
        whole(text, "it", 0, 10)
    assert whole("007", "it", 0, 10) == 7 and whole("0", "it", 0, 10) == 0 and whole("10", "it", 0, 10) == 10


def test_a_parameter_that_fails_falls_back_and_the_others_are_read():
    def take(state: State, text: str | None) -> State:
        return state.looking("a", whole(text or "1", "a", 1, 9))

    def write_a(state: State) -> str | None:
        return None if state.look("a") == 1 else str(state.look("a"))

    known = [
        Parameter("a", take, write_a),
        Parameter("b", lambda state, text: state.looking("b", text), lambda _: None),
    ]
    state, (notice,) = address.read(known, State(Experiment("x")), {"a": "0" * 99, "b": "said"})
    assert state.looks == {"a": 1, "b": "said"} and "0" * 40 in notice and "0" * 41 not in notice
    state, _ = address.read(known, state, {"a": "7"}, complete=False)
    assert state.looks == {"a": 7, "b": "said"} and address.write(known, state) == {"a": "7"}
    always = [Parameter("a", take, write_a, always=True)]
    assert address.read(always, state, {}, complete=False)[0].look("a") == 1


# ---- what a person brought


@TRAINED
def test_an_upload_stays_in_its_session():
    page = find_page("spike_maps")
    shown = Input(torch.from_numpy(np.linspace(0, 1, 784, dtype=np.float32).reshape(1, 28, 28)), "your picture")
    source = source_of(shown)
    uploads, text = {source: shown}, source.replace("/", "-")
    for query in ({"input": text}, {"maps_A": f"input:{text},T:2", "input": "3"}):
        state, notices = read(page, query, uploads)
        assert not notices and query.items() <= write(page, state, uploads).items()
        assert source in (state.experiment.source, state.compared and state.compared.source)
        _, (notice,) = read(page, query)
        assert "an upload stays in the session that brought it; the link under Share" in notice
    other = Input(shown.pixels.flip(-1), "your picture")
    assert source_of(other) != source == source_of(Input(shown.pixels.clone(), "the same"))


# ---- text


def test_an_address_is_text_and_back():
    query = {"maps_A": "input:12,T:2,sites:q.k", "b": "a b&c=d?", "c": "ä−", "empty": ""}
    text = as_text(query)
    assert "maps_A=input:12,T:2" in text and as_query(f"http://127.0.0.1:8501/spike_maps?{text}") == query
    assert as_query("?") == {} == as_query("")


def test_unknown_parts_are_named_in_one_sentence():
    page = find_page("spike_maps")
    scene, notices = scene_at(page, {"maps_T": "2", "maps_treshold": "0.5", "dmeb_threshold": "0.4", "plain": "1"})
    (said,) = notices
    assert said.startswith("The address says maps_treshold, dmeb_threshold, which nothing here reads; there are ")
    assert "maps_threshold" in said and scene.now.status_text.startswith("T=2")
    assert scene_at(page, {"maps_T": "2", "plain": "1"})[1] == []
