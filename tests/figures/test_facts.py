"""Files say where they are from, read back by readers of their own; colour bars tell the truth."""

import io
import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from spikeviz.figures.chart import Chart, Line, Maps, Rule, accuracy_range
from spikeviz.figures.events import Frames
from spikeviz.figures.pictures import Pictures
from spikeviz.figures.render_html import map_tiles, scale_bar
from spikeviz.figures.render_matplotlib import drawing, export
from spikeviz.figures.spikes import operations_chart, operations_table
from spikeviz.figures.theme import ROOT, coloured, coloured_difference, scale_ticks

FACTS = {
    "network": "net: Spikformer",
    "sha256": "ab" * 32,
    "settings": "T=4 − seed=0",
    "compared with (A)": "A (2), ± 1",
    "link": "http://127.0.0.1:1/x?a=1&b=2",
}
FIGURES = {
    "chart": Chart("Title · 1", "x", "about", [Line([1, 2], [3, 4])]),
    "maps": Maps("Maps", np.linspace(0, 1, 12).reshape(1, 3, 4), ["a"], "share of the 96 channels that fire"),
    "difference": Maps("A−B", np.linspace(-1, 1, 12).reshape(1, 3, 4), ["a"], "difference", "difference"),
    "frames": Frames("Frames", np.arange(64).reshape(2, 2, 4, 4), ["t = 1", "t = 2"]),
    "pictures": Pictures("Pictures", np.zeros((2, 1, 4, 4)), ["a", "b"]),
}
each = pytest.mark.parametrize("figure", FIGURES.values(), ids=list(FIGURES))


def of_pdf(file: bytes, name: str) -> str:
    """A text of the information of a PDF."""
    found = re.search(rb"/" + name.encode() + rb" \((.*?[^\\])\)", file, re.DOTALL)[1]
    plain = re.sub(rb"\\([0-7]{3}|.)", lambda m: bytes([int(m[1], 8)]) if len(m[1]) == 3 else m[1], found, flags=re.S)
    return plain.decode("utf-16") if plain.startswith(b"\xfe\xff") else plain.decode("latin-1")


@each
def test_every_kind_of_file_says_where_it_is_from(figure):
    picture = Image.open(io.BytesIO(export(figure, "png", FACTS)))
    assert {name: picture.text[name] for name in FACTS} == FACTS and picture.text["Title"] == figure.title
    said = " ".join(ElementTree.fromstring(export(figure, "svg", FACTS)).itertext())
    pdf = export(figure, "pdf", FACTS)
    assert of_pdf(pdf, "Title") == figure.title
    for name, text in FACTS.items():
        assert f"{name}: {text}" in said and f"{name}: {text}" in of_pdf(pdf, "Subject")
    table = export(figure, "csv", FACTS)
    lines = [line[2:].partition(": ")[::2] for line in table.decode().splitlines() if line.startswith("# ")]
    assert dict(lines) == {"figure": figure.title} | FACTS
    pd.testing.assert_frame_equal(
        pd.read_csv(io.BytesIO(table), comment="#"), pd.read_csv(io.BytesIO(export(figure, "csv")))
    )
    with np.load(io.BytesIO(export(figure, "npz", FACTS)), allow_pickle=False) as file:
        assert json.loads(str(file["about"])) == {"figure": figure.title} | FACTS
        assert set(file) == {*figure.arrays(), "about"}


@pytest.mark.parametrize("kind", ["png", "svg", "pdf", "csv", "npz"])
def test_the_same_figure_and_facts_give_the_same_bytes(kind):
    assert export(FIGURES["chart"], kind, FACTS, FACTS) == export(FIGURES["chart"], kind, FACTS, FACTS)


@each
def test_a_caption_is_printed_below_and_moves_nothing(figure):
    plain = np.asarray(Image.open(io.BytesIO(export(figure, "png"))).convert("RGB")).astype(int)
    below = np.asarray(Image.open(io.BytesIO(export(figure, "png", FACTS, FACTS))).convert("RGB")).astype(int)
    assert below.shape[1] == plain.shape[1] and len(below) > len(plain) + 80
    assert np.abs(below[: len(plain)] - plain).mean() < 3  # the text of a tick may move by a part of a pixel
    assert (below[len(plain) :] < 128).any()
    said = " ".join(ElementTree.fromstring(export(figure, "svg", None, FACTS)).itertext())
    assert all(f"{name}: {text}" in said for name, text in FACTS.items())


