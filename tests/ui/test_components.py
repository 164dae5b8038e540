"""Components: what is sent arrives, what comes back is checked, and scripts share what they have in common."""

from __future__ import annotations

import base64
import importlib
import io
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from spikeviz.artifacts.packed_spikes import LayerSpikes, PackedSpikes
from spikeviz.data.events import EventRecording
from spikeviz.figures.events import Cloud
from spikeviz.figures.pictures import Pictures
from spikeviz.figures.theme import rate_colours
from spikeviz.ui import components
from spikeviz.ui.components import live_slider, sketch_pad
from spikeviz.ui.components.register import ROOM, source
from spikeviz.ui.kit import session
from spikeviz.views import address, player_data, viewer_data
from spikeviz.views.address import ALL, MEAN, State, all_checkpoints
from spikeviz.views.experiment import Experiment
from spikeviz.views.player_data import PlayerData
from spikeviz.views.scene import is_neuron
from spikeviz.views.viewer_data import PatchData, Side, ViewerData

NAMES = sorted(path.name for path in ROOM.iterdir() if (path / f"{path.name}.js").exists())
SCRIPTS = sorted(ROOM.rglob("*.js"))
NODE = shutil.which("node")
BY_NODE = pytest.mark.skipif(NODE is None, reason="node is not installed: it runs the scripts without a browser")
CARD = "spikformer-fashion"


def packed(steps: int = 3) -> PackedSpikes:
    spikes = np.random.default_rng(steps).random((steps, 5, 4, 3)) < 0.4
    pixels = np.linspace(0, 1, 12, dtype=np.float32).reshape(1, 4, 3)
    return PackedSpikes({"a.b": LayerSpikes.of(spikes)}, pixels, {"steps": steps, "logits": [0.0]})


def viewer() -> ViewerData:
    return ViewerData([Side("A", "T=1", packed(2)), Side("B", "T=3", packed())], "a.b", (1, 2, 0))


def events(count: int, length: int = 300_000, height: int = 30, width: int = 34) -> EventRecording:
    rng = np.random.default_rng(count)
    t = np.sort(rng.integers(0, length, count)) + 1_000
    x, y = rng.integers(0, width, count), rng.integers(0, height, count)
    return EventRecording(t, x, y, rng.random(count) < 0.5, height, width)


def cloud(count: int = 50) -> Cloud:
    e = events(count)
    return Cloud("cloud", (e.t - e.t[0]) / 1000, e.x, e.y, e.p, e.height, e.width)


def patches(changed=lambda experiment, hidden: experiment.but(seed=sum(hidden))) -> PatchData:
    images = np.random.default_rng(0).random((3, 1, 8, 8))
    pictures = Pictures("pictures", images, ["original", "masked", "made"])
    return PatchData(pictures, ["n1", "n2", "n3"], 4, [0, 5], "mask_ratio=0.12", changed)


def split(content: bytes) -> tuple[dict, bytes]:
    length = int.from_bytes(content[:4], "little")
    return json.loads(content[4 : 4 + length]), content[4 + length :]


# ---- what is sent


def test_the_spikes_and_the_input_of_both_sides_are_sent():
    data = viewer()
    head, body = split(viewer_data.payload(data, viewer_data.view_of(data, {"step": 2}), 7))
    assert head["seq"] == 7 and head["status_text"] == "T=1 / T=3"
    assert head["view"] == {"layer": "a.b", "neuron": [1, 2, 0], "side": "B", "step": 2, "channel": MEAN}
    assert [(side["name"], side["status_text"]) for side in head["sides"]] == [("A", "T=1"), ("B", "T=3")]
    for sent, side in zip(head["sides"], data.sides, strict=True):
        layer, own = sent["layers"]["a.b"], side.packed.layers["a.b"]
        bits = np.frombuffer(body[layer["at"] :], np.uint8, count=len(own.bits))
        count = int(np.prod(layer["shape"]))
        spikes = np.unpackbits(bits, count=count, bitorder="little").reshape(layer["shape"])
        np.testing.assert_array_equal(spikes, own.spikes)
        image = np.frombuffer(body[sent["image"]["at"] :], np.uint8, count=12).reshape(sent["image"]["shape"])
        np.testing.assert_allclose(image / 255, side.packed.pixels, atol=0.5 / 255 + 1e-6)
    tables = head["colours"]
    assert body[tables["rate"] :].startswith(rate_colours().tobytes()) and len(body) >= tables["difference"] + 768


