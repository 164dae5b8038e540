"""Places of random masks: asked of a network's own tags, derived here from its size."""

import pytest
import torch
from support.networks import make_mst, make_tiny

import spikeviz as sv
from spikeviz.interventions import MaskSpikes
from spikeviz.metrics.dropped import dropped, passed
from spikeviz.metrics.spike_masking import masked_sites, masking_places
from spikeviz.models.cnn import CNNConfig
from spikeviz.models.spike_mae import MAEConfig
from spikeviz.probe import find_probes

IN_A_BLOCK = {"attn.q.spike": "q", "attn.k.spike": "k", "attn.scores": "scores", "mlp.hidden.spike": "MLP hidden"}


def expected(spec) -> list[tuple[str, str, int]]:
    """Four places in each block; of a CNN all spikes but the last, each of which a convolution reads."""
    if isinstance(spec.config, CNNConfig):
        if spec.config.form == "resnet18":  # eight blocks of two convolutions
            layers = ["stem", *(f"blocks.{block}.{layer}" for block in range(8) for layer in ("layer", "out"))]
        else:  # thirteen convolutions, the first of them the stem
            layers = ["stem", *(f"blocks.{layer}" for layer in range(12))]
        return [(f"{layer}.spike", "convolution", number) for number, layer in enumerate(layers[:-1])]
    prefix = "encoder." if isinstance(spec.config, MAEConfig) else ""
    return [
        (f"{prefix}blocks.{block}.{end}", site, block)
        for block in range(spec.config.depth)
        for end, site in IN_A_BLOCK.items()
    ]


@pytest.mark.parametrize("spec", sv.list_models(), ids=lambda spec: spec.name)
def test_places_of_every_size(spec):
    with torch.device("meta"):
        model = sv.build(spec.name)
    assert [(place.name, place.site, place.block) for place in masking_places(model)] == expected(spec)


def test_no_two_probes_of_a_place_are_taken_for_one():
    """What flows on from a place is the track `passed` names; scores of an SSA, unlike those of an MST, have none."""
    for place in masking_places(make_mst()):
        assert place.spike == passed(place.name)
    spikes = {place.site: place.spike for place in masking_places(make_tiny())}
    assert spikes["scores"] == "" and spikes["q"] == "blocks.0.attn.q.spike"


def test_dropped_of_a_network_whose_scores_have_no_neurons():
    model, x = make_tiny(), torch.rand(2, 1, 16, 16)
    places = masking_places(model)
    recording = sv.simulate(model, x, MaskSpikes(0.5, at=tuple(place.name for place in places)))
    table = dropped(recording, places).set_index("site")
    assert list(table.index) == ["q", "k", "MLP hidden"]
    assert (table["kept"] < table["sent"]).all() and (table["kept"] > 0).all()
    fired = recording["blocks.0.attn.q.membrane"].values >= 1
    assert table.loc["q", "sent"] == fired.sum() / 2


@pytest.mark.parametrize(
    ("at", "sites"),
    [
        (("*.attn.q.spike", "*.attn.k.spike", "*.attn.scores"), ("q", "k", "scores")),
        (("*.mlp.hidden.spike", "blocks.1.attn.k.spike"), ("k", "MLP hidden")),
        (("stem.spike", "*.attn.v.spike"), ()),
    ],
)
def test_sites_at_which_an_intervention_acts(at, sites):
    assert masked_sites(make_mst(), (MaskSpikes(0.5, at=at),)) == sites
    assert masked_sites(make_mst(), ()) == ()


def test_tags_of_every_size():
    """The membrane of a place is of its site and block, as its spikes are; operands are what the products read."""
    for spec in sv.list_models():
        with torch.device("meta"):
            probes = find_probes(sv.build(spec.name))
        for name, probe in probes.items():
            module, _, last = name.rpartition(".")
            assert (probe.role == "operand") == (last in ("input", "left", "right") and probe.kind == "feature"), name
            if probe.site and probe.kind == "spike" and probe.site != "convolution":
                membrane = probes[f"{module}.membrane"]
                assert (membrane.site, membrane.block) == (probe.site, probe.block) and probe.block is not None
            if probe.site in ("v", "scores"):
                assert probe.block is not None and ".attn." in name
