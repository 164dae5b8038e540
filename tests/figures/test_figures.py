"""Figures as values: the same numbers on the screen, on paper and in a file; colours that mean the same everywhere."""

import io
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex
from PIL import Image

from spikeviz.figures import render_html as tiles
from spikeviz.figures.chart import Bars, Chart, Line, Maps, Rule, Ticks
from spikeviz.figures.render_matplotlib import FORMATS, drawing, export
from spikeviz.figures.render_plotly import plotly_figure
from spikeviz.figures.report import ROWS, inline_svg, report
from spikeviz.figures.spikes import layer_bars, membrane, nsfr_curve, operations_chart, operations_table, raster
from spikeviz.figures.theme import (
    ACCENT,
    PURPLE_ORANGE,
    QUIET,
    SPIKE,
    VIRIDIS,
    coloured,
    coloured_difference,
    difference_colours,
    rate_colours,
)
from spikeviz.metrics import Raster

HOUSE = Path(__file__).resolve().parents[2]
SEED = np.random.default_rng(3)
STEPS = np.arange(1, 7)
POTENTIAL = np.array([0.2, 0.7, 1.1, 0.3, 1.3, 0.1], dtype=np.float32)
FIRED = POTENTIAL >= 1
OPERATIONS = pd.DataFrame(
    {"layer": ["stem.0", "head"], "MACs": [5000.0, 0.0], "SOPs": [0.0, 120.0], "picojoule": [23000.0, 108.0]}
)
SPIKES = Raster(torch.tensor([0, 0, 3]), torch.tensor([2, 0, 1]), torch.tensor([5, 40, 77]), 96, 4)
SILENT = Raster(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64), torch.tensor([5]), 96, 4)
NAMES = ["channel 0", "channel 1", "channel 2"]

CHARTS = {
    "nsfr": nsfr_curve(np.array([0.05, 0.2, 0.25, 0.1])),
    "two nsfr": nsfr_curve(np.array([0.05, 0.2, 0.4]), np.array([0.1, 0.3])),
    "bars": layer_bars(["stem.0", "blocks.0.attn.q"], [0.25, 0.125], "firing rate, mean over t", "blocks.0.attn.q"),
    "membrane": membrane(POTENTIAL, FIRED, 1.0),
    "raster": raster(SPIKES, NAMES),
    "empty raster": raster(SILENT, NAMES[:1]),
    "operations": operations_chart(OPERATIONS),
    "band": Chart(
        "Accuracy $x_1$ & ratio $",
        "ratio",
        "accuracy <%>",
        [
            Line(STEPS / 6, POTENTIAL, "mean", points=False, band=(POTENTIAL - 0.1, POTENTIAL + 0.1)),
            Line(STEPS / 6, FIRED, "fired", marks=FIRED, dash=True),
            Ticks(STEPS / 6, POTENTIAL, [f"point {t}" for t in STEPS], 8, "ticks"),
        ],
        rules=[Rule(0.5, "half")],
    ),
}
MAPS = {
    "rates": Maps("Spike maps", SEED.random((3, 5, 4)), ["t = 1", "t = 2", "mean over t"], "share of channels"),
    "differences": Maps("B - A", SEED.uniform(-1, 1, (17, 4, 4)), list("abcdefghijklmnopq"), "change", "difference"),
}
ALL = CHARTS | MAPS

each = pytest.mark.parametrize("exhibit", ALL.values(), ids=list(ALL))
each_chart = pytest.mark.parametrize("chart", CHARTS.values(), ids=list(CHARTS))
each_map = pytest.mark.parametrize("maps", MAPS.values(), ids=list(MAPS))


def words(svg: bytes) -> str:
    """All text of a picture, by an XML parser."""
    return " ".join(ElementTree.fromstring(svg).itertext())


# every kind through both renderers and all files


@each
def test_png_is_a_picture_on_white(exhibit):
    picture = Image.open(io.BytesIO(export(exhibit, "png")))
    picture.load()
    assert picture.format == "PNG" and picture.width == 1280  # 6.4 inches at 200 dots
    pixels = np.asarray(picture.convert("RGB"))
    assert (pixels[0, 0] == 255).all() and pixels.std() > 5
    # nothing runs over an edge
    for side in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert (side == 255).all()


