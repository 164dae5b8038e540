"""Every column of an exported table says what it is: by its name, or in the lines above the rows."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from support.scenes import scene_of

from spikeviz.views.host import page_figures
from spikeviz.views.page import find_page
from spikeviz.views.sharing.columns import COLUMNS, columns_in_words, explains_itself

PAGES = ("overview", "spike_maps", "channel_masks", "random_masks", "integer_firing", "reconstruction", "events")


@pytest.mark.parametrize("file", PAGES)
def test_every_column_is_explained(file):
    page = find_page(file)
    scene = scene_of(page)
    for tab in page.tabs or [None]:
        for figure in page_figures(scene, tab):
            for column in figure.chart.table().columns:
                assert column in COLUMNS or explains_itself(column), f"{figure.title}: {column}"


def test_a_csv_and_an_npz_say_it():
    figure = page_figures(scene_of(find_page("channel_masks")), "accuracy")[-1]
    words = columns_in_words(figure.chart.table().columns)
    assert "accuracy: share of samples that are classified right, 0 to 1" in words and "low: lower end" in words
    text = figure.export("csv").decode()
    assert f"# columns: {words}\n" in text
    assert len(pd.read_csv(io.StringIO(text), comment="#")) == len(figure.chart.table())
    with np.load(io.BytesIO(figure.export("npz"))) as arrays:
        assert json.loads(str(arrays["about"]))["columns"] == words
    assert b"columns:" not in figure.export("svg")
