"""What every page shares: the address, A and B, presets, and what a person takes along."""

from __future__ import annotations

import io
import json
import re
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

import spikeviz as sv
from spikeviz.paths import app_root

STATUS = re.compile(r"^\d+ ms · (CPU|CUDA|MPS) · ")


def opened(page: str = "spike_maps", **parameters: str) -> AppTest:
    app = AppTest.from_file(str(app_root() / "app.py"), default_timeout=120).run()
    app.switch_page(f"pages/{page}.py")
    for name, value in parameters.items():
        app.query_params[name] = value
    return sound(app.run())


def sound(app: AppTest) -> AppTest:
    assert not app.exception, [e.value for e in app.exception]
    return app


def number_field(app: AppTest, label: str):
    return next(field for field in app.number_input if field.label.startswith(label))


def status(app: AppTest) -> str:
    return next(text.value for text in app.text if STATUS.match(text.value)).partition(" · ")[2]


def press(app: AppTest, label: str) -> AppTest:
    return sound(next(button for button in app.button if button.label == label).click().run())


def slide(app: AppTest, label: str, value: float) -> AppTest:
    return sound(next(s for s in app.slider if s.label == label).set_value(value).run())


def code(app: AppTest, language: str) -> str:
    return next(block.value for block in app.code if (block.language == "python") == (language == "python"))


def html(app: AppTest) -> str:
    return " ".join(block.proto.body for block in app.get("html"))


def tables(app: AppTest) -> list:
    return [json.loads(chart.proto.spec)["data"] for chart in app.get("plotly_chart")]


# ---- the address


def test_a_link_opens_the_same_view_in_another_session():
    app = opened()
    slide(app, "T", 6)
    slide(app, "Firing threshold", 0.7)
    sound(number_field(app, "Test image").set_value(12).run())
    sound(app.selectbox(key="maps_layer").set_value("blocks.1.attn.v").run())
    sound(number_field(app, "Channel").set_value(5).run())
    link = urlsplit(code(app, "link"))
    other = opened(**dict(parse_qsl(link.query)))
    assert status(other) == status(app)
    assert html(other) == html(app)
    assert tables(other) == tables(app)
    assert not other.warning


def test_the_address_says_everything_that_differs_and_no_more():
    app = opened()
    assert app.query_params == {"checkpoint": "spikformer-fashion", "input": "0", "maps_layer": "stem.stages.0"}
    slide(app, "tau", 3.0)
    assert app.query_params["maps_tau"] == "3.00"
    press(app, "As trained")
    assert "maps_tau" not in app.query_params


def test_going_back_to_an_address_restores_what_it_says():
    app = opened()
    before = html(app)
    slide(app, "T", 2)
    assert html(app) != before
    del app.query_params["maps_T"]  # what the back button does
    sound(app.run())
    assert status(app).startswith("CPU · T=4") or "T=4" in status(app)
    assert html(app) == before


def test_an_empty_address_wants_nothing():
    """That of a page chosen in the sidebar."""
    app = opened()
    slide(app, "T", 2)
    app.query_params.clear()
    assert "T=2" in status(sound(app.run()))


def test_the_seed_is_part_of_the_address():
    app = opened(seed="7")
    assert "seed=7" in status(app) and app.query_params["seed"] == "7"
    assert "seed=7" in code(app, "python")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", "-1"),
        ("seed", "0" * 12 + "9" * 30),
        ("maps_A", "input:0,X:3"),
        ("maps_A", "T:99"),
        ("maps_A", "input:99999"),
        ("maps_A", "input:zz"),
        ("maps_A", "input:upload-00"),
        ("maps_step", "x"),
        ("maps_channel", "most"),
        ("maps_side", "C"),
        ("maps_neuron", "1.2"),
        ("maps_neuron", "a.b.c"),
        ("maps_neuron", "900.0.0"),
        ("input", "upload-123"),
    ],
)
def test_what_does_not_work_is_one_notice(name, value):
    app = opened(**{name: value})
    assert len(app.warning) == 1 and app.warning[0].value.endswith(".")
    assert "T=4 threshold=1.00 tau=2.00" in status(app)
    assert not app.error


def test_what_is_computed_is_what_the_status_says():
    """A value with more digits than the page shows is rounded before it is computed with."""
    app = opened(maps_threshold="0.6049")
    assert "threshold=0.60 " in status(app) and "FiringThreshold(value=0.6)" in code(app, "python")
    assert html(app) == html(opened(maps_threshold="0.60"))


def test_one_page_does_not_compute_with_what_another_one_set():
    from spikeviz.interventions import MaskSpikes, TimeSteps
    from spikeviz.views.experiment import Experiment

    both = Experiment("x", interventions=(MaskSpikes(0.5), TimeSteps(2)))
    assert both.only(TimeSteps).interventions == (TimeSteps(2),)
    assert both.only().interventions == ()


# ---- A and B


def test_holding_a_setting_compares_it_with_the_next_one():
    app = opened()
    alone = html(app).count("<img")
    press(app, "Hold as A")
    slide(app, "T", 2)
    assert app.query_params["maps_A"] == "input:0"
    assert html(app).count("<img") > alone and "A−B, mean over t" in html(app)
    nsfr = next(t for t in tables(app) if len(t) > 1 and {trace.get("name") for trace in t} == {"A", "B"})
    assert len(nsfr) == 2
    x, _ = sv.load_data("fashion", "test", 1)
    model = sv.load("spikformer-fashion")
    a = sv.metrics.nsfr(sv.simulate(model, x)).tolist()
    held = next(trace for trace in nsfr if trace["name"] == "A")
    np.testing.assert_allclose(numbers(held["y"]), a, atol=1e-9)
    press(app, "Release A")
    assert "maps_A" not in app.query_params and "A−B" not in html(app)


