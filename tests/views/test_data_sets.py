"""Every page of a network whose data is not on this machine: figures, or a sentence; never an error."""

import pytest
from support.scenes import items_of
from support.without_data import absent

from spikeviz.views import data_sets
from spikeviz.views.host import figures_of, scene_at
from spikeviz.views.page import FILES, find_page
from spikeviz.views.view import Component, Figure, Note, Study

VISITS = [(file, name) for file in FILES for name in absent() if name in find_page(file).networks.names()]


@pytest.mark.usefixtures("no_data")
@pytest.mark.parametrize(("file", "name"), VISITS)
def test_every_tab_shows_figures_or_says_what_is_missing(file, name):
    page = find_page(file)
    scene, notices = scene_at(page, {"checkpoint": name})
    assert not notices and scene.state.experiment.source.startswith("picture/")
    for view in (page.main, *((tab.view for tab in page.tabs.values()) if page.tabs else [page.body])):
        items = items_of(view(scene), scene.state.looks)
        assert [item for item in items if isinstance(item, Figure | Component | Note)]
        assert not [item.text for item in items if isinstance(item, Note) and item.level in ("error", "warning")]
        for study in (item for item in items if isinstance(item, Study)):
            _, said = data_sets.without_data(study)
            assert "is not on this machine" in said.text and "spikeviz data get" in said.text
        list(figures_of(view(scene), scene.state.looks, studies=True))  # no work over what is not here
