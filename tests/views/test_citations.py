"""What is cited is in the papers: sections, equations, figures and tables exist, and hold what is cited for."""

import re
from pathlib import Path

import pytest
from support.networks import needs

import spikeviz as sv
from spikeviz.nn.neurons import IF, LIF
from spikeviz.views.captions import dynamics
from spikeviz.views.glossary import TERMS
from spikeviz.views.host import query_of, scene_at
from spikeviz.views.page import find_page

PACKAGE = Path(sv.__file__).parent
# Of each paper: its sections, and the numbers of its last equation, figure and table (the text of SDMFormer has none).
PAPERS = {
    "E-SpikeFormer": ("3 3.1 3.1.1 3.1.2 3.2 3.3 3.4 4 4.1 4.2 5 5.1 5.1.1 5.1.2 5.2 5.3 5.4 6 6.1 6.2", (29, 12, 5)),
    "Masked Spiking Transformer": ("3 3.1 3.2 3.3 3.4 4 4.1 4.2 4.3 5", (10, 7, 3)),
    "Spikformer V2": (
        "3 3.1 3.2 3.3 4 4.1 4.2 5 5.1 5.1.1 5.2 5.2.1 5.3 5.3.1 5.3.2 5.4 5.4.1 5.4.2 5.4.3",
        (13, 8, 7),
    ),
    "SDMFormer": ("3 3.1 3.2 3.3 3.4 4 4.1 4.2 4.3 4.3.1 4.3.2 4.4", (0, 0, 0)),
}
KINDS = {"Eq.": 0, "Fig.": 1, "Table": 2}
NAMES = "|".join(PAPERS)
LIST = r"\d[\d.]*(?:(?:, | and |-|, and )\d[\d.]*)*"
PART = rf",? (?:and |\(|paper, )?(?:sec\.|Eq\.|Fig\.|Table) ?{LIST}"


def cited(text: str) -> list[tuple[str, str, str]]:
    """(paper, kind, number) of all that is cited after the name of a paper, up to the name of another or a sentence."""
    text = re.sub(r'"\s*\n\s*f?"', "", text)  # a string of several lines
    text = re.sub(r"\s*\n\s*(?:# )?", " ", text)
    found = []
    for paper, rest in re.findall(rf"({NAMES})((?:{PART})+)", text):
        for kind, numbers in re.findall(rf"(sec\.|Eq\.|Fig\.|Table) ?({LIST})", rest):
            found += [(paper, kind, number.strip(".")) for number in re.split(r", and |, | and |-", numbers)]
    return found


def test_citations_are_read():
    text = 'source = "E-SpikeFormer, sec. 3.2, Eq. 5-7, and sec. 4.1"\n"""(SDMFormer, sec. 3.2 and\n    4.3.1)."""'
    assert cited(text) == [
        *(("E-SpikeFormer", "sec.", "3.2"), ("E-SpikeFormer", "Eq.", "5"), ("E-SpikeFormer", "Eq.", "7")),
        *(("E-SpikeFormer", "sec.", "4.1"), ("SDMFormer", "sec.", "3.2"), ("SDMFormer", "sec.", "4.3.1")),
    ]


def test_what_is_cited_exists():
    found = [(path.name, *c) for path in sorted(PACKAGE.rglob("*.py")) for c in cited(path.read_text("utf-8"))]
    assert len(found) > 100
    for file, paper, kind, number in found:
        sections, last = PAPERS[paper]
        there = number in sections.split() if kind == "sec." else 1 <= int(number) <= last[KINDS[kind]]
        assert there, f"{file}: {paper} has no {kind} {number}"


def test_sparse_convolution_and_masked_images_are_section_3_4():
    """Sec. 4.2 of E-SpikeFormer is about the error of the approximation, and nothing else may cite it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if ("E-SpikeFormer", "sec.", "4.2") in cited(path.read_text("utf-8")):
            assert path.name == "quantisation_error.py"
    for where in (sv.interventions.HidePatches.source, find_page("reconstruction").paper, TERMS["masked autoencoder"]):
        assert ("E-SpikeFormer", "sec.", "3.4") in cited(where)


def test_random_masks_are_section_3_4_and_the_convolutional_networks_4_3():
    assert cited(sv.interventions.MaskSpikes.source) == [("Masked Spiking Transformer", "sec.", "3.4")]
    specs = {spec.name: spec for spec in sv.list_models()}
    for name in ("mst-resnet18", "mst-vgg16"):
        assert ("Masked Spiking Transformer", "sec.", "4.3") in cited(specs[name].paper)


def test_the_equations_of_a_leaky_neuron_are_those_of_e_spikeformer():
    """Spikformer V2 prints none."""
    for where in (TERMS["LIF"], LIF.__doc__, dynamics.source(sv.build("spikformer-4-256"), "blocks.0.attn.q")):
        found = cited(where)
        assert {("E-SpikeFormer", "Eq.", "1"), ("E-SpikeFormer", "Eq.", "3")} <= {*found}
        assert all(paper == "E-SpikeFormer" for paper, *_ in found)
    assert cited(sv.interventions.TimeConstant.source)[-1] == ("E-SpikeFormer", "Eq.", "1")
    assert cited(sv.interventions.FiringThreshold.source)[-1] == ("E-SpikeFormer", "Eq.", "2")
    assert "Spikformer V2" not in IF.__doc__


# What the tables print, in millions of parameters.
PRINTED = {
    "E-SpikeFormer, Table 1": (5.1, 10.0, 19.0, 52.0, 83.0, 173.0),
    "Spikformer V2, Table 2": (16.81, 23.37, 29.68, 36.01, 66.34, 29.11, 51.55),
    "Spikformer V2, Table 3": (29.69, 51.55, 64.18, 143.89, 172.28, 172.70),
    "Spikformer V2, Table 4": (4.15, 5.76, 9.32),
}


def test_a_size_is_in_the_table_that_is_cited():
    seen = set()
    for spec in sv.list_models():
        if spec.paper in PRINTED:
            seen.add(spec.paper)
            printed = PRINTED[spec.paper]
            assert min(abs(spec.params / 1e6 / size - 1) for size in printed) < 0.01, (spec.name, spec.paper)
    assert seen == {*PRINTED}
    smallest = next(spec for spec in sv.list_models() if spec.name == "e-spikeformer-t")
    assert "not in Table 1" in smallest.paper and not smallest.demo


@pytest.mark.parametrize(
    "file", ["spike_maps", pytest.param("integer_firing", marks=needs("e-spikeformer-fashion-vanilla4"))]
)
def test_figure_8_is_the_last_layer_of_the_last_block(file):
    page = find_page(file)
    scene, notices = scene_at(page, query_of(page, "fig8"))
    assert not notices
    for side in scene.sides:
        blocks = [layer for layer in side.run.layers if layer.startswith("blocks.")]
        assert side.layer == blocks[-1] and max(int(layer.split(".")[1]) for layer in blocks) == int(
            side.layer.split(".")[1]
        )