@each_chart
def test_svg_holds_its_words_as_text(chart):
    text = words(export(chart, "svg"))
    assert chart.x in text and chart.y in text and chart.title in text
    assert all(rule.label in text for rule in chart.rules)
    assert all(name in text for bars in chart.series if isinstance(bars, Bars) for name in bars.names)


@each_map
def test_svg_of_maps_holds_titles_and_scale(maps):
    text = words(export(maps, "svg"))
    assert all(word in text for word in (maps.title, maps.label, *maps.titles))
    assert ("0.06" in text) == (maps.quantity == "rate") and ("+0.25" in text) == (maps.quantity == "difference")


@each
def test_pdf_has_truetype_letters(exhibit):
    file = export(exhibit, "pdf")
    assert file.startswith(b"%PDF") and b"/CIDFontType2" in file and b"/Type3" not in file


@each
def test_csv_and_npz_read_back_equal(exhibit):
    table = exhibit.table()
    read = pd.read_csv(io.BytesIO(export(exhibit, "csv")), dtype=str, keep_default_na=False)
    assert list(read.columns) == list(table.columns) and len(read) == len(table)
    for column in table:
        if pd.api.types.is_numeric_dtype(table[column]):
            back = [float(cell or "nan") for cell in read[column]]
            np.testing.assert_array_equal(np.array(back).astype(table[column].dtype), table[column])
        else:
            assert list(read[column]) == list(table[column].fillna(""))
    with np.load(io.BytesIO(export(exhibit, "npz")), allow_pickle=False) as file:
        arrays = exhibit.arrays()
        assert set(file) == set(arrays) and len(arrays) > 1
        for key, values in arrays.items():
            np.testing.assert_array_equal(file[key], values)
            assert re.fullmatch(r"\w+", key, re.ASCII)


def test_the_numbers_in_a_file_are_those_of_the_figure():
    curve = pd.read_csv(io.BytesIO(export(CHARTS["nsfr"], "csv")))
    assert list(curve.columns) == ["time step t", "NSFR"]
    assert curve.to_numpy().tolist() == [[1, 0.05], [2, 0.2], [3, 0.25], [4, 0.1]]
    both = CHARTS["two nsfr"].table()
    assert both["series"].tolist() == ["B"] * 3 + ["A"] * 2
    assert both["NSFR"].tolist() == [0.05, 0.2, 0.4, 0.1, 0.3]
    assert CHARTS["bars"].table().to_dict("list") == {
        "layer": ["stem.0", "blocks.0.attn.q"],
        "firing rate, mean over t": [0.25, 0.125],
    }
    neuron = CHARTS["membrane"].arrays()
    np.testing.assert_array_equal(neuron["membrane_H_t"], POTENTIAL)
    np.testing.assert_array_equal(neuron["spikes"], FIRED)
    dots = CHARTS["raster"].table()
    assert dots["neuron"].tolist() == [77, 5, 40] and dots["time step t"].tolist() == [1, 1, 4]
    assert CHARTS["operations"].table() is OPERATIONS
    band = CHARTS["band"].table()
    assert set(band["series"]) == {"mean", "fired", "ticks"} and len(band) == 18
    assert band["marked"].dropna().tolist() == FIRED.tolist()
    np.testing.assert_array_equal(band["low"].dropna(), POTENTIAL - np.float32(0.1))
    pixels = MAPS["rates"].table().set_index(["map", "row", "column"])["value"]
    assert pixels["mean over t", 4, 1] == MAPS["rates"].maps[2, 4, 1]


def test_a_column_may_have_any_name():
    table = pd.DataFrame({"file": [1], "a b": [2], "a-b": ["x"], "τ": [None], "allow pickle": [True]})
    chart = Chart("", "x", "y", [Line([0], [1])], numbers=table)
    with np.load(io.BytesIO(export(chart, "npz")), allow_pickle=False) as file:
        assert {key: file[key].tolist() for key in file} == {
            "file_2": [1],
            "a_b": [2],
            "a_b_2": ["x"],
            "column": [""],
            "allow_pickle_2": [True],
        }


