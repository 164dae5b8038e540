"""Files of a page say what the page says, and other settings have other names."""

import argparse
import io
import json
import shlex

import numpy as np
import pytest
import torch
from PIL import Image
from support.networks import needs
from support.scenes import scene_of

import spikeviz as sv
from spikeviz.artifacts.cards import find_card
from spikeviz.cli.figures import arguments
from spikeviz.data.ingest import Input
from spikeviz.views.host import page_figures, query_of, scene_at
from spikeviz.views.page import find_page
from spikeviz.views.sharing.provenance import LONGEST, provenance

FASHION = "spikformer-fashion"


def scene(**query: str):
    return scene_of(find_page("spike_maps"), **query)


@needs(FASHION)
def test_a_file_says_what_its_scene_is():
    here = scene(input="3", maps_T="2", maps_A="input:1,T:4", seed="5")
    figure = page_figures(here)[0]
    with np.load(io.BytesIO(figure.export("npz"))) as file:
        said = json.loads(str(file["about"]))
    picture = Image.open(io.BytesIO(figure.export("png", caption=True)))
    assert {name: said[name] for name in provenance(here).facts} == provenance(here).facts
    assert all(picture.text[name] == text for name, text in provenance(here).facts.items())
    assert said["network"].startswith(f"{FASHION}: ") and said["sha256"] == here.card.sha256
    assert said["settings"] == here.now.status_text and "test image 1" in said["compared with (A)"]
    assert said["input"].startswith("test image 3 of ") and said["spikeviz"] == sv.__version__
    assert f"{here.card.accuracy:.4f} ± " in said["accuracy"] and figure.title == said["figure"]


@needs(FASHION, "e-spikeformer-fashion-sfa4")
def test_a_figure_of_a_says_the_network_and_the_settings_of_a():
    here = scene(
        checkpoint="e-spikeformer-fashion-sfa4", input="7", maps_A=f"checkpoint:{FASHION},input:1,T:2", maps_charts="A"
    )
    said = {figure.title: figure.about.facts for figure in page_figures(here)}
    of_a = [facts for title, facts in said.items() if title.endswith(", A")]
    assert of_a and len(of_a) < len(said)
    for facts in of_a:
        assert facts["network"].startswith(f"{FASHION}: ") and facts["sha256"] == here.compared.card.sha256
        assert facts["settings"] == here.compared.status_text and facts["input"].startswith("test image 1 of ")
        assert here.now.status_text in facts["compared with (B)"]
    for facts in (facts for title, facts in said.items() if not title.endswith(", A")):
        assert facts["sha256"] == here.card.sha256 and "compared with (A)" in facts
    names = {figure.about.file("membrane", "csv") for figure in page_figures(here)}
    assert len(names) == 2


@needs(FASHION)
def test_an_export_shows_the_channel_that_the_viewer_shows():
    mean, third, every = (
        page_figures(scene(**query))[0] for query in ({}, {"maps_channel": "3"}, {"maps_channel": "all"})
    )
    here = scene()
    spikes = here.now.packed.layers[here.layer].spikes
    assert np.array_equal(third.chart.maps[:-1], spikes[:, 3]) and "channel 3" in third.title
    assert np.allclose(mean.chart.maps[:-1], spikes.mean(1))
    _, channels, height, width = spikes.shape
    columns = every.chart.maps.shape[2] // width
    for channel in (0, 5, channels - 1):
        row, column = divmod(channel, columns)
        tile = every.chart.maps[:-1, row * height : (row + 1) * height, column * width : (column + 1) * width]
        assert np.array_equal(tile, spikes[:, channel])
    assert len({figure.label for figure in (mean.chart, third.chart, every.chart)}) == 3


@needs(FASHION)
def test_link_and_command_give_the_scene_again():
    here = scene(input="3", maps_T="2", maps_A="input:1,T:4", seed="5", maps_layer="blocks.1.attn.q")
    about = provenance(here, "http://host:1")
    assert about.link.startswith("http://host:1/spike_maps?")
    words = shlex.split(about.command)
    assert words[:2] == ["spikeviz", "figures"]
    parser = argparse.ArgumentParser()
    arguments(parser)
    options = parser.parse_args(words[2:])
    for url in (about.link, options.url):
        again, notices = scene_at(find_page(options.page), query_of(find_page(options.page), None, url))
        assert not notices and provenance(again, "http://host:1") == about
    assert provenance(here).link.startswith("spike_maps?")  # without a server no address is made up
    assert "--studies" in about.studied().command and "spikeviz report" in about.of_report().command


@needs(FASHION)
def test_other_settings_have_other_names():
    queries = [{}, {"input": "3"}, {"maps_T": "2"}, {"seed": "1"}, {"maps_threshold": "0.50"}, {"maps_A": "T:2"}]
    queries += [{"maps_A": "input:4,T:2"}, {"maps_T": "2", "maps_tau": "3.00"}]
    names = [provenance(scene(**query)).file("nsfr", "svg") for query in queries]
    assert len(set(names)) == len(names) and all(len(name) <= LONGEST for name in names)
    assert names[0] == f"spikeviz_spike-maps_nsfr_{FASHION}_test-0.svg" and "T-2" in names[2]
    long = [provenance(scene(maps_T=t)).file("n" * 100, "csv") for t in ("2", "3")]
    assert long[0] != long[1] and all(len(name) == LONGEST for name in long)


@needs(FASHION)
def test_an_input_of_ones_own_is_named_by_its_hash():
    figure = sv.view("spike_maps", FASHION, Input(torch.zeros(1, 28, 28), "your picture"))[0]
    facts = figure.about.facts
    assert "an input of one's own (upload-" in facts["input"]
    assert "input=upload-" not in facts.get("command", "")  # which no other session has
    assert "_upload-" in figure.file("png")


@pytest.mark.parametrize("page", ["overview"])
def test_the_start_page_has_no_name_in_its_link(page):
    assert provenance(scene_of(find_page(page)), "http://host:1").link.startswith("http://host:1/?")


@needs("mst-fashion", "mst-resnet18-fashion")
def test_a_curve_of_other_networks_says_which_and_over_how_many_samples():
    """Not the network, the input and the T of the page, which it does not show."""
    here = scene_of(find_page("random_masks"), rsm_T="4", input="3")
    names = set()
    for figure in (each for each in page_figures(here, "accuracy") if each.over):
        text = figure.export("csv").decode()
        head = dict(line[2:].split(": ", 1) for line in text.splitlines() if line.startswith("# "))
        shown = set(figure.chart.table()["network"])
        assert {part.partition(":")[0] for part in head["network"].split("; ")} == shown
        assert all(find_card(name)[0].sha256 in head["sha256"] for name in shown)
        assert "250 test images" in head["input"] and "10 seeds" in head["input"] and "CPU" in head["input"]
        assert "T=4" not in head["settings"] and head["caption"] == " ".join(figure.caption.split())
        names.add(figure.file("csv"))
    assert len(names) > 2


@needs("spikformer-v2-mae-fashion")
def test_an_error_is_not_called_an_accuracy():
    facts = provenance(scene_of(find_page("reconstruction"))).facts
    assert "accuracy" not in facts and "of the visible mean's" in facts["reconstruction"]
