"""Places of random masks: asked of a network's own tags, derived here from its size."""

import pytest
import torch
from support.networks import make_cnn, make_mst, make_tiny

import spikeviz as sv
from spikeviz.interventions import MaskSpikes
from spikeviz.metrics.dropped import dropped, passed
from spikeviz.metrics.spike_masking import masked_sites, masking_places
from spikeviz.models.cnn import CNNConfig
from spikeviz.models.espikeformer import ESpikeFormerConfig
from spikeviz.models.sdmformer import SDMFormerConfig
from spikeviz.models.spike_mae import MAEConfig
from spikeviz.models.spikformer_v2 import SpikformerV2Config
from spikeviz.probe import find_probes

SEEN = ("*", "*.sent")
IN_A_BLOCK = {"attn.q.spike": "q", "attn.k.spike": "k", "attn.scores": "scores", "mlp.hidden.spike": "MLP hidden"}


def expected(spec) -> list[tuple[str, str, int]]:
    """Four places in each block, and every convolution that reads spikes; of a CNN all convolutions but the first."""
    if isinstance(spec.config, CNNConfig):
        if spec.config.form == "resnet18":  # eight blocks of two convolutions; where the width grows a third beside
            layers = [f"blocks.{block}.{layer}" for block in range(8) for layer in ("layer.conv", "conv")]
        else:  # thirteen convolutions, the first of them the stem
            layers = [f"blocks.{layer}.conv" for layer in range(12)]
        found = [(f"{layer}.input", "convolution", number) for number, layer in enumerate(layers)]
        beside = [(f"blocks.{block}.shortcut.input", "convolution", 2 * block) for block in (2, 4, 6)]
        found += beside if spec.config.form == "resnet18" else []
        return sorted(found, key=lambda place: place[2])
    prefix = "encoder." if isinstance(spec.config, MAEConfig) else ""
    found = [
        (f"{prefix}blocks.{block}.{end}", site, block)
        for block in range(spec.config.depth)
        for end, site in IN_A_BLOCK.items()
        if site not in ("q", "k") or getattr(spec.config, "attention", "ssa") == "ssa"  # else they are real
    ]
    read = [(f"{prefix}{layer}.input", "convolution", n) for n, layer in enumerate(convolutions(spec))]
    return sorted(found + read, key=lambda place: place[2])


def convolutions(spec) -> list[str]:
    """Of a transformer, the convolutions outside of attention and MLP that spikes enter."""
    config = getattr(spec.config, "encoder", spec.config) if isinstance(spec.config, MAEConfig) else spec.config
    if spec.family == "mst":
        return []
    if isinstance(config, ESpikeFormerConfig):
        return espikeformers(config)
    if isinstance(config, SpikformerV2Config):  # the first reads the image
        parts = [f"stem.stages.{stage}.{part}.conv" for stage in range(config.stages) for part in V2]
        return parts[1:] if config.in_channels != 2 else parts
    lpe = spec.config.lpe if isinstance(spec.config, SDMFormerConfig) else ""
    rpe = {"": ("conv",), "real": ("conv.depthwise",), "spiking": ("depthwise.conv", "pointwise.conv")}[lpe]
    return [f"stem.stages.{stage}.conv" for stage in (1, 2, 3)] + [f"stem.rpe.{part}" for part in rpe]


V2 = ("down", "expand", "reduce")


def espikeformers(config: ESpikeFormerConfig) -> list[str]:
    """Convolution blocks, stage by stage, then what stands beside the attention; no second half of a RepConv."""
    separable, found = config.layout == "base", []
    three = [f"sep.{part}.conv" for part in ("expand", "depth", "reduce")] if separable else []
    for stage, blocks in enumerate(config.conv_blocks):
        for block in range(blocks):
            found += [f"stem.stages.{stage}.blocks.{block}.{part}" for part in (*three, "expand.conv", "reduce.conv")]
        found.append(f"stem.stages.{stage}.down.conv")
    local = {"base": [part.replace("sep", "local") for part in three], "large-rep": ["local.conv.conv1"], "large": []}
    first = config.depths[0]
    for block in range(config.depth):
        found += [f"blocks.{block}.widen.conv"] * (block == first)  # of the second stage of attention
        found += [f"blocks.{block}.{part}" for part in local[config.layout]]
    return found


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
    recording = sv.simulate(model, x, MaskSpikes(0.5, at=tuple(place.name for place in places)), SEEN)
    table = dropped(recording, places).set_index("site")
    assert list(table.index) == ["q", "k", "MLP hidden", *["convolution"] * 4]
    assert (table["kept"] < table["sent"]).all() and (table["kept"] > 0).all()
    fired = recording["blocks.0.attn.q.membrane"].values >= 1
    assert table.loc["q", "sent"] == fired.sum() / 2
    assert list(table["block"]) == [0, 0, 0, 0, 1, 2, 3]  # of convolutions their own number


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


def test_masks_of_older_files_are_known_by_what_they_act_on():
    """They acted on the spikes that go into a convolution, for the shortcut as well."""
    model = make_cnn("resnet18")
    assert masked_sites(model, (MaskSpikes(0.5, at="stem.spike"),)) == ("convolution",)
    assert masked_sites(model, (MaskSpikes(0.5, at="blocks.7.conv.input"),)) == ("convolution",)
    assert masked_sites(model, (MaskSpikes(0.5, at="blocks.7.out.spike"),)) == ()  # they go to the classifier


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
