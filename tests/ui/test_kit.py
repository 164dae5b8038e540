"""What every page shares: the address, A and B, presets, and what a person takes along."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from support.apptest import charts, code, html, number_field, numbers, opened, press, slide, sound, status, upload
from support.brought import png

import spikeviz as sv
from spikeviz.paths import app_root

PAGE = "spike_maps"


def ran(app: AppTest) -> str:
    """What the status line says of the run, without its milliseconds."""
    return status(app).partition(" · ")[2]


def link(app: AppTest) -> str:
    return next(block.value for block in app.code if block.language != "python")


def drawn(app: AppTest) -> str:
    return " ".join(html(app))


def tables(app: AppTest) -> list:
    return [chart["data"] for chart in charts(app)]


# ---- the address


def test_a_link_opens_the_same_view_in_another_session():
    app = opened(PAGE)
    slide(app, "T", 6)
    slide(app, "Firing threshold", 0.7)
    sound(number_field(app, "Test image").set_value(12).run())
    sound(app.selectbox(key="maps_layer").set_value("blocks.1.attn.v").run())
    sound(number_field(app, "Channel").set_value(5).run())
    address = urlsplit(link(app))
    other = opened(PAGE, **dict(parse_qsl(address.query)))
    assert ran(other) == ran(app)
    assert drawn(other) == drawn(app)
    assert tables(other) == tables(app)
    assert not other.warning


def test_the_address_says_everything_that_differs_and_no_more():
    app = opened(PAGE)
    shown = {"checkpoint": "spikformer-fashion", "input": "0", "maps_layer": "stem.stages.0"}
    assert app.query_params == shown | {"maps_neuron": app.query_params["maps_neuron"]}
    slide(app, "tau", 3.0)
    assert app.query_params["maps_tau"] == "3.00"
    press(app, "As trained")
    assert "maps_tau" not in app.query_params


def test_going_back_to_an_address_restores_what_it_says():
    app = opened(PAGE)
    before = drawn(app)
    slide(app, "T", 2)
    assert drawn(app) != before
    del app.query_params["maps_T"]  # what the back button does
    sound(app.run())
    assert "T=4" in status(app)
    assert drawn(app) == before


def test_an_empty_address_wants_nothing():
    """That of a page chosen in the sidebar."""
    app = opened(PAGE)
    slide(app, "T", 2)
    app.query_params.clear()
    assert "T=2" in status(sound(app.run()))


def test_the_seed_is_part_of_the_address():
    app = opened(PAGE, seed="7")
    assert "seed=7" in status(app) and app.query_params["seed"] == "7"
    assert "seed=7" in code(app)


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
    app = opened(PAGE, **{name: value})
    assert len(app.warning) == 1 and app.warning[0].value.endswith(".")
    assert "T=4 threshold=1.00 tau=2.00" in status(app)
    assert not app.error


def test_what_is_computed_is_what_the_status_says():
    """A value with more digits than the page shows is rounded before it is computed with."""
    app = opened(PAGE, maps_threshold="0.6049")
    assert "threshold=0.60 " in status(app) and "FiringThreshold(value=0.6)" in code(app)
    assert drawn(app) == drawn(opened(PAGE, maps_threshold="0.60"))


def test_one_page_does_not_compute_with_what_another_one_set():
    from spikeviz.interventions import MaskSpikes, TimeSteps
    from spikeviz.views.experiment import Experiment

    both = Experiment("x", interventions=(MaskSpikes(0.5), TimeSteps(2)))
    assert both.only(TimeSteps).interventions == (TimeSteps(2),)
    assert both.only().interventions == ()


# ---- A and B


def test_holding_a_setting_compares_it_with_the_next_one():
    app = opened(PAGE)
    alone = drawn(app).count("<img")
    press(app, "Hold as A")
    slide(app, "T", 2)
    assert app.query_params["maps_A"] == "input:0"
    assert drawn(app).count("<img") > alone and "A−B, mean over t" in drawn(app)
    nsfr = next(t for t in tables(app) if len(t) > 1 and {trace.get("name") for trace in t} == {"A", "B"})
    assert len(nsfr) == 2
    x, _ = sv.load_data("fashion", "test", 1)
    model = sv.load("spikformer-fashion")
    a = sv.metrics.nsfr(sv.simulate(model, x)).tolist()
    held = next(trace for trace in nsfr if trace["name"] == "A")
    np.testing.assert_allclose(numbers(held["y"]), a, atol=1e-9)
    press(app, "Release A")
    assert "maps_A" not in app.query_params and "A−B" not in drawn(app)


def test_two_pictures_can_be_compared():
    app = opened(PAGE, maps_A="input:3,threshold:0.60", input="5")
    assert any("A: test image 3" in c.value and "threshold=0.60" in c.value for c in app.caption)
    assert not app.warning


def test_a_and_b_each_show_their_own_picture_and_their_own_scale():
    app = opened(PAGE, maps_A="input:3,T:2", input="5")
    text = drawn(app)
    assert text.count('alt="test image 3"') == 1 and text.count('alt="test image 5"') == 2  # A; B and A−B
    assert "+0.25" in text  # the scale of differences
    heads = [m.value for m in app.markdown if m.value.startswith(("A: **", "B: **"))]
    assert [head[0] for head in heads] == ["A", "B"]


def test_a_picture_that_is_gone_releases_a():
    from spikeviz.views.experiment import Experiment

    app = opened(PAGE)
    states = app.session_state["states"]
    states["maps"] = states["maps"].but(compared=Experiment("spikformer-fashion", "upload/000000000000"))
    sound(app.run())
    assert len(app.warning) == 1 and "A is released: its picture is not here" in app.warning[0].value
    assert "A−B" not in drawn(app)


# ---- presets


def test_a_preset_sets_the_page_and_says_what_it_is():
    app = opened(PAGE)
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
    app = opened(PAGE, **parameters)
    scope: dict = {}
    exec(code(app), scope)
    shown = next(t for t in tables(app) if len(t) <= 2 and t[0].get("mode") == "lines+markers")
    curve = shown[-1] if "maps_A" not in parameters else next(t for t in shown if t["name"] == "B")
    np.testing.assert_allclose(numbers(curve["y"]), scope["nsfr"].numpy(), atol=1e-9)
    best = int(scope["confidence"].argmax())
    assert f"{100 * float(scope['confidence'][best]):.1f} %" in drawn(app)
    assert scope["maps"].shape[0] == int(parameters.get("maps_T", 4))
    assert len(scope["trace"].potential) == len(scope["maps"])
    if "maps_A" in parameters:
        assert scope["compared_maps"].shape[0] == 2


def test_the_python_of_an_uploaded_picture_reads_the_file_beside_it(tmp_path, monkeypatch):
    app = upload(opened(PAGE), png())
    text = code(app)
    assert 'np.load("input.npy")' in text
    picture = app.session_state["uploads"].popitem()[1]
    monkeypatch.chdir(tmp_path)
    np.save("input.npy", picture.pixels.numpy())
    scope: dict = {}
    exec(text, scope)
    assert torch.equal(scope["x"][0], picture.pixels)


def test_every_figure_can_be_exported():
    app = opened(PAGE)
    labels = [button.label for button in app.get("download_button")]
    figures = [m.value for m in app.markdown if m.value.startswith("**") and "Presets" not in m.value]
    for kind in ("PNG", "SVG", "PDF", "CSV", "NPZ"):
        assert labels.count(kind) >= 6, (kind, labels, figures)
    assert any("Report" in label for label in labels)


def test_the_report_is_one_file_with_every_figure():
    from spikeviz.figures.chart import Chart, Maps
    from spikeviz.views.host import page_figures, query_of, scene_at
    from spikeviz.views.sharing.provenance import provenance
    from spikeviz.views.sharing.report import page_report
    from spikeviz.views.spike_maps import PAGE

    scene, _ = scene_at(PAGE, query_of(PAGE, "one-step"))
    figures = page_figures(scene)
    text = page_report(scene, figures, provenance(scene))
    assert text.count("<svg") == len(figures) >= 8
    assert "sv.simulate(model, x" in text and "<dd>0 ms" not in text and "maps_T=1" in text
    assert {type(figure.chart) for figure in figures} == {Chart, Maps}


def test_the_start_page_needs_no_torch():
    import subprocess
    import sys

    code = """
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("app.py", default_timeout=60).run()
assert not app.exception, app.exception
assert any(" ms · " in text.value for text in app.text)
assert "torch" not in sys.modules and "matplotlib" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=app_root(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
