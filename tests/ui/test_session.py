"""What a session keeps: every page has settings and looks of its own, and shares its input where others can take it."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest
from support.apptest import number_field, opened, press, slide, slider, sound, status, upload
from support.brought import png
from support.networks import needs

OTHER = "e-spikeformer-fashion-vanilla4"


def on(app: AppTest, page: str) -> AppTest:
    """The page, as it is after a click in the sidebar: its address is empty."""
    app.query_params.clear()
    return sound(app.switch_page(f"pages/{page}.py").run())


@needs("spikformer-fashion", OTHER)
def test_a_page_is_found_again_as_it_was_left():
    app = opened("spike_maps", checkpoint=OTHER)
    slide(app, "Firing threshold", 0.7)
    press(app, "Hold as A")
    slide(app, "Firing threshold", 0.6)
    first = app.selectbox(key="maps_layer").value
    sound(app.selectbox(key="maps_layer").select_index(3).run())
    layer = app.selectbox(key="maps_layer").value
    assert layer != first
    left = dict(app.query_params)
    on(app, "integer_firing")
    assert app.query_params["checkpoint"] != "" and "sfa_A" not in app.query_params
    press(app, "›")
    on(app, "spike_maps")
    assert app.selectbox(key="maps_layer").value == layer and slider(app, "Firing threshold").value == 0.6
    # the input alone is that of the page between
    assert dict(app.query_params) == left | {"input": "1"} and left["input"] == "0"
    assert "maps_A" in left


@needs("spikformer-fashion")
def test_two_pages_with_one_network_share_their_input_and_nothing_else():
    app = opened("spike_maps", seed="3")
    slide(app, "T", 2)
    sound(number_field(app, "Test image").set_value(7).run())
    on(app, "overview")
    assert number_field(app, "Test image").value == 7 and "seed" not in app.query_params
    press(app, "›")
    on(app, "spike_maps")
    assert number_field(app, "Test image").value == 8 and "T=2" in status(app) and "seed=3" in status(app)


@needs("spikformer-fashion", "spikformer-v2-mae-fashion")
def test_an_input_goes_by_a_page_that_cannot_take_it():
    app = opened("spike_maps", input="7")
    on(app, "events")
    on(app, "random_masks")
    assert app.query_params["input"] == "7"


@needs("spikformer-fashion")
def test_an_upload_goes_to_every_page_that_takes_its_shape():
    app = upload(opened("spike_maps"), png())
    named = app.query_params["input"]
    assert named.startswith("upload-")
    for page in ("overview", "random_masks", "spike_maps"):
        assert on(app, page).query_params["input"] == named


@needs("spikformer-fashion", OTHER)
def test_an_address_wins_over_what_was_kept():
    app = opened("spike_maps")
    slide(app, "T", 2)
    on(app, "overview")
    app.query_params.clear()
    app.query_params.update({"checkpoint": OTHER, "input": "4", "maps_threshold": "0.60"})
    sound(app.switch_page("pages/spike_maps.py").run())
    assert "threshold=0.60" in status(app) and app.query_params["checkpoint"] == OTHER
    assert number_field(app, "Test image").value == 4