@pytest.mark.parametrize("length", [300_000, 3_000, 2**35])
def test_the_player_gets_the_recording(length):
    e = events(500, length)
    head, body = split(player_data.payload(PlayerData(e, "a recording"), {"at": 3}, 7))
    assert head["seq"] == 7 and head["events"] == 500 and head["status_text"] == "a recording"
    assert len(body) == 500 * 9
    t = np.frombuffer(body[:2000], "<u4").astype(np.int64) * head["tick"]
    assert np.abs(t - (e.t - e.t[0])).max() < head["tick"] <= length // 2**32 + 1
    ends = ((2000, 3000, "<u2"), (3000, 4000, "<u2"), (4000, 4500, "u1"))
    columns = [np.frombuffer(body[start:end], kind) for start, end, kind in ends]
    assert all((sent == own).all() for sent, own in zip(columns, (e.x, e.y, e.p), strict=True))
    assert head["windows"][-1] == player_data.WHOLE and all(w * 1000 < length for w in head["windows"][:-1])


def test_the_player_gets_no_more_than_it_can_play(monkeypatch):
    monkeypatch.setattr(player_data, "SENT", 100)
    e = events(1_000)
    which = player_data.thinned(e, 100)
    assert len(which) == 100 and which[0] == 0 and which[-1] == 999 and np.ptp(np.diff(which)) <= 1
    assert player_data.thinned(e, 2_000).tolist() == list(range(1_000))
    assert len(split(player_data.payload(PlayerData(e, ""), {}, 0))[1]) == 900


def test_the_player_starts_where_most_happens():
    t = np.concatenate([np.arange(0, 300_000, 3_000), np.arange(100_000, 110_000, 100)])
    e = EventRecording(np.sort(t), *np.zeros((3, len(t)), int), 1, 1)
    assert player_data.first_window(e) == 20
    assert [player_data.busiest(e, window) for window in (20, 10, player_data.WHOLE)] == [120, 110, 297]
    assert player_data.view_of(e, {}) == {"at": 120, "window": 20, "show": "both"}
    assert player_data.view_of(e, {"at": 7, "window": 10, "show": "on"}) == {"at": 7, "window": 10, "show": "on"}
    assert player_data.view_of(e, {"window": 1000})["window"] == 20  # longer than the recording
    alone = EventRecording(*np.zeros((4, 1), int), 1, 1)
    assert player_data.windows(alone) == (0,) and player_data.first_window(alone) == 0
    assert player_data.busiest(alone, 0) == 0
    hours = EventRecording(np.array([0, 10**11]), *np.zeros((3, 2), int), 1, 1)
    assert player_data.busiest(hours, 1) > 0


def test_the_cloud_gets_its_events():
    drawn = cloud()
    head, body = split(player_data.cloud_payload(drawn))
    assert head["events"] == 50 and len(body) == 50 * 9 and (head["height"], head["width"]) == (30, 34)
    t = np.frombuffer(body[:200], "<u4") / (2**32 - 1) * head["duration"]
    np.testing.assert_allclose(t, drawn.t, atol=1e-6)


def test_the_patch_grid_gets_its_pictures():
    sent = viewer_data.patch_payload(patches(), 3)
    assert (sent["seq"], sent["side"], sent["hidden"]) == (3, 4, [0, 5])
    assert [picture["grid"] for picture in sent["pictures"]] == [False, True, False]
    original, masked, made = (picture["src"] for picture in sent["pictures"])
    assert original == masked != made  # the grid hides the patches: what it shows again is there at once


def test_what_is_looked_at_stands_in_the_address():
    known = player_data.parameters("events")
    state, notices = address.read(known, State(Experiment(CARD)), {"events_at": "120", "events_window": "all"})
    assert not notices and (state.look("at"), state.look("window"), state.look("show")) == (120, 0, "both")
    assert address.write(known, state) == {"events_at": "120", "events_window": "all"}
    wrong = {"events_at": "-1", "events_window": "3", "events_show": "none"}
    state, notices = address.read(known, state, wrong)
    assert len(notices) == 3 and address.write(known, state) == {}
    state, _ = address.read(known, state, {"events_show": "off", "events_window": "20"})
    assert address.write(known, state) == {"events_show": "off", "events_window": "20"}


# ---- what comes back


@pytest.mark.parametrize(
    ("place", "there"),
    [
        ([0, 0, 0], True),
        ([4, 3, 2], True),
        ([5, 0, 0], False),
        ([0, -1, 0], False),
        ([0, 0], False),
        (None, False),
        ([0, 0, "1"], False),
        ([0.5, 0, 0], False),
    ],
)
def test_a_neuron_is_there_or_not(place, there):
    assert is_neuron(place, (3, 5, 4, 3)) is there
    looks = viewer_data.looks_of({"layer": "a.b", "neuron": place}, packed())
    assert looks == {"layer": "a.b"} | ({"neuron a.b": tuple(place)} if there else {})


