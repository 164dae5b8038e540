"""The app through AppTest: pages run, sliders reach the model, state outlives pages, bad input is one sentence."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from support.networks import pages

from spikeviz.paths import app_root

STATUS = re.compile(r"^[\d.]+ ms · (CPU|CUDA|MPS) · \S+=\S+( \S+=\S+)*$")


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_file(str(app_root() / "app.py"), default_timeout=120)


@pytest.fixture
def maps(app: AppTest) -> AppTest:
    app.run()
    return sound(app.switch_page("pages/spike_maps.py").run())


def sound(app: AppTest) -> AppTest:
    assert not app.exception, [e.value for e in app.exception]
    return app


def number_field(app: AppTest, label: str):
    return next(field for field in app.number_input if field.label.startswith(label))


def status(app: AppTest) -> str:
    lines = [text.value for text in app.text if STATUS.match(text.value)]
    assert len(lines) == 1, [text.value for text in app.text]
    return lines[0]


def pictures(app: AppTest) -> list[str]:
    """The pixels of every map on the page."""
    return re.findall(r'src="(data:image/png[^"]+)"', " ".join(html.proto.body for html in app.get("html")))


def confidence(app: AppTest) -> str:
    return next(html.proto.body for html in app.get("html") if "Confidence" in html.proto.body)


def charts(app: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


@pytest.mark.parametrize("page", pages())
def test_a_page_runs_without_the_router(page):
    """As a script of its own: nothing on it needs the sidebar."""
    status(sound(AppTest.from_file(str(app_root() / "pages" / f"{page}.py"), default_timeout=120).run()))


def press(app: AppTest, label: str) -> AppTest:
    return sound(next(button for button in app.button if button.label == label).click().run())


@pytest.mark.parametrize("page", pages())
def test_every_page_runs_and_says_what_it_ran(app, page):
    app.run()
    if page != "overview":
        app.switch_page(f"pages/{page}.py")
        app.query_params.clear()  # as the sidebar does: an address belongs to its page
        app.run()
    sound(app)
    assert not app.error and not app.warning
    assert STATUS.match(status(app))
    assert pictures(app)


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
    slider = next(s for s in maps.slider if s.label == label)
    assert slider.min <= slider.value < slider.max  # no default at the right end
    sound(slider.set_value(value).run())
    assert said in status(maps)
    after = (pictures(maps), confidence(maps), charts(maps))
    assert all(a != b for a, b in zip(before, after, strict=True))
    assert any("not a retrained model" in caption.value for caption in maps.caption)


def test_t_is_the_number_of_maps(maps):
    for steps in (1, 8):
        sound(next(s for s in maps.slider if s.label == "T").set_value(steps).run())
        viewer = next(html.proto.body for html in maps.get("html") if "mean over t" in html.proto.body)
        assert viewer.count("<img") == steps + 2  # the input, the steps, their mean
        assert f"t = {steps}<" in viewer and f"t = {steps + 1}<" not in viewer


def test_the_nsfr_curve_is_that_of_the_library(maps):
    import spikeviz as sv

    shown = next(c for c in charts(maps) if c["layout"]["yaxis"]["title"]["text"] == "NSFR")["data"][0]
    x, _ = sv.load_data("fashion", "test", 1)
    expected = sv.metrics.nsfr(sv.simulate(sv.load("spikformer-fashion"), x)).numpy()
    np.testing.assert_allclose(numbers(shown["y"]), expected, atol=1e-9)
    assert list(numbers(shown["x"])) == [1, 2, 3, 4]


def numbers(values) -> np.ndarray:
    """plotly sends arrays as base64."""
    import base64

    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), dtype=np.dtype(values["dtype"]))
    return np.asarray(values)


def test_a_value_outlives_its_page(maps):
    sound(next(s for s in maps.slider if s.label == "T").set_value(6).run())
    sound(number_field(maps, "Test image").set_value(7).run())
    layer = maps.selectbox(key="maps_layer").options[3]
    sound(maps.selectbox(key="maps_layer").set_value(layer).run())
    sound(maps.switch_page("pages/overview.py").run())
    assert number_field(maps, "Test image").value == 7
    assert "T=4" in status(maps)  # the overview shows the network as it was trained
    sound(maps.switch_page("pages/spike_maps.py").run())
    assert "T=6" in status(maps)
    assert next(s for s in maps.slider if s.label == "T").value == 6
    assert number_field(maps, "Test image").value == 7
    assert maps.selectbox(key="maps_layer").value == layer


def test_as_trained_takes_every_slider_back(maps):
    fresh = pictures(maps)
    sound(next(s for s in maps.slider if s.label == "tau").set_value(3.0).run())
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
        box = next(n for n in maps.number_input if n.label.startswith("Channel"))
        assert box.value is not None
        sound(box.set_value(1).run())
        assert any(m.value.startswith(f"**Membrane · {layer} 1.") for m in maps.markdown)


def png(mode: str = "L", size: tuple[int, int] = (40, 40), light: bool = False) -> bytes:
    stream = io.BytesIO()
    image = Image.new("L", size, 250 if light else 5)
    image.paste(120, (size[0] // 4, size[1] // 4, 3 * size[0] // 4, 3 * size[1] // 4))
    image.convert(mode).save(stream, "PNG")
    return stream.getvalue()


def upload(app: AppTest, content: bytes, name: str = "mine.png") -> AppTest:
    return sound(app.file_uploader[0].set_value((name, content, "image/png")).run())


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


def test_an_address_sets_the_page(app):
    app.run()
    app.switch_page("pages/spike_maps.py")
    for name, value in {"maps_T": "2", "maps_threshold": "0.5", "input": "12", "maps_layer": "stem.stages.2"}.items():
        app.query_params[name] = value
    sound(app.run())
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
def test_an_address_that_does_not_work_falls_back_with_a_notice(app, name, value):
    app.run()
    app.switch_page("pages/spike_maps.py")
    app.query_params[name] = value
    sound(app.run())
    assert len(app.warning) == 1 and name in app.warning[0].value
    assert "T=4 threshold=1.00 tau=2.00" in status(app)
    assert number_field(app, "Test image").value == 0


def test_a_checkpoint_that_does_not_fit_is_one_sentence(app, tmp_path, monkeypatch):
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
    app.run()
    app.switch_page("pages/spike_maps.py")
    app.query_params["checkpoint"] = "broken"
    sound(app.run())
    assert len(app.error) == 1 and "head.weight is [7, 128] instead of [10, 128]" in app.error[0].value
    sound(app.selectbox(key="maps_checkpoint").set_value("elsewhere").run())
    assert len(app.error) == 1 and "elsewhere.safetensors" in app.error[0].value
    sound(app.selectbox(key="maps_checkpoint").set_value("spikformer-fashion").run())
    assert not app.error and STATUS.match(status(app))


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
    sound(next(s for s in maps.slider if s.label == "T").set_value(7).run())
    sound(maps.selectbox(key="maps_checkpoint").set_value("twin").run())
    assert "T=4 threshold=1.00 tau=2.00" in status(maps)


def test_two_sessions_do_not_see_each_other(maps):
    other = AppTest.from_file(str(app_root() / "app.py"), default_timeout=120)
    other.run()
    sound(other.switch_page("pages/spike_maps.py").run())
    sound(next(s for s in maps.slider if s.label == "T").set_value(1).run())
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