@each_chart
def test_the_screen_shows_the_same_chart(chart):
    figure = plotly_figure(chart)
    layout = figure.layout
    assert (layout.xaxis.title.text, layout.yaxis.title.text) == (chart.x, chart.y) and layout.height == chart.height
    assert layout.showlegend == chart.has_legend
    assert [a.text for a in layout.annotations] == [rule.label for rule in chart.rules]
    traces = [trace for trace in figure.data if trace.hoverinfo != "skip"]
    for trace, series in zip(traces, chart.series, strict=True):
        if isinstance(series, Bars):
            assert list(trace.y) == list(series.names)
            np.testing.assert_array_equal(trace.x, series.values)
            assert list(trace.marker.color).count(ACCENT) == (1 if series.chosen else len(series.names))
        else:
            np.testing.assert_array_equal(trace.x, series.x)
            np.testing.assert_array_equal(trace.y, series.y)
            assert trace.y.dtype != bool, "plotly writes bools out one by one"
    if chart.y_range is not None:
        assert list(layout.yaxis.range) == list(chart.y_range)


def test_spikes_are_marked_on_both():
    line = plotly_figure(CHARTS["membrane"]).data[0]
    assert line.marker.color.tolist() == [0, 0, 1, 0, 1, 0] and line.marker.color.dtype == np.uint8
    assert line.marker.colorscale == ((0, QUIET), (1, SPIKE))
    dots = drawing(CHARTS["membrane"]).axes[0].collections[0].get_facecolors()
    assert [to_hex(colour).upper() for colour in dots] == [SPIKE if fired else QUIET for fired in FIRED]


def test_time_steps_are_whole_and_ranges_hold_on_both():
    chart = CHARTS["raster"]
    screen, paper = plotly_figure(chart).layout, drawing(chart).axes[0]
    assert list(screen.xaxis.range) == list(paper.get_xlim()) == [0.5, 4.5]
    assert list(screen.xaxis.tickvals) == paper.get_xticks().tolist() == [1, 2, 3, 4]
    assert list(screen.yaxis.range) == list(paper.get_ylim()) == [2.5, -0.5]
    assert nsfr_curve(np.full(64, 0.1)).step_ticks.tolist() == [1, 9, 17, 25, 33, 41, 49, 57]


def test_a_legend_needs_two_names():
    assert drawing(CHARTS["nsfr"]).axes[0].get_legend() is None
    names = [text.get_text() for text in drawing(CHARTS["two nsfr"]).axes[0].get_legend().get_texts()]
    assert names == ["B", "A"]
    held = CHARTS["two nsfr"].series[1]
    assert held.dash and held.colour == QUIET and CHARTS["two nsfr"].steps == 3