def numbers(values) -> np.ndarray:
    import base64

    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), dtype=np.dtype(values["dtype"]))
    return np.asarray(values)


def test_two_pictures_can_be_compared():
    app = opened(maps_A="input:3,threshold:0.60", input="5")
    assert any("A: test image 3" in c.value and "threshold=0.60" in c.value for c in app.caption)
    assert not app.warning


def test_a_and_b_each_show_their_own_picture_and_their_own_scale():
    app = opened(maps_A="input:3,T:2", input="5")
    text = html(app)
    assert text.count('alt="test image 3"') == 1 and text.count('alt="test image 5"') == 2  # A; B and A−B
    assert "+0.25" in text  # the scale of differences
    heads = [m.value for m in app.markdown if m.value.startswith(("A: **", "B: **"))]
    assert [head[0] for head in heads] == ["A", "B"]


def test_a_picture_that_is_gone_releases_a():
    from spikeviz.views.experiment import Experiment

    app = opened()
    state = app.session_state["state"]
    app.session_state["state"] = state.but(compared=Experiment("spikformer-fashion", "upload/000000000000"))
    sound(app.run())
    assert len(app.warning) == 1 and "A is released: its picture is not here" in app.warning[0].value
    assert "A−B" not in html(app)


# ---- presets


def test_a_preset_sets_the_page_and_says_what_it_is():
    app = opened()
    sound(number_field(app, "Test image").set_value(9).run())
    slide(app, "tau", 3.0)
    press(app, "One step against four")
    assert "T=1 threshold=1.00 tau=2.00" in status(app)
    assert number_field(app, "Test image").value == 9
    says = "nothing is retrained here."
    assert any(c.value.startswith("*Spikformer V2") and says in c.value for c in app.caption)
    slide(app, "T", 3)
    shown = [c for c in app.caption if says in c.value]
    assert len(shown) == 1  # below its button only: this is not the preset any more


# ---- what a person takes along


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"maps_T": "2", "maps_threshold": "0.60", "input": "12", "maps_layer": "blocks.0.attn.q", "seed": "3"},
        {"maps_A": "input:4,T:2", "maps_tau": "3.00"},
    ],
)
def test_the_python_of_a_view_makes_its_numbers(parameters):
    app = opened(**parameters)
    scope: dict = {}
    exec(code(app, "python"), scope)
    shown = next(t for t in tables(app) if len(t) <= 2 and t[0].get("mode") == "lines+markers")
    curve = shown[-1] if "maps_A" not in parameters else next(t for t in shown if t["name"] == "B")
    np.testing.assert_allclose(numbers(curve["y"]), scope["nsfr"].numpy(), atol=1e-9)
    best = int(scope["confidence"].argmax())
    assert f"{100 * float(scope['confidence'][best]):.1f} %" in html(app)
    assert scope["maps"].shape[0] == int(parameters.get("maps_T", 4))
    assert len(scope["trace"].potential) == len(scope["maps"])
    if "maps_A" in parameters:
        assert scope["compared_maps"].shape[0] == 2


def test_the_python_of_an_uploaded_picture_reads_the_file_beside_it(tmp_path, monkeypatch):
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray((np.arange(1600).reshape(40, 40) % 251).astype(np.uint8)).save(stream, "PNG")
    app = opened()
    sound(app.file_uploader[0].set_value(("mine.png", stream.getvalue(), "image/png")).run())
    text = code(app, "python")
    assert 'np.load("input.npy")' in text
    picture = app.session_state["uploads"].popitem()[1]
    monkeypatch.chdir(tmp_path)
    np.save("input.npy", picture.pixels.numpy())
    scope: dict = {}
    exec(text, scope)
    assert torch.equal(scope["x"][0], picture.pixels)


def test_every_figure_can_be_exported():
    app = opened()
    labels = [button.label for button in app.get("download_button")]
    figures = [m.value for m in app.markdown if m.value.startswith("**") and "Presets" not in m.value]
    for kind in ("PNG", "SVG", "PDF", "CSV", "NPZ"):
        assert labels.count(kind) >= 6, (kind, labels, figures)
    assert any("Report" in label for label in labels)


def test_the_report_is_one_file_with_every_figure():
    from spikeviz.figures.chart import Chart, Maps
    from spikeviz.views.host import page_figures, query_of, scene_at
    from spikeviz.views.sharing.report import page_report
    from spikeviz.views.spike_maps import PAGE

    scene, _ = scene_at(PAGE, query_of(PAGE, "one-step"))
    figures = page_figures(scene)
    text = page_report(scene, figures, "http://127.0.0.1:8501/spike_maps?maps_T=1")
    assert text.count("<svg") == len(figures) >= 8
    assert "sv.simulate(model, x" in text and "<dd>0 ms" not in text and "maps_T=1" in text
    assert {type(figure.chart) for figure in figures} == {Chart, Maps}


def test_the_start_page_needs_no_torch():
    import subprocess
    import sys

    code = """
import sys
from streamlit.testing.v1 import AppTest
import spikeviz.views.runs
spikeviz.views.runs.warm_up = lambda: None
app = AppTest.from_file("app.py", default_timeout=60).run()
assert not app.exception, app.exception
assert any(" ms · " in text.value for text in app.text)
assert "torch" not in sys.modules and "matplotlib" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=app_root(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
