"""A picture in an address: the same pixels arrive, and nothing but a picture of the right size is taken."""

import base64
import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.brought import png_of

import spikeviz as sv
from spikeviz.data.catalog import find_data, load_data
from spikeviz.data.ingest import read_upload
from spikeviz.views import inputs
from spikeviz.views.address import State, checkpoint_parameter, parameters, read, write
from spikeviz.views.experiment import Experiment
from spikeviz.views.page import find_page
from spikeviz.views.scene import open_scene
from spikeviz.views.sharing.picture_link import LONGEST, MOST, as_text, carrying, picture, stays

FASHION = find_data("fashion")
CARDS = {card.name: card for card in sv.list_checkpoints()}


def photo(seed: int, low: int = 0, side: int = 90) -> bytes:
    """A colour picture that is no square and needs everything: cropping, resizing, grey."""
    values = np.random.default_rng(seed).integers(low, 256, (side, side + 7, 3), dtype=np.uint8)
    return png_of(values)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), low=st.sampled_from([0, 100, 220]), turn=st.booleans())
def test_an_upload_arrives_with_its_pixels(seed, low, turn):
    shown = read_upload(photo(seed, low), "mine.png", "fashion", "it", turn)
    text = as_text(shown.pixels)
    assert len(text) <= MOST and text.replace("-", "").replace("_", "").isalnum()
    assert torch.equal(picture(text, FASHION).pixels, shown.pixels)


def test_the_noisiest_picture_of_28_pixels_fits():
    noise = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 28, 28))).float() / 255
    assert torch.equal(picture(as_text(noise), FASHION).pixels, noise)


def test_what_would_lose_something_or_is_large_is_not_carried():
    assert as_text(torch.full((1, 28, 28), 0.3337)) is None  # between two levels of 8 bits
    noise = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 64, 64))).float() / 255
    assert as_text(noise) is None
    assert as_text(torch.zeros(8, 2, 34, 34)) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("png-", "no picture"),
        ("png-AAAA", "no picture"),
        ("png-%%%", "cut off or changed"),
        ("png-" + "A" * MOST, "cut off or changed"),
        ("png-inverted-" + base64.urlsafe_b64encode(b"\x80\x04pickle").decode(), "no picture"),
        ("png-" + base64.urlsafe_b64encode(png_of(np.zeros((29, 28), np.uint8))).decode().rstrip("="), "not 28 x 28"),
        ("png-" + base64.urlsafe_b64encode(png_of(np.zeros((28, 28), np.uint8))[:-20]).decode().rstrip("="), "damaged"),
    ],
)
def test_anything_else_is_a_sentence(text, said):
    with pytest.raises(ValueError, match=said):
        picture(text, FASHION)


def test_a_picture_is_for_networks_that_see_pictures():
    text = as_text(load_data("fashion", limit=1)[0][0])
    with pytest.raises(ValueError, match="sees events"):
        picture(text, find_data("fashion-dvs"))


def test_a_header_that_lies_is_refused_before_anything_is_decoded(monkeypatch):
    monkeypatch.setattr("spikeviz.data.image_decode.read_image", lambda *_, **__: pytest.fail("decoded"))
    stream = io.BytesIO()
    Image.new("1", (20000, 20000)).save(stream, "PNG", optimize=True)
    huge = stream.getvalue()[:1000]
    with pytest.raises(ValueError, match="not 28 x 28"):
        picture("png-" + base64.urlsafe_b64encode(huge).decode().rstrip("="), FASHION)


def test_a_link_opens_in_a_session_that_has_no_uploads():
    page, name = find_page("spike_maps"), "spikformer-fashion"
    shown = read_upload(photo(3), "mine.png", "fashion", name, False)
    source = inputs.source_of(shown)
    state, uploads = State(Experiment(name, source), Experiment(name, source)), {source: shown}
    first, state, _ = open_scene(page, state, uploads)
    query = carrying(
        write([checkpoint_parameter(page.networks), *parameters(page, state, uploads, {})], state), uploads
    )
    assert not stays(query) and query["input"].startswith("png-") and query["maps_A"].startswith("input:png-")
    there = State(Experiment(name))
    there, notices = read(parameters(page, there, {}, query), there, query)
    second, there, more = open_scene(page, there, {})
    assert notices == more == []
    assert torch.equal(second.now.shown.pixels, shown.pixels)
    assert torch.equal(second.now.recording.output, first.now.recording.output)
    assert write(parameters(page, there, {}, {}), there)["input"] == query["input"]
    assert len(inputs.short(there.experiment)) < 30, "it names files"


def test_an_address_stays_short_enough_and_says_what_stays():
    name = "spikformer-fashion"
    shown = [read_upload(photo(n), "mine.png", "fashion", name, False) for n in range(4)]
    uploads = {inputs.source_of(one): one for one in shown}
    query = {"input": "0", "maps_A": ",".join(source.replace("/", "-") for source in uploads)}
    carried = carrying(query, uploads)
    assert sum(len(key) + len(value) + 2 for key, value in carried.items()) <= LONGEST
    assert stays(carried) and stays(query) and not stays({"input": "0"})
