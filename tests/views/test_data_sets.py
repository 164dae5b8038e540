"""Every page of a network whose data is not on this machine: figures, or a sentence; never an error."""

import pytest
from support.scenes import items_of
from support.without_data import absent

from spikeviz.data.catalog import find_data
from spikeviz.evaluation.job import Jobs
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


def test_a_download_says_where_it_goes_and_counts_megabytes(no_data, monkeypatch):
    def fetching(name, root):
        assert (name, root) == ("nmnist", no_data)
        yield "train.zip", 0, 1_000 * 10**6
        yield "train.zip", 600 * 10**6, 1_000 * 10**6
        yield "unpacking train.zip", 0, 0

    monkeypatch.setattr("spikeviz.data.download.fetching", fetching)
    study = data_sets.download_study(find_data("nmnist"))
    assert str(no_data) in study.note and study.label == "Download (1,200 MB)" and study.total == 1_200
    steps = list(study.work())
    assert [done for done, _ in steps] == [0, 600, 600, 1_200]
    assert steps[1][1] == "train.zip: 600 of 1,000 MB" and steps[2][1] == "unpacking train.zip"


def test_what_cannot_be_fetched_has_no_download():
    assert data_sets.download_study(find_data("flowers")) is None


@pytest.mark.usefixtures("no_data")
def test_a_network_that_is_not_there_is_one_sentence(monkeypatch):
    monkeypatch.setattr("torchvision.datasets.CIFAR10.url", "http://127.0.0.1:9/")
    jobs = Jobs()
    study = data_sets.download_study(find_data("cifar10-jpeg"))
    job = jobs.start(study.key, study.title, study.total, study.work)
    assert job.wait(30) and job.state == "failed"
    assert job.error.startswith("cifar10-jpeg could not be downloaded (no network?): ") and "\n" not in job.error