@pytest.mark.parametrize(
    ("said", "looks"),
    [
        ({"side": "A−B", "step": 0, "channel": ALL}, {"side": "A−B", "step": 0, "channel": ALL}),
        ({"side": "C", "step": -1, "channel": 5}, {}),
        ({"side": ["A"], "step": 1.5, "channel": "1"}, {}),
        ({"step": 10**7, "channel": 4}, {"channel": 4}),
    ],
)
def test_a_view_is_taken_as_far_as_there_is_such_a_thing(said, looks):
    assert viewer_data.looks_of({"layer": "a.b", **said}, packed()) == {"layer": "a.b", **looks}
    for layer in ("c.d", None, ["a.b"]):
        assert viewer_data.looks_of({"layer": layer, **said}, packed()) == {}


@pytest.mark.parametrize(
    ("said", "looks"),
    [
        ({"at": 12, "window": 0, "show": "off"}, {"at": 12, "window": 0, "show": "off"}),
        ({"at": 1.5, "window": 3, "show": "none"}, {}),
        ({"at": -1, "window": [1], "show": ["on"]}, {}),
        ({}, {}),
    ],
)
def test_a_time_is_taken_as_far_as_there_is_such_a_thing(said, looks):
    assert player_data.looks_of(said) == looks


@pytest.fixture
def sent(monkeypatch):
    """What a component sends, and a session without a page."""
    st.session_state.clear()
    st.session_state[session.STATE] = State(Experiment(CARD))
    found = {}
    for name in NAMES:
        module = importlib.import_module(f"spikeviz.ui.components.{name}")
        monkeypatch.setattr(module, "part", lambda name: lambda **how: found.update(how))
    yield found
    st.session_state.clear()


@pytest.mark.parametrize(
    ("name", "data", "said", "looks"),
    [
        (
            "spike_viewer",
            viewer(),
            {"layer": "a.b", "step": 2, "neuron": [4, 0, 1]},
            {"step": 2, "neuron a.b": (4, 0, 1)},
        ),
        ("event_player", PlayerData(events(100), ""), {"at": 9, "window": 5, "show": "on"}, {"at": 9, "window": 5}),
    ],
)
def test_what_is_looked_at_is_in_the_state(sent, name, data, said, looks):
    components.show(name, data, "here")
    assert split(sent["data"])[0]["seq"] == 0
    st.session_state["here"] = {"view": {**said, "seq": 4}}
    sent["on_view_change"]()
    assert {look: session.look(look) for look in looks} == looks
    components.show(name, data, "here")
    head, _ = split(sent["data"])
    shown = {key: value for key, value in said.items() if key != "neuron"}  # a view says which neuron is shown
    assert head["seq"] == 4 and head["view"].items() >= shown.items()
    before = session.state()
    for nonsense in ("x", [1], None, {"seq": "x"}):
        st.session_state["here"] = {"view": nonsense}
        sent["on_view_change"]()
        components.show(name, data, "here")
    assert session.state().looks == before.looks and split(sent["data"])[0]["seq"] == 0


def test_hidden_patches_are_in_the_experiment(sent):
    components.show("patch_grid", patches(), "here")
    for wrong in ([16], [-1], "all", [True], [1.5], None):
        st.session_state["here"] = {"view": {"hidden": wrong}}
        sent["on_view_change"]()
    assert session.state().experiment == Experiment(CARD)
    for hidden, seed in (([3, 15], 18), ([], 0)):
        st.session_state["here"] = {"view": {"hidden": hidden, "seq": 1}}
        sent["on_view_change"]()
        assert session.state().experiment.seed == seed


def test_a_slider_hands_on_numbers_and_says_when_it_is_settled(sent):
    taken = []
    how = {"decimals": 2, "help": "", "key": "here", "take": taken.append}
    live_slider.slider("T", 0, 1, 0.1, 0.5, **how)
    assert (sent["data"]["label"], sent["data"]["value"], sent["data"]["seq"]) == ("T", 0.5, 0)
    for value in ({"value": 0.7, "settled": False, "seq": 1}, {"value": "0.8"}, {}, None, 0.9):
        st.session_state["here"] = {"value": value}
        sent["on_value_change"]()
    assert taken == [0.7] and not live_slider.settled() and live_slider.settled()
    st.session_state["here"] = {"value": {"value": 0.8, "settled": True, "seq": 2}}
    sent["on_value_change"]()
    live_slider.slider("T", 0, 1, 0.1, 0.8, **how)
    assert taken == [0.7, 0.8] and live_slider.settled() and sent["data"]["seq"] == 2