def test_operations_table_ends_with_the_sum():
    html = operations_table(OPERATIONS)
    assert html.count("<tr") == 4 and "energy (nJ)" in html and ">23.11<" in html and ">0.11<" in html


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Line([1, 2], [1]), "2, 1 entries"),
        (lambda: Line([1, 2], [1, 2], band=([1], [2, 3])), "2, 2, 1, 2 entries"),
        (lambda: Bars(["a", "a"], [1, 2]), "1 of 2"),
        (lambda: Ticks([1], [1], ["a", "b"]), "1, 1, 2 entries"),
        (lambda: Chart("empty", "x", "y", []), "'empty' has no series"),
        (lambda: Chart("two", "x", "y", [Bars(["a"], [1]), Line([1], [1])]), "stand alone"),
        (lambda: Chart("one", "x", "x", [Line([1], [1])]), "called 'x'"),
        (lambda: Maps("flat", np.zeros((2, 2)), ["a", "b"], "rate"), r"not \[2, 2\]"),
        (lambda: Maps("names", np.zeros((2, 2, 2)), ["a"], "rate"), "2, 1 entries"),
        (lambda: Maps("kind", np.zeros((1, 2, 2)), ["a"], "rate", "rates"), "not 'rates'"),
        (lambda: export(ALL["nsfr"], "gif"), "png, svg, pdf, csv, npz, not as 'gif'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_its_numbers(make, says):
    with pytest.raises(ValueError, match=says):
        make()


# colours


def test_colour_tables_have_the_ends_and_the_middle_of_their_sources():
    from plotly.colors import diverging, hex_to_rgb, sequential

    assert tuple(hex_to_rgb(colour) for colour in sequential.Viridis) == VIRIDIS
    puor = [tuple(int(n) for n in re.findall(r"\d+", colour)) for colour in diverging.PuOr]
    assert tuple(reversed(puor)) == PURPLE_ORANGE
    rates, differences = rate_colours(), difference_colours()
    assert rates.shape == differences.shape == (256, 3) and rates.dtype == differences.dtype == np.uint8
    assert rates[0].tolist() == [68, 1, 84] and rates[255].tolist() == [253, 231, 37]
    assert differences[0].tolist() == [45, 0, 75] and differences[255].tolist() == [127, 59, 8]
    assert (np.abs(differences[127:129].astype(int) - 247) <= 1).all()


def test_scales_are_square_roots_with_fixed_ends():
    # sqrt 0.25 = 0.5 -> entry 127.5, rounded to even 128; below 0 and above 1 the ends hold
    np.testing.assert_array_equal(coloured(np.array([-1, 0, 0.25, 1, 2])), rate_colours()[[0, 0, 128, 255, 255]])
    # (sqrt 0.25 + 1) / 2 = 0.75 -> 191.25; (1 - sqrt 0.25) / 2 = 0.25 -> 63.75
    values = np.array([[-2, -1, -0.25], [0, 0.25, 1]])
    np.testing.assert_array_equal(coloured_difference(values), difference_colours()[[[0, 0, 64], [128, 191, 255]]])
    (red, _, blue), (less_red, _, less_blue) = coloured_difference(np.array([0.5, -0.5])).astype(int)
    assert red > blue + 100 and less_blue > less_red + 40  # orange is more, purple is less


@pytest.mark.parametrize("quantity", ["rate", "difference"])
@pytest.mark.parametrize("others", [0.0, 1.0])
def test_a_tenth_has_one_colour_whatever_else_is_shown(quantity, others):
    maps = Maps("A tenth", np.full((2, 3, 3), others), ["it", "others"], "rate", quantity)
    maps.maps[0] = 0.1
    # rate: sqrt 0.1 = 0.3162 -> 80.6; difference: (0.3162 + 1) / 2 = 0.6581 -> 167.8
    colour = rate_colours()[81] if quantity == "rate" else difference_colours()[168]
    assert (maps.pixels()[0] == colour).all()
    paper = np.asarray(Image.open(io.BytesIO(export(maps, "png"))).convert("RGB"))
    left, bottom, width, height = drawing(maps).axes[0].get_position().bounds
    square = paper[
        int((1 - bottom - height) * len(paper)) + 3 : int((1 - bottom) * len(paper)) - 3,
        int(left * paper.shape[1]) + 3 : int((left + width) * paper.shape[1]) - 3,
    ]
    assert square.size > 1e5 and (square == colour).all()
    screen = tiles.map_tiles(maps, ["", ""])
    assert tiles.data_uri(maps.pixels()[0]) in screen[0]
    assert tiles.data_uri(maps.pixels()[0]) not in screen[1]


def test_a_colour_bar_says_its_scale():
    rate, difference = tiles.rate_bar("share"), tiles.scale_bar("change", "difference")
    assert "rgb(253,231,37)" in rate and ">0.56<" in rate and "share" in rate
    assert "rgb(45,0,75)" in difference and "rgb(127,59,8)" in difference and ">+0.25<" in difference


# many at once


@pytest.mark.parametrize("kind", FORMATS)
def test_four_threads_export_what_one_does(kind):
    exhibits = [ALL["nsfr"], ALL["membrane"], ALL["band"], ALL["differences"]]  # the first to begin ends first
    alone, before = [export(exhibit, kind) for exhibit in exhibits], dict(matplotlib.rcParams)
    for _ in range(3):
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(lambda exhibit: export(exhibit, kind), exhibits)) == alone
        assert dict(matplotlib.rcParams) == before
    assert len(set(alone)) == 4


