"""The app through AppTest: pages run, sliders reach the model, state outlives pages, bad input is one sentence."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from support.apptest import (
    charts,
    html,
    number_field,
    numbers,
    opened,
    pictures,
    press,
    slide,
    slider,
    sound,
    status,
    upload,
)
from support.brought import png
from support.networks import pages

from spikeviz.paths import app_root


@pytest.fixture
def maps() -> AppTest:
    return opened("spike_maps")


def confidence(app: AppTest) -> str:
    return next(part for part in html(app) if "Confidence" in part)


@pytest.mark.parametrize("page", pages())
def test_a_page_runs_without_the_router(page):
    """As a script of its own: nothing on it needs the sidebar."""
    status(sound(AppTest.from_file(str(app_root() / "pages" / f"{page}.py"), default_timeout=120).run()))


@pytest.mark.parametrize("page", pages())
def test_every_page_runs_and_says_what_it_ran(page):
    app = opened(page)
    assert not app.error and not app.warning
    assert status(app) and pictures(app)


def test_pages_are_in_the_navigation_and_have_no_path_of_their_own():
    router = (app_root() / "app.py").read_text()
    assert all(f"pages/{path.name}" in router for path in (app_root() / "pages").glob("*.py"))
    assert "url_path" not in router


@pytest.mark.parametrize(
    ("label", "value", "said"),
    [("T", 2, "T=2"), ("T", 8, "T=8"), ("Firing threshold", 0.5, "threshold=0.50"), ("tau", 4.0, "tau=4.00")],
)
def test_a_slider_reaches_the_model(maps, label, value, said):
    before = (pictures(maps), confidence(maps), charts(maps))
    moved = slider(maps, label)
    assert moved.min <= moved.value < moved.max  # no default at the right end
    slide(maps, label, value)
    assert said in status(maps)
    after = (pictures(maps), confidence(maps), charts(maps))
    assert all(a != b for a, b in zip(before, after, strict=True))
    assert any("not a retrained model" in caption.value for caption in maps.caption)


def test_t_is_the_number_of_maps(maps):
    for steps in (1, 8):
        slide(maps, "T", steps)
        viewer = next(part for part in html(maps) if ("mean over t" if steps > 1 else "the only step") in part)
        assert viewer.count("<img") == steps + 2  # the input, the steps, their mean
        assert f"t = {steps}<" in viewer and f"t = {steps + 1}<" not in viewer


def test_the_nsfr_curve_is_that_of_the_library(maps):
    import spikeviz as sv

    shown = next(c for c in charts(maps) if c["layout"]["yaxis"]["title"]["text"] == "NSFR")["data"][0]
    x, _ = sv.load_data("fashion", "test", 1)
    expected = sv.metrics.nsfr(sv.simulate(sv.load("spikformer-fashion"), x)).numpy()
    np.testing.assert_allclose(numbers(shown["y"]), expected, atol=1e-9)
    assert list(numbers(shown["x"])) == [1, 2, 3, 4]


def test_a_value_outlives_its_page(maps):
    slide(maps, "T", 6)
    sound(number_field(maps, "Test image").set_value(7).run())
    layer = "stem.stages.3"
    sound(maps.selectbox(key="maps_layer").set_value(layer).run())
    sound(maps.switch_page("pages/overview.py").run())
    assert number_field(maps, "Test image").value == 7
    assert "T=4" in status(maps)  # the overview shows the network as it was trained
    sound(maps.switch_page("pages/spike_maps.py").run())
    assert "T=6" in status(maps)
    assert slider(maps, "T").value == 6
    assert number_field(maps, "Test image").value == 7
    assert maps.selectbox(key="maps_layer").value == layer


def test_as_trained_takes_every_slider_back(maps):
    fresh = pictures(maps)
    slide(maps, "tau", 3.0)
    assert pictures(maps) != fresh
    press(maps, "As trained")
    assert pictures(maps) == fresh
    assert "T=4 threshold=1.00 tau=2.00" in status(maps)


def test_back_and_on_step_through_the_test_images(maps):
    press(maps, "›")
    press(maps, "›")
    assert number_field(maps, "Test image").value == 2
    press(maps, "‹")
    press(maps, "‹")
    press(maps, "‹")
    assert number_field(maps, "Test image").value == 9999
    assert "Random" in [button.label for button in maps.button]
    press(maps, "Random")


def test_every_layer_and_a_chosen_neuron(maps):
    for layer in maps.selectbox(key="maps_layer").options[::6]:
        sound(maps.selectbox(key="maps_layer").set_value(layer).run())
        box = number_field(maps, "Channel")
        assert box.value is not None
        sound(box.set_value(1).run())
        assert any(m.value.startswith(f"**Membrane · {layer}, neuron 1.") for m in maps.markdown)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_an_upload_becomes_the_input(maps, mode):
    before = pictures(maps)
    upload(maps, png(mode))
    assert not maps.error
    assert pictures(maps) != before
    assert any("resized from 40 x 40 to 28 x 28" in caption.value for caption in maps.caption)
    sound(maps.switch_page("pages/overview.py").run())
    assert any("resized" in caption.value for caption in maps.caption)  # the picture goes along
    press(maps, "›")
    assert not any("resized" in caption.value for caption in maps.caption)


def test_a_light_ground_is_turned_dark_unless_unticked(maps):
    upload(maps, png(light=True))
    assert any("inverted" in caption.value for caption in maps.caption)
    sound(maps.checkbox(key="maps_turn").uncheck().run())
    assert not any("inverted" in caption.value for caption in maps.caption)


def bomb() -> bytes:
    """A PNG header that promises 900 megapixels."""
    content = bytearray(png())
    content[16:24] = (30_000).to_bytes(4, "big") * 2
    return bytes(content)


@pytest.mark.parametrize("content", [b"", b"no picture", png()[:80], bomb(), png(size=(4, 4))])
def test_a_bad_upload_is_one_sentence_and_the_page_goes_on(maps, content):
    before = pictures(maps)
    upload(maps, content)
    assert len(maps.error) == 1 and maps.error[0].value.strip().endswith(".")
    assert pictures(maps) == before
    press(maps, "›")
    assert not maps.error and pictures(maps) != before


def test_an_address_sets_the_page():
    app = opened("spike_maps", maps_T="2", maps_threshold="0.5", input="12", maps_layer="stem.stages.2")
    assert "T=2 threshold=0.50 tau=2.00" in status(app)
    assert number_field(app, "Test image").value == 12
    assert app.selectbox(key="maps_layer").value == "stem.stages.2"
    assert not app.warning


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("maps_T", "99"),
        ("maps_T", "x"),
        ("maps_T", "2.5"),
        ("maps_threshold", "nan"),
        ("maps_threshold", "-1"),
        ("maps_tau", "1e999"),
        ("maps_layer", "nowhere"),
        ("input", "10000"),
        ("input", "-1"),
        ("checkpoint", "nobody"),
    ],
)
def test_an_address_that_does_not_work_falls_back_with_a_notice(name, value):
    app = opened("spike_maps", **{name: value})
    assert len(app.warning) == 1 and name in app.warning[0].value
    assert "T=4 threshold=1.00 tau=2.00" in status(app)
    assert number_field(app, "Test image").value == 0


def test_a_checkpoint_that_does_not_fit_is_one_sentence(tmp_path, monkeypatch):
    """A user's file of another model, beside the shipped ones: the page says so, and another network can be chosen."""
    import spikeviz as sv
    from spikeviz.artifacts import cards
    from spikeviz.artifacts.checkpoints import save

    known = cards.card_files()
    sha256 = save(sv.build("spikformer-fashion", num_classes=7), tmp_path / "broken.safetensors")
    for name, data in (("broken", "fashion"), ("elsewhere", "cifar10")):
        card = sv.CheckpointCard(name, "spikformer-fashion", data, "classes", 0.5, 1, "", 0, "cpu", "", sha256)
        card.write(tmp_path / f"{name}.json")
    known |= {path.stem: path for path in tmp_path.glob("*.json")}
    monkeypatch.setattr(cards, "card_files", lambda: dict(sorted(known.items())))
    app = opened("spike_maps", checkpoint="broken")
    assert len(app.error) == 1 and "head.weight is [7, 128] instead of [10, 128]" in app.error[0].value
    sound(app.selectbox(key="maps_checkpoint").set_value("elsewhere").run())
    assert len(app.error) == 1 and "elsewhere.safetensors" in app.error[0].value
    sound(app.selectbox(key="maps_checkpoint").set_value("spikformer-fashion").run())
    assert not app.error and status(app)