def test_a_drawing_becomes_the_input_and_nothing_else_does(sent, monkeypatch):
    monkeypatch.setattr(session, "plain", lambda: False)
    components.show("sketch_pad", all_checkpoints()[CARD], "here")
    assert sent["data"] == {"size": 28, "channels": 1}
    for wrong in ("nonsense", sketch_pad.START + "AAAA", sketch_pad.START + "A"):
        st.session_state["here"] = {"picture": wrong}
        sent["on_picture_change"]()
        assert session.refused().endswith(".") and not session.uploads()
    stream = io.BytesIO()
    Image.new("RGB", (28, 28), "white").save(stream, "PNG")
    st.session_state["here"] = {"picture": sketch_pad.START + base64.b64encode(stream.getvalue()).decode()}
    sent["on_picture_change"]()
    assert session.refused() is None
    (drawn,) = session.uploads().values()
    assert drawn.title == "your drawing" and drawn.wide is None and float(drawn.pixels.min()) == 1.0  # not inverted
    assert session.state().experiment.source in session.uploads()


# ---- the files


def test_every_component_has_its_files():
    assert len(NAMES) == 6 and {*NAMES} == {*components.COMPONENTS, "live_slider"}
    for name in NAMES:
        for file in ("__init__.py", f"{name}.js", f"{name}.css", f"{name}.html"):
            assert (ROOM / name / file).read_text(encoding="utf-8").strip(), file
    with pytest.raises(ValueError, match="there is no component 'viewer'"):
        components.show("viewer", None, "here")


@pytest.mark.parametrize("name", NAMES)
def test_a_component_is_one_script_with_one_export(name):
    script, html = source(name, "js"), source(name, "html")
    assert len(re.findall(r"^export ", script, re.M)) == len(re.findall(r"^export default ", script, re.M)) == 1
    assert not re.search(r"^import ", script, re.M)
    assert html.startswith('<div class="sv sv-')
    assert source(name, "css").startswith((ROOM / "shared.css").read_text(encoding="utf-8"))
    parts = set(re.findall(r'data-part="(\w+)"', html))
    named = re.findall(r"super\(root, \[(.*?)\]\)", script)[-1]
    wanted = set(re.findall(r'"(\w+)"', named))
    assert wanted <= parts and parts - wanted <= {"canvas", "play"}


def test_no_script_is_long():
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in SCRIPTS}
    assert len(lines) == 7 and max(lines.values()) <= 350, lines


def test_what_scripts_share_is_written_once():
    own = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS if path.stem != "shared")
    shared = (ROOM / "shared.js").read_text(encoding="utf-8")
    names = re.findall(r"^(?:function|class|const) (\w+)", shared, re.M)
    assert len(names) >= 10
    again = [name for name in names if re.search(rf"(?:function|class|const|let) {name}\b", own)]
    assert not again
    for body in ("new WeakMap", "getUint32", "devicePixelRatio", "new ResizeObserver", "new ImageData", "ArrowLeft"):
        assert shared.count(body) == 1 and body not in own, body


