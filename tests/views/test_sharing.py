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
