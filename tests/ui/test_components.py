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
from support.shown import cloud, events, patches, split, viewer

from spikeviz.ui import components
from spikeviz.ui.components import live_slider, sketch_pad
from spikeviz.ui.components.register import ROOM, source
from spikeviz.ui.kit import session
from spikeviz.views import player_data, viewer_data
from spikeviz.views.address import State, all_checkpoints
from spikeviz.views.experiment import Experiment
from spikeviz.views.page import find_page
from spikeviz.views.player_data import PlayerData

NAMES = sorted(path.name for path in ROOM.iterdir() if (path / f"{path.name}.js").exists())
SCRIPTS = sorted(ROOM.rglob("*.js"))
NODE = shutil.which("node")
BY_NODE = pytest.mark.skipif(NODE is None, reason="node is not installed: it runs the scripts without a browser")
CARD = "spikformer-fashion"


@pytest.fixture
def sent(monkeypatch):
    """What a component sends, and a session without a page."""
    st.session_state.clear()
    session.enter(find_page("spike_maps"))
    session.store(State(Experiment(CARD)))
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
            {"step": 2, "neuron two a.b": (4, 0, 1)},
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
    assert taken == [0.7] and not live_slider.settled() and not live_slider.settled()  # however often it is asked
    st.session_state["here"] = {"value": {"value": 0.8, "settled": True, "seq": 2}}
    sent["on_value_change"]()
    live_slider.slider("T", 0, 1, 0.1, 0.8, **how)
    assert taken == [0.7, 0.8] and live_slider.settled() and sent["data"]["seq"] == 2
    st.session_state["here"] = {"value": {"value": 0.7, "settled": False, "seq": 3}}
    sent["on_value_change"]()
    assert not live_slider.settled()
    del st.session_state["here"]  # the slider is not on the page any more
    assert live_slider.settled()


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
    assert len(lines) == 9 and max(lines.values()) <= 350, lines


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
    session.enter(find_page("spike_maps"))
    components.show("spike_viewer", viewer(), "viewer")
    components.show("event_cloud", cloud(), "cloud")
    live_slider.slider("T", 0, 1, 0.1, 0.5, decimals=1, help="", key="slider", take=lambda value: None)