def test_the_style_of_the_process_is_neither_used_nor_changed():
    plain = export(CHARTS["nsfr"], "svg")
    with matplotlib.rc_context({"svg.fonttype": "path", "axes.facecolor": "black", "font.size": 30}):
        before = dict(matplotlib.rcParams)
        assert export(CHARTS["nsfr"], "svg") == plain
        assert dict(matplotlib.rcParams) == before


# the report


class Tags(HTMLParser):
    """Every tag with its attributes, and whether the elements nest."""

    def __init__(self, html: str):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page():
    exhibits = [*ALL.values(), CHARTS["nsfr"], Maps("many", np.zeros((1, 20, 30)), ["all"], "rate")]
    return report(
        'Title <script>alert("1")</script>',
        "What & why.",
        {"model": "spikformer-fashion", "<b>": "seed & 0"},
        [(exhibit, f"Caption <i>{exhibit.title}</i>") for exhibit in exhibits],
        'import spikeviz as sv\nx = "<&>"',
        ["Weights unchanged: this is not a retrained model."],
    )


def test_a_report_needs_nothing_from_outside(page):
    tags = Tags(page)
    assert not tags.open
    for tag, attributes in tags.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base")
        for name, value in attributes.items():
            if name.startswith("xmlns"):
                continue
            assert "http://" not in value and "https://" not in value, (tag, name, value)
            if name.removeprefix("xlink:") in ("href", "src"):
                assert value.startswith(("#", "data:image/png;base64,"))
    assert not re.search(r"https?://", re.sub(r'xmlns(:\w+)?="[^"]*"', "", page))
    assert "@import" not in page and "<!DOCTYPE svg" not in page


def test_a_report_escapes_what_it_is_told(page):
    assert "<script" not in page and "&lt;script&gt;" in page and "<b>" not in page and "<i>" not in page
    assert "seed &amp; 0" in page and "&lt;&amp;&gt;" in page and "What &amp; why." in page
    assert page.count("<svg") == len(ALL) + 2


def test_figures_of_a_report_keep_their_ids_apart(page):
    tags = Tags(page).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) > 50 and len(set(ids)) == len(ids)
    used = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', page)
    assert used and {a or b for a, b in used} <= set(ids)


def test_ids_in_words_stay_as_they_are():
    chart = Chart('id="a" url(#b)', "x", "y", [Line([1, 2], [1, 2])])
    element = inline_svg(export(chart, "svg").decode(), "f-")
    assert chart.title in "".join(ElementTree.fromstring(element).itertext())


def test_a_report_cuts_long_tables_and_says_so(page):
    assert f"600 rows, the first {ROWS} are shown" in page
    assert "Numbers: 4 rows</summary>" in page  # the curve of four steps is whole
    assert "<td>0.25</td>" in page and "<th>NSFR</th>" in page
    rows = sum(min(ROWS, len(exhibit.table())) + 1 for exhibit in [*ALL.values(), CHARTS["nsfr"]]) + ROWS + 1
    assert page.count("<tr>") == rows


# what is not loaded


@pytest.mark.parametrize("module", ["chart", "render_html", "theme", "spikes", "prediction"])
def test_maps_are_drawn_before_anything_heavy_is_loaded(module):
    code = f"""
import sys
import numpy as np
import spikeviz.figures.{module}
from spikeviz.figures.chart import Maps
from spikeviz.figures.render_html import map_tiles, rate_bar
assert map_tiles(Maps("a", np.zeros((1, 2, 2)), ["b"], "c"), ["d"]) and rate_bar("e")
print(*sorted({{name.split(".")[0] for name in sys.modules}}))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=HOUSE, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "PIL" in loaded and not loaded & {"torch", "plotly", "matplotlib", "pandas", "streamlit"}


def test_exports_do_without_pyplot():
    code = "import sys, spikeviz.figures.report; print('matplotlib.pyplot' in sys.modules, 'plotly' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=HOUSE, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["False", "False"], done.stderr
