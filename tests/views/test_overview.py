"""The overview counts what the other pages count."""

import numpy as np
import pytest
from support.networks import needs
from support.scenes import scene_of

from spikeviz.views.host import page_figures
from spikeviz.views.overview import PAGE
from spikeviz.views.page import find_page


def bars(file: str, title: str, **query: str):
    (found,) = (f for f in page_figures(scene_of(find_page(file), **query)) if title in f.title)
    return found


@pytest.mark.parametrize(
    ("file", "network"),
    [
        pytest.param("integer_firing", "e-spikeformer-fashion-sfa4", marks=needs("e-spikeformer-fashion-sfa4")),
        pytest.param("spike_maps", "mst-fashion", marks=needs("mst-fashion")),  # its scores spike on no grid
    ],
)
def test_every_layer_is_counted_as_on_the_other_pages(file, network):
    first = bars("overview", "neurons in", checkpoint=network)
    ours, theirs = first.chart.table(), bars(file, "Firing rate by layer", checkpoint=network).chart.table()
    assert ours["layer"].tolist() == theirs["layer"].tolist()
    np.testing.assert_allclose(ours.iloc[:, -1], theirs.iloc[:, -1], rtol=1e-6, atol=1e-9)


def test_a_recording_that_ships_is_counted_as_a_run():
    """Spikes and neurons of the heading, of the shipped recording and of the same network run now."""
    shipped = bars("overview", "neurons in")
    scene = scene_of(PAGE)
    recording = scene.now.recording
    spikes = sum(int(track.values.sum(dtype=int)) for track in recording.of_kind("spike").values())
    assert shipped.title.startswith(f"{spikes:,} spikes of ")