def test_another_network_starts_as_it_was_trained(maps, tmp_path, monkeypatch):
    """The shipped weights under a second name."""
    import spikeviz as sv
    from spikeviz.artifacts import cards

    known = cards.card_files()
    card, weights = cards.find_card("spikformer-fashion")
    (tmp_path / "twin.safetensors").write_bytes(weights.read_bytes())
    dataclasses.replace(card, name="twin").write(tmp_path / "twin.json")
    known["twin"] = tmp_path / "twin.json"
    monkeypatch.setattr(cards, "card_files", lambda: dict(sorted(known.items())))
    assert [c.name for c in sv.list_checkpoints()][-1] == "twin"
    slide(maps, "T", 7)
    sound(maps.selectbox(key="maps_checkpoint").set_value("twin").run())
    assert "T=4 threshold=1.00 tau=2.00" in status(maps)


def test_two_sessions_do_not_see_each_other(maps):
    other = opened("spike_maps")
    slide(maps, "T", 1)
    sound(other.run())
    assert "T=4" in status(other) and "T=1" in status(maps)


def test_the_shell_needs_no_torch():
    """What is imported before the first text is drawn."""
    code = "import sys, spikeviz.ui.kit.page, spikeviz.views.spike_maps; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=app_root(), timeout=60).returncode == 0


def test_a_port_that_is_taken_is_passed_over():
    import socket

    from spikeviz.ui.server.serve import checked, free_port, options

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port
        with pytest.raises(ValueError, match="taken"):
            checked(port)
    with pytest.raises(ValueError, match="65535"):
        checked(70_000)
    assert options(1234)["server.address"] == "127.0.0.1"
    assert options(1234)["theme.dark.textColor"]


def test_the_sliders_stand_on_the_colours_of_the_page():
    """What scrolls below them is covered, in light and in dark."""
    from spikeviz.ui.server.serve import options
    from spikeviz.ui.server.style import STYLE

    themes = options(1234)
    light, dark = (themes[f"theme.{theme}.backgroundColor"] for theme in ("light", "dark"))
    assert f"background: light-dark({light}, {dark});" in STYLE