def test_a_component_is_read_when_it_is_shown():
    code = (
        "import sys, spikeviz.ui.kit.settings, spikeviz.ui.components\n"
        "from spikeviz.ui.components import register\n"
        "assert register.part.cache_info().misses == 0\n"
        "print(*(name for name in sys.modules if name.startswith('spikeviz.ui.components.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert {*done.stdout.split()} <= {f"spikeviz.ui.components.{name}" for name in ("register", "live_slider")}


def test_the_page_carries_what_is_sent():
    """Through Streamlit itself: a component is there a second time, and the same one in the next session."""

    def page(shown):
        shown()

    for _ in range(2):
        app = AppTest.from_function(page, default_timeout=60, args=(shown,)).run().run()
        assert not app.exception, [error.value for error in app.exception]
        found = {element.proto.component_name: element.proto for element in app.get("bidi_component")}
        assert {*found} == {f"spikeviz_{name}" for name in ("spike_viewer", "event_cloud", "live_slider")}
        data = viewer()
        wanted = viewer_data.payload(data, viewer_data.view_of(data, {}), 0)
        assert found["spikeviz_spike_viewer"].bytes == wanted
        assert not any(element.isolate_styles for element in found.values())
        assert found["spikeviz_event_cloud"].js_content == source("event_cloud", "js")


# ---- the scripts, run without a browser


def run(script: str, folder) -> str:
    """What a script prints."""
    file = folder / "script.mjs"
    file.write_text(script, encoding="utf-8")
    done = subprocess.run([NODE, file], capture_output=True, text=True, check=False, timeout=60)
    assert not done.returncode, done.stderr
    return done.stdout


@BY_NODE
@pytest.mark.parametrize("name", NAMES)
def test_a_script_has_no_error(name, tmp_path):
    file = tmp_path / f"{name}.mjs"
    file.write_text(source(name, "js"), encoding="utf-8")
    done = subprocess.run([NODE, "--check", file], capture_output=True, text=True, check=False, timeout=60)
    assert not done.returncode, done.stderr


@BY_NODE
def test_the_scripts_read_what_is_sent(tmp_path):
    data, e = viewer(), events(7)
    (tmp_path / "viewer").write_bytes(viewer_data.payload(data, viewer_data.view_of(data, {}), 2))
    (tmp_path / "player").write_bytes(player_data.payload(PlayerData(e, ""), {}, 2))
    script = (
        source("spike_viewer", "js")
        + """
        import { readFileSync } from "node:fs";
        const read = (name) => unpack(new Uint8Array(readFileSync(new URL(name, import.meta.url))));
        const viewer = Object.assign(Object.create(SpikeViewer.prototype), read("viewer"), { cache: new Map() });
        viewer.view = viewer.head.view;
        const events = unpackEvents(read("player"));
        console.log(JSON.stringify({
          spikes: [...viewer.spikes("B").values], rates: [...viewer.rates("B", 4)], seq: viewer.head.seq,
          difference: [...viewer.rates("A−B", 1)], when: [1, 4].map((step) => viewer.when(step)),
          events: Object.entries(events).map(([name, column]) => [name, [...column]]),
          none: unpack(new Uint8Array()) }));
    """
    )
    found = json.loads(run(script, tmp_path))
    a, b = (side.packed.layers["a.b"].spikes for side in data.sides)
    assert found["spikes"] == b.ravel().tolist() and found["seq"] == 2 and found["none"] is None
    np.testing.assert_allclose(found["rates"], b.mean(0).ravel(), atol=1e-6)
    assert found["difference"] == (a[0].astype(int) - b[0]).ravel().tolist()
    assert found["when"] == ["t = 1", "mean over t"]
    columns = dict(found["events"])
    assert columns["t"] == (e.t - e.t[0]).tolist()
    assert [columns[name] for name in "xyp"] == [e.x.tolist(), e.y.tolist(), e.p.astype(int).tolist()]


@BY_NODE
def test_a_component_is_made_once_for_a_place_and_reports_the_last_change(tmp_path):
    script = (
        source("live_slider", "js")
        + """
        class Shown extends Part {
          constructor(root) { super(root, ["a"]); made += 1; }
          take(data) { this.data = data; }
          close() { super.close(); closed += 1; }
        }
        let made = 0, closed = 0;
        const answers = [], place = { isConnected: true, querySelector: () => ({}) };
        const show = mount(Shown, "view"), once = mount(Shown, "picture", true);
        const how = { setStateValue: (...said) => answers.push(["state", ...said]),
          setTriggerValue: (...said) => answers.push(["trigger", ...said]) };
        const leave = [1, 2].map((data) => show({ data, parentElement: place, ...how }));
        leave[0]();  // Streamlit cleans up after the first of two runs in quick succession
        const part = MOUNTED.get(place);
        part.seq = 5;
        part.report(() => ({ at: 1 }), 5);
        part.report(() => ({ at: 2 }), 5);
        setTimeout(() => {
          place.isConnected = false;
          part.report(() => ({ at: 3 }), 5);
          leave[1]();
          once({ data: 1, parentElement: { ...place }, ...how });
          setTimeout(() => console.log(JSON.stringify({ answers, made, closed, data: part.data })), 20);
        }, 40);
    """
    )
    found = json.loads(run(script, tmp_path))
    assert found["answers"] == [["state", "view", {"at": 2, "seq": 5}]]
    assert (found["made"], found["closed"], found["data"]) == (2, 1, 2)


def shown():
    """What `test_the_page_carries_what_is_sent` shows."""
    if session.STATE not in st.session_state:
        st.session_state[session.STATE] = State(Experiment(CARD))
    components.show("spike_viewer", viewer(), "viewer")
    components.show("event_cloud", cloud(), "cloud")
    live_slider.slider("T", 0, 1, 0.1, 0.5, decimals=1, help="", key="slider", take=lambda value: None)