@pytest.mark.parametrize("name", ["maps", "difference"])
def test_the_ticks_of_a_colour_bar_stand_at_the_colours_they_name(name):
    maps = FIGURES[name]
    picture = np.asarray(Image.open(io.BytesIO(export(maps, "png"))).convert("RGB")).astype(int)
    axes = drawing(maps).axes[-1]
    left, bottom, wide, high = axes.get_position().bounds
    row = picture[int((1 - bottom - high / 2) * len(picture))]
    of = coloured if name == "maps" else coloured_difference
    for tick in axes.get_xticklabels():
        value = float(tick.get_text().replace("−", "-"))
        column = (left + wide * tick.get_position()[0]) * picture.shape[1]
        seen = row[int(np.clip(column, left * len(row) + 1, (left + wide) * len(row) - 2))]
        assert np.abs(seen - of(np.array(value)).astype(int)).max() <= 8, tick
    assert len(axes.get_xticklabels()) == 5


@pytest.mark.parametrize("quantity", ["rate", "difference"])
def test_every_scale_says_that_it_is_a_root(quantity):
    for share in scale_ticks(quantity).values():
        assert f"left:{share:.1%}" in scale_bar("label", quantity)
    assert ROOT in scale_bar("label", quantity)


@pytest.mark.parametrize("name", ["maps", "difference", "frames"])
def test_a_root_is_named_on_paper(name):
    words = " ".join(" ".join(ElementTree.fromstring(export(FIGURES[name], "svg")).itertext()).split())
    assert "square-root scale" in words and "fixed" in words


def test_an_axis_has_no_offset():
    chart = Chart("Large", "x", "pJ", [Line([0, 1], [1e7, 1.00001e7])])
    words = " ".join(ElementTree.fromstring(export(chart, "svg")).itertext())
    assert "1e7" not in words and "10000000" in words


def test_a_map_whose_columns_are_no_places_has_axes():
    maps = Maps("Epochs", np.zeros((2, 20, 11)), ["q", "k"], "share", axes=("epoch", (1, 11), "strength", (0, 1)))
    words = " ".join(ElementTree.fromstring(export(maps, "svg")).itertext()).split()
    assert words.count("epoch") == words.count("strength") == 2 and words.count("11") == 2
    first = drawing(maps).axes[0]
    assert list(first.get_xlim()) == [0.5, 11.5] and list(first.get_ylim()) == [0, 1]
    html = "".join(map_tiles(maps, ["", ""]))
    assert html.count("<span>epoch</span>") == 2 and html.count("<span>11</span>") == 2


def test_an_axis_of_accuracies_holds_every_error_and_no_more():
    curve = Line([1, 2], [0.90, 0.92], band=([0.88, 0.91], [0.92, 0.93]))
    low, high = accuracy_range([curve])
    assert 0.85 < low < 0.88 and 0.93 < high < 0.96
    assert accuracy_range([curve], [Rule(0.1, "chance")])[0] <= 0.1
    assert accuracy_range([Line([1], [0.99], band=([0.9], [1.08]))])[1] >= 1.08  # an error is never cropped
    assert accuracy_range([Line([1], [float("nan")])]) == (0, 1)


@pytest.mark.parametrize(("most", "unit"), [(5.0, "pJ"), (2e3, "nJ"), (1e7, "µJ"), (3e9, "mJ")])
def test_energy_has_the_unit_of_its_size(most, unit):
    table = pd.DataFrame({"layer": ["a", "b"], "MACs": [2e5, 0], "SOPs": [12, 3e6], "picojoule": [most, most / 10]})
    chart = operations_chart(table)
    assert chart.x == f"estimated energy ({unit})" and 1 <= max(chart.series[0].values) < 1000
    html = operations_table(table)
    assert f"energy ({unit})" in html and "MACs (k)" in html and ">200.0<" in html and ">&lt;0.1<" in html
