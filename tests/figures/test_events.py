"""Pictures of events: one brightness, the colours of the theme, and every event in the numbers that are exported."""

from __future__ import annotations

import numpy as np
import pytest
from support.shown import cloud, events

from spikeviz.figures.events import Cloud, Frames, brightest, input_picture, lit, picture
from spikeviz.figures.render_matplotlib import FORMATS, export

RNG = np.random.default_rng(0)


def test_pictures_of_events_have_one_brightness_and_the_colours_of_the_theme():
    counts = RNG.poisson(0.3, (5, 2, 6, 7))
    frames = Frames("frames", counts, "abcde")
    assert frames.pixels().shape == (5, 6, 7, 3) and frames.events.tolist() == counts.sum((1, 2, 3)).tolist()
    np.testing.assert_allclose(picture(counts), np.moveaxis(lit(counts.sum(0), brightest(counts.sum(0))), -1, 0))
    one = np.zeros((1, 2, 1, 2))
    one[0, 0, 0, 0] = one[0, 1, 0, 1] = 9
    assert Frames("f", one, "a").pixels()[0, 0].tolist() == [[64, 153, 255], [255, 128, 26]]  # OFF blue, ON orange
    assert frames.table()[["OFF", "ON"]].to_numpy().sum() == counts.sum()
    assert not Frames("dark", np.zeros((1, 2, 3, 3)), "a").pixels().any()
    with pytest.raises(ValueError, match="5 frames have 2 titles"):
        Frames("f", counts, "ab")


def test_what_is_no_frame_is_a_sentence(unchecked):
    counts = RNG.poisson(0.3, (5, 2, 6, 7))
    for bad in (counts[0], counts[:0], counts[:, :1]):
        with pytest.raises(ValueError, match="frames are"):
            Frames("f", bad, "abcde")


def test_an_image_is_looked_at_as_it_is_and_frames_as_one_picture():
    image, frames = RNG.random((1, 4, 4)), RNG.poisson(0.5, (3, 2, 4, 4))
    assert input_picture(image) is image
    np.testing.assert_array_equal(input_picture(frames), picture(frames))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("drawn", [Frames("frames", RNG.poisson(0.3, (9, 2, 6, 7)), "abcdefghi"), cloud()])
def test_events_leave_as_files(kind, drawn):
    content = export(drawn, kind)
    assert content == export(drawn, kind) or kind == "npz"
    assert len(content) > 200


def test_a_cloud_keeps_its_events():
    e = events(50)
    kept = Cloud("cloud", e.t / 1000, e.x, e.y, e.p, e.height, e.width)
    expected = np.stack([e.t / 1000, e.x, e.y, e.p], axis=1)
    np.testing.assert_array_equal(kept.table().to_numpy(float), expected)
    assert kept.arrays()["sensor"].tolist() == [30, 34]
    pixels = kept.pixels(300, 200)
    assert pixels.shape == (200, 300, 3) and 50 < pixels.any(-1).sum() <= 4 * 50
